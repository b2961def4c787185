"""The frames of a GIF as browsers show them, and GIFs of frames with transparency.

Pillow decodes the pictures in a GIF well, but puts them together otherwise than browsers do: what no picture covers is
black, a disposal stays in force until the next one, and writing loses black pixels beside transparent ones. Here the
blocks of the file are read and written, and Pillow decodes and encodes one picture at a time.

Source: CompuServe 1990, GIF89a specification; where it leaves a choice, Chromium's `GIFImageDecoder`.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import GifImagePlugin, Image

from zorse.imaging.limits import MOST_FRAMES, own_limits
from zorse.imaging.structure import check_count

_CLEAR, _RESTORE = 2, (3, 4)
"""Disposals: the frame's place becomes transparent, or what it was before. 4 is an old way of writing 3."""
_HEAD = 13
"""Bytes before the table of colours."""
_LOOPING = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_TABLE, _INTERLACED = 0x80, 0x40
"""Flags of a picture."""


@dataclass(frozen=True)
class _Frame:
    """One picture of a GIF and how it is laid onto the canvas."""

    left: int
    top: int
    width: int
    height: int
    is_interlaced: bool
    colours: bytes
    """RGB of each number, 3 bytes each."""
    pixels: bytes
    """The compressed numbers: code size and blocks."""
    transparent: int | None
    """The number that leaves the canvas as it is."""
    disposal: int
    duration: int
    """Milliseconds."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom on the canvas, which it may go beyond."""
        return self.left, self.top, self.left + self.width, self.top + self.height


class GifFrames:
    """The frames of a GIF, each the whole canvas.

    Frames are built up one on the other: asked for in their order, each is decoded once.

    Args:
        data: the content of the file.

    Raises:
        ValueError: it is cut off within a head.
        StructureError: it is made of too many parts.
    """

    def __init__(self, data: bytes) -> None:
        self._frames, self.plays = _parsed(data)
        self._size: tuple[int, int] = struct.unpack_from("<HH", data, 6)
        self._rewind()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def largest(self) -> tuple[int, int]:
        """Width and height that hold the canvas and every picture, which may be larger than it."""
        width, height = self._size
        return (
            max(width, *(frame.width for frame in self._frames)),
            max(height, *(frame.height for frame in self._frames)),
        )

    def duration(self, number: int) -> int:
        """How long a frame is shown, in milliseconds."""
        return self._frames[number].duration

    def frame(self, number: int) -> Image.Image:
        """What is seen while a frame is shown: RGB, or RGBA where something is transparent. The next call changes it.

        Raises:
            OSError: a picture is damaged or cut off.
        """
        if number < self._next:
            self._rewind()
        while self._next <= number:
            self._advance()
        return self._canvas

    def _rewind(self) -> None:
        self._canvas = Image.new("RGBA", self._size)
        self._behind: Image.Image | None = None
        self._next = 0

    def _advance(self) -> None:
        """Takes the frame that is shown off the canvas, as it says, and draws the next."""
        before = self._frames[self._next - 1] if self._next else None
        if before is not None and before.disposal == _CLEAR and self._is_seen(before):
            self._canvas = self._canvas.convert("RGBA")
            self._canvas.paste((0, 0, 0, 0), before.box)
        elif self._behind is not None:
            self._canvas = self._behind
        frame = self._frames[self._next]
        self._behind = self._canvas.copy() if frame.disposal in _RESTORE else None
        self._next += 1
        if self._is_seen(frame):
            self._draw(frame)

    def _is_seen(self, frame: _Frame) -> bool:
        """Whether a part of it lies on the canvas."""
        left, top, right, bottom = frame.box
        return left < min(right, self._size[0]) and top < min(bottom, self._size[1])

    def _draw(self, frame: _Frame) -> None:
        """Lays a picture onto its place on the canvas, whose edge may cut it."""
        numbers = _numbers(frame)
        picture = numbers.copy()
        picture.putpalette(frame.colours.ljust(768, b"\0"))
        if frame.transparent is None and frame.box == (0, 0, *self._size):
            self._canvas = picture.convert("RGB")
            return
        mask = None
        if frame.transparent is not None:
            mask = numbers.point([0 if number == frame.transparent else 255 for number in range(256)])
        self._canvas.paste(picture.convert(self._canvas.mode), frame.box[:2], mask)
        if self._canvas.mode == "RGBA" and self._canvas.getchannel("A").getextrema()[0] == 255:
            self._canvas = self._canvas.convert("RGB")


def join_frames(images: Sequence[Image.Image], durations: Sequence[float], plays: int, comment: bytes = b"") -> bytes:
    """The content of a GIF whose frames look as given, also where they are transparent.

    Args:
        images: of one size and mode "P"; where one is transparent, `info["transparency"]` is the number that is.
        durations: milliseconds of each.
        plays: how often; 0 is for ever.
        comment: of the file.
    """
    seen = [np.asarray(image.convert("RGBA")) for image in images]
    content = bytearray(b"GIF89a" + struct.pack("<HHBBB", *images[0].size, 0, 0, 0))
    if plays != 1:  # a GIF counts repetitions
        content += b"!\xff\x0b" + _LOOPING[0] + struct.pack("<BBHB", 3, 1, max(0, plays - 1), 0)
    if comment:
        content += b"!\xfe" + b"".join(bytes([len(part)]) + part for part in _parts(comment)) + b"\0"
    canvas = np.zeros_like(seen[0])
    for number, image in enumerate(images):
        after = seen[number + 1] if number + 1 < len(seen) else None
        is_uncovered = after is not None and bool(((seen[number][:, :, 3] > 0) & (after[:, :, 3] == 0)).any())
        box = (0, 0, *image.size)
        if not is_uncovered:  # the frame after it is laid over this one: only what changes is written
            same = (seen[number] == canvas).all(axis=2) | (seen[number][:, :, 3] == 0)
            if (transparent := image.info.get("transparency")) is not None:
                image = image.copy()
                image.paste(transparent, mask=Image.fromarray(np.where(same, 255, 0).astype(np.uint8)))
            box = Image.fromarray(np.where(same, 0, 255).astype(np.uint8)).getbbox() or (0, 0, 1, 1)
        with own_limits():
            part = image.crop(box)
        content += _picture_block(part, box, durations[number], _CLEAR if is_uncovered else 1)
        canvas = np.zeros_like(canvas) if is_uncovered else seen[number]
    return bytes(content) + b";"


