"""Translator: a picture in, the same picture in another domain out, whatever its size, depth or transparency."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_args, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zorse.errors import ConfigError, ImageError, WeightsError
from zorse.imaging.io import Picture, Pixels, over_white, picture_from_pil, picture_to_pil, read_picture
from zorse.imaging.tensor import Tensor, resize, to_pixels, to_tensor
from zorse.model.card import ModelCard
from zorse.runtime.guided import FIT_PLANES, LinearChange, linear_change
from zorse.runtime.passes import MIN_SIDE, Backend, Limits, Seen, Tiling, padded_side, translate_seen
from zorse.runtime.steady import DEFAULT as USUAL_STEADINESS
from zorse.runtime.streamed.execute import Report
from zorse.runtime.streamed.geometry import Span, Window
from zorse.runtime.strips import strip_scale
from zorse.runtime.video import VideoOptions, translate_video
from zorse.system.memory import parse_memory

if TYPE_CHECKING:
    from zorse.imaging.video.rewrite import Report as VideoReport
    from zorse.imaging.video.rewrite import Rewritten

Size = Literal["auto", "native", "keep"] | int

MAX_ENLARGED = 4
"""A picture is enlarged until its long side reaches this many times the wanted short side, not further."""

LARGEST_SIZE = 10**6
"""Longest short side, in pixels, that may be asked for."""

STRIP = 2**20
"""Pixels of a picture that are worked on at a time, in whole rows, where that saves memory."""

_ROW_PIXEL = 60
"""Bytes that each pixel takes meanwhile; of rows that are longer than a strip it has to be reckoned with."""


class Options(TypedDict, total=False):
    """How a picture is translated, see `Translator.translate`."""

    size: Size
    strength: float
    max_memory: int | str | None
    tiling: Tiling
    report: Report | None


class Translator:
    """A model that is ready to use: its card, and the network behind it.

    Args:
        card: what the model is and expects.
        backend: runs the network.
        provider: where it runs, for people to read ("CPUExecutionProvider", "torch on cuda").

    Raises:
        WeightsError: the model does not translate colour pictures.
    """

    def __init__(self, card: ModelCard, backend: Backend, provider: str = "") -> None:
        channels = (card.architecture.in_channels, card.architecture.out_channels)
        if channels != (3, 3):
            raise WeightsError(
                f"The model {card.name!r} turns {channels[0]} channels into {channels[1]}; a Translator works on RGB "
                "pictures, 3 into 3. Run such a model with ONNX Runtime or PyTorch directly."
            )
        self.card = card
        self.backend = backend
        self.provider = provider

    @overload
    def __call__(self, image: str | Path | Image.Image, **options: Unpack[Options]) -> Image.Image: ...

    @overload
    def __call__(self, image: NDArray[np.uint8], **options: Unpack[Options]) -> NDArray[np.uint8]: ...

    @overload
    def __call__(self, image: NDArray[np.uint16], **options: Unpack[Options]) -> NDArray[np.uint16]: ...

    def __call__(
        self, image: str | Path | Image.Image | NDArray[Any], **options: Unpack[Options]
    ) -> Image.Image | NDArray[Any]:
        """Translates one picture.

        Args:
            image: a path, a Pillow image, or sRGB pixels, uint8 or uint16, of shape (H, W), (H, W, 3) or (H, W, 4).
            options: size, strength, max_memory, tiling and report, see `translate`.

        Returns:
            Pixels of the same dtype and size for pixels, (H, W, 3) or, with alpha, (H, W, 4); else a Pillow image of
            the same size, RGB or RGBA, upright, with the ICC profile and EXIF of the picture in `info`.

        Raises:
            ImageError: the picture cannot be read or does not fit into memory.
            ConfigError: size or strength make no sense.
        """
        if isinstance(image, np.ndarray):
            return _pixels_of(self.translate(_picture_of(image), **options))
        picture = picture_from_pil(image) if isinstance(image, Image.Image) else read_picture(image)
        return picture_to_pil(self.translate(picture, **options))

    def translate(
        self,
        picture: Picture,
        *,
        size: Size = "auto",
        strength: float = 1.0,
        max_memory: int | str | None = None,
        tiling: Tiling = "auto",
        report: Report | None = None,
    ) -> Picture:
        """Translates one `Picture`; alpha, profile and EXIF stay.

        Args:
            picture: what to translate. Transparent parts are shown to the network over white; the colours of fully
                transparent ones stay as they are.
            size: at which size the network sees the picture. "auto", or "native": with the short side that the model
                was trained on, the fastest and usually the best; "keep": at the picture's own size; a number: with
                that short side, in pixels. The result always has the picture's own size.
                Coming back from a smaller size, the *change* is enlarged along the picture's own contours and added to
                it, so that it keeps its detail, unless the card says that the domains do not share it
                (`keeps_detail`). Small pictures are enlarged for the network, but not beyond 4 times the wanted short
                side on the long one; strips more than 32 times as long as their short side are seen smaller where
                their work would be out of proportion to their pixels, except with "keep" (see `working_size`).
            strength: 0 gives the picture, 1 the translation, anything between a blend.
            max_memory: bytes, or an amount such as "2GB", that the process may take for this picture, the picture and
                its translation included. None: half of what is free.
            tiling: "auto": one pass over the whole picture where the memory suffices, else "exact". "exact": streamed
                in tiles, with the result of one pass (up to 1e-3 on [-1, 1]). "whole": one pass. "fast": in tiles with
                the statistics of a thumbnail, an approximation.
            report: is told after each tile how far the picture is; an exception that it raises ends the work.

        Raises:
            ImageError: the picture does not fit into memory at that size.
            ConfigError: an option makes no sense, or the model cannot do that tiling.
            WeightsError: the network does not compute pictures.
        """
        _check_settings(size, strength, tiling)
        limits = Limits(parse_memory(max_memory) if isinstance(max_memory, str) else max_memory, tiling, report)
        least = padded_side(1, self.card.size_multiple)
        height, width = working_size(picture.height, picture.width, size, self.card.native_size, least)
        try:
            if (height, width) == (picture.height, picture.width):
                rgb = self._translated(picture, strength, limits)
            else:
                rgb = self._translated_at(picture, height, width, strength, limits)
            if picture.alpha is not None:  # nobody sees what is fully transparent: it stays what it was
                np.copyto(rgb, picture.rgb, where=(picture.alpha == 0)[:, :, None])
            return replace(picture, rgb=rgb)
        except MemoryError as error:
            raise ImageError(
                f"Translating a {picture.width}x{picture.height} picture at {width}x{height} needs more memory than is "
                f"free. Work at a smaller size, for example {self.card.native_size}, or close other programs."
            ) from error

    def video(
        self,
        source: str | Path,
        target: str | Path,
        *,
        steadiness: float = USUAL_STEADINESS,
        quality: int | None = None,
        progress: "VideoReport | None" = None,
        **options: Unpack[Options],
    ) -> "Rewritten":
        """Translates a video; sound, time stamps, rotation and what else the file holds stay. Needs the extra `video`.

        Args:
            source: the video.
            target: the new file; ends in .mp4, .m4v, .mov, .mkv or .webm.
            steadiness: how much the flicker is held down, 0 (frame by frame) to 1.
            quality: of the new file, 1..100; None for 80, which can hardly be told from what the network gave.
            progress: is told after each frame how far the video is.
            options: as for one picture, see `translate`.

        Returns:
            How many frames were written, which streams were left out, and what of the video was damaged.

        Raises:
            MissingExtraError: the package av is not installed.
            ImageError: the source cannot be read as a video, or the target cannot be written.
            ConfigError: an option makes no sense.
        """
        work = partial(self.translate, **options)
        return translate_video(work, Path(source), Path(target), VideoOptions(steadiness, quality), progress)

    def _translated(self, picture: Picture, strength: float, limits: Limits) -> Pixels:
        """At its own size; nothing of the picture's size is held but pixels."""
        rgb = np.empty_like(picture.rgb)

        def write(window: Window, after: Tensor) -> None:
            if picture.alpha is not None or strength != 1:
                before = to_tensor(_over_white(picture, window))
                after = to_tensor(picture.rgb[window.slices]) + np.float32(strength) * (after - before)
            rgb[window.slices] = to_pixels(after, rgb.dtype)

        seen = Seen(picture.height, picture.width, partial(_over_white, picture))
        translate_seen(self.card, self.backend, seen, write, limits, _size(picture) + rgb.nbytes)
        return rgb

    def _translated_at(self, picture: Picture, height: int, width: int, strength: float, limits: Limits) -> Pixels:
        """At another size than its own."""
        pixels = resize(_all_over_white(picture), height, width)
        after = np.empty((1, 3, height, width), np.float32)

        def write(window: Window, tile: Tensor) -> None:
            after[:, :, *window.slices] = tile

        seen = Seen(height, width, lambda window: pixels[window.slices])
        enlarges_change = self.card.keeps_detail and picture.height * picture.width > height * width
        fit = FIT_PLANES * height * width * after.itemsize if enlarges_change else 0
        row = _ROW_PIXEL * max(picture.width - STRIP, 0)
        held = _size(picture) + picture.rgb.nbytes + pixels.nbytes + after.nbytes + fit + row
        translate_seen(self.card, self.backend, seen, write, limits, held)
        if enlarges_change:
            before = to_tensor(pixels)
            return _changed(picture, linear_change(before[0], (after - before)[0]), strength)
        return self._brought_to_size(picture, pixels, after, strength)

    def _brought_to_size(self, picture: Picture, seen: Pixels, after: Tensor, strength: float) -> Pixels:
        """One channel at a time, and strips of that: full-size float copies are what needs memory here."""
        rgb = np.empty_like(picture.rgb)
        for channel in range(3):
            plane = slice(channel, channel + 1)
            if self.card.keeps_detail:
                tall = resize((after[:, plane] - to_tensor(seen[:, :, plane]))[0, 0], picture.height, seen.shape[1])
            else:
                tall = resize(after[0, channel], picture.height, seen.shape[1])
            for rows in _strips(picture):
                original = to_tensor(picture.rgb[rows, :, plane])
                difference: Tensor = resize(tall[rows], original.shape[2], picture.width)[None, None]
                if not self.card.keeps_detail:
                    difference = difference - original
                rgb[rows, :, plane] = to_pixels(original + np.float32(strength) * difference, rgb.dtype)
        return rgb


