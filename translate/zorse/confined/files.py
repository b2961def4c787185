"""Strangers' pictures and videos, opened in processes of their own."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from zorse.confined.launch import Confines, fork_server
from zorse.confined.messages import (
    Failed,
    Finished,
    Frame,
    Go,
    Gone,
    Message,
    Opened,
    PictureTask,
    Translated,
    VideoTask,
    receive,
    receive_bytes,
    receive_frame,
    send,
)
from zorse.errors import ImageError
from zorse.imaging.formats import WRITE_FORMATS
from zorse.imaging.io import Picture
from zorse.imaging.receipt import Receipt
from zorse.imaging.video.progress import VideoProgress
from zorse.system.stopping import ended_by

_PICTURE_SECONDS = 600
_VIDEO_SECONDS = 7200
_GLANCE = 30.0
"""Seconds that reading a header may take on a busy machine."""
_PATIENCE = 600.0
"""Seconds without an answer: large AVIFs take minutes to encode."""

_LARGEST_RESULT = 2**31
"""Bytes of a picture file."""


CheckPicture = Callable[[int, int, int], None]
"""Is given height, width and number of frames of a picture; raises what it wants for one that is too large."""


class ConfinedPicture:
    """A picture file that is open in another process. Its frames come one after the other, and each goes back
    translated before the next one comes."""

    def __init__(self, line: socket.socket, header: Opened, check_picture: CheckPicture) -> None:
        self._line, self._check_picture = line, check_picture
        self.suffix = header.suffix
        self.height, self.width = header.height, header.width
        self._frames = header.frames

    def __len__(self) -> int:
        return self._frames

    def translated(self, translate: Callable[[Picture], Picture]) -> tuple[bytes, Receipt]:
        """Every frame through a function, and then the whole as a file of the same kind, and what became of what the
        file held.

        Args:
            translate: takes the pixels of a frame and gives others of the same size and depth.

        Raises:
            ImageError: the file is damaged.
        """
        send(self._line, Go())
        for _ in range(self._frames):
            picture = self._frame()
            send(self._line, Translated(), translate(picture).rgb)
        match _answer(self._line):
            case Finished(n_bytes=count, receipt=receipt) if count <= _LARGEST_RESULT:
                return receive_bytes(self._line, count), receipt
        raise Gone

    def first_frame(self) -> Picture:
        """The pixels of the first frame.

        Raises:
            ImageError: the file is damaged.
        """
        send(self._line, Go())
        return self._frame()

    def _frame(self) -> Picture:
        match _answer(self._line):
            case Frame() as frame:
                return _taken_over(self._line, frame, self._check_picture)
        raise Gone


@contextmanager
def open_confined(content: bytes, name: str, memory: int, check_picture: CheckPicture) -> Iterator[ConfinedPicture]:
    """A picture file whose header is read, in a process of its own that ends with the block.

    Args:
        content: of the file.
        name: what errors call it.
        memory: bytes that the process may take.
        check_picture: is asked before anything is decoded, and again before they are taken over.

    Raises:
        ImageError: empty, damaged, or not a picture.
        CannotStart: the system starts no more processes.
    """
    with _process(name, Confines(memory, _PICTURE_SECONDS)) as line:
        send(line, PictureTask(name=name, n_bytes=len(content)), content)
        del content
        match _answer(line):
            case Opened() as header if header.suffix in WRITE_FORMATS:  # it becomes a part of a path
                line.settimeout(_PATIENCE)
                check_picture(header.height, header.width, header.frames)
                yield ConfinedPicture(line, header, check_picture)
            case _:
                raise Gone


def translate_confined_video(
    source: Path,
    target: Path,
    memory: int,
    check_picture: CheckPicture,
    translate: Callable[[Picture, VideoProgress], Picture],
) -> Finished:
    """Rewrites a video in a process of its own.

    Args:
        source: the video.
        target: the new file.
        memory: bytes that the process may take.
        check_picture: is asked before a frame is taken over.
        translate: the translation of one frame, with how far the video is.

    Returns:
        What became of it.

    Raises:
        ImageError: not a video, or damaged.
    """
    with _process(str(source), Confines(memory, _VIDEO_SECONDS)) as line:
        send(line, VideoTask(source=str(source), target=str(target)))
        line.settimeout(_PATIENCE)
        while True:
            match _answer(line):
                case Frame(progress=VideoProgress() as progress) as frame:
                    picture = _taken_over(line, frame, check_picture)
                    send(line, Translated(), translate(picture, progress).rgb)
                case Finished() as finished:
                    return finished
                case _:
                    raise Gone


@contextmanager
def _process(name: str, confines: Confines) -> Iterator[socket.socket]:
    with fork_server.connect(confines) as line:
        line.settimeout(_GLANCE)
        try:
            with ended_by(partial(_hang_up, line)):
                yield line
        except Gone as gone:
            raise ImageError(
                f"{name} could not be read: its decoder ended early, or needed more memory or time than it may take. "
                "Save the file again in another format, or smaller."
            ) from gone


def _hang_up(line: socket.socket) -> None:
    """The process is ended with its line."""
    with suppress(OSError):  # it has ended
        line.shutdown(socket.SHUT_RDWR)


def _taken_over(line: socket.socket, frame: Frame, check_picture: CheckPicture) -> Picture:
    check_picture(frame.height, frame.width, 1)
    return receive_frame(line, frame)


def _answer(line: socket.socket) -> Message:
    match receive(line):
        case Failed(reason=reason):
            raise ImageError(reason[:2000])
        case message:
            return message
