"""Training data made ahead: AB files from photos and their lines, AB files from two folders, objects cut out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zorse.data.ab import join_ab
from zorse.data.decode import decode
from zorse.data.layout import check_folder
from zorse.data.pairing import find_endings, index
from zorse.errors import ConfigError, DatasetError
from zorse.imaging import io
from zorse.imaging.cutout import LEAST_AGREEMENT, SHARES, centred, cut_out, on_white
from zorse.imaging.edges import EdgeMethod, extract_edges
from zorse.imaging.tensor import resize

FileType = Literal["jpg", "png"]
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


def pair_tasks(folder_a: Path, folder_b: Path, out: Path, file_type: FileType = "jpg") -> list[Task]:
    """One task per picture: side A left, side B right, resized to A's size.

    Pictures belong together if their paths below their folders are the same but for the extension. A task of a picture
    without counterpart raises a DatasetError.

    Raises:
        ConfigError: `out` lies inside of one of the folders.
        DatasetError: a folder has no pictures, or no two of them belong together.
    """
    for folder in (folder_a, folder_b):
        check_folder(folder)
        _keep_apart(folder, out)
    endings = find_endings(folder_a, folder_b)
    side_a, side_b = index(folder_a, endings.a), index(folder_b, endings.b)
    if not side_a.keys() & side_b.keys():
        raise DatasetError(
            f"Pairs are matched by file name without its extension, but no name in {folder_a} (such as "
            f"{min(side_a)!r}) is also one in {folder_b} (such as {min(side_b)!r}). Rename the files of one side."
        )
    return [
        partial(_write_pair, side_a[stem], side_b[stem], out / f"{stem}.{file_type}")
        if stem in side_a and stem in side_b
        else partial(_report_lonely, side_a.get(stem) or side_b[stem], folder_b if stem in side_a else folder_a)
        for stem in sorted(side_a.keys() | side_b.keys())
    ]


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


def _write_pair(file_a: Path, file_b: Path, target: Path) -> Path:
    left, right = decode(file_a), decode(file_b)
    (height, width), (height_b, width_b) = left.shape[:2], right.shape[:2]
    if not 0.95 < (width / height) / (width_b / height_b) < 1.05:
        raise DatasetError(
            f"{file_a} is {width} x {height} pixels and {file_b} is {width_b} x {height_b}: one side would be "
            "distorted to match the other. Crop them to the same shape."
        )
    return _write(io.Picture(join_ab(left, resize(right, height, width))), target)


def _report_lonely(file: Path, other: Path) -> Path:
    raise DatasetError(f"{file} has no counterpart: {other} holds no picture of the same name. Add or remove one.")


def _write(picture: io.Picture, target: Path) -> Path:
    if target.exists():
        raise DatasetError(f"{target} exists already and is not overwritten. Remove it or choose another folder.")
    io.write_picture(target, picture)
    return target


def _keep_apart(folder: Path, out: Path) -> None:
    if out.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{out} lies inside of {folder}, where it would become input itself. Choose another place.")