def _numbers(frame: _Frame) -> Image.Image:
    """The decoded numbers of a picture, mode "L"."""
    size = struct.pack("<HH", frame.width, frame.height)
    flags = _INTERLACED if frame.is_interlaced else 0
    alone = b"GIF87a" + size + b"\0\0\0," + b"\0\0\0\0" + size + bytes([flags]) + frame.pixels + b";"
    with GifImagePlugin.GifImageFile(io.BytesIO(alone)) as image:  # without a table numbers come as they are
        image.load()
        return image


def _picture_block(image: Image.Image, box: tuple[int, int, int, int], duration: float, disposal: int) -> bytes:
    """A picture with its head and a table of its own, compressed by Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, "GIF", interlace=0)
    (frame,), _ = _parsed(buffer.getvalue())
    shown = min(round(duration / 10), 65535)
    transparent = frame.transparent or 0
    control = struct.pack("<BHBB", disposal << 2 | (frame.transparent is not None), shown, transparent, 0)
    size = (len(frame.colours) // 3).bit_length() - 2
    place = struct.pack("<HHHHB", box[0], box[1], frame.width, frame.height, _TABLE | size)
    return b"!\xf9\x04" + control + b"," + place + frame.colours + frame.pixels


def _parsed(data: bytes) -> tuple[list[_Frame], int]:
    """All pictures, and how often they are played (0 is for ever)."""
    if len(data) < _HEAD:
        raise ValueError("its head is incomplete")
    position, colours = _colour_table(data, _HEAD, data[10])
    frames: list[_Frame] = []
    control, plays, parts = b"", 1, 0
    while position < len(data):
        parts += 1
        check_count("blocks", parts, data)
        mark = data[position : position + 1]
        if mark == b";":
            break
        if mark == b"!":
            label = data[position + 1 : position + 2]
            end, count = _end(data, position + 2)
            parts += count
            blocks = _blocks(data, position + 2)
            first = next(blocks, b"")
            if label == b"\xf9":
                control = first
            elif label == b"\xff" and first[:11] in _LOOPING and not frames:
                plays = _plays(next(blocks, b""), plays)
            position = end
        elif mark == b",":
            frame, position, count = _frame(data, position + 1, control, colours)
            parts += count
            frames.append(frame)
            control = b""
            if len(frames) > MOST_FRAMES:  # The file will be refused.
                break
        else:
            position += 1  # some programs leave bytes between the blocks
    return frames, plays


def _frame(data: bytes, position: int, control: bytes, colours: bytes) -> tuple[_Frame, int, int]:
    """A picture, where it ends, and its blocks. `control` says how it is shown, `colours` is the file's table."""
    if position + 10 > len(data):
        raise ValueError("the file ends in the head of a frame")
    left, top, width, height, flags = struct.unpack_from("<HHHHB", data, position)
    start, own = _colour_table(data, position + 9, flags)
    end, count = _end(data, start + 1)
    control = control.ljust(4, b"\0")
    frame = _Frame(
        left,
        top,
        width,
        height,
        is_interlaced=bool(flags & _INTERLACED),
        colours=own or colours or bytes(level for level in range(256) for _ in range(3)),
        pixels=data[start:end],
        transparent=control[3] if control[0] & 1 else None,
        disposal=control[0] >> 2 & 7,
        duration=10 * int.from_bytes(control[1:3], "little"),
    )
    return frame, end, count


def _colour_table(data: bytes, position: int, flags: int) -> tuple[int, bytes]:
    """Where the table ends that may lie there, and its colours."""
    size = 3 << (flags & 7) + 1 if flags & _TABLE else 0
    table = data[position : position + size]
    return position + size, table[: len(table) // 3 * 3]


def _end(data: bytes, position: int) -> tuple[int, int]:
    """Where a chain of blocks ends, and how many there are."""
    count = 0
    while position < len(data) and data[position]:
        position += 1 + data[position]
        count += 1
    return position + 1, count


def _blocks(data: bytes, position: int) -> Iterator[bytes]:
    """The content of each block of a chain."""
    while position < len(data) and data[position]:
        yield data[position + 1 : position + 1 + data[position]]
        position += 1 + data[position]


def _plays(block: bytes, before: int) -> int:
    """How often a looping extension says that the frames are played."""
    if len(block) < 3 or block[0] != 1:
        return before
    repeats = int.from_bytes(block[1:3], "little")
    return repeats + 1 if repeats else 0


def _parts(comment: bytes) -> Iterator[bytes]:
    return (comment[start : start + 255] for start in range(0, len(comment), 255))
