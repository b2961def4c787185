"""The programming interfaces beside the page, over HTTP: what they answer, and what they refuse."""

import asyncio
import base64
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import gradio_client
import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

import tiny_onnx
from live_page import live_page
from zorse_app import Service, Shelf, visitors_folder
from zorse_app.api import current_visitor, plain_api
from zorse_app.gate import Gate
from zorse_app.guard import LOCAL_HOSTS, Door, Guard
from zorse_app.guesses import Guesses
from zorse_app.limits import Limits

USER = ("ann", "grün:7")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in ("horse2zebra", "zebra2horse"):
        card = tiny_onnx.card(name=name, task=name.replace("2", " to "), state="preview")
        tiny_onnx.write(folder / f"{name}.onnx", model_card=card)
    return folder


@pytest.fixture(scope="module")
def url(models):
    """A page with a password."""
    options = ("--max-file", "1MB", "--max-pixels", "0.05", "--max-seconds", "0")
    with live_page(models, *options, environment={"ZORSE_USER": ":".join(USER)}) as (_, address):
        yield address


@pytest.fixture
def web(url):
    with httpx.Client(base_url=url, auth=tuple(part.encode() for part in USER), timeout=60) as client:
        yield client


def picture(format="PNG", size=(90, 70), **options):
    rows = np.linspace(0, 255, size[1], dtype=np.uint8)[:, None, None]
    file = io.BytesIO()
    Image.fromarray(np.broadcast_to(rows, (size[1], size[0], 3)).copy()).save(file, format, **options)
    return file.getvalue()


def translate(web, content, name="horse.png", **fields):
    return web.post("/api/v1/translate", files={"picture": (name, content)}, data={"model": "horse2zebra"} | fields)


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"), int)


