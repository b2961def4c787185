"""Which encoder writes the pictures of a video, and how."""

from dataclasses import dataclass
from pathlib import Path

from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.video.frame import VideoFrame

from zorse.errors import ImageError
from zorse.imaging.video.formats import VIDEO_FORMATS, VideoFormat
from zorse.imaging.video.frames import bits, is_rgb

_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "medium"},
    "libvpx-vp9": {"b": "0", "row-mt": "1", "cpu-used": "3"},
    "libsvtav1": {"preset": "7"},
    "libvpx": {"b": "8M", "auto-alt-ref": "0"},
    "prores_ks": {"profile": "4444", "alpha_bits": "16"},
}
"""Of encoders, beside the quality."""
_CRF = {
    "libx264": (50, 18, 4),
    "libvpx-vp9": (62, 24, 4),
    "libsvtav1": (62, 24, 4),
    "libvpx": (62, 8, 4),
    "prores_ks": (40, 2, 1),
}
"""What these encoders call the quality (most of them "crf") at the quality 0 and at 80, where the pictures can hardly
be told from what went in, and the best of it; others choose by themselves."""
_USUAL_QUALITY = 80
_LAMBDA = 118
"""FFmpeg's steps of the option global_quality in one of a quantiser."""

_FIELD_FLAGS = {"libx264": "+ildct+ilme", "prores_ks": "+ildct"}
"""Of encoders that know fields."""
_ALPHA_FORMATS = {"libvpx-vp9": "yuva420p", "libvpx": "yuva420p", "prores_ks": "yuva444p10le"}
"""FFmpeg's names of the pixel formats with alpha."""


@dataclass(frozen=True)
class Encoding:
    """How pictures are written."""

    encoder: str
    """FFmpeg's name."""
    options: dict[str, str]
    """Of the encoder."""
    pixel_format: str
    """FFmpeg's name."""
    size: tuple[int, int]
    """Width and height of the frames, in pixels."""
    has_alpha: bool
    """Whether transparency is kept."""
    has_fields: bool
    """Whether the frames are interlaced."""


def choose_encoding(
    format: VideoFormat, target: Path, frame: VideoFrame, quality: int | None, has_alpha: bool, has_fields: bool
) -> Encoding:
    """Chooses what can hold frames like this one.

    Args:
        format: of the file.
        target: its name, for errors.
        frame: a decoded one.
        quality: 1..100; None for 80.
        has_alpha: whether transparency shall be kept, if the format can.
        has_fields: whether fields shall be kept, if the encoder can.

    Raises:
        ImageError: there is no encoder, or none whose quality can be chosen.
    """
    with_alpha = _first_of(format.alpha_encoders) if has_alpha else None
    encoder = with_alpha or _first_of(format.encoders)
    if encoder is None:
        raise ImageError(
            f"{target} cannot be written: FFmpeg in the installed package av has none of the encoders "
            f"{', '.join(format.encoders)}. Install av from PyPI (pip install --force-reinstall av), or choose another "
            f"suffix: {', '.join(VIDEO_FORMATS)}."
        )
    has_fields = has_fields and encoder.name in _FIELD_FLAGS
    size = _size(encoder.name, frame, has_fields)
    options = _quality_options(encoder.name, quality, target)
    if has_fields:
        options["flags"] = options.get("flags", "") + _FIELD_FLAGS[encoder.name]
    pixels = _ALPHA_FORMATS[encoder.name] if with_alpha else _pixel_format(encoder, frame)
    return Encoding(encoder.name, options, pixels, size, with_alpha is not None, has_fields)


def _first_of(names: tuple[str, ...]) -> Codec | None:
    for name in names:
        try:
            return Codec(name, "w")
        except UnknownCodecError:
            continue
    return None


def _quality_options(encoder: str, quality: int | None, target: Path) -> dict[str, str]:
    if encoder not in _CRF:
        if quality is None:
            return {}
        raise ImageError(
            f"{target} cannot be written at a chosen quality: the installed package av encodes it with {encoder}, "
            "which has none to choose. Leave --quality out, or install av from PyPI (pip install --force-reinstall av)."
        )
    worst, usual, best = _CRF[encoder]
    crf = worst + (usual - worst) * (_USUAL_QUALITY if quality is None else quality) / _USUAL_QUALITY
    value = max(best, round(crf))
    if encoder == "prores_ks":
        return _OPTIONS[encoder] | {"flags": "+qscale", "global_quality": str(value * _LAMBDA)}
    return _OPTIONS[encoder] | {"crf": str(value)}


def _size(encoder: str, frame: VideoFrame, has_fields: bool) -> tuple[int, int]:
    """Width and height of the frames: H.264 has half the resolution of colour (4:2:0) and takes even sizes only.

    FFmpeg's encoder for H.264 has no other way to crop a column or a row; so the size grows by one.
    """
    rows = 4 if has_fields else 2
    if encoder != "libx264":
        return frame.width, frame.height
    return frame.width + frame.width % 2, frame.height + -frame.height % rows


def _pixel_format(encoder: Codec, frame: VideoFrame) -> str:
    """What every player shows, where the frame does not need more."""
    known = {format.name for format in encoder.video_formats or []}
    deep = "yuv420p10le"
    return deep if bits(frame) > 8 and not is_rgb(frame) and deep in known else "yuv420p"
