"""A video through a model: frame by frame, with the flicker held down."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zorse.imaging.picture import Picture, Pixels
from zorse.imaging.read import MAX_PIXELS
from zorse.imaging.receipt import Receipt
from zorse.runtime.steady import DEFAULT, Steady
from zorse.system.extras import require

if TYPE_CHECKING:
    from zorse.imaging.video.rewrite import Report, Rewritten


@dataclass(frozen=True)
class VideoOptions:
    """How a video is translated."""

    steadiness: float = DEFAULT
    """How much the translations of neighbouring frames are mixed where nothing moves, 0 (frame by frame) to 1."""
    quality: int | None = None
    """Of the new file, 1..100; None for 80, which can hardly be told from what the network gave."""
    max_pixels: int | None = MAX_PIXELS
    """Videos with larger frames are refused; None for no limit."""


def translate_video(
    translate: Callable[[Picture], Picture],
    source: Path,
    target: Path,
    options: VideoOptions | None = None,
    report: "Report | None" = None,
) -> "Rewritten":
    """Translates a video; see `zorse.imaging.video.rewrite.rewrite_video` for what is kept.

    Args:
        translate: the translation of one frame.
        source: the video.
        target: the new file; ends in one of `VIDEO_FORMATS`.
        options: how.
        report: is told after each frame how far the video is.

    Returns:
        What was written.

    Raises:
        MissingExtraError: the package av is not installed.
        ImageError: the source cannot be read as a video, or the target cannot be written.
        DiskFull: no space is left.
        ConfigError: the steadiness is not between 0 and 1.
    """
    require(f"Reading the video {source}", "video")
    from zorse.imaging.video.rewrite import rewrite_video

    options = options or VideoOptions()
    steady = Steady(options.steadiness)

    def change(frame: Picture) -> Pixels:
        return steady(frame.rgb, translate(frame).rgb)

    return rewrite_video(source, target, change, report, quality=options.quality, max_pixels=options.max_pixels)


def video_receipt(made: "Rewritten", target: Path) -> Receipt:
    """What became of what a video held.

    Args:
        made: as `translate_video` gives it.
        target: the new file.
    """
    return Receipt(made.source_format, target.suffix[1:].upper(), (*made.kinds, *made.notes))
