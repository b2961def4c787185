"""Label maps: pictures whose colours name classes, so that a mixture of two would name a third or none at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zorse.data.config import Nearest
from zorse.data.decode import Picture, decode
from zorse.errors import DatasetError, ImageError
from zorse.imaging import io

FEW_COLOURS = 64
"""Label maps have no more."""
_GLANCE = 8
"""Files that are looked at to tell what a side holds."""


class LabelSides(NamedTuple):
    """Which sides hold label maps, whose pixels are resized to the nearest one."""

    a: bool = False
    b: bool = False

    @property
    def remark(self) -> str:
        """For people to read; empty where there are none."""
        sides = [side for side, holds_labels in zip("AB", self, strict=True) if holds_labels]
        return f"{' and '.join(sides)}: label maps, resized to the nearest pixel (data.nearest)." if sides else ""


NO_LABELS = LabelSides()


def label_sides(nearest: Nearest, files_a: Sequence[Path], files_b: Sequence[Path]) -> LabelSides:
    """The sides that a setting names; "auto": those of palette files with few colours, as some of the files tell."""
    if nearest == "auto":
        return LabelSides(_are_palettes(files_a), _are_palettes(files_b))
    return LabelSides(nearest in ("A", "both"), nearest in ("B", "both"))


def have_few_colours(files: Sequence[Path]) -> bool:
    """Whether all of some files, spread evenly over these, have as few colours as label maps."""
    try:
        return all(has_few_colours(decode(file)) for file in _some(files))
    except DatasetError:  # whoever needs the file says why
        return False


def has_few_colours(picture: Picture) -> bool:
    """Whether (H, W, 3) uint8 pixels have up to `FEW_COLOURS` colours."""
    part = picture[:: max(1, picture.shape[0] // 64), :: max(1, picture.shape[1] // 64)]
    return _n_colours(part) <= FEW_COLOURS and _n_colours(picture) <= FEW_COLOURS


def _are_palettes(files: Sequence[Path]) -> bool:
    try:
        return all(_is_palette(file) for file in _some(files)) and have_few_colours(files)
    except ImageError:
        return False


def _is_palette(file: Path) -> bool:
    with io.open_pictures(file) as opened:
        return opened.mode == "P"


def _some(files: Sequence[Path]) -> Sequence[Path]:
    return [files[number * len(files) // _GLANCE] for number in range(_GLANCE)] if len(files) > _GLANCE else files


def _n_colours(picture: Picture) -> int:
    red, green, blue = (picture[:, :, channel].astype(np.uint32) for channel in range(3))
    is_used = np.zeros(2**24, np.bool_)
    is_used[(red << 16) | (green << 8) | blue] = True
    return int(np.count_nonzero(is_used))
