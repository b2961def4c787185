"""From video file to video file: each picture goes through a function, everything else stays."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from zorse.errors import ImageError
from zorse.imaging.io import MAX_PIXELS, Pixels, writing
from zorse.imaging.read import check_pixels
from zorse.imaging.video.formats import VIDEO_FORMATS, VideoFormat
from zorse.imaging.video.frames import bits, display_matrix, frame_like, is_rgb, tag_colours, upright_pixels
from zorse.imaging.video.streams import Carrier, carrier, codec_name

_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "medium"},
    "libvpx-vp9": {"b": "0", "row-mt": "1", "cpu-used": "3"},
    "libsvtav1": {"preset": "7"},
    "libvpx": {"b": "8M"},
}
"""Of encoders, beside the quality."""
_CRF = {"libx264": (50, 18), "libvpx-vp9": (62, 24), "libsvtav1": (62, 24), "libvpx": (62, 8)}
"""What these encoders call the quality ("crf") at the quality 0 and at 80, where the pictures can hardly be told from
what went in; others choose by themselves."""
_USUAL_QUALITY = 80
_BEST_CRF = 4

_SURE_FORMATS = ("mov,mp4", "matroska")
"""Beginnings of FFmpeg's names of containers that know how long they are."""
_LEAST_MISSING = 0.5
"""Seconds by which such a file has to end early to count as cut off."""


