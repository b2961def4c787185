"""The page under load: many clients at once, good requests mixed with bad ones of every kind.

    nice -n 5 python tests/benchmarks/page_load.py [--clients 50] [--good 1000] [--bad 100]

Starts `zorse ui` with models that negate, so that every good answer can be checked, sends the requests over its HTTP
interface and Gradio's, and reports how they were answered and how the server's memory went. Exit status 1 where
something was answered wrong, the server died, or its memory grew.
"""

import argparse
import asyncio
import io
import json
import random
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tiny_onnx
from live_page import live_page

MODELS = ("horse2zebra", "photo2monet")
MEMORY_GROWTH = 60 * 10**6
"""Bytes by which the server may grow in the second half of the load: more would be a leak."""


@dataclass
class Report:
    """What was seen."""

    seconds: float = 0.0
    good: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    """Bytes resident: at the "start", "warm", at "half" of the load, at its "end", and the "most" on the way."""

    @property
    def is_fine(self) -> bool:
        """Whether all was as it should be."""
        return not self.wrong and self.memory["end"] - self.memory["half"] < MEMORY_GROWTH


@dataclass(frozen=True)
class Bad:
    """A request that must be refused."""

    kind: str
    send: Callable[[httpx.AsyncClient], "asyncio.Future[httpx.Response]"]


def main() -> int:
    """Runs the load and prints the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--good", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    report = run(options.clients, options.good, options.bad, options.seed)
    latencies = np.array(sorted(report.latencies))
    result = {
        "clients": options.clients,
        "answered right": report.good,
        "answered wrong": len(report.wrong),
        "refused, by status": dict(report.refused),
        "seconds": round(report.seconds, 1),
        "requests per second": round((options.good + options.bad) / report.seconds, 1),
        "latency of good ones, median / 95 % / most, s": [
            round(float(np.quantile(latencies, share)), 2) for share in (0.5, 0.95, 1)
        ],
        "memory, MB": {when: size // 10**6 for when, size in report.memory.items()},
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    sys.stdout.writelines(f"{line}\n" for line in report.wrong[:20])
    return 0 if report.is_fine else 1


def run(clients: int, good: int, bad: int, seed: int = 0) -> Report:
    """The load on a page of its own.

    Args:
        clients: requests under way at the same time.
        good: number of requests that have a right answer.
        bad: number of those that must be refused.
        seed: of their order and contents.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            tiny_onnx.write(Path(folder) / f"{name}.onnx", model_card=tiny_onnx.card(name=name, native_size=64))
        with live_page(folder) as (process, url):
            report = asyncio.run(_load(process.pid, url, clients, good, bad, seed))
            if process.poll() is not None:
                report.wrong.append(f"the server ended with status {process.returncode}")
    return report


async def _load(server: int, url: str, clients: int, good: int, bad: int, seed: int) -> Report:
    report = Report(memory={"start": resident(server)})
    chance = random.Random(seed)
    pictures = [_picture(chance) for _ in range(20)]
    requests = [_good(chance.choice(pictures), chance) for _ in range(good)]
    hostile = _bad_requests()
    refusals = [hostile[number % len(hostile)] for number in range(bad)]
    # Each request on a connection of its own: the server closes those that are idle for 5 s, and on a busy machine a
    # request can be on its way just then.
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as web:
        for warming in [_good(picture, chance) for picture in pictures]:
            await warming(web, Report())
        report.memory["warm"] = resident(server)
        places = asyncio.Semaphore(clients)

        done = iter(range(1, good + bad + 1))

        async def one(request: Callable[[httpx.AsyncClient, Report], "asyncio.Future[None]"]) -> None:
            async with places:
                await request(web, report)
            if next(done) == (good + bad) // 2:
                report.memory["half"] = resident(server)

        tasks = [*requests, *(_refused(refusal) for refusal in refusals)]
        chance.shuffle(tasks)
        watch = asyncio.create_task(_watch(server, report))
        start = time.perf_counter()
        await asyncio.gather(*(one(task) for task in tasks))
        report.seconds = time.perf_counter() - start
        watch.cancel()
        health = await web.get("/healthz")
        if health.status_code != 200:
            report.wrong.append(f"after the load the server answers {health.status_code}")
    report.memory["end"] = resident(server)
    return report


async def _watch(server: int, report: Report) -> None:
    while True:
        report.memory["most"] = max(report.memory.get("most", 0), resident(server))
        await asyncio.sleep(0.2)


