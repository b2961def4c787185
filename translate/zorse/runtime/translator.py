"""Translator: a picture in, the same picture in another domain out, whatever its size, depth or transparency."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zorse.card import ModelCard
from zorse.errors import ConfigError, ImageError, WeightsError
from zorse.imaging.io import Picture, Pixels, picture_from_pil, picture_to_pil, read_picture
from zorse.imaging.tensor import Tensor, crop, pad_to_multiple, resize, resize_tensor, to_pixels, to_tensor

Backend = Callable[[Tensor], Tensor]
"""(N, 3, H, W) float32 in [-1, 1] -> the same shape and range; H and W are multiples of the card's `size_multiple`."""

Size = Literal["native", "keep"] | int

MIN_SIDE = 16
"""Smaller pictures are padded to this side: networks mirror their inner maps, which needs more than one cell there."""

MAX_ENLARGED = 4
"""A picture is enlarged until its long side reaches this many times the wanted short side, not further."""


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
    def __call__(
        self, image: str | Path | Image.Image, *, size: Size = "native", strength: float = 1.0
    ) -> Image.Image: ...

    @overload
    def __call__(
        self, image: NDArray[np.uint8], *, size: Size = "native", strength: float = 1.0
    ) -> NDArray[np.uint8]: ...

    @overload
    def __call__(
        self, image: NDArray[np.uint16], *, size: Size = "native", strength: float = 1.0
    ) -> NDArray[np.uint16]: ...

    def __call__(
        self, image: str | Path | Image.Image | NDArray[Any], *, size: Size = "native", strength: float = 1.0
    ) -> Image.Image | NDArray[Any]:
        """Translates one picture.

        Args:
            image: a path, a Pillow image, or sRGB pixels, uint8 or uint16, of shape (H, W), (H, W, 3) or (H, W, 4).
            size: see `translate`.
            strength: see `translate`.

        Returns:
            Pixels of the same dtype and size for pixels, (H, W, 3) or, with alpha, (H, W, 4); else a Pillow image of
            the same size, RGB or RGBA, upright, with the ICC profile and EXIF of the picture in `info`.

        Raises:
            ImageError: the picture cannot be read or does not fit into memory.
            ConfigError: size or strength make no sense.
        """
        if isinstance(image, np.ndarray):
            return _pixels_of(self.translate(_picture_of(image), size=size, strength=strength))
        picture = picture_from_pil(image) if isinstance(image, Image.Image) else read_picture(image)
        return picture_to_pil(self.translate(picture, size=size, strength=strength))

    def translate(self, picture: Picture, *, size: Size = "native", strength: float = 1.0) -> Picture:
        """Translates one `Picture`; alpha, profile and EXIF stay.

        Args:
            picture: what to translate. Transparent parts are shown to the network over white; the colours of fully
                transparent ones stay as they are.
            size: at which size the network sees the picture. "native": with the short side that the model was trained
                on, the fastest and usually the best; "keep": at the picture's own size; a number: with that short
                side, in pixels. The result always has the picture's own size. Coming back from a smaller size, the
                *change* is enlarged and added to the picture, which keeps its detail, unless the card says that the
                domains do not share it (`keeps_detail`). Small pictures are enlarged for the network, but not beyond
                4 times the wanted short side on the long one.
            strength: 0 gives the picture, 1 the translation, anything between a blend.

        Raises:
            ImageError: the picture does not fit into memory at that size.
            ConfigError: size or strength make no sense.
            WeightsError: the network does not compute pictures.
        """
        _check_settings(size, strength)
        height, width = working_size(picture.height, picture.width, size, self.card.native_size)
        try:
            rgb = self._translated(picture, height, width, strength)
            if picture.alpha is not None:
                rgb[picture.alpha == 0] = picture.rgb[picture.alpha == 0]  # nobody sees them: they stay what they were
            return replace(picture, rgb=rgb)
        except MemoryError as error:
            raise ImageError(
                f"Translating a {picture.width}x{picture.height} picture at {width}x{height} needs more memory than is "
                f"free. Work at a smaller size, for example {self.card.native_size}, or close other programs."
            ) from error

    def _translated(self, picture: Picture, height: int, width: int, strength: float) -> Pixels:
        seen = resize(_over_white(picture), height, width)
        before = to_tensor(seen)
        after = self._run(before)
        own_size = (height, width) == (picture.height, picture.width)
        if own_size and picture.alpha is None and strength == 1:
            return to_pixels(after, picture.rgb.dtype)
        change = after - before
        rgb = np.empty_like(picture.rgb)
        for channel in range(3):  # one at a time: full-size float copies are what needs memory here
            plane = slice(channel, channel + 1)
            original = to_tensor(picture.rgb[:, :, plane])
            if self.card.keeps_detail or own_size:
                difference = resize_tensor(change[:, plane], picture.height, picture.width)
            else:
                difference = resize_tensor(after[:, plane], picture.height, picture.width) - original
            rgb[:, :, plane] = to_pixels(original + np.float32(strength) * difference, rgb.dtype)
        return rgb

    def _run(self, before: Tensor) -> Tensor:
        height, width = before.shape[2:]
        after = crop(self.backend(pad_to_multiple(before, self.card.size_multiple, MIN_SIDE)), height, width)
        if after.shape != before.shape:
            raise WeightsError(
                f"The model {self.card.name!r} turned a tensor of shape {before.shape} into {after.shape}; a picture "
                "of the same size was expected. Its card does not fit its weights: export it again."
            )
        if not np.isfinite(after).all():
            raise WeightsError(
                f"The model {self.card.name!r} computed values that are not numbers (NaN or infinite). Its weights are "
                "broken, or its precision is too small for this picture: try its fp32 version."
            )
        return after


def working_size(height: int, width: int, size: Size, native_size: int) -> tuple[int, int]:
    """Height and width, in pixels, at which the network sees a picture.

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        size: "keep", "native", or the wanted short side in pixels.
        native_size: the model's own short side in pixels.
    """
    if size == "keep":
        return height, width
    wanted = native_size if size == "native" else size
    scale = wanted / min(height, width)
    if scale > 1:
        scale = max(1.0, min(scale, MAX_ENLARGED * wanted / max(height, width)))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _check_settings(size: Size, strength: float) -> None:
    if isinstance(size, bool) or not (size in ("native", "keep") or (isinstance(size, int) and size >= 1)):
        raise ConfigError(f"The size {size!r} is none of 'native', 'keep' and a short side of at least 1 pixel.")
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise ConfigError(f"The strength {strength!r} is not between 0 (the picture) and 1 (the translation).")


def _over_white(picture: Picture) -> Pixels:
    """What a viewer sees on a white page: colours under full transparency are arbitrary."""
    if picture.alpha is None:
        return picture.rgb
    white = np.iinfo(picture.rgb.dtype).max
    opacity = (picture.alpha.astype(np.float32) / white)[:, :, None]
    seen: NDArray[Any] = np.rint(white - opacity * (white - picture.rgb.astype(np.float32)))
    pixels: Pixels = seen.astype(picture.rgb.dtype)  # type: ignore[assignment]  # uint8 or uint16, as it came
    return pixels


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