@dataclass(frozen=True)
class VideoProgress:
    """How far a video is."""

    frames: int
    """Finished ones."""
    total: int | None
    """As the file says, or as its length and rate suggest; None where neither is known."""
    seconds: float
    """That they took."""

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest will take."""
        return None if self.total is None else self.seconds / self.frames * max(self.total - self.frames, 0)


Report = Callable[[VideoProgress], None]
"""Is told after each frame. An exception that it raises ends the work; no file is left behind."""


@dataclass
class Rewritten:
    """What became of a video."""

    frames: int = 0
    """In the new file."""
    left_out: list[str] = field(default_factory=list)
    """Streams that the new file cannot hold."""
    damage: str = ""
    """What could not be read of the old file; empty for a whole one."""


def rewrite_video(
    source: Path,
    target: Path,
    change: Callable[[Pixels], Pixels],
    report: Report | None = None,
    *,
    quality: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> Rewritten:
    """Writes a video whose pictures are changed; the file appears complete or not at all.

    Time stamps, size, rotation, pixel aspect, the colours' tags, sound, subtitles, chapters and metadata stay. The
    pictures are encoded as H.264, in .webm as VP9; of sources with more than 8 bits also with 10. Sizes that are odd
    are kept: in H.264 they need full colour resolution (4:4:4), which some players do not show. Only a few frames are
    in memory at a time.

    Args:
        source: the video.
        target: ends in one of `VIDEO_FORMATS`.
        change: takes and gives one picture, upright, (H, W, 3) of uint8, or of uint16 where the video has more than 8
            bits; called in the frames' order.
        report: is told how far the work is.
        quality: 1..100; None for 80.
        max_pixels: larger frames are refused; None for no limit.

    Returns:
        What was written. Of a damaged video that is what could be read of it.

    Raises:
        ImageError: the source is not a video or has no picture that can be read; its frames are too large; the target
            cannot be written, or not in the quality that is wanted.
        DiskFull: no space is left.
    """
    format = VIDEO_FORMATS.get(target.suffix.lower())
    if format is None:
        raise ImageError(f"{target} cannot be written: a video's name must end in one of {', '.join(VIDEO_FORMATS)}.")
    with _opened(source) as old, writing(target) as file, _made(Path(file.name), format, target) as new:
        return _Rewriting(source, old, target, new, format, change, report, quality, max_pixels).run()


class _Rewriting:
    def __init__(
        self,
        source: Path,
        old: InputContainer,
        target: Path,
        new: OutputContainer,
        format: VideoFormat,
        change: Callable[[Pixels], Pixels],
        report: Report | None,
        quality: int | None,
        max_pixels: int | None,
    ) -> None:
        self._source, self._old, self._target, self._new = source, old, target, new
        self._format, self._change, self._report, self._quality = format, change, report, quality
        self._video = _pictures(old, source)
        check_pixels(str(source), self._video.width, self._video.height, max_pixels)
        self._result = Rewritten()
        self._output: VideoStream | None = None
        self._carriers: dict[int, Carrier] = {}  # by the streams' numbers
        self._last: int | None = None
        self._start = time.perf_counter()

    def run(self) -> Rewritten:
        early: list[Packet[Stream]] = []  # without a picture the new file cannot be begun
        for item in self._items():
            with _telling(self._target):
                if isinstance(item, VideoFrame):
                    if self._output is None:
                        self._output = self._begin(item)
                        self._new.mux([new for packet in early for new in self._carried(packet)])
                    self._new.mux(self._changed(item, self._output))
                elif self._output is None:
                    early.append(item)
                else:
                    self._new.mux(self._carried(item))
        self._finish()
        return self._result

    def _items(self) -> "Iterator[VideoFrame | Packet[Stream]]":
        """Decoded pictures and the packets of other streams, in the file's order, as far as they can be read."""
        reached, broken = 0.0, 0
        try:
            streams = self._old.streams
            for packet in self._old.demux([self._video, *streams.audio, *streams.subtitles]):
                if packet.pts is not None:
                    reached = max(reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream.index != self._video.index:
                    yield packet
                    continue
                try:
                    yield from self._video.decode(packet)
                except FFmpegError:
                    broken += 1
        except FFmpegError as error:
            self._result.damage = f"reading stopped after {reached:.1f} seconds ({error.strerror})"
            yield from self._video.decode(None)
        missing = self._length() - reached
        if broken and not self._result.damage:
            self._result.damage = f"{broken} pictures could not be read"
        elif missing > _LEAST_MISSING and not self._result.damage:
            self._result.damage = f"the last {missing:.1f} seconds are missing"

    def _length(self) -> float:
        """Seconds, where the file itself says so."""
        if self._old.duration is None or not self._old.format.name.startswith(_SURE_FORMATS):
            return 0.0
        return (self._old.duration + (self._old.start_time or 0)) / av.time_base

    def _changed(self, frame: VideoFrame, output: VideoStream) -> "list[Packet[VideoStream]]":
        if not self._is_timed(frame):
            return []
        if (frame.width, frame.height) != (output.width, output.height):
            raise ImageError(
                f"{self._source} changes from {output.width}x{output.height} to {frame.width}x{frame.height} in the "
                "middle, which no one file can hold. Cut it there first."
            )
        new = frame_like(frame, self._change(upright_pixels(frame)), output.format.name)
        self._result.frames += 1
        if self._report is not None:
            self._report(VideoProgress(self._result.frames, self._total(), time.perf_counter() - self._start))
        return output.encode(new)

    def _is_timed(self, frame: VideoFrame) -> bool:
        """Makes sure that the frame comes after the last one; damaged files have others."""
        if frame.pts is None:
            step = 1 / (_rate(self._video) * _time_base(frame, self._video))
            frame.pts = 0 if self._last is None else self._last + max(1, round(step))
        if self._last is not None and frame.pts <= self._last:
            return False
        self._last = frame.pts
        return True

    def _begin(self, frame: VideoFrame) -> VideoStream:
        """Makes the stream of pictures for frames like this one."""
        encoder = _encoder(self._format, self._target)
        options = _encoder_options(encoder.name, self._quality, self._target)
        stream = self._new.add_stream(encoder.name, rate=_rate(self._video), options=options)
        if not isinstance(stream, VideoStream):
            raise TypeError(f"{encoder.name} encodes no pictures")
        stream.width, stream.height = frame.width, frame.height
        stream.pix_fmt = _pixel_format(encoder, frame)
        stream.codec_context.time_base = _time_base(frame, self._video)
        if self._video.sample_aspect_ratio:
            stream.codec_context.sample_aspect_ratio = self._video.sample_aspect_ratio
        stream.metadata.update(self._video.metadata)
        tag_colours(stream, frame)
        stream.set_display_matrix(display_matrix(frame))
        self._begin_others()
        return stream

    def _begin_others(self) -> None:
        """Makes the other streams, and what the file says of itself."""
        self._new.metadata.update({key: value for key, value in self._old.metadata.items() if key not in _OF_CONTAINER})
        self._new.set_chapters(self._old.chapters())
        for stream in (*self._old.streams.audio, *self._old.streams.subtitles):
            made = carrier(stream, self._new, self._format)
            if made is None:
                self._result.left_out.append(f"{stream.type} ({codec_name(stream)})")
            else:
                self._carriers[stream.index] = made
        self._result.left_out += [
            f"{stream.type} ({codec_name(stream) or 'unknown'})"
            for stream in self._old.streams
            if stream.type not in ("audio", "subtitle") and stream.index != self._video.index
        ]

    def _carried(self, packet: "Packet[Stream]") -> "list[Packet[Stream]]":
        carrier = self._carriers.get(packet.stream.index)
        try:
            return [] if carrier is None else list(carrier(packet))
        except FFmpegError as error:
            self._result.damage = f"a part of the sound could not be read ({error.strerror})"
            return []

    def _finish(self) -> None:
        if self._output is None:
            raise ImageError(
                f"{self._source} has no picture that can be read{'; ' * bool(self._result.damage)}"
                f"{self._result.damage}. Get or copy the file again."
            )
        with _telling(self._target):
            self._new.mux(self._output.encode(None))

    def _total(self) -> int | None:
        if self._video.frames:
            return self._video.frames
        return round(self._old.duration / av.time_base * _rate(self._video)) if self._old.duration else None


_OF_CONTAINER = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
"""Metadata that say something of the old file only."""
_OF_SYSTEM = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EIO, errno.ENOENT}
)
"""Errors of disks and permissions."""