def resident(process: int) -> int:
    """Bytes that a process has in memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


def _picture(chance: random.Random) -> tuple[str, bytes]:
    """A name and a file; smooth, so that a JPEG stays near."""
    height, width = chance.randrange(40, 500), chance.randrange(40, 700)
    rows = np.linspace(0, chance.randrange(60, 255), height, dtype=np.uint8)[:, None, None]
    rgb = np.broadcast_to(rows, (height, width, 3)).copy()
    format = chance.choice(["JPEG", "PNG", "WEBP"])
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format)
    return f"picture.{format.lower()}", file.getvalue()


def _good(picture: tuple[str, bytes], chance: random.Random) -> Callable[[httpx.AsyncClient, Report], object]:
    name, content = picture
    model, by_page = chance.choice(MODELS), chance.random() < 0.2

    async def request(web: httpx.AsyncClient, report: Report) -> None:
        start = time.perf_counter()
        try:
            answer = await (_by_page if by_page else _by_form)(web, name, content, model)
            difference = _difference(content, answer)
        except Exception as error:
            report.wrong.append(f"{name} ({len(content)} bytes): {error!r}")
            return
        if difference > 4:
            report.wrong.append(f"{name}: differs by {difference:.1f} on average")
            return
        report.good += 1
        report.latencies.append(time.perf_counter() - start)

    return request


async def _by_form(web: httpx.AsyncClient, name: str, content: bytes, model: str) -> bytes:
    answer = await web.post("/api/v1/translate", files={"picture": (name, content)}, data={"model": model})
    if answer.status_code != 200:
        raise ValueError(f"{answer.status_code} {answer.text[:200]}")
    return answer.content


async def _by_page(web: httpx.AsyncClient, name: str, content: bytes, model: str) -> bytes:
    """As the page does it: uploaded, then waited for in Gradio's queue."""
    (path,) = (await web.post("/gradio_api/upload", files={"files": (name, content)})).json()
    endpoint, data = "translate", [_data(path), model, "auto", 1]
    event = (await web.post(f"/gradio_api/call/{endpoint}", json={"data": data})).json()["event_id"]
    told = (await web.get(f"/gradio_api/call/{endpoint}/{event}")).text
    if "event: complete" not in told:
        raise ValueError(told[:200])
    result = json.loads(told.split("event: complete\ndata: ", 1)[1].splitlines()[0])[0]
    answer = await web.get(f"/gradio_api/file={result['path']}")
    answer.raise_for_status()
    return answer.content


def _difference(before: bytes, after: bytes) -> float:
    """How far the result is from the negation of the picture, on average, of 255."""
    with Image.open(io.BytesIO(before)) as first, Image.open(io.BytesIO(after)) as second:
        if (first.size, first.format) != (second.size, second.format):
            raise ValueError(f"{first.size} {first.format} became {second.size} {second.format}")
        return float(np.abs(255 - np.asarray(first.convert("RGB"), int) - np.asarray(second.convert("RGB"))).mean())


def _refused(bad: Bad) -> Callable[[httpx.AsyncClient, Report], object]:
    async def request(web: httpx.AsyncClient, report: Report) -> None:
        try:
            answer = await bad.send(web)
        except Exception as error:
            report.wrong.append(f"{bad.kind}: no answer ({error!r})")
            return
        status, message = _told(answer)
        report.refused[str(status)] += 1
        if not (400 <= status < 500 or (status == 200 and "event: error" in answer.text)):
            report.wrong.append(f"{bad.kind}: {status} {answer.text[:200]}")
        elif len(message) < 5 or "Traceback" in message or "/tmp/" in message:
            report.wrong.append(f"{bad.kind}: not a clear message: {answer.text[:300]}")

    return request


def _told(answer: httpx.Response) -> tuple[int, str]:
    """Status and message, from the interface or from Gradio's stream of events."""
    if "event: error" in answer.text:
        return answer.status_code, answer.text.split("event: error\ndata: ", 1)[1]
    try:
        told = answer.json()
    except ValueError:
        return answer.status_code, answer.text
    return answer.status_code, str(told.get("error") or told.get("detail")) if isinstance(told, dict) else str(told)