@pytest.mark.parametrize(("format", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_a_picture_comes_back_in_its_format_with_its_metadata(web, format, kind):
    exif = Image.Exif()
    exif[0x010E] = "my horse"
    content = picture(format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    answer = translate(web, content)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind), answer.text
    assert np.abs(255 - pixels(answer.content) - pixels(content)).max() < 8
    with Image.open(io.BytesIO(answer.content)) as result:
        assert (result.format, result.getexif()[0x010E]) == (format, "my horse")
    receipt = json.loads(answer.headers["X-Zorse-Receipt"])
    assert {"what": "EXIF", "outcome": "kept", "detail": "EXIF is in the result."} in receipt["entries"]


def test_the_receipt_says_what_was_dropped_and_is_documented(web):
    clear = io.BytesIO()
    Image.new("RGBA", (40, 30), (10, 20, 30, 100)).save(clear, "TIFF")
    answer = translate(web, clear.getvalue(), "näme.jpg")
    details = [entry["detail"] for entry in json.loads(answer.headers["X-Zorse-Receipt"])["entries"]]
    assert "The file is TIFF, although its name ends in .jpg, and so is the result." in details
    assert "X-Zorse-Receipt" in web.get("/api/v1/docs").text
    assert "X-Zorse-Receipt" in web.get("/api/v1/openapi.json").json()["paths"]["/translate"]["post"]["description"]


def test_every_frame_of_an_animation_is_translated(web):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("#000000", "#404040", "#ffffff")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=80)
    with Image.open(io.BytesIO(translate(web, file.getvalue()).content)) as result:
        shades = []
        for number in range(result.n_frames):
            result.seek(number)
            shades.append(result.convert("RGB").getpixel((5, 5))[0])
    assert shades == pytest.approx([255, 191, 0], abs=3)


def test_strength_and_size(web):
    content = picture()
    assert np.array_equal(pixels(translate(web, content, strength="0", size="keep").content), pixels(content))
    assert translate(web, content, size="64").status_code == 200


@pytest.mark.parametrize(
    ("content", "fields", "status", "says"),
    [
        (b"", {}, 422, "empty"),
        (b"no picture", {}, 422, "not a picture that can be read"),
        (picture()[:200], {}, 422, "damaged or cut off"),
        (picture(size=(300, 300)), {}, 413, "million pixels"),
        (picture(), {"model": "cat2dog"}, 404, "horse2zebra, zebra2horse"),
        (picture(), {"model": "../../etc/passwd"}, 404, "no model"),
        (picture(), {"strength": "7"}, 422, "strength"),
        (picture(), {"strength": "nan"}, 422, "strength"),
        (picture(), {"size": "0"}, 422, "0"),
        (picture(), {"size": "large"}, 422, "'large'"),
        (picture(), {"size": "99999"}, 413, "smaller size"),
        (picture(), {"strenght": "0"}, 422, "Did you mean 'strength'?"),
    ],
)
def test_what_cannot_be_done_is_said(web, content, fields, status, says):
    answer = translate(web, content, **fields)
    assert answer.status_code == status
    assert says in answer.json()["error"]
    assert "tmp" not in answer.text


def test_requests_that_are_no_pictures(web):
    assert web.post("/api/v1/translate", json={"picture": "/etc/passwd"}).status_code == 422
    answer = web.post("/api/v1/translate", files={"picture": ("a.png", picture())})
    assert (answer.status_code, "model: Field required" in answer.json()["error"]) == (422, True)
    broken = web.post(
        "/api/v1/translate", content=b"--x\r\n", headers={"Content-Type": "multipart/form-data; boundary=y"}
    )
    assert (broken.status_code, "error" in broken.json()) == (400, True)
    assert web.get("/api/v1/translate").status_code == 405
    assert web.get("/api/v1/nothing").json() == {"error": "Not Found"}


def test_names_of_any_kind_are_only_names(web):
    for name in ("../../../etc/cron.d/x.png", "x" * 200 + ".png", 'a"b\r\nc.png', ""):
        answer = translate(web, b"no picture", name)
        assert answer.status_code == 422, name
        assert "etc" not in answer.text


def test_half_characters_in_requests_are_written_out(web):
    body = b'{"data": ["data:image/png;base64,", "\\ud800\\u001b[31mx", "auto", 1]}'
    answer = web.post("/gradio_api/run/translate_data_url", content=body, headers={"Content-Type": "application/json"})
    assert r"\ud800\x1b[31mx" in answer.json()["error"]


def test_what_visitors_send_does_not_steer_the_terminal_of_the_server(models):
    with live_page(models) as (process, address), httpx.Client(base_url=address) as client:
        for told in ("\x1b[31mred", "\x9b31m\u202e", "\ud800"):  # Gradio's log repeats inputs that are too few
            content = json.dumps({"data": [told, told]})
            answer = client.post(
                "/gradio_api/run/translate", content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 500
        process.send_signal(signal.SIGTERM)
        log = process.stderr.read()
    assert r"\x1b[31mred" in log
    assert not set(log) & {"\x1b", "\x9b", "\u202e"}


def test_files_over_the_limit_are_refused(web):
    too_large = translate(web, b"\xff\xd8" + bytes(1_200_000))
    assert (too_large.status_code, "1 MB" in too_large.json()["error"]) == (413, True)
    huge = translate(web, b"\xff\xd8" + bytes(4_000_000))
    assert (huge.status_code, "larger than" in huge.json()["error"]) == (413, True)

    def endless():
        for _ in range(40):
            yield bytes(100_000)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert web.post("/api/v1/translate", content=endless(), headers=kind).status_code in (400, 413)
    assert web.get("/healthz").json()["status"] == "ok"


def test_the_documentation_needs_nothing_from_elsewhere(web):
    page = web.get("/api/v1/docs")
    assert "POST /api/v1/translate" in page.text
    assert "strength" in page.text
    assert "<script" not in page.text
    assert "src=" not in page.text
    document = web.get("/api/v1/openapi.json").json()
    assert set(document["paths"]) == {"/translate", "/models"}
    assert {"413", "422", "429", "503"} <= set(document["paths"]["/translate"]["post"]["responses"])
    assert [model["name"] for model in web.get("/api/v1/models").json()][:2] == ["horse2zebra", "zebra2horse"]


def test_without_the_password_nothing_answers_but_the_heartbeat(url):
    for path in ("/", "/gradio_api/info", "/api/v1/docs", "/api/v1/models", "/gradio_api/mcp/", "/config"):
        answer = httpx.get(url + path)
        assert answer.status_code == 401, path
        assert "password" in answer.json()["error"]
    assert httpx.get(f"{url}/api/v1/models", auth=("ann", "wrong")).status_code == 401
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_a_client_of_gradio(url, tmp_path):
    token = base64.b64encode(":".join(USER).encode()).decode()
    client = gradio_client.Client(
        url, headers={"Authorization": f"Basic {token}"}, verbose=False, analytics_enabled=False
    )
    (tmp_path / "horse.png").write_bytes(picture())
    file = gradio_client.handle_file(tmp_path / "horse.png")
    result = client.predict(file, "horse2zebra", "keep", api_name="/translate")
    assert np.array_equal(pixels(Path(result).read_bytes()), 255 - pixels(picture()))
    data_url = "data:image/png;base64," + base64.b64encode(picture()).decode()
    result = client.predict(data_url, "horse2zebra", "keep", 0, api_name="/translate_data_url")
    assert np.array_equal(pixels(Path(result).read_bytes()), pixels(picture()))
    with pytest.raises(gradio_client.exceptions.AppError, match="horse2zebra, zebra2horse"):
        client.predict(file, "cat2dog", api_name="/translate")
    with pytest.raises(gradio_client.exceptions.AppError, match="data URL"):
        client.predict("/etc/passwd", "horse2zebra", api_name="/translate_data_url")


def test_every_endpoint_is_documented(web):
    info = web.get("/gradio_api/info").json()
    endpoints = info["named_endpoints"]
    assert {"/translate", "/horse_zebra", "/many", "/bring_model", "/use_own_model", "/train_look"} <= set(endpoints)
    assert info["unnamed_endpoints"] == {}
    for name, endpoint in endpoints.items():
        assert len(endpoint["description"]) > 15, f"{name} says nothing of itself"
        assert not re.search(r"_\d+$|lambda", name), f"{name} was named by Gradio"
        assert endpoint["parameters"], name
        assert endpoint["returns"], name
        for part in [*endpoint["parameters"], *endpoint["returns"]]:
            assert not re.fullmatch(r"(parameter|value)_\d+|\d+(st|nd|rd|th)|API|Textbox|", part["label"]), (name, part)
            assert part["python_type"]["type"] not in ("Any", "Literal[]"), (name, part)
        names = [parameter["parameter_name"] for parameter in endpoint["parameters"]]
        assert not [parameter for parameter in names if re.fullmatch(r"param_\d+", parameter)], name


@pytest.mark.parametrize(
    "stolen",
    [
        {"path": "{file}"},
        {"path": "{file}", "meta": {"_type": "gradio.FileData"}},
        {"path": "{file}", "meta": {"_type": "gradio.FileData"}, "url": "/gradio_api/file={file}"},
    ],
)
def test_files_of_the_server_are_not_opened(web, models, stolen):
    picture_of_the_server = models / "private.png"
    picture_of_the_server.write_bytes(picture())
    payload = json.loads(json.dumps(stolen).replace("{file}", str(picture_of_the_server)))
    for endpoint in ("translate", "horse_zebra"):
        data = [payload, "horse2zebra", *(("auto", 1) if endpoint == "translate" else (1, "native"))]
        event = web.post(f"/gradio_api/call/{endpoint}", json={"data": data}).json()["event_id"]
        told = web.get(f"/gradio_api/call/{endpoint}/{event}").text
        assert "event: error" in told
        assert "horse2zebra.png" not in told
    assert web.get(f"/gradio_api/file={picture_of_the_server}").status_code == 403


@pytest.mark.parametrize("address", ["http://192.0.2.1/a.png", "https://example.org/a.png", "HTTP://example.org/a.png"])
def test_other_addresses_are_not_fetched(web, address):
    payload = {"path": address, "meta": {"_type": "gradio.FileData"}}
    for path, body in [
        ("/gradio_api/call/translate", {"data": [payload, "horse2zebra"]}),
        ("/gradio_api/queue/join", {"data": [payload], "fn_index": 0, "session_hash": "x"}),
        ("/gradio_api/run/translate", {"data": [[{"deep": payload}], "horse2zebra"]}),
    ]:
        answer = web.post(path, json=body)
        assert (answer.status_code, "not fetched" in answer.json()["error"]) == (400, True)
    assert web.get(f"/gradio_api/file={address.lower()}").status_code == 404


def test_doors_that_stay_closed(web):
    for path in ("/gradio_api/process_recording", "/gradio_api/proxy=https://x.hf.space/", "/monitoring/summary"):
        assert web.get(path).status_code == 404, path
    page = web.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]


def guarded(door):
    """A client of a small application behind the guard."""

    async def echo(scope, receive, send):
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message.get("body", b"")})

    return TestClient(Guard(echo, door), base_url="http://127.0.0.1:7860")


