"""All lessons, in the order to read them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from zorse.errors import ConfigError, ImageError, did_you_mean
from zorse.gans.lessons import blur, collapse, distances, guard, rotation, saturation, smoothing
from zorse.gans.lessons.lesson import Lesson
from zorse.imaging.write import write_file

DPI, COLOURS = 80, 128
"""Of pictures in pixels; the latter of PNG files."""
SEED = 0


@dataclass(frozen=True)
class Entry:
    """A lesson that can be held."""

    title: str
    teach: Callable[[], Lesson]


LESSONS: Mapping[str, Entry] = {
    "saturation": Entry(saturation.TITLE, saturation.teach),
    "rotation": Entry(rotation.TITLE, rotation.teach),
    "collapse": Entry(collapse.TITLE, collapse.teach),
    "guard": Entry(guard.TITLE, guard.teach),
    "distances": Entry(distances.TITLE, distances.teach),
    "smoothing": Entry(smoothing.TITLE, smoothing.teach),
    "blur": Entry(blur.TITLE, blur.teach),
}


def find_lesson(name: str) -> Entry:
    """The lesson of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in LESSONS:
        guess = did_you_mean(name, LESSONS)
        raise ConfigError(f"There is no lesson {name!r}.{guess} There are: {', '.join(LESSONS)}.")
    return LESSONS[name]


def hold(entry: Entry) -> Lesson:
    """Compute a lesson; on the same computer it gives the same figures each time, whatever was computed before."""
    with torch.random.fork_rng([]):
        torch.manual_seed(SEED)
        return entry.teach()


def check_picture(path: Path) -> None:
    """See that a picture can be written under that name, before anything is computed.

    Raises:
        ImageError: the suffix names no format.
    """
    from matplotlib.figure import Figure

    formats = Figure().canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in formats:
        raise ImageError(
            f"{path} cannot be written: {path.suffix or 'no suffix'} is no format of a lesson's picture. Take .png, "
            ".svg or .pdf."
        )


def save_picture(lesson: Lesson, path: Path) -> None:
    """Write the picture, in the format that the suffix names; the file appears complete or not at all.

    Raises:
        ImageError: it cannot be written.
        DiskFull: no space is left for it.
    """
    content, suffix = BytesIO(), path.suffix.lower()
    lesson.picture.savefig(content, format=suffix.removeprefix("."), dpi=DPI)
    if suffix == ".png":
        content = _paletted(content)
    write_file(path, content.getvalue())


def _paletted(content: BytesIO) -> BytesIO:
    """A PNG with a palette: a drawing has few colours, and takes a third of the room then."""
    smaller = BytesIO()
    Image.open(content).convert("RGB").quantize(COLOURS).save(smaller, "PNG", optimize=True)
    return smaller