def _bad_requests() -> list[Bad]:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(file, "PNG")
    png = file.getvalue()
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(file, "JPEG")
    jpeg = file.getvalue()

    def form(content: bytes, name: str = "x.png", **fields: str) -> Callable[..., object]:
        data = {"model": MODELS[0]} | fields
        return lambda web: web.post("/api/v1/translate", files={"picture": (name, content)}, data=data)

    return [
        Bad("truncated PNG", form(png[: len(png) // 2])),
        Bad("truncated JPEG", form(jpeg[: len(jpeg) // 3], "x.jpg")),
        Bad("nothing", form(b"")),
        Bad("text", form(b"this is no picture" * 1000)),
        Bad("a picture of 40000 x 40000 pixels in 1 KB", form(_bomb(40_000))),
        Bad("a picture of 2 billion pixels a side", form(_bomb(2**31 - 1))),
        Bad("a page of HTML", form(b"<html><script>alert(1)</script></html>", "x.html")),
        Bad(
            "an EPS that starts a program", form(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage", "x.eps")
        ),
        Bad("a pickle", form(b"\x80\x04cos\nsystem\n(S'id'\ntR.", "x.pth")),
        Bad("60 MB", form(bytes(60 * 10**6))),
        Bad("a request that says 10 GB", _says_10_gb),
        Bad("a name of 200 characters", form(b"no picture", "n" * 200 + ".png")),
        Bad("a name that leads elsewhere", form(b"no picture", "../../../../etc/passwd")),
        Bad("a model that leads elsewhere", form(png, model="../../../../etc/passwd")),
        Bad("a strength that is no number", form(png, strength="much")),
        Bad("a size beyond all", form(png, size="99999")),
        Bad("no form", lambda web: web.post("/api/v1/translate", json={"picture": "/etc/passwd"})),
        Bad("half a form", _half_a_form),
        Bad("a file of the server by Gradio", lambda web: _call(web, "translate", _arguments("/etc/passwd"))),
        Bad("another address by Gradio", lambda web: _post_call(web, "translate", _arguments("http://192.0.2.1/a"))),
        Bad("a file of the server", lambda web: web.get("/gradio_api/file=/etc/passwd")),
        Bad("a file above the folder", lambda web: web.get("/gradio_api/file=../../../../etc/passwd")),
        Bad("zip slip", lambda web: _many(web, _zipped({"../../../etc/x.png": png}))),
        Bad("a bomb in a zip", lambda web: _many(web, _zipped({"x.png": bytes(60 * 10**6)}))),
        Bad("a broken zip", lambda web: _many(web, _zipped({"x.png": png})[:-40])),
        Bad("a model that is a pickle", lambda web: _bring(web, b"PK\x03\x04 archive", "model.pth")),
        Bad("a model that is none", lambda web: _bring(web, b"\x08\x0a" * 500, "model.onnx")),
    ]


def _bomb(side: int) -> bytes:
    """A PNG whose header promises more than its content."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def _zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


async def _says_10_gb(web: httpx.AsyncClient) -> httpx.Response:
    """Without a client that counts what it sends."""
    reading, writing = await asyncio.open_connection(web.base_url.host, web.base_url.port)
    head = "POST /api/v1/translate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000000\r\n"
    writing.write(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode())
    answer = (await asyncio.wait_for(reading.readuntil(b"}"), 120)).decode()
    writing.close()
    return httpx.Response(int(answer.split()[1]), text=answer.split("\r\n\r\n", 1)[1])


async def _half_a_form(web: httpx.AsyncClient) -> httpx.Response:
    content = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\nabc'
    return await web.post(
        "/api/v1/translate", content=content, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )


def _data(path: str) -> dict[str, object]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def _arguments(path: str) -> list[object]:
    return [_data(path), MODELS[0], "auto", 1]


async def _post_call(web: httpx.AsyncClient, endpoint: str, data: list[object]) -> httpx.Response:
    return await web.post(f"/gradio_api/call/{endpoint}", json={"data": data})


async def _call(web: httpx.AsyncClient, endpoint: str, data: list[object]) -> httpx.Response:
    event = (await _post_call(web, endpoint, data)).json()["event_id"]
    return await web.get(f"/gradio_api/call/{endpoint}/{event}")


async def _uploaded(web: httpx.AsyncClient, content: bytes, name: str) -> dict[str, object]:
    (path,) = (await web.post("/gradio_api/upload", files={"files": (name, content)})).json()
    return _data(path) | {"orig_name": name}


async def _many(web: httpx.AsyncClient, content: bytes) -> httpx.Response:
    return await _call(web, "many", [[await _uploaded(web, content, "a.zip")], MODELS[0], 1, "native"])


async def _bring(web: httpx.AsyncClient, content: bytes, name: str) -> httpx.Response:
    return await _call(web, "bring_model", [await _uploaded(web, content, name)])


if __name__ == "__main__":
    sys.exit(main())