def _changed(picture: Picture, change: LinearChange, strength: float) -> Pixels:
    """The picture with a change that was fitted at a smaller size; one channel at a time, and strips of that."""
    rgb = np.empty_like(picture.rgb)
    small_width = change.offsets.shape[2]
    for channel in range(3):
        fits = [change.offsets[channel], *change.slopes[channel]]
        offset, *slopes = (resize(plane, picture.height, small_width) for plane in fits)
        for rows in _strips(picture):
            strip = Window(Span(rows.start, rows.stop), Span(0, picture.width))
            seen = to_tensor(_over_white(picture, strip))
            difference: Tensor = resize(offset[rows], *seen.shape[2:])
            for slope, colour in zip(slopes, seen[0], strict=True):
                difference += resize(slope[rows], *seen.shape[2:]) * colour
            original = to_tensor(picture.rgb[rows, :, channel : channel + 1])
            rgb[rows, :, channel : channel + 1] = to_pixels(original + np.float32(strength) * difference, rgb.dtype)
    return rgb


def working_size(height: int, width: int, size: Size, native_size: int, least: int = MIN_SIDE) -> tuple[int, int]:
    """Height and width, in pixels, at which the network sees a picture.

    The short side is the wanted one. Small pictures are enlarged to it, but the long side not beyond 4 times of it.
    Pictures more than 32 times as long as their short side are seen smaller where the network would else compute more
    than the picture has pixels, or more than 64 squares of the wanted side (of the model's own, where that is larger).

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        size: "keep", "auto" or "native", or the wanted short side in pixels.
        native_size: the model's own short side in pixels.
        least: shortest side that the network computes, in pixels: thinner pictures are padded to it.
    """
    if size == "keep":
        return height, width
    wanted = size if isinstance(size, int) else native_size
    scale = wanted / min(height, width)
    if scale > 1:
        scale = max(1.0, min(scale, MAX_ENLARGED * wanted / max(height, width)))
    scale *= strip_scale(
        (height, width), (height * scale, width * scale), max(wanted, native_size), least, MAX_ENLARGED
    )
    return max(1, round(height * scale)), max(1, round(width * scale))