@contextmanager
def _opened(source: Path) -> Iterator[InputContainer]:
    try:
        container = av.open(str(source), metadata_errors="replace")
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {source}. Check the path.") from error
    except (FFmpegError, OSError) as error:
        raise ImageError(
            f"{source} cannot be read as a video ({error.strerror or error}). It may be damaged, cut off, or something "
            "else; see whether a player opens it."
        ) from error
    with container:
        yield container


@contextmanager
def _made(file: Path, format: VideoFormat, target: Path) -> Iterator[OutputContainer]:
    """The new file, closed when all went well."""
    options = {"movflags": "+faststart"} if format.muxer in ("mp4", "mov") else {}
    with _telling(target):
        container = av.open(str(file), "w", format=format.muxer, container_options=options)
    try:
        yield container
    finally:
        with _telling(target):
            container.close()


@contextmanager
def _telling(target: Path) -> Iterator[None]:
    """Turns FFmpeg's errors while writing into the system's where these say what to do, else into ours."""
    try:
        yield
    except FFmpegError as error:
        if error.errno in _OF_SYSTEM:
            raise OSError(error.errno, error.strerror) from error
        raise ImageError(
            f"{target} could not be written as a video: FFmpeg says {error.strerror or error}. Try .mkv, which takes "
            "nearly everything."
        ) from error


def _pictures(container: InputContainer, source: Path) -> VideoStream:
    """The stream of pictures, which is not a cover."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise ImageError(f"{source} has no video stream (it holds {kinds}). Choose a file with moving pictures.")
    stream = streams[0]
    stream.thread_type = "AUTO"
    return stream


def _encoder(format: VideoFormat, target: Path) -> Codec:
    for name in format.encoders:
        try:
            return Codec(name, "w")
        except UnknownCodecError:
            continue
    raise ImageError(
        f"{target} cannot be written: FFmpeg in the installed package av has none of the encoders "
        f"{', '.join(format.encoders)}. Install av from PyPI (pip install --force-reinstall av), or choose another "
        f"suffix: {', '.join(VIDEO_FORMATS)}."
    )


def _encoder_options(encoder: str, quality: int | None, target: Path) -> dict[str, str]:
    if encoder not in _CRF:
        if quality is None:
            return {}
        raise ImageError(
            f"{target} cannot be written at a chosen quality: the installed package av encodes it with {encoder}, "
            "which has none to choose. Leave --quality out, or install av from PyPI (pip install --force-reinstall av)."
        )
    worst, usual = _CRF[encoder]
    crf = worst + (usual - worst) * (_USUAL_QUALITY if quality is None else quality) / _USUAL_QUALITY
    return _OPTIONS[encoder] | {"crf": str(max(_BEST_CRF, round(crf)))}


def _pixel_format(encoder: Codec, frame: VideoFrame) -> str:
    """What every player shows, where the frame does not need more."""
    known = {format.name for format in encoder.video_formats or []}
    is_odd = frame.width % 2 or frame.height % 2
    colour = "yuv444p" if is_odd and encoder.name == "libx264" else "yuv420p"
    deep = f"{colour}10le"
    return deep if bits(frame) > 8 and not is_rgb(frame) and deep in known else colour


def _time_base(frame: VideoFrame, stream: VideoStream) -> Fraction:
    """Seconds in one step of the frame's time stamps."""
    return frame.time_base or stream.time_base or 1 / _rate(stream)


def _rate(stream: VideoStream) -> Fraction:
    return stream.average_rate or stream.guessed_rate or Fraction(25)
