"""From video file to video file: each picture goes through a function, everything else stays."""

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from zorse.errors import ImageError
from zorse.imaging.io import MAX_PIXELS, Pixels, writing
from zorse.imaging.picture import Note, Picture
from zorse.imaging.read import check_pixels
from zorse.imaging.video.decoders import Decoder
from zorse.imaging.video.formats import VIDEO_FORMATS, VideoFormat
from zorse.imaging.video.kinds import container_name, differences, left_out
from zorse.imaging.video.output import PictureStream, rate, time_base
from zorse.imaging.video.progress import VideoProgress
from zorse.imaging.video.streams import Carrier, carrier, codec_name
from zorse.imaging.video.timeline import StreamClock, Timeline

if TYPE_CHECKING:
    from av.container.core import Chapter

_SURE_FORMATS = ("mov,mp4", "matroska")
"""Beginnings of FFmpeg's names of containers that know how long they are."""
_LEAST_MISSING = 0.5
"""Seconds by which such a file has to end early to count as cut off."""
_TS_DISCONT, _TS_NONSTRICT = 0x200, 0x20000
"""FFmpeg's flags of formats: their time stamps may jump; they may repeat."""
_MOST_LISTED = 5
"""Times of jumps that people are told."""
_OF_CONTAINER = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
"""Metadata that say something of the old file only."""
_OWN_TAGS = ("com.apple.", "com.android.")
"""Beginnings of metadata of phones: place, date, make."""
_TAKES_MOST = ".mkv"
_OF_SYSTEM = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EIO, errno.ENOENT}
)
"""Errors of disks and permissions."""


Report = Callable[[VideoProgress], None]
"""Is told after each frame. An exception that it raises ends the work; no file is left behind."""


@dataclass
class Rewritten:
    """What became of a video."""

    frames: int = 0
    """In the new file."""
    source_format: str = ""
    """What people call the old file's kind, whatever its name ends in."""
    kinds: list[Note] = field(default_factory=list)
    """What the old file and its pictures are and become, and what is copied."""
    notes: list[Note] = field(default_factory=list)
    """What else the new file holds in another form, or not at all."""
    damage: str = ""
    """What could not be read of the old file; empty for a whole one."""


