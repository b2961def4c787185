"""Pictures in a folder, or in one folder for each class."""

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from zorse.data.chance import Chance
from zorse.data.decode import Picture, decode
from zorse.data.layout import find_photos, left_out_of, list_pictures
from zorse.errors import DatasetError
from zorse.gans.data.batch import SampleBatch
from zorse.gans.data.config import PicturesConfig
from zorse.gans.data.pixels import PixelBatches
from zorse.imaging.io import find_pictures

CACHE = 4 * 2**30
"""Bytes of cut pictures that are kept in memory; what does not fit is read again in each epoch."""

_LONGEST = 8
"""How many times as long as the other the longer side of a picture is at most when it is resized."""


class Pictures:
    """Pictures, resized and cut to squares; classes are the folders that they lie in, if there are several."""

    def __init__(self, config: PicturesConfig, root: Path, split: str, seed: int) -> None:
        train = split == "train"
        folder = _split_folder(root, split)
        children = [child for child in sorted(folder.iterdir()) if child.is_dir() and not child.name.startswith(".")]
        classes = [child for child in children if find_pictures(child)]
        classed = len(classes) > 1
        by_class = [list_pictures(child) for child in classes] if classed else [list_pictures(folder)]
        loose = _loose(folder) if classed else []
        self.remarks = [*left_out_of(folder), *loose]
        """What was left out, for people to read."""
        self._paths = [path for paths in by_class for path in paths]
        labels = np.repeat(np.arange(len(by_class)), [len(paths) for paths in by_class]).astype(np.int64)
        self._config = config
        self._cache: dict[int, Picture] = {}
        self._room = CACHE // (config.channels * config.size**2)
        self.shape = (config.channels, config.size, config.size)
        self.class_names = tuple(child.name for child in classes) if classed else (folder.name,)
        self._batches = PixelBatches(
            read=self._read,
            name=lambda index: str(self._paths[index]),
            labels=labels,
            class_names=self.class_names,
            companion=config.companion,
            flip=config.flip and train,
            chance=Chance(seed, shuffle=train),
        )

    def __len__(self) -> int:
        return len(self._paths)

    def batch(self, first: int, n: int) -> SampleBatch:
        """Read from files the first time, from memory later."""
        return self._batches.batch(first, n)

    def _read(self, index: int) -> Picture:
        if index in self._cache:
            return self._cache[index]
        picture = cut(decode(self._paths[index]), self._config.size, self._config.channels)
        if len(self._cache) < self._room:
            self._cache[index] = picture
        return picture


def cut(picture: Picture, size: int, channels: int) -> Picture:
    """RGB (H, W, 3) -> the middle square, (size, size, channels), after the short side was resized to `size`."""
    picture = _middle(picture)
    height, width = picture.shape[:2]
    scale = size / min(height, width)
    target = (max(size, round(width * scale)), max(size, round(height * scale)))
    small = cv2.resize(picture, target, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (small.shape[0] - size) // 2, (small.shape[1] - size) // 2
    square = small[top : top + size, left : left + size]
    if channels == 1:
        square = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)[:, :, None]
    return np.ascontiguousarray(square, dtype=np.uint8)


def _loose(folder: Path) -> list[str]:
    """What is said of pictures beside folders of classes."""
    loose = [path for path in list_pictures(folder) if path.parent == folder]
    named = ", ".join(path.name for path in loose[:3]) + (", ..." if len(loose) > 3 else "")
    return [f"Left out of {folder}: {len(loose)} in no class's folder ({named})."] if loose else []


def _middle(picture: Picture) -> Picture:
    """The middle of a strip: resized as a whole, it could fill the memory."""
    height, width = picture.shape[:2]
    longest = _LONGEST * min(height, width)
    top, left = (max(0, (side - longest) // 2) for side in (height, width))
    return picture[top : top + longest, left : left + longest]


def _split_folder(root: Path, split: str) -> Path:
    """Test pictures are never trained on; training pictures stand in where there are no others."""
    if split != "train":
        with suppress(DatasetError):
            folder = find_photos(root, split)
            if find_pictures(folder):
                return folder
    return find_photos(root, "train")