def test_on_this_computer_alone_websites_cannot_read_along():
    door = guarded(Door(Limits(), hosts=LOCAL_HOSTS))
    assert door.get("/").status_code == 200
    assert door.get("/", headers={"Host": "[::1]:7860"}).status_code == 200
    assert door.get("/", headers={"Host": "localhost"}).status_code == 200
    for host in ("evil.example", "evil.example:7860", "127.0.0.1.evil.example:7860", ""):
        assert door.get("/", headers={"Host": host}).status_code == 403, host
    assert door.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert door.post("/", content=b"x", headers={"Sec-Fetch-Site": "same-origin"}).content == b"x"
    assert guarded(Door(Limits())).get("/", headers={"Host": "zorse.example"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://zorse.example"}, 200),
        ({"Origin": "https://zorse.example:8443", "X-Forwarded-Host": "zorse.example:8443"}, 200),
        ({"Origin": "https://proxied.example", "Host": "127.0.0.1:7860"}, 200),
        ({"Origin": "https://proxied.example", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://zorse.example.evil.example"}, 403),
        ({"Origin": "http://zorse.example:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://zorse.example", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_scripts_of_other_websites_get_nothing(headers, status):
    door = guarded(Door(Limits()))
    for method in ("GET", "POST"):
        assert door.request(method, "/", headers={"Host": "zorse.example"} | headers).status_code == status


def test_links_from_other_websites_lead_here():
    door = guarded(Door(Limits()))
    assert door.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert door.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_parts_of_files_do_not_repeat_what_was_asked(web):
    file = web.post("/gradio_api/upload", files={"files": ("a.png", picture())}).json()[0]
    headers = {"Range": "bytes=0-9", "X-Secret": "secret", "Cookie": "session=secret"}
    answer = web.get(f"/gradio_api/file={file}", headers=headers)
    assert (answer.status_code, answer.content) == (206, picture()[:10])
    assert answer.headers["content-range"] == f"bytes 0-9/{len(picture())}"
    told = str(answer.headers.raw).lower()
    assert not [name for name in ("secret", "authorization", "basic ") if name in told]


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!!", "Bearer YTpi", "Basic YTpj", "Basic YTo="])
def test_passwords_that_are_none(authorization):
    door = guarded(Door(Limits(), user=("a", "b")))
    assert door.get("/", headers={"Authorization": authorization}).status_code == 401
    assert door.get("/", headers={"Authorization": "Basic YTpi"}).status_code == 200


def test_who_stops_in_the_middle_of_a_request_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("zorse_app.guard._PATIENCE", 0.05)
    parts = [{"type": "http.request", "body": b"half", "more_body": True}]
    answer = []

    async def receive():
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    async def send(message):
        answer.append(message)

    async def read_all(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        raise ClientDisconnect

    scope = {"type": "http", "method": "POST", "path": "/api/v1/translate", "headers": [], "client": None}
    asyncio.run(Guard(read_all, Door(Limits()))(scope, receive, send))
    assert answer[0]["status"] == 408
    assert b"again" in answer[1]["body"]


def test_a_server_that_ends_takes_nothing_new():
    door = Door(Limits())
    client = guarded(door)
    assert client.post("/").status_code == 200
    door.closing.set()
    refused = client.post("/")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert client.get("/healthz").status_code == 200


def test_wrong_passwords_are_slowed_down_where_they_come_from():
    now = [100.0]
    guesses = Guesses(lambda: now[0])
    tried = [0, 0]
    for minute in range(2):
        for _ in range(100):
            if not guesses.wait("192.0.2.1"):
                guesses.was_wrong("192.0.2.1")
                tried[minute] += 1
        assert 0 < guesses.wait("192.0.2.1") <= 6
        now[0] += 30
    assert tried == [10, 5]
    assert guesses.wait("192.0.2.2") == 0
    now[0] += 60
    assert guesses.wait("192.0.2.1") == 0


def test_who_guesses_is_told_to_wait_and_others_are_not():
    door = guarded(Door(Limits(), user=("a", "b")))
    other = TestClient(door.app, base_url="http://127.0.0.1:7860", client=("192.0.2.7", 4000))
    answers = [door.get("/", auth=("a", str(number))).status_code for number in range(12)]
    assert answers == [401] * 10 + [429] * 2
    right = door.get("/", auth=("a", "b"))
    assert (right.status_code, int(right.headers["retry-after"]) <= 6) == (429, True)
    assert other.get("/", auth=("a", "b")).status_code == 200
    assert door.get("/").status_code == 401, "who sends none guesses none"
    assert door.get("/healthz").status_code == 200


def test_users_without_a_password_are_refused(zorse):
    for user in ("ann", "ann:", ":secret", ""):
        code, _, errors = zorse("ui", "--user", user)
        assert (code, "NAME:PASSWORD" in errors) == (1, True)


def test_a_protocol_for_language_models_finds_one_tool(models):
    if find_spec("mcp") is None:
        pytest.skip("the package mcp is not installed")
    import anyio
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def visit(address):
        async with (
            streamable_http_client(f"{address}/gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            sent = "data:image/png;base64," + base64.b64encode(picture()).decode()
            good = await session.call_tool("translate", {"picture": sent, "model": "horse2zebra", "size": "keep"})
            bad = await session.call_tool("translate", {"picture": "/etc/passwd", "model": "horse2zebra"})
            other = await session.call_tool("horse_zebra", {})
            return tools, good, bad, other

    with live_page(models) as (_, address):
        tools, good, bad, other = anyio.run(visit, address)
    assert [tool.name for tool in tools] == ["translate"]
    assert tools[0].description.startswith("Translates a picture")
    arguments = tools[0].inputSchema["properties"]
    assert list(arguments) == ["picture", "model", "size", "strength"]
    assert all(len(argument["description"]) > 15 and argument["type"] for argument in arguments.values())
    assert tools[0].inputSchema["required"] == ["picture", "model"]
    assert not good.isError
    assert np.array_equal(pixels(base64.b64decode(good.content[0].data)), 255 - pixels(picture()))
    assert bad.isError
    assert "data URL" in bad.content[0].text
    assert other.isError


def test_what_a_crashed_server_leaves_behind_is_deleted_by_the_next(tmp_path):
    program = """
import runpy, sys, time
with runpy.run_path(sys.argv[1])["folder_for_visitors"]():
    print("ready", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", program, visitors_folder.__file__]
    with subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        (left,) = tmp_path.glob("zorse-page-*")
        (left / "upload.png").write_bytes(b"a visitor's picture")
        visitors_folder.remove_abandoned(tmp_path)
        assert left.exists(), "the folder of a server that runs is not touched"
        server.kill()
    assert left.exists()
    visitors_folder.remove_abandoned(tmp_path)
    assert not left.exists()


def test_the_visitors_folder_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with visitors_folder.folder_for_visitors() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        (folder / "x").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


def test_who_has_used_up_their_time_is_told_when_to_come_back(models, tmp_path):
    ticks = itertools.count()  # each look at the clock takes a second
    shelf = Shelf(models, Gate(Limits(seconds=8), current_visitor, lambda: float(next(ticks))))
    web = TestClient(plain_api(Service(shelf, tmp_path)))
    answers = [web.post("/translate", files={"picture": picture()}, data={"model": "horse2zebra"}) for _ in range(6)]
    assert [answers[0].status_code, answers[-1].status_code] == [200, 429]
    assert 500 <= int(answers[-1].headers["retry-after"]) <= 600
    other = TestClient(plain_api(Service(shelf, tmp_path)), client=("192.0.2.7", 4000))
    assert other.post("/translate", files={"picture": picture()}, data={"model": "horse2zebra"}).status_code == 200


def test_a_device_that_is_not_here_is_told_before_the_page_opens(zorse, monkeypatch):
    monkeypatch.setattr("zorse.backends.onnx.sessions.cuda_devices", lambda: 0)
    code, out, errors = zorse("ui", "--device", "cuda", "--port", "1")
    assert (code, out) == (1, "")
    assert "CUDA was asked for" in errors


def test_limits_are_options(zorse):
    code, _, errors = zorse("ui", "--max-memory", "lots")
    assert (code, "amount of memory" in errors) == (2, True)
