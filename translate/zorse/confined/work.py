"""What the process that holds a stranger's file does: it opens the file, hands over frames, takes them back, encodes.

Only pixels leave it before the end: profiles, metadata and whatever else the file holds are read and written here. At
the end come the new file, and a receipt of what became of all that.
"""

import io
import socket
from dataclasses import replace
from pathlib import Path

from zorse.confined.confines import begin_work
from zorse.confined.messages import (
    Failed,
    Finished,
    Go,
    Gone,
    Opened,
    PictureTask,
    Translated,
    VideoTask,
    receive,
    receive_bytes,
    receive_pixels,
    send,
    send_frame,
)
from zorse.errors import ZorseError, unexpected_failure
from zorse.files.pipeline import count_written, rewrite_picture
from zorse.imaging.io import Picture, open_pictures, suffix_of
from zorse.imaging.video.progress import VideoProgress
from zorse.runtime.video import translate_video, video_receipt


def work(line: socket.socket) -> None:
    """Does one task, and tells of its end."""
    name = "The file"
    try:
        match receive(line):
            case PictureTask() as task:
                name = task.name
                _picture(line, task, receive_bytes(line, task.n_bytes))
            case VideoTask() as task:
                name = task.source
                _video(line, task)
    except Gone:
        return  # the page wants no more of it
    except ZorseError as error:
        _fail(line, str(error))
    except MemoryError:
        _fail(line, "The file needs more memory than it may take. Use a smaller one.")
    except Exception as error:  # of a library that met what nobody had thought of
        _fail(line, unexpected_failure(name, error))


def _picture(line: socket.socket, task: PictureTask, content: bytes) -> None:
    source = io.BytesIO(content)
    source.name = task.name
    del content
    with open_pictures(source, max_pixels=None, second_opinion=True) as file:
        suffix = suffix_of(file.format)
        count = count_written(file, suffix)
        width, height = file.largest
        send(line, Opened(suffix=suffix, height=height, width=width, frames=count))
        _expect(line, Go)
        begin_work(writes_files=False)
        result, receipt = rewrite_picture(
            file, suffix, lambda picture: _translated(line, picture), source_suffix=Path(task.name).suffix
        )
    send(line, Finished(n_bytes=len(result), receipt=receipt), result)


def _video(line: socket.socket, task: VideoTask) -> None:
    begin_work(writes_files=True)
    progress = VideoProgress()

    def report(now: VideoProgress) -> None:
        nonlocal progress
        progress = now

    source, target = Path(task.source), Path(task.target)
    made = translate_video(lambda frame: _translated(line, frame, progress), source, target, report=report)
    send(line, Finished(n_bytes=0, receipt=video_receipt(made, target), damage=made.damage))


def _translated(line: socket.socket, picture: Picture, progress: VideoProgress | None = None) -> Picture:
    send_frame(line, picture, progress)
    _expect(line, Translated)
    return replace(picture, rgb=receive_pixels(line, picture.rgb.shape, picture.rgb.dtype.itemsize == 2))


def _expect(line: socket.socket, kind: type[Go] | type[Translated]) -> None:
    if not isinstance(receive(line), kind):
        raise Gone


def _fail(line: socket.socket, reason: str) -> None:
    try:
        send(line, Failed(reason=reason))
    except Gone:
        return
