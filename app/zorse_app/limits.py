"""What one page lets its visitors do."""

from dataclasses import dataclass

from zorse.errors import ImageError
from zorse_app import texts

WINDOW = 600.0
"""Seconds over which a visitor's time is added up."""


class TooLarge(ImageError):
    """A file, a picture or a request beyond the page's limits."""


@dataclass(frozen=True)
class Limits:
    """How much a visitor, and all of them together, may ask for."""

    file_bytes: int = 50 * 10**6
    """Larger files are refused."""
    pixels: int = 60 * 10**6
    """Larger pictures are refused, of animations all frames together."""
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

    def check_bytes(self, count: int) -> None:
        """Raises TooLarge for a file of more bytes than allowed."""
        if count > self.file_bytes:
            raise TooLarge(texts.FILE_TOO_LARGE.format(limit=f"{self.file_bytes / 10**6:.3g}"))

    def check_pixels(self, count: int) -> None:
        """Raises TooLarge for a picture, or all frames of one, of more pixels than allowed."""
        if count > self.pixels:
            raise TooLarge(texts.PICTURE_TOO_LARGE.format(limit=f"{self.pixels / 10**6:.3g}"))
