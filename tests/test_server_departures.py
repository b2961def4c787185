"""Clients that leave: their places are free and their work ends, wherever it is, and nobody else's does."""

import base64
import io
import json
import socket
import threading
import time

import httpx
import numpy as np
import pytest
from PIL import Image

import tiny_onnx
from small_site import QUEUE, small_site
from zorse.backends.onnx.sessions import Session
from zorse.confined import files as confined_files
from zorse.confined.files import open_confined
from zorse.errors import Stopped
from zorse.runtime.devices import CPU, Setting
from zorse.system.stopping import Stop, check_stopped, ended_by, stopped_by

KIND = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, graph in (("endless", tiny_onnx.endless), ("negative", tiny_onnx.negation)):
        tiny_onnx.write(folder / f"{name}.onnx", graph, tiny_onnx.card(name=name))
    return folder


@pytest.fixture(scope="module")
def site(models, tmp_path_factory):
    with small_site(models, tmp_path_factory.mktemp("site")) as site:
        yield site


def png(side=40):
    file = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), 55, np.uint8)).save(file, "PNG")
    return file.getvalue()


def data_url():
    return "data:image/png;base64," + base64.b64encode(png()).decode()


def sent(site, request):
    """The line on which a request was sent."""
    request.headers["Host"] = f"127.0.0.1:{site.port}"
    head = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    line = socket.create_connection(("127.0.0.1", site.port))
    line.sendall(head.encode() + b"\r\n" + request.read())
    return line


def api_request(site, model, side=40):
    url = f"{site.url}/api/v1/translate"
    return httpx.Request("POST", url, files={"picture": ("a.png", png(side))}, data={"model": model, "size": "keep"})


def is_translated(site, model="negative"):
    with httpx.Client(timeout=60) as client:
        return client.send(api_request(site, model)).status_code == 200


def test_six_who_leave_free_all_places(site):
    for _ in range(2):
        lines = [sent(site, api_request(site, "endless", 400)) for _ in range(QUEUE + 2)]
        site.settle_at(2, QUEUE)
        with httpx.Client() as client:
            assert client.send(api_request(site, "negative")).status_code == 503
        for line in lines:
            line.close()
        site.settle_at(0, 0)
        assert is_translated(site)


def test_who_leaves_while_waiting_leaves_the_others_where_they_are(site):
    inside = [sent(site, api_request(site, "endless")) for _ in range(2)]
    site.settle_at(2, 0)
    first = sent(site, api_request(site, "endless"))
    site.settle_at(2, 1)
    good = sent(site, api_request(site, "negative"))
    site.settle_at(2, 2)
    first.close()
    site.settle_at(2, 1)
    inside[0].close()
    with good:
        assert good.recv(15).startswith(b"HTTP/1.1 200")
    site.settle_at(1, 0)
    inside[1].close()
    site.settle_at(0, 0)


def test_endpoints_of_gradio_outside_its_queue(site):
    content = json.dumps({"data": [data_url(), "endless", "keep", 1]})
    url = f"{site.url}/gradio_api/run/translate_data_url"
    line = sent(site, httpx.Request("POST", url, content=content, headers=KIND))
    site.settle_at(1, 0)
    line.close()
    site.settle_at(0, 0)
    good = httpx.post(url, content=content.replace("endless", "negative"), headers=KIND, timeout=60)
    assert good.status_code == 200, good.text


def begun(site, session):
    """Two events of a session in Gradio's queue, of which one is worked on; without a session a single one."""
    base = f"{site.url}/gradio_api"
    file = httpx.post(f"{base}/upload", files={"files": ("a.png", png())}).json()[0]
    picture = {"path": file, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    info = httpx.get(f"{site.url}/config", timeout=60).json()
    (number,) = [each["id"] for each in info["dependencies"] if each["api_name"] == "photo"]
    body = {"data": [picture, "endless", 1, "keep"], "fn_index": number, "session_hash": session}
    if session is None:
        return [httpx.post(f"{base}/call/photo", json={"data": body["data"]}).json()["event_id"]], body
    return [httpx.post(f"{base}/queue/join", json=body).json()["event_id"] for _ in range(2)], body


@pytest.mark.parametrize("way", ["session", "event"])
def test_a_tab_that_closes_ends_its_events(site, way):
    events, body = begun(site, "ann") if way == "session" else begun(site, None)
    news = f"queue/data?session_hash={body['session_hash']}" if way == "session" else f"call/photo/{events[0]}"
    line = sent(site, httpx.Request("GET", f"{site.url}/gradio_api/{news}"))
    site.settle_at(1, 0)
    line.close()
    site.settle_at(0, 0)
    assert is_translated(site)


def test_an_event_that_is_cancelled_ends(site):
    (first, second), body = begun(site, "carl")
    line = sent(site, httpx.Request("GET", f"{site.url}/gradio_api/queue/data?session_hash=carl"))
    site.settle_at(1, 0)
    for event in (second, first):
        order = {"session_hash": "carl", "fn_index": body["fn_index"], "event_id": event}
        assert httpx.post(f"{site.url}/gradio_api/cancel", json=order).status_code == 200
    site.settle_at(0, 0)
    line.close()
    assert is_translated(site)


def test_a_client_that_stays_is_answered_and_may_leave_afterwards(site):
    line = sent(site, api_request(site, "negative"))
    answer = b""
    while b"IEND" not in answer:
        answer += line.recv(65536)
    line.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert is_translated(site)


def ordered_while(work):
    """What comes of work that is stopped from another thread once it goes on."""
    stop, result = Stop(), []

    def run():
        with stopped_by(stop):
            try:
                work()
            except Exception as error:
                result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not stop._ends:
        time.sleep(0.01)
    stop.order()
    thread.join(60)
    assert not thread.is_alive()
    return result


def test_a_pass_that_runs_is_ended(models):
    file = models / "endless.onnx"
    session = Session(file, file.read_bytes(), CPU, Setting())
    picture = {session._session.get_inputs()[0].name: np.zeros((1, 3, 8, 8), np.float32)}
    (error,) = ordered_while(lambda: session.run(["translation"], picture))
    assert isinstance(error, Stopped)


def test_a_process_that_decodes_is_ended(monkeypatch):
    ours, theirs = socket.socketpair()  # of a process that says nothing
    monkeypatch.setattr(confined_files.fork_server, "connect", lambda _: ours)

    def read():
        with open_confined(png(), "a.png", 10**9, lambda *_: None):
            pass

    (error,) = ordered_while(read)
    assert isinstance(error, Stopped)
    theirs.settimeout(60)
    while theirs.recv(65536):  # until its end: the process is killed then
        pass
    theirs.close()


def test_orders_reach_what_is_inside_and_nothing_beside_it():
    told, outer, inner = [], Stop(), Stop()

    def work(order):
        with ended_by(lambda: told.append(1)):
            order()
            raise OSError("it was ended")

    with stopped_by(outer), stopped_by(inner), pytest.raises(Stopped):
        work(outer.order)
    assert told == [1]
    assert inner.is_wanted
    check_stopped()
    with stopped_by(inner), pytest.raises(Stopped):
        check_stopped()
    with stopped_by(Stop()):
        check_stopped()
        with pytest.raises(OSError, match="it was ended"):
            work(lambda: None)
    assert told == [1]
