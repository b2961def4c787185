"""Training data made ahead: AB files from photos and lines or from two folders, objects cut out, levels spread."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zorse.data.ab import check_sides, join_ab
from zorse.data.config import Nearest
from zorse.data.decode import Picture, decode, resized
from zorse.data.labels import LabelSides, have_few_colours, label_sides
from zorse.data.layout import check_folder
from zorse.data.pairing import find_endings, index
from zorse.errors import ConfigError, DatasetError, ImageError
from zorse.imaging import io
from zorse.imaging.cutout import LEAST_AGREEMENT, SHARES, centred, cut_out, on_white
from zorse.imaging.edges import EdgeMethod, extract_edges
from zorse.imaging.tensor import resize

FileType = Literal["jpg", "png"]

_CLASS_COLOURS = [
    sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3))
    for number in range(256)
    for channel in range(3)
]
"""Of the Pascal VOC: red, green and blue of each class, one after the other."""

Task = Callable[[], Path]
"""Makes one file and returns its path; raises a ZorseError that names the file that cannot be used."""


def edge_tasks(
    folder: Path, out: Path, size: int, method: EdgeMethod = "canny", detail: float = 0.5, file_type: FileType = "jpg"
) -> list[Task]:
    """One task per photo: its lines left, the photo right, in a tree like the folder's.

    Args:
        folder: photos, subfolders included.
        out: where the AB files go.
        size: short side of the photo in the AB file, in pixels; lines are searched at this scale.
        method: see `extract_edges`.
        detail: likewise, 0..1.
        file_type: of the AB files.

    Raises:
        ConfigError: `out` lies inside of `folder`.
        DatasetError: there are no photos.
    """
    return [
        partial(_write_edges, photo, target, size, method, detail) for photo, target in _places(folder, out, file_type)
    ]


def cutout_tasks(folder: Path, out: Path, size: int, square: bool = False, file_type: FileType = "jpg") -> list[Task]:
    """One task per photo: its object on white, or on nothing in a PNG, in a tree like the folder's.

    A task of a photo whose object cannot be told from its ground raises a DatasetError.

    Args:
        folder: photos, subfolders included.
        out: where the pictures go.
        size: their short side, in pixels.
        square: crop and pad, so that the object is in the middle of a square.
        file_type: jpg on white, png with transparency.

    Raises:
        ConfigError: `out` lies inside of `folder`.
        DatasetError: there are no photos.
    """
    return [partial(_write_cutout, photo, target, size, square) for photo, target in _places(folder, out, file_type)]


def pair_tasks(
    folder_a: Path,
    folder_b: Path,
    out: Path,
    file_type: FileType | Literal["auto"] = "auto",
    *,
    ending_a: str | None = None,
    ending_b: str | None = None,
    nearest: Nearest = "auto",
    crop: bool = False,
) -> list[Task]:
    """One task per picture: side A left, side B right, resized to A's size.

    Pictures belong together as `zorse.data.pairing` says. A task of a picture without counterpart raises a
    DatasetError.

    Args:
        folder_a: left sides.
        folder_b: right sides.
        out: where the AB files go.
        file_type: auto: png where a side holds label maps, whose colours JPEG would blur, else jpg.
        ending_a: see `zorse.data.pairing.match`.
        ending_b: likewise.
        nearest: sides that hold label maps; auto: those whose pictures have as few colours.
        crop: cut sides of different shape to the middle that both show, instead of an error.

    Raises:
        ConfigError: `out` lies inside of one of the folders.
        DatasetError: a folder has no pictures, or no two of them belong together.
    """
    for folder in (folder_a, folder_b):
        check_folder(folder)
        _keep_apart(folder, out)
    endings = find_endings(folder_a, folder_b, ending_a, ending_b)
    side_a, side_b = index(folder_a, endings.a), index(folder_b, endings.b)
    if not side_a.keys() & side_b.keys():
        raise DatasetError(
            f"Pairs are matched by {endings.rule}, but no name in {folder_a} (such as {min(side_a)!r}) is also one in "
            f"{folder_b} (such as {min(side_b)!r}). Rename the files of one side, or name the endings that do not "
            "count (--ending-a, --ending-b)."
        )
    files_a, files_b = list(side_a.values()), list(side_b.values())
    labels = (
        LabelSides(have_few_colours(files_a), have_few_colours(files_b))
        if nearest == "auto"
        else label_sides(nearest, files_a, files_b)
    )
    suffix = file_type if file_type != "auto" else "png" if any(labels) else "jpg"
    return [
        partial(_write_pair, side_a[name], side_b[name], out / f"{name}.{suffix}", labels, crop)
        if name in side_a and name in side_b
        else partial(_report_lonely, side_a.get(name) or side_b[name], folder_b if name in side_a else folder_a)
        for name in sorted(side_a.keys() | side_b.keys())
    ]


def class_tasks(folder: Path, out: Path) -> list[Task]:
    """One task per grey picture of class numbers: a palette PNG in which each class has a colour of its own.

    The colours are those of the Pascal VOC, which are as different as can be for the first classes. A task of a picture
    that is coloured, or has numbers beyond 255, raises a DatasetError.

    Raises:
        ConfigError: `out` lies inside of `folder`.
        DatasetError: there are no pictures.
    """
    return [partial(_write_classes, picture, target) for picture, target in _places(folder, out, "png")]


def range_tasks(folder: Path, out: Path, lowest: int, highest: int) -> list[Task]:
    """One task per picture: a PNG of 8 bits whose levels are those from `lowest` to `highest`, spread over all.

    Raises:
        ConfigError: `out` lies inside of `folder`, or `highest` is not above `lowest`.
        DatasetError: there are no pictures.
    """
    if highest <= lowest:
        raise ConfigError(f"Levels from a lower to a higher one were wanted, not from {lowest} to {highest}.")
    return [partial(_write_range, picture, target, lowest, highest) for picture, target in _places(folder, out, "png")]


def _places(folder: Path, out: Path, file_type: FileType) -> list[tuple[Path, Path]]:
    """Each photo of a folder, and where what is made of it goes."""
    check_folder(folder)
    _keep_apart(folder, out)
    return [(photo, out / f"{stem}.{file_type}") for stem, photo in index(folder).items()]


def _write_edges(photo_file: Path, target: Path, size: int, method: EdgeMethod, detail: float) -> Path:
    photo = _at_size(decode(photo_file), size)
    lines = extract_edges(photo, method, detail)
    return _write(io.Picture(join_ab(np.repeat(lines[:, :, None], 3, axis=2), photo)), target)


def _write_cutout(photo_file: Path, target: Path, size: int, square: bool) -> Path:
    photo = decode(photo_file)
    cutout = cut_out(photo)
    if not cutout.certain:
        raise DatasetError(
            f"{photo_file}: its object cannot be told from the ground. Two cuts from different starts agree by "
            f"{cutout.agreement:.0%}, where {LEAST_AGREEMENT:.0%} are wanted, and take {cutout.share:.0%} of the "
            f"picture, where {SHARES[0]:.0%} to {SHARES[1]:.0%} are. Wanted is one object, wholly in the picture, on a "
            "ground of other colours."
        )
    photo, alpha = centred(photo, cutout.alpha) if square else (photo, cutout.alpha)
    photo, alpha = _at_size(photo, size), np.clip(_at_size(alpha, size), 0, 1)
    if target.suffix == ".png":
        return _write(io.Picture(photo, alpha=np.rint(255 * alpha).astype(np.uint8)), target)
    return _write(io.Picture(on_white(photo, alpha)), target)


def _at_size(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """With a short side of `size` pixels."""
    height, width = pixels.shape[:2]
    factor = size / min(height, width)
    return resize(pixels, max(1, round(height * factor)), max(1, round(width * factor)))


def _write_pair(file_a: Path, file_b: Path, target: Path, labels: LabelSides, crop: bool) -> Path:
    left, right = decode(file_a), decode(file_b)
    if crop:
        left, right = _cut_wider(left, right), _cut_wider(right, left)
    check_sides(left, right, file_a, file_b)
    return _write(io.Picture(join_ab(left, resized(right, *left.shape[:2], is_label_map=labels.b))), target)


def _cut_wider(picture: Picture, other: Picture) -> Picture:
    """The middle of a picture, as wide for its height as another one, if it is wider."""
    height, width = picture.shape[:2]
    cut = max(1, min(width, round(height * other.shape[1] / other.shape[0])))
    left = (width - cut) // 2
    return picture[:, left : left + cut]


def _write_classes(file: Path, target: Path) -> Path:
    levels = _read(file).rgb
    if levels.max() > 255 or not (levels == levels[:, :, :1]).all():
        raise DatasetError(
            f"{file} holds no class numbers: they are grey levels from 0 to 255. Leave it out, or, if its colours name "
            "the classes, use it as it is."
        )
    with BytesIO() as content:
        image = Image.fromarray(levels[:, :, 0].astype(np.uint8), "L")
        image.putpalette(_CLASS_COLOURS)
        image.save(content, "PNG")
        _check_new(target)
        io.write_file(target, content.getvalue())
    return target


def _write_range(file: Path, target: Path, lowest: int, highest: int) -> Path:
    levels = (_read(file).rgb.astype(np.float32) - lowest) * (255 / (highest - lowest))
    return _write(io.Picture(np.rint(levels.clip(0, 255)).astype(np.uint8)), target)


def _read(file: Path) -> io.Picture:
    try:
        return io.read_picture(file)
    except ImageError as error:
        raise DatasetError(str(error)) from error


def _report_lonely(file: Path, other: Path) -> Path:
    raise DatasetError(f"{file} has no counterpart: {other} holds no picture of the same name. Add or remove one.")


def _write(picture: io.Picture, target: Path) -> Path:
    _check_new(target)
    io.write_picture(target, picture)
    return target


def _check_new(target: Path) -> None:
    if target.exists():
        raise DatasetError(f"{target} exists already and is not overwritten. Remove it or choose another folder.")


def _keep_apart(folder: Path, out: Path) -> None:
    if out.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{out} lies inside of {folder}, where it would become input itself. Choose another place.")
