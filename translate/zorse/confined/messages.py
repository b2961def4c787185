"""What the page and the process that holds a stranger's file say to each other, over a socket.

    page      PictureTask, the file's content     VideoTask
    process   Opened
    page      Go                                  (a video goes on by itself)
    process   Frame, its pixels                   for each frame
    page      Translated, its pixels
    process   Finished, the new file's content

or, at any time, Failed. The page believes nothing of what the process says: a file may have taken it over.
"""

import io
import math
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from zorse.imaging.picture import Picture, Pixels
from zorse.imaging.receipt import Receipt
from zorse.imaging.video.progress import VideoProgress

_LENGTH = struct.Struct(">I")
_LONGEST = 2**20
"""Bytes of a message without what follows it."""

_PIECE = 2**20


class Gone(Exception):
    """The other end is no longer there, or says what makes no sense."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PictureTask(_Message):
    """A picture file to open."""

    kind: Literal["picture"] = "picture"
    name: str
    """What errors call it."""
    n_bytes: int
    """Of its content, which follows."""


class VideoTask(_Message):
    """A video file to rewrite."""

    kind: Literal["video"] = "video"
    source: str
    target: str


class Opened(_Message):
    """What the header of a picture file says."""

    kind: Literal["opened"] = "opened"
    suffix: str
    """Of the format that the result will have: ".jpg"."""
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    frames: int = Field(ge=1)
    """That the result will have."""


class Go(_Message):
    """Frames may be decoded now."""

    kind: Literal["go"] = "go"


class Frame(_Message):
    """A frame; its pixels follow: (H, W, 3), then, where there is one, (H, W) of alpha."""

    kind: Literal["frame"] = "frame"
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    is_deep: bool
    """uint16 instead of uint8."""
    has_alpha: bool
    progress: VideoProgress | None = None
    """Of a video."""


class Translated(_Message):
    """The frame's translation follows: (H, W, 3) of the same dtype."""

    kind: Literal["translated"] = "translated"


class Finished(_Message):
    """The content of the new picture file follows; videos are in their place."""

    kind: Literal["finished"] = "finished"
    n_bytes: int = Field(ge=0)
    receipt: Receipt
    """What became of what the file held."""
    damage: str = ""
    """What could not be read of a video; empty for a whole one."""


class Failed(_Message):
    """The file cannot be used."""

    kind: Literal["failed"] = "failed"
    reason: str


Message = PictureTask | VideoTask | Opened | Go | Frame | Translated | Finished | Failed
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def send(line: socket.socket, message: Message, *parts: bytes | Pixels) -> None:
    """Sends a message and the bytes that follow it.

    Raises:
        Gone: nobody is there to take it.
    """
    head = message.model_dump_json().encode()
    try:
        line.sendall(_LENGTH.pack(len(head)) + head)
        for part in parts:
            line.sendall(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    except OSError as error:
        raise Gone from error


def receive(line: socket.socket) -> Message:
    """The next message; what follows it is still to be received.

    Raises:
        Gone: there is none, or none that can be understood.
    """
    (length,) = _LENGTH.unpack(receive_bytes(line, _LENGTH.size))
    if length > _LONGEST:
        raise Gone
    try:
        return _MESSAGES.validate_json(receive_bytes(line, length))
    except ValidationError as error:
        raise Gone from error


def receive_bytes(line: socket.socket, count: int) -> bytes:
    """So many bytes.

    Raises:
        Gone: they do not come.
    """
    content = io.BytesIO()  # gives its content away without a copy
    with _patience(line) as wait:
        while content.tell() < count:  # grows with what comes, and not with what is promised
            wait()
            piece = line.recv(min(_PIECE, count - content.tell()))
            if not piece:
                raise Gone
            content.write(piece)
    return content.getvalue()


def receive_pixels(line: socket.socket, shape: tuple[int, ...], is_deep: bool) -> Pixels:
    """An array of that shape, uint8 or uint16.

    Raises:
        Gone: it does not come.
    """
    pixels: Pixels = np.empty(shape, np.uint16) if is_deep else np.empty(shape, np.uint8)
    rest = pixels.data.cast("B")
    with _patience(line) as wait:
        while rest:
            wait()
            count = line.recv_into(rest)
            if count == 0:
                raise Gone
            rest = rest[count:]
    return pixels


def send_frame(line: socket.socket, picture: Picture, progress: VideoProgress | None = None) -> None:
    """Sends a picture's pixels; nothing else of it leaves the process.

    Raises:
        Gone: nobody is there to take it.
    """
    has_alpha = picture.alpha is not None
    frame = Frame(
        height=picture.height,
        width=picture.width,
        is_deep=picture.rgb.dtype == np.uint16,
        has_alpha=has_alpha,
        progress=progress,
    )
    send(line, frame, picture.rgb, *(() if picture.alpha is None else (picture.alpha,)))


def receive_frame(line: socket.socket, frame: Frame) -> Picture:
    """The pixels that follow a `Frame`.

    Raises:
        Gone: they do not come.
    """
    rgb = receive_pixels(line, (frame.height, frame.width, 3), frame.is_deep)
    alpha = receive_pixels(line, (frame.height, frame.width), frame.is_deep) if frame.has_alpha else None
    return Picture(rgb, alpha)


@contextmanager
def _patience(line: socket.socket) -> Iterator[Callable[[], None]]:
    """The socket's time-out holds for all that comes inside, and not for each piece: a byte now and then is no answer.

    Yields:
        To be called before each piece; raises `Gone` when the time is over.
    """
    patience = line.gettimeout()
    end = time.monotonic() + (math.inf if patience is None else patience)

    def wait() -> None:
        left = end - time.monotonic()
        if left <= 0:
            raise Gone
        line.settimeout(None if left == math.inf else left)

    try:
        yield wait
    except OSError as error:
        raise Gone from error
    finally:
        with suppress(OSError):  # it may be closed
            line.settimeout(patience)
