"""What one page lets its visitors do."""

from dataclasses import dataclass

from zorse.errors import ImageError
from zorse_app import texts

WINDOW = 600.0
"""Seconds over which a visitor's time is added up."""

USUAL_PIXELS = 60 * 10**6
"""Of the largest picture, where nothing else is said."""

_PRODUCTS = 320_000
"""Multiplications for each of them: a ResNet-9, the heaviest usual network, may see a photo of 25 million pixels at its
own size, the compact ones an animation of 2000 frames. Two cores take about ten minutes for that."""


_LEAST_FRAME = 128 * 128
"""Pixels as which a smaller frame counts: each takes time, however small it is."""


class TooLarge(ImageError):
    """A file, a picture or a request beyond the page's limits."""


@dataclass(frozen=True)
class Limits:
    """How much a visitor, and all of them together, may ask for."""

    file_bytes: int = 50 * 10**6
    """Larger files are refused."""
    pixels: int = USUAL_PIXELS
    """Larger pictures are refused, of animations all frames together."""
    side: int = 65_535
    """Pictures with a longer side, in pixels, are refused. Neither JPEG and GIF files nor panoramas of
    cameras and phones have longer ones."""
    queue: int = 64
    """Pictures that may wait for their turn, of all visitors together; further ones are refused."""
    seconds: float | None = None
    """Seconds of work that one visitor may take in any ten minutes; None for no limit."""
    memory: int | None = None
    """Bytes that all translations together may take; None for half of what is free when the page starts."""

    @property
    def request_bytes(self) -> int:
        """Larger uploads are refused: several files, a zip of pictures, or a model."""
        return 20 * self.file_bytes

    @property
    def file_memory(self) -> int:
        """Bytes that the process which holds a visitor's file may take: the decoders, and 16 bits, alpha, the file's
        own colours and copies of each pixel."""
        return 10**9 + 48 * self.pixels

    @property
    def products(self) -> int:
        """Most multiplications of the network for one file; more where larger pictures are let in than usual."""
        return _PRODUCTS * max(self.pixels, USUAL_PIXELS)

    def check_bytes(self, count: int) -> None:
        """Raises TooLarge for a file of more bytes than allowed."""
        if count > self.file_bytes:
            raise TooLarge(texts.FILE_TOO_LARGE.format(limit=f"{self.file_bytes / 10**6:.3g}"))

    def check_picture(self, height: int, width: int, frames: int = 1) -> None:
        """Raises TooLarge for a picture with a longer side, more frames or, all of them together, more pixels than
        allowed."""
        if max(height, width) > self.side:
            raise TooLarge(texts.SIDE_TOO_LONG.format(width=width, height=height, limit=self.side))
        if frames > max(1, self.pixels // _LEAST_FRAME):
            raise TooLarge(texts.TOO_MANY_FRAMES.format(count=frames, limit=max(1, self.pixels // _LEAST_FRAME)))
        if height * width * frames > self.pixels:
            raise TooLarge(texts.PICTURE_TOO_LARGE.format(limit=f"{self.pixels / 10**6:.3g}"))
