"""Which files of a folder are pictures or videos to translate, and which belong to them and stay as they are."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from zorse.imaging.left_out import is_readable

_MASK_FOLDERS = frozenset(
    {"mask", "masks", "label", "labels", "labelids", "annotation", "annotations", "gt", "gtfine", "gtcoarse"}
    | {
        "groundtruth",
        "segmentation",
        "segmentations",
        "segmentationclass",
        "segmentationobject",
        "semantic",
        "instance",
    }
    | {"instances", "panoptic", "depth", "disparity", "normals", "flow"}
)
"""Names of folders whose pictures are marks, not photos, in lower case without `-`, `_` and spaces."""

_MASK_NAMES = re.compile(
    r"[-_. ](mask|masks|label|labels|gt|seg|segmentation|annotation|labelids|labeltrainids|instanceids|panoptic|depth)$"
)
"""Ends of such pictures' names, in lower case."""


@dataclass(frozen=True)
class Selection:
    """What is translated of the inputs."""

    only: tuple[str, ...] = ()
    """Patterns (`*.jpg`, `images/*`): pictures that match none of them are not translated."""
    skip: tuple[str, ...] = ()
    """Patterns: pictures that match one of them are not translated."""
    copy_others: bool = False
    """Whether all other files of a folder are copied unchanged. Masks are then recognised by their names, unless
    `only` says what is a picture."""

    def is_translated(self, file: Path) -> bool:
        """Whether a file, named from the folder on, is a picture or video to translate."""
        if not is_readable(file) or not self.chooses(file):
            return False
        return bool(self.only) or not (self.copy_others and is_mask(file))

    def chooses(self, file: Path) -> bool:
        """Whether the patterns leave a file."""
        return (not self.only or _matches(file, self.only)) and not _matches(file, self.skip)


def is_mask(file: Path) -> bool:
    """Whether a picture's path says that it marks up another: it lies in a folder `masks` or ends in `_mask`, say."""
    folders = (re.sub(r"[-_ ]", "", part.lower()) for part in file.parent.parts)
    return any(folder in _MASK_FOLDERS for folder in folders) or bool(_MASK_NAMES.search(file.stem.lower()))


def _matches(file: Path, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns for text in (file.as_posix(), file.name))
