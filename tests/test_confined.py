"""Strangers' files in processes of their own: the same result, nothing left behind, and no way out."""

import io
import json
import os
import socket
import struct
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace

import numpy as np
import psutil
import pytest
from PIL import Image

from zorse.confined import launch, work
from zorse.confined.files import open_confined, translate_confined_video
from zorse.confined.launch import CannotStart, Confines, ForkServer, fork_server
from zorse.confined.messages import Failed, Gone, PictureTask, receive, receive_bytes, send
from zorse.errors import ImageError
from zorse.imaging.io import Picture, encode_picture, encode_pictures, read_picture
from zorse.imaging.receipt import receipt_of

MEMORY = 2 * 10**9

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a program is started for each file")


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    return Picture(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8), rng.integers(1, 256, (40, 60), dtype=np.uint8))


def accept(height: int, width: int, frames: int) -> None:
    """No picture is too large."""


def through(content: bytes, change=lambda picture: picture, memory: int = MEMORY) -> bytes:
    with open_confined(content, "a file", memory, accept) as file:
        return file.translated(change)[0]


def processes() -> list[psutil.Process]:
    """Those that hold a file: the children of the fork server."""
    return [process for server in servers() for process in children(server)]


def servers() -> list[psutil.Process]:
    found = []
    for child in children(psutil.Process()):
        with suppress(psutil.Error):  # it has just ended
            if "zorse.confined.server" in child.cmdline():
                found.append(child)
    return found


def children(process: psutil.Process) -> list[psutil.Process]:
    """Asked again where one ends while psutil looks at it: psutil raises then, and gives none."""
    for _ in range(100):
        with suppress(psutil.NoSuchProcess):
            return process.children()
    raise AssertionError("processes end all the time")


def until(condition) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


@pytest.fixture(autouse=True)
def no_process_of_another_test():
    assert until(lambda: not processes())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".gif", ".bmp"])
def test_a_file_comes_back_as_it_would_without(picture, suffix):
    content = encode_picture(picture, suffix)
    assert through(content) == encode_picture(read_picture(content), suffix)


def test_depth_alpha_and_metadata_go_through(picture):
    exif = Image.Exif()
    exif[270] = "a horse"
    deep = replace(picture, rgb=picture.rgb.astype(np.uint16) * 257 + 3, alpha=picture.alpha.astype(np.uint16) * 257)
    deep = replace(deep, metadata=replace(deep.metadata, exif=exif.tobytes()))
    result = read_picture(through(encode_picture(deep, ".png"), lambda seen: Picture(65535 - seen.rgb)))
    np.testing.assert_array_equal(result.rgb, 65535 - deep.rgb)
    np.testing.assert_array_equal(result.alpha, deep.alpha)
    assert b"a horse" in result.metadata.exif


def test_a_receipt_comes_back(picture):
    content = encode_picture(picture, ".png")
    with open_confined(content, "a file.jpg", MEMORY, accept) as file:
        result, receipt = file.translated(lambda frame: frame)
    assert receipt == receipt_of([read_picture(content)], None, ".png", 1, ".jpg")
    assert len(receipt.entries) > 1
    assert read_picture(result).alpha is not None


def test_every_frame_of_an_animation_is_handed_over(picture):
    frames = [replace(picture, rgb=np.roll(picture.rgb, step, axis=1)) for step in range(3)]
    seen = []
    content = encode_pictures(frames, ".webp")
    with open_confined(content, "a file", MEMORY, accept) as file:
        assert (len(file), file.height, file.width, file.suffix) == (3, 40, 60, ".webp")
        file.translated(lambda frame: seen.append(frame) or frame)
    assert len(seen) == 3


