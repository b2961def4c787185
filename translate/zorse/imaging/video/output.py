"""The stream of pictures in a new file: what frames go through until they are written."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.codec import Codec
from av.container import OutputContainer
from av.packet import Packet
from av.video.format import VideoFormat as PixelFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from zorse.imaging.picture import Note, Picture, Pixels, over_white
from zorse.imaging.video.decoders import is_alpha_tag
from zorse.imaging.video.encoders import choose_encoding
from zorse.imaging.video.fields import Deinterlacer, is_interlaced, is_top_first, woven
from zorse.imaging.video.formats import VideoFormat
from zorse.imaging.video.frames import (
    DisplayMatrix,
    bits,
    can_be_transparent,
    frame_like,
    tag_colours,
    upright_picture,
)

_TOP_FIRST, _BOTTOM_FIRST = 2, 3
"""FFmpeg's numbers of the orders of fields."""
_WITH_ALPHA_TAG = ("matroska", "webm")
"""Formats whose streams must say that they have an alpha."""


class PictureStream:
    """Changes and encodes the frames of a video.

    Args:
        container: the new file.
        format: its kind.
        target: its name, for errors.
        source: the old file's stream.
        frame: one like those to come.
        matrix: how a player turns or mirrors the frames.
        change: as in `rewrite_video`.
        quality: 1..100; None for 80.

    Raises:
        ImageError: the frames cannot be encoded, or not in that quality.
    """

    def __init__(
        self,
        container: OutputContainer,
        format: VideoFormat,
        target: Path,
        source: VideoStream,
        frame: VideoFrame,
        matrix: DisplayMatrix | None,
        change: Callable[[Picture], Pixels],
        quality: int | None,
    ) -> None:
        has_fields = is_interlaced(frame)
        self.encoding = choose_encoding(format, target, frame, quality, _has_alpha(frame, source), has_fields)
        """How the frames are written."""
        self._matrix, self._change, self._suffix = matrix, change, target.suffix
        self._is_top_first = has_fields and is_top_first(frame)
        self._deinterlacer = Deinterlacer(frame, self._is_top_first, self.encoding.has_fields) if has_fields else None
        self._first: VideoFrame | None = None
        self._lost_transparency = False
        self._stream = self._made(container, format, source, frame)
        self.old_size = frame.width, frame.height
        """Of the frames to come."""
        self._lost = list(self._differences(frame))

    def __call__(self, frame: VideoFrame | None) -> "Iterator[list[Packet[VideoStream]]]":
        """What to write for each frame that is finished when the next one comes; None after the last one."""
        for part in self._deinterlaced(frame):
            for new in self._woven(self._changed(part)):
                yield self._stream.encode(new)

    def last(self) -> "list[Packet[VideoStream]]":
        """What to write when all frames are finished."""
        return self._stream.encode(None)

    def notes(self) -> Iterable[Note]:
        """What the frames lost."""
        yield from self._lost
        if self._lost_transparency:
            detail = f"Transparency is replaced by white: {self._suffix} cannot hold it. Choose .webm or .mov."
            yield Note("dropped", "transparency", detail)

    def _made(
        self, container: OutputContainer, format: VideoFormat, source: VideoStream, frame: VideoFrame
    ) -> VideoStream:
        encoding = self.encoding
        stream = container.add_stream(encoding.encoder, rate=rate(source), options=encoding.options)
        if not isinstance(stream, VideoStream):
            raise TypeError(f"{encoding.encoder} encodes no pictures")
        stream.width, stream.height = encoding.size
        stream.pix_fmt = encoding.pixel_format
        stream.codec_context.time_base = time_base(frame, source)
        if source.sample_aspect_ratio:
            stream.codec_context.sample_aspect_ratio = source.sample_aspect_ratio
        if encoding.has_fields:
            stream.codec_context.field_order = _TOP_FIRST if self._is_top_first else _BOTTOM_FIRST
        stream.metadata.update({key: text for key, text in source.metadata.items() if not is_alpha_tag(key)})
        if encoding.has_alpha and format.muxer in _WITH_ALPHA_TAG:
            stream.metadata["alpha_mode"] = "1"
        tag_colours(stream, frame)
        stream.set_display_matrix(self._matrix)
        return stream

    def _deinterlaced(self, frame: VideoFrame | None) -> Iterable[VideoFrame]:
        if self._deinterlacer is not None:
            return self._deinterlacer(frame)
        return [] if frame is None else [frame]

    def _changed(self, frame: VideoFrame) -> VideoFrame:
        picture = upright_picture(frame, self._matrix)
        if not self.encoding.has_alpha:
            seen = over_white(picture.rgb, picture.alpha)
            self._lost_transparency |= seen is not picture.rgb
            picture = Picture(seen)
        changed = Picture(self._change(picture), picture.alpha)
        return frame_like(frame, changed, self.encoding.pixel_format, self._matrix, self.encoding.size)

    def _woven(self, changed: VideoFrame) -> Iterable[VideoFrame]:
        """The finished frame, if this one finishes it."""
        if not self.encoding.has_fields:
            return [changed]
        first, self._first = self._first, changed if self._first is None else None
        return [] if first is None else [woven(first, changed, self._is_top_first)]

    def _differences(self, frame: VideoFrame) -> Iterable[Note]:
        """What the frames lose in that encoding, as far as their kind tells."""
        encoding, suffix = self.encoding, self._suffix
        codec = Codec(encoding.encoder, "w").canonical_name.upper()
        width, height = encoding.size
        if encoding.size != (frame.width, frame.height):
            detail = (
                f"The size {frame.width}x{frame.height} became {width}x{height}: H.264 in {suffix} takes even sizes "
                "only. Choose .webm to keep it."
            )
            yield Note("converted", "size", detail)
        if self._deinterlacer is not None and not encoding.has_fields:
            detail = f"The interlaced pictures are made progressive: {codec} has no fields."
            yield Note("converted", "interlaced pictures", detail)
        new_bits = PixelFormat(encoding.pixel_format).components[0].bits
        if bits(frame) > new_bits:
            detail = (
                f"The {bits(frame)} bits per colour become {new_bits}: Zorse writes {codec} in {suffix} with at most "
                f"{new_bits}."
            )
            yield Note("converted", f"{bits(frame)} bits per colour", detail)


def time_base(frame: VideoFrame, stream: VideoStream) -> Fraction:
    """Seconds in one step of the frame's time stamps."""
    return frame.time_base or stream.time_base or 1 / rate(stream)


def rate(stream: VideoStream) -> Fraction:
    """Frames per second."""
    return stream.average_rate or stream.guessed_rate or Fraction(25)


def _has_alpha(frame: VideoFrame, stream: VideoStream) -> bool:
    """Whether transparency is meant: FFmpeg gives each GIF an alpha."""
    if not can_be_transparent(frame) or stream.codec_context.codec.canonical_name != "gif":
        return can_be_transparent(frame)
    alpha = upright_picture(frame, None).alpha
    return alpha is not None and bool(alpha.min() < np.iinfo(alpha.dtype).max)