def _check_settings(size: Size, strength: float, tiling: Tiling) -> None:
    is_side = isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= LARGEST_SIZE
    if not (is_side or size in ("auto", "native", "keep")):
        raise ConfigError(
            f"The size {size!r} is none of 'auto', 'native', 'keep' and a short side of 1 to {LARGEST_SIZE} pixels."
        )
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise ConfigError(f"The strength {strength!r} is not between 0 (the picture) and 1 (the translation).")
    if tiling not in get_args(Tiling):
        raise ConfigError(f"The tiling {tiling!r} is none of 'auto', 'exact', 'whole' and 'fast'.")


def _over_white(picture: Picture, window: Window) -> Pixels:
    alpha = None if picture.alpha is None else picture.alpha[window.slices]
    return over_white(picture.rgb[window.slices], alpha)


def _all_over_white(picture: Picture) -> Pixels:
    if picture.alpha is None:
        return picture.rgb
    pixels = np.empty_like(picture.rgb)
    for rows in _strips(picture):
        pixels[rows] = _over_white(picture, Window(Span(rows.start, rows.stop), Span(0, picture.width)))
    return pixels


def _strips(picture: Picture) -> Iterator[slice]:
    rows = max(1, STRIP // picture.width)
    for start in range(0, picture.height, rows):
        yield slice(start, min(start + rows, picture.height))


def _size(picture: Picture) -> int:
    """Bytes that a picture holds."""
    return sum(part.nbytes for part in (picture.rgb, picture.alpha, picture.native) if part is not None)


def _picture_of(pixels: NDArray[Any]) -> Picture:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"The picture is an array of {pixels.dtype}; uint8 (0..255) or uint16 (0..65535) was expected. Scale and "
            "convert it first."
        )
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in pixels.shape:
        raise ImageError(
            f"The picture is an array of shape {pixels.shape}; (H, W), (H, W, 3) or (H, W, 4) was expected, each at "
            "least 1."
        )
    if channels == 1:
        return Picture(np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2))
    return Picture(pixels[:, :, :3], pixels[:, :, 3] if channels == 4 else None)


def _pixels_of(picture: Picture) -> NDArray[Any]:
    return picture.rgb if picture.alpha is None else np.dstack([picture.rgb, picture.alpha])