def test_a_videos_frames_go_through(tmp_path):
    av = pytest.importorskip("av")
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    with av.open(str(source), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40, np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    done = []

    def translate(frame, progress):
        done.append((progress.frames, progress.total))
        return Picture(255 - frame.rgb)

    translate_confined_video(source, target, MEMORY, accept, translate)
    assert done == [(0, None), (1, 5), (2, 5), (3, 5), (4, 5)]
    with av.open(str(target)) as file:
        assert next(file.decode(video=0)).to_ndarray(format="rgb24").mean() > 200


def test_errors_come_back_in_words():
    with pytest.raises(ImageError, match="a file is empty"):
        through(b"")
    with pytest.raises(ImageError, match="not a picture"):
        through(b"nothing that anybody reads")


def test_what_the_caller_checks_is_asked_before_anything_is_decoded(picture):
    class TooMany(ImageError):
        pass

    def check(*size: int) -> None:
        raise TooMany(str(size))

    with pytest.raises(TooMany, match="40, 60, 1"), open_confined(encode_picture(picture, ".png"), "a", MEMORY, check):
        pass


def test_the_process_ends_with_its_file(picture):
    with open_confined(encode_picture(picture, ".png"), "a file", MEMORY, accept):
        assert until(lambda: len(processes()) == 1)
    assert until(lambda: not processes())


def test_a_process_that_does_not_listen_is_ended_with_its_file(picture):
    with open_confined(encode_picture(picture, ".png"), "a file", MEMORY, accept):
        assert until(processes)
        processes()[0].suspend()  # as one that computes for minutes: it sees no end of its line
    assert until(lambda: not processes())


def test_no_process_outlives_the_server(picture):
    with closing(ForkServer()) as server, server.connect(Confines(MEMORY, 60)):
        assert until(processes)
        (process,) = processes()
        process.suspend()
        server.close()
        assert until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


def test_a_decoder_that_ends_takes_nothing_with_it(picture):
    content = encode_picture(picture, ".png")

    def kill(frame: Picture) -> Picture:
        processes()[0].kill()
        return frame

    with pytest.raises(ImageError, match="a file could not be read: its decoder ended early"):
        through(content, kill)
    assert through(content)


def test_a_server_that_was_ended_is_started_again(picture):
    content = encode_picture(picture, ".png")
    through(content)
    for server in servers():
        server.kill()
    assert until(lambda: not servers())
    assert through(content)


def test_memory_is_limited(picture):
    assert through(encode_picture(picture, ".png"), memory=250 * 10**6)
    bomb = io.BytesIO()
    Image.new("L", (6000, 6000)).save(bomb, "PNG")
    with pytest.raises(ImageError, match="memory"):
        through(bomb.getvalue(), memory=250 * 10**6)


def test_the_process_knows_no_password(monkeypatch):
    assert until(lambda: not processes())
    monkeypatch.setenv("ZORSE_USER", "anna:secret")
    with closing(ForkServer()) as server, server.connect(Confines(MEMORY, 60)):
        assert until(processes)
        assert not any("ZORSE_USER" in process.environ() for process in [*servers(), *processes()])


def test_each_process_is_made_by_a_server_that_has_no_file_open(picture):
    content = encode_picture(picture, ".png")
    numbers = set()
    for _ in range(2):
        with open_confined(content, "a file", MEMORY, accept):
            assert until(processes)
            (process,) = processes()
            numbers.add(process.pid)
            assert psutil.Process(process.ppid()).open_files() == []
        assert until(lambda: not processes())
    assert len(numbers) == 2


def test_where_nothing_can_be_forked_a_program_does_it(picture, monkeypatch):
    monkeypatch.setattr(launch.sys, "platform", "win32")
    content = encode_picture(picture, ".png")
    assert through(content) == encode_picture(read_picture(content), ".png")


def message(**fields) -> bytes:
    content = json.dumps(fields).encode()
    return struct.pack(">I", len(content)) + content


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02{}",
        b"\0\0\0\x04nope",
        b'\0\0\0\x44{"kind":"opened","suffix":".png","height":-4,"width":4,"frames":1}  ',
        message(kind="opened", suffix="/../../x", height=4, width=4, frames=1),
    ],
)
def test_nothing_that_a_process_says_is_believed(answer, monkeypatch):
    ours, theirs = socket.socketpair()
    theirs.sendall(answer)
    theirs.shutdown(socket.SHUT_WR)
    monkeypatch.setattr(fork_server, "connect", lambda _: ours)
    with theirs, pytest.raises(ImageError, match="could not be read"), open_confined(b"", "a file", MEMORY, accept):
        pytest.fail("the answer was believed")


def test_what_nobody_had_thought_of_is_told(monkeypatch):
    def fail(*_, **__):
        raise KeyError("horse")

    monkeypatch.setattr(work, "open_pictures", fail)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, PictureTask(name="a.png", n_bytes=0))
        work.work(theirs)
        answer = receive(ours)
    assert isinstance(answer, Failed)
    assert answer.reason.startswith("a.png could not be translated because of an unexpected KeyError ('horse').")


def test_a_process_that_cannot_be_started_leaves_nothing_open(monkeypatch):
    def fail(*_, **__):
        raise OSError("no room")

    monkeypatch.setattr(launch.subprocess, "Popen", fail)
    before = psutil.Process().num_fds()
    with closing(ForkServer()) as server, pytest.raises(CannotStart, match="no room") as caught:
        server.connect(Confines(MEMORY, 60))
    assert caught.tb is not None  # whose frames hold what they had opened
    assert psutil.Process().num_fds() == before


def test_a_program_that_does_not_call_back_is_an_error_in_words(monkeypatch):
    monkeypatch.setattr(launch.sys, "platform", "win32")
    monkeypatch.setattr(launch, "_STARTING", 0.1)
    monkeypatch.setattr(launch, "_run", lambda *_: None)
    with pytest.raises(CannotStart, match="timed out"):
        fork_server.connect(Confines(MEMORY, 60))


def test_a_task_that_never_comes_to_its_end_is_dropped():
    with fork_server.connect(Confines(MEMORY, 60)) as line:
        send(line, PictureTask(name="a", n_bytes=10), b"half")
        assert until(processes)
    assert until(lambda: not processes())
    with pytest.raises(Gone):
        receive(line)


def test_bytes_are_taken_as_they_come():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(os.urandom(5))
        assert len(receive_bytes(ours, 5)) == 5
        theirs.close()
        with pytest.raises(Gone):
            receive_bytes(ours, 2**60)  # no memory is taken for what is only promised


def test_who_answers_a_byte_at_a_time_is_not_waited_for():
    ours, theirs = socket.socketpair()
    ours.settimeout(0.3)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.05):
            theirs.send(b"x")

    with ours, theirs:
        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            with pytest.raises(Gone):
                receive_bytes(ours, 10**6)
            assert ours.gettimeout() == 0.3
        finally:
            stop.set()
            dripping.join()
