"""Frames of a video <-> upright pixels, with the colours that the file says they have."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from zorse.imaging.picture import Pixels

_HIGH_DEFINITION = 720
"""Rows from which on players take BT.709 for what says nothing of its colours."""

_EXACTLY = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
"""FFmpeg's quicker ways from colour to colour darken by more than one level."""
_MATRICES: dict[int, int] = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""The standards' numbers (ITU-T H.273, MatrixCoefficients) -> FFmpeg's."""


def upright_pixels(frame: VideoFrame) -> Pixels:
    """(H, W, 3) uint8, or uint16 of frames with more than 8 bits: as a player shows them.

    What is transparent is shown over white.
    """
    is_deep = bits(frame) > 8
    has_alpha = any(part.is_alpha for part in frame.format.components) or frame.format.has_palette
    format = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}
    rgb = frame.reformat(
        format=format[is_deep, has_alpha],
        src_colorspace=_matrix(frame),
        src_color_range=_range(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=_EXACTLY,
    )
    pixels: NDArray[Any] = np.asarray(rgb.to_ndarray())
    if has_alpha:
        pixels = _over_white(pixels)
    return np.ascontiguousarray(np.rot90(pixels, _quarter_turns(frame)))


def frame_like(frame: VideoFrame, pixels: Pixels, format: str) -> VideoFrame:
    """Upright pixels as a frame that lies, is coloured and is timed as another.

    Args:
        frame: the other.
        pixels: as `upright_pixels` gives them.
        format: FFmpeg's name of the pixel format that is wanted.
    """
    turned: NDArray[Any] = np.ascontiguousarray(np.rot90(pixels, -_quarter_turns(frame)))
    rgb = VideoFrame.from_ndarray(turned, format="rgb48le" if pixels.dtype == np.uint16 else "rgb24")
    result = rgb.reformat(
        format=format,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=_matrix(frame),
        dst_color_range=_range(frame),
        interpolation=_EXACTLY,
    )
    result.pts, result.time_base, result.duration = frame.pts, frame.time_base, frame.duration
    return result


def tag_colours(stream: VideoStream, frame: VideoFrame) -> None:
    """Says of a stream to be written what a frame says of its colours."""
    if is_rgb(frame):
        stream.color_range, stream.colorspace = ColorRange.MPEG, _matrix(frame)
        return
    stream.color_range, stream.colorspace = frame.color_range, frame.colorspace
    stream.color_primaries, stream.color_trc = frame.color_primaries, frame.color_trc


def display_matrix(frame: VideoFrame) -> Sequence[int] | None:
    """How a player turns or mirrors the frame: FFmpeg's nine numbers, if there are some."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return struct.unpack("=9i", bytes(data)[:36]) if isinstance(data, SideData) else None


def bits(frame: VideoFrame) -> int:
    """Of each colour value."""
    return max((part.bits for part in frame.format.components), default=8)


def is_rgb(frame: VideoFrame) -> bool:
    """Whether the frame's values are red, green and blue, directly or through a palette."""
    return frame.format.is_rgb or frame.format.has_palette


def _quarter_turns(frame: VideoFrame) -> int:
    """Counter-clockwise, that bring the frame upright."""
    return round(frame.rotation / 90) % 4


def _matrix(frame: VideoFrame) -> int:
    """How brightness and colour make red, green and blue."""
    if frame.colorspace in _MATRICES and not is_rgb(frame):
        return _MATRICES[frame.colorspace]
    return Colorspace.ITU709 if min(frame.width, frame.height) >= _HIGH_DEFINITION else Colorspace.ITU601


def _range(frame: VideoFrame) -> int:
    if is_rgb(frame):  # becomes brightness and colour over the usual, limited range
        return ColorRange.MPEG
    if frame.color_range != ColorRange.UNSPECIFIED:
        return frame.color_range
    return ColorRange.JPEG if frame.format.name.startswith("yuvj") else ColorRange.MPEG


def _over_white(pixels: NDArray[Any]) -> NDArray[Any]:
    white = np.iinfo(pixels.dtype).max
    opacity = pixels[:, :, 3:].astype(np.float32) / white
    seen: NDArray[Any] = np.rint(white - opacity * (white - pixels[:, :, :3].astype(np.float32))).astype(pixels.dtype)
    return seen
