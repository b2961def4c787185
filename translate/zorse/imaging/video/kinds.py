"""What a video file is: its container, what its pictures are encoded as, the resolution of their colours."""

from collections.abc import Iterator
from pathlib import Path

from av.codec import Codec
from av.container import InputContainer
from av.stream import Stream
from av.video.format import VideoFormat as PixelFormat
from av.video.frame import VideoFrame

from zorse.imaging.picture import Note
from zorse.imaging.video.encoders import Encoding
from zorse.imaging.video.formats import VIDEO_FORMATS, VIDEO_SUFFIXES
from zorse.imaging.video.frames import is_rgb

_CONTAINERS = {
    "mov,mp4": ("MP4", ("mp4", "m4v", "mov", "3gp")),
    "matroska": ("MKV", ("mkv", "webm")),
    "mpegts": ("MPEG-TS", ()),
    "mpegvideo": ("MPEG video", ()),
    "mpeg": ("MPEG-PS", ()),
    "asf": ("WMV", ()),
}
"""Beginnings of FFmpeg's names of containers -> what people call them, and suffixes that tell relatives apart."""
_SAMPLES = 16
_HIDDEN = 48
"""FFmpeg's mark (AVDISCARD_ALL) of tracks that are parts of others: the titles of chapters."""


def container_name(container: InputContainer, source: Path) -> str:
    """What people call the kind of an opened file; its suffix only tells relatives apart."""
    suffix = source.suffix[1:].lower()
    for beginning, (name, relatives) in _CONTAINERS.items():
        if container.format.name.startswith(beginning):
            return suffix.upper() if suffix in relatives else name
    return container.format.name.upper()


def differences(
    before: str, codec: str, source: Path, target: Path, frame: VideoFrame, encoding: Encoding
) -> Iterator[Note]:
    """What the file and its pictures are, and become.

    Args:
        before: the old file's container, as `container_name` gives it.
        codec: FFmpeg's name of what its pictures are encoded as.
        source: its path.
        target: of the new one.
        frame: a decoded one.
        encoding: of the new pictures.
    """
    suffix, after = source.suffix.lower(), target.suffix[1:].upper()
    is_odd = before != suffix[1:].upper() and (suffix in VIDEO_FORMATS or suffix not in VIDEO_SUFFIXES)
    but = f", although its name ends in {suffix}" if is_odd and suffix else ""
    if before == after:
        yield Note("kept", "format", f"The file is {before}{but}, and so is the result.")
    else:
        yield Note("converted", "format", f"The file is {before}{but}; the result is {after}.")
    old, new = codec.upper(), Codec(encoding.encoder, "w").canonical_name.upper()
    if old == new:
        yield Note("kept", "codec", f"The pictures are {old}, and so are those of the result.")
    else:
        yield Note("converted", "codec", f"The pictures are {old}; those of the result are {new}.")
    if len(frame.format.components) == 1 and not is_rgb(frame):
        yield Note("converted", "grey", "The pictures are grey; those of the result have colours.")
        return
    had, has = _colour_resolution(frame.format), _colour_resolution(PixelFormat(encoding.pixel_format))
    if had != has:
        yield Note(
            "converted", "colour resolution", f"The resolution of the colours is {had}; that of the result {has}."
        )


def left_out(stream: Stream, codec: str) -> Note | None:
    """A stream that is neither the pictures, sound nor subtitles; None for what is there in another way."""
    what = f"{stream.type} ({codec or 'unknown'})"
    if stream.type == "data" and int(stream.discard) == _HIDDEN:
        return None
    if stream.type == "attachment":
        named = stream.metadata.get("filename") or codec or "unknown"
        return Note(
            "dropped", what, f"The attachment {named} is left out: only pictures, sound and subtitles are written."
        )
    if "attached_pic" in str(stream.disposition.name):
        return Note("dropped", what, f"The cover picture ({codec}) is left out: only moving pictures are written.")
    if stream.type == "video":
        return Note("dropped", what, f"A further {what} stream is left out: only the first pictures are written.")
    return Note("dropped", what, f"The stream {what} is left out: only pictures, sound and subtitles are written.")


def _colour_resolution(format: PixelFormat) -> str:
    """As people write it: 4:2:0."""
    across = 4 * format.chroma_width(_SAMPLES) // _SAMPLES
    return f"4:{across}:{across if format.chroma_height(_SAMPLES) == _SAMPLES else 0}"
