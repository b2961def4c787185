"""The one way from a picture file to its result: its frames through a function, then the whole encoded again."""

from collections.abc import Callable

from zorse.imaging.io import Picture, PictureFile, encode_pictures, holds_frames
from zorse.imaging.receipt import Receipt, receipt_of


def count_written(file: PictureFile, suffix: str) -> int:
    """How many of an opened file's frames a file of that suffix gets."""
    return len(file) if holds_frames(suffix) else 1


def rewrite_picture(
    file: PictureFile,
    suffix: str,
    change: Callable[[Picture], Picture],
    quality: int | None = None,
    source_suffix: str = "",
) -> tuple[bytes, Receipt]:
    """The content of a new file whose frames are changed, and what became of what the old one held.

    Args:
        file: opened; a single frame lets go of it.
        suffix: of the new file, as in `WRITE_FORMATS`.
        change: takes and gives one frame.
        quality: see `encode_pictures`.
        source_suffix: of the old file's name; empty where it has none.

    Raises:
        ImageError: a frame is damaged, or the format cannot hold the picture.
    """
    in_file = len(file)
    pictures = file if count_written(file, suffix) > 1 else file.only_frame()
    frames = [change(picture) for picture in pictures]
    animation = file.animation()
    content = encode_pictures(frames, suffix, animation, quality)
    return content, receipt_of(frames, animation, suffix, in_file, source_suffix)
