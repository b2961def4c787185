"""Frames of a video <-> upright pixels, with the colours that the file says they have."""

import struct
from collections.abc import Container, Sequence
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from zorse.imaging.picture import Picture
from zorse.imaging.video.filters import filter_graph, filtered

DisplayMatrix = Sequence[int]

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

_MOST_KINDS = 64
"""More than FFmpeg has kinds of side data."""


def upright_picture(frame: VideoFrame, matrix: DisplayMatrix | None) -> Picture:
    """As a player shows the frame, with its alpha if it has some: uint8, or uint16 of frames with more than 8 bits.

    Args:
        frame: the frame.
        matrix: as `display_matrix` gives it.
    """
    is_deep = bits(frame) > 8
    has_alpha = can_be_transparent(frame)
    format = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}
    rgb = frame.reformat(
        format=format[is_deep, has_alpha],
        src_colorspace=_matrix(frame),
        src_color_range=_range(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=_EXACTLY,
    )
    pixels: NDArray[Any] = np.asarray(rgb.to_ndarray())
    if not has_alpha:
        return Picture(_turned(pixels, matrix))
    alpha = _alpha_plane(frame)
    alpha = pixels[:, :, 3] if alpha is None else _widened(alpha, _alpha_bits(frame), pixels.dtype)
    return Picture(_turned(pixels[:, :, :3], matrix), _turned(alpha, matrix))


def frame_like(
    frame: VideoFrame, picture: Picture, format: str, matrix: DisplayMatrix | None, size: tuple[int, int]
) -> VideoFrame:
    """An upright picture as a frame that lies, is coloured and is timed as another.

    Args:
        frame: the other.
        picture: as `upright_picture` gives it; its alpha is written where the format holds one.
        format: FFmpeg's name of the pixel format that is wanted.
        matrix: that the picture was made upright with.
        size: width and height that are wanted, in pixels; what the picture lacks repeats its last column and row.
    """
    turned = _enlarged(_laid(picture.rgb, matrix), size)
    rgb = VideoFrame.from_ndarray(turned, format="rgb48le" if turned.dtype == np.uint16 else "rgb24")
    result = rgb.reformat(
        format=format,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=_matrix(frame),
        dst_color_range=_range(frame),
        interpolation=_EXACTLY,
    )
    if picture.alpha is not None and (plane := _alpha_plane(result)) is not None:  # FFmpeg's way there is not exact
        alpha = _enlarged(_laid(picture.alpha, matrix), size)
        largest = 2 ** _alpha_bits(result) - 1
        plane[:] = np.rint(alpha * (largest / np.iinfo(alpha.dtype).max))
    result.pts, result.time_base, result.duration = frame.pts, frame.time_base, frame.duration
    return result


def plane_rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """(rows, bytes of each) of a plane's own memory."""
    memory: NDArray[np.uint8] = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # a buffer, says its code
    return memory.reshape(-1, plane.line_size)


def tag_colours(stream: VideoStream, frame: VideoFrame) -> None:
    """Says of a stream to be written what a frame says of its colours."""
    if is_rgb(frame):
        stream.color_range, stream.colorspace = ColorRange.MPEG, _matrix(frame)
        return
    stream.color_range, stream.colorspace = frame.color_range, frame.colorspace
    stream.color_primaries, stream.color_trc = frame.color_primaries, frame.color_trc


def display_matrix(frame: VideoFrame) -> DisplayMatrix | None:
    """How a player turns or mirrors the frame: FFmpeg's nine numbers, if there are some."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # beside it lies something that PyAV has no name of, such as the EXIF block of a JPEG
        known: Container[object] = Type._value2member_map_
        unknown = [("sidedata", f"mode=delete:type={kind}") for kind in range(_MOST_KINDS) if kind not in known]
        (frame,) = filtered(filter_graph(frame, *unknown), frame)
        data = frame.side_data.get("DISPLAYMATRIX")
    return struct.unpack("=9i", bytes(data)[:36]) if isinstance(data, SideData) else None


def bits(frame: VideoFrame) -> int:
    """Of each colour value."""
    return max((part.bits for part in frame.format.components), default=8)


def can_be_transparent(frame: VideoFrame) -> bool:
    """Whether the frame's format has an alpha, of single pixels or of the colours of a palette."""
    return any(part.is_alpha for part in frame.format.components) or frame.format.has_palette


def is_rgb(frame: VideoFrame) -> bool:
    """Whether the frame's values are red, green and blue, directly or through a palette."""
    return frame.format.is_rgb or frame.format.has_palette


def _turned(pixels: NDArray[Any], matrix: DisplayMatrix | None) -> NDArray[Any]:
    """As they lie in a frame -> upright."""
    if matrix is None:
        return np.ascontiguousarray(pixels)
    is_swapped, down, right = _steps(matrix)
    swapped = pixels.swapaxes(0, 1) if is_swapped else pixels
    return np.ascontiguousarray(swapped[::down, ::right])


def _laid(pixels: NDArray[Any], matrix: DisplayMatrix | None) -> NDArray[Any]:
    """Upright -> as they lie in a frame."""
    if matrix is None:
        return np.ascontiguousarray(pixels)
    is_swapped, down, right = _steps(matrix)
    mirrored = pixels[::down, ::right]
    return np.ascontiguousarray(mirrored.swapaxes(0, 1) if is_swapped else mirrored)


def _enlarged(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """To a width and height, with the last column and row repeated."""
    missing = [(0, size[1] - pixels.shape[0]), (0, size[0] - pixels.shape[1]), (0, 0)]
    if missing[:2] == [(0, 0), (0, 0)]:
        return pixels
    return np.pad(pixels, missing[: pixels.ndim], mode="edge")


def _steps(matrix: DisplayMatrix) -> tuple[bool, int, int]:
    """Whether rows become columns, and then in which direction, 1 or -1, rows and columns go."""
    to_right, to_down, from_down_to_right, from_down_to_down = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(to_down) > abs(to_right):
        return True, -1 if to_down < 0 else 1, -1 if from_down_to_right < 0 else 1
    return False, -1 if from_down_to_down < 0 else 1, -1 if to_right < 0 else 1


def _alpha_plane(frame: VideoFrame) -> NDArray[Any] | None:
    """(H, W) of the frame's own memory; None where alpha and colours are mixed."""
    planes = [part.plane for part in frame.format.components if part.is_alpha]
    if not planes or not frame.format.is_planar or frame.format.has_palette or frame.format.is_big_endian:
        return None
    rows = plane_rows(frame.planes[planes[0]])
    return rows.view(np.uint8 if _alpha_bits(frame) == 8 else np.uint16)[: frame.height, : frame.width]


def _alpha_bits(frame: VideoFrame) -> int:
    return next(part.bits for part in frame.format.components if part.is_alpha)


def _widened(alpha: NDArray[Any], bits: int, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Over the full range of a type."""
    if alpha.dtype == dtype and bits == 8 * dtype.itemsize:
        return alpha
    widened: NDArray[Any] = np.rint(alpha * (np.iinfo(dtype).max / (2**bits - 1))).astype(dtype)
    return widened


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