def rewrite_video(
    source: Path,
    target: Path,
    change: Callable[[Picture], Pixels],
    report: Report | None = None,
    *,
    quality: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> Rewritten:
    """Writes a video whose pictures are changed; the file appears complete or not at all.

    Distances of time, size, rotation, pixel aspect, the colours' tags, sound, subtitles, chapters and metadata stay.
    The new file begins at 0 and goes on where the old one's time stamps jump, with the sound in sync.

    The pictures are encoded as H.264, in .webm as VP9; of sources with more than 8 bits also with 10. H.264 is written
    as players show it (4:2:0), which takes even sizes only: an odd width or height grows by one pixel that repeats its
    neighbour. Interlaced pictures stay interlaced in H.264, with the order
    of their fields; VP9 gets progressive ones. Transparency is kept in .webm and .mkv as VP9 with 8 bits, in .mov as
    ProRes 4444 with 10; elsewhere white shows through. Only a few frames are in memory at a time.

    Args:
        source: the video.
        target: ends in one of `VIDEO_FORMATS`.
        change: takes a picture, upright, of uint8 or, where the video has more than 8 bits, uint16, with its alpha
            where the new file keeps that; gives its colours, (H, W, 3) of the same dtype. Called in the frames' order,
            for interlaced ones twice: for each field, completed to a whole picture.
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
    with _opened(source) as old, writing(target) as file, _made(Path(file.name), format, target, old) as new:
        return _Rewriting(source, old, target, new, format, change, report, quality, max_pixels).run()


class _Rewriting:
    def __init__(
        self,
        source: Path,
        old: InputContainer,
        target: Path,
        new: OutputContainer,
        format: VideoFormat,
        change: Callable[[Picture], Pixels],
        report: Report | None,
        quality: int | None,
        max_pixels: int | None,
    ) -> None:
        self._source, self._old, self._target, self._new = source, old, target, new
        self._format, self._change, self._report, self._quality = format, change, report, quality
        self._video = _pictures(old, source)
        check_pixels(str(source), self._video.width, self._video.height, max_pixels)
        self._result = Rewritten()
        self._begins = _start(old, self._video)
        self._timeline = Timeline(self._begins, may_jump_ahead=_is_joinable(old))
        self._decode = Decoder(self._video)
        self._output: PictureStream | None = None
        self._carriers: dict[int, tuple[StreamClock, Carrier]] = {}  # by the streams' numbers
        self._sent: dict[int, int] = {}  # newest time stamps of new streams
        self._may_repeat = bool(new.format.flags & _TS_NONSTRICT)
        self._overlapping = 0
        self._start = time.perf_counter()

    def run(self) -> Rewritten:
        early: list[Packet[Stream]] = []  # without a picture the new file cannot be begun
        for item in self._items():
            with _telling(self._target):
                if isinstance(item, VideoFrame):
                    if self._output is None:
                        self._output = self._begin(item)
                        self._new.mux([new for packet in early for new in self._carried(packet)])
                    self._written(item, self._output)
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
                    yield from self._decode(packet)
                except FFmpegError:
                    broken += 1
        except FFmpegError as error:
            reached = max(0.0, reached - float(self._begins))
            self._result.damage = f"reading stopped after {reached:.1f} seconds ({error.strerror})"
            yield from self._decode(None)
        missing = self._end() - reached
        if broken and not self._result.damage:
            self._result.damage = f"{broken} pictures could not be read"
        elif missing > _LEAST_MISSING and not self._result.damage:
            self._result.damage = f"the last {missing:.1f} seconds are missing"

    def _end(self) -> float:
        """Seconds at which the file ends, where it says so itself; these formats count from 0, not from their start."""
        if self._old.duration is None or not self._old.format.name.startswith(_SURE_FORMATS):
            return 0.0
        return self._old.duration / av.time_base

    def _written(self, frame: VideoFrame, output: PictureStream) -> None:
        """The next frame at its new time."""
        step = time_base(frame, self._video)
        usual = 1 / (rate(self._video) * step)
        frame.pts = self._timeline.picture(frame.pts, step, max(1, frame.duration or round(usual)))
        if frame.pts is None:
            return
        if (frame.width, frame.height) != output.old_size:
            width, height = output.old_size
            raise ImageError(
                f"{self._source} changes from {width}x{height} to {frame.width}x{frame.height} in the middle, which no "
                "one file can hold. Cut it there first."
            )
        self._finished(output(frame))

    def _finished(self, frames: "Iterable[list[Packet[VideoStream]]]") -> None:
        for packets in frames:
            self._result.frames += 1
            if self._report is not None:
                self._report(VideoProgress(self._result.frames, self._total(), time.perf_counter() - self._start))
            self._new.mux(packets)

    def _begin(self, frame: VideoFrame) -> PictureStream:
        """Makes the streams, for frames like this one."""
        matrix = self._decode.matrix()
        output = PictureStream(
            self._new, self._format, self._target, self._video, frame, matrix, self._change, self._quality
        )
        before = self._result.source_format = container_name(self._old, self._source)
        codec = codec_name(self._video)
        self._result.kinds += differences(before, codec, self._source, self._target, frame, output.encoding)
        self._begin_others()
        return output

    def _begin_others(self) -> None:
        """Makes the other streams, and what the file says of itself."""
        self._new.metadata.update({key: value for key, value in self._old.metadata.items() if key not in _OF_CONTAINER})
        chapters = [_moved(chapter, -self._begins) for chapter in self._old.chapters()]
        self._new.set_chapters(chapters)
        if chapters:
            self._result.kinds.append(Note("kept", "chapters", f"The chapters ({len(chapters)}) are in the result."))
        for stream in self._old.streams:
            if stream.index == self._video.index:
                continue
            name = f"{stream.type} ({codec_name(stream) or 'unknown'})"
            if stream.type not in ("audio", "subtitle"):
                lost = left_out(stream, codec_name(stream))
                self._result.notes += [] if lost is None else [lost]
                continue
            made = carrier(stream, self._new, self._format)
            if made is None:
                detail = f"The stream {name} is left out: {self._target.suffix} cannot hold it."
                self._result.notes.append(Note("dropped", name, detail))
                continue
            if made.converts_to:
                detail = f"The stream {name} becomes {made.converts_to}: {self._target.suffix} cannot hold it."
                self._result.notes.append(Note("converted", name, detail))
            else:
                self._result.kinds.append(Note("kept", name, f"The stream {name} is copied."))
            self._carriers[stream.index] = self._timeline.clock(stream), made

    def _carried(self, packet: "Packet[Stream]") -> "list[Packet[Stream]]":
        if packet.stream.index not in self._carriers:
            return []
        clock, carrier = self._carriers[packet.stream.index]
        try:
            return [new for moved in clock(packet) for new in carrier(moved) if self._is_in_order(new)]
        except FFmpegError as error:
            self._result.damage = f"a part of the sound could not be read ({error.strerror})"
            return []

    def _is_in_order(self, packet: "Packet[Stream]") -> bool:
        """Whether a packet may follow the last one of its stream; where parts are joined, their sound may overlap."""
        last = self._sent.get(packet.stream.index)
        if packet.dts is None or last is None or packet.dts > last or (packet.dts == last and self._may_repeat):
            if packet.dts is not None:
                self._sent[packet.stream.index] = packet.dts
            return True
        self._overlapping += 1
        return False

    def _finish(self) -> None:
        if self._output is None:
            raise ImageError(
                f"{self._source} has no picture that can be read{'; ' * bool(self._result.damage)}"
                f"{self._result.damage}. Get or copy the file again."
            )
        with _telling(self._target):
            self._finished(self._output(None))
            self._new.mux(self._output.last())
        self._result.notes += self._output.notes()
        if self._timeline.jumps:
            detail = f"The time stamps jump at {_listed(self._timeline.jumps)}: joined there."
            self._result.notes.append(Note("converted", "time stamps", detail))
        if self._overlapping:
            detail = f"Sound that overlaps with other sound of its stream is left out (packets: {self._overlapping})."
            self._result.notes.append(Note("dropped", "overlapping sound", detail))

    def _total(self) -> int | None:
        if self._timeline.jumps:  # the file knows of one part only, or counts the jumps in
            return None
        if self._video.frames:
            return self._video.frames
        if not self._old.duration:
            return None
        duration = Fraction(self._old.duration, av.time_base)
        if self._old.format.name.startswith(_SURE_FORMATS):  # which count from 0
            start = (self._video.start_time or 0) * (self._video.time_base or Fraction(0))
            duration -= max(self._begins, start)
        total = round(duration * rate(self._video))
        return total if total >= self._result.frames else None


def _listed(times: Iterable[Fraction]) -> str:
    """Seconds, for people."""
    words = [f"{float(time):.1f}" for time in times]
    more = f" and {len(words) - _MOST_LISTED} more" if len(words) > _MOST_LISTED else ""
    return f"{', '.join(words[:_MOST_LISTED])} s{more}"


def _moved(chapter: "Chapter", amount: Fraction) -> "Chapter":
    """A chapter at a later time, by seconds; none begins before 0."""
    if chapter["time_base"]:
        steps = round(amount / chapter["time_base"])
        chapter["start"], chapter["end"] = max(0, chapter["start"] + steps), max(0, chapter["end"] + steps)
    return chapter


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
def _made(file: Path, format: VideoFormat, target: Path, old: InputContainer) -> Iterator[OutputContainer]:
    """The new file, closed when all went well."""
    options = {}
    if format.muxer in ("mp4", "mov"):  # whose usual tags have no room for those of Apple and Android
        has_own_tags = any(key.startswith(_OWN_TAGS) for key in old.metadata)
        options["movflags"] = "+faststart" + "+use_metadata_tags" * has_own_tags
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
        advice = (
            "It may be damaged; see whether a player opens the source."
            if target.suffix.lower() == _TAKES_MOST
            else f"Try {_TAKES_MOST}, which takes nearly everything."
        )
        raise ImageError(
            f"{target} could not be written as a video: FFmpeg says {error.strerror or error}. {advice}"
        ) from error


def _pictures(container: InputContainer, source: Path) -> VideoStream:
    """The stream of pictures, which is not a cover."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise ImageError(f"{source} has no video stream (it holds {kinds}). Choose a file with moving pictures.")
    return streams[0]


def _start(container: InputContainer, video: VideoStream) -> Fraction:
    """Seconds at which pictures and sound begin; what begins before 0 is cut off by intent, unless stamps wrap."""
    streams = (video, *container.streams.audio)
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None and stream.time_base is not None
    ]
    start = min(starts, default=Fraction(0))
    return start if _is_joinable(container) else max(start, Fraction(0))


def _is_joinable(container: InputContainer) -> bool:
    """Whether files of the format are put together one behind the other, with the time stamps of each."""
    return bool(container.format.flags & _TS_DISCONT)
