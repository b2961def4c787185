"""Which files are videos, and in which formats videos are written."""

from dataclasses import dataclass
from pathlib import Path

ANIMATED_PICTURE = ".gif"
"""Counts as a picture, but can become a video."""


@dataclass(frozen=True)
class VideoFormat:
    """A kind of file that videos are written into."""

    muxer: str
    """FFmpeg's name of it."""
    encoders: tuple[str, ...]
    """FFmpeg's names of encoders for the pictures, the best first."""
    sound_encoder: str
    """For sound that cannot be copied."""
    alpha_encoders: tuple[str, ...] = ()
    """For pictures with transparency, the best first; none where the format, or its players, cannot show it."""


_H264 = ("libx264", "libopenh264", "h264_videotoolbox")
_VP9 = ("libvpx-vp9", "libsvtav1", "libvpx")
_VP9_ALPHA = ("libvpx-vp9", "libvpx")

VIDEO_FORMATS = {
    ".mp4": VideoFormat("mp4", _H264, "aac"),
    ".m4v": VideoFormat("mp4", _H264, "aac"),
    ".mov": VideoFormat("mov", _H264, "aac", ("prores_ks",)),
    ".mkv": VideoFormat("matroska", _H264, "aac", _VP9_ALPHA),
    ".webm": VideoFormat("webm", _VP9, "libopus", _VP9_ALPHA),
}
"""Suffix of a file to write -> what goes into it."""

VIDEO_SUFFIXES = frozenset(
    {*VIDEO_FORMATS, ".avi", ".mpg", ".mpeg", ".m2v", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".3gp", ".ogv"}
)
"""What counts as a video, and can be read."""


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES
