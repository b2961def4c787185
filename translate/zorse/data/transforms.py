"""Random crops for training and middle crops for evaluation, the same for both sides of a pair."""

import random
from collections.abc import Callable

import albumentations as A
import cv2
import numpy as np

from zorse.data.config import Crops
from zorse.data.decode import Picture
from zorse.data.labels import NO_LABELS, LabelSides

_LONGEST = 8
"""How many times as long as the other the longer side of a picture is at most when it is resized."""


class Cropper:
    """Cuts squares out of pictures.

    Args:
        config: sizes and chances.
        augment: random zoom, place and mirroring; otherwise the middle of the picture.
        labels: which sides hold label maps, whose colours are kept.
    """

    def __init__(self, config: Crops, augment: bool, labels: LabelSides = NO_LABELS) -> None:
        self._augment, self._labels = augment, labels
        # For albumentations a mask is what takes its nearest pixels.
        targets = {"other": "image", "labels": "mask"}
        self._smooth = A.Compose(_steps(config, augment, _smooth), additional_targets=targets)
        self._nearest = A.Compose(_steps(config, augment, _nearest), additional_targets=targets)

    def one(self, picture: Picture, rng: np.random.Generator, *, is_label_map: bool = False) -> Picture:
        """Cut one square.

        Args:
            picture: (height, width, 3) uint8, of any size.
            rng: the only source of chance.
            is_label_map: whether its colours are kept.

        Returns:
            (crop_size, crop_size, 3) uint8.
        """
        (part,) = self._part_of_strip(rng, picture)
        square: Picture = _following(self._nearest if is_label_map else self._smooth, rng)(image=part)["image"]
        return square

    def pair(self, left: Picture, right: Picture, rng: np.random.Generator) -> tuple[Picture, Picture]:
        """Cut the same square, with the same mirroring, out of two pictures of the same size, sides A and B."""
        left, right = self._part_of_strip(rng, left, right)
        if self._labels.a != self._labels.b:
            image, labels = (right, left) if self._labels.a else (left, right)
            squares = _following(self._smooth, rng)(image=image, labels=labels)
            image, labels = squares["image"], squares["labels"]
            return (labels, image) if self._labels.a else (image, labels)
        squares = _following(self._nearest if self._labels.a else self._smooth, rng)(image=left, other=right)
        return squares["image"], squares["other"]

    def _part_of_strip(self, rng: np.random.Generator, *pictures: Picture) -> tuple[Picture, ...]:
        """Of pictures of the same size, the same part of a strip: resized as a whole, it could fill the memory."""
        height, width = pictures[0].shape[:2]
        room = max(height, width) - _LONGEST * min(height, width)
        if room <= 0:
            return pictures
        begin = int(rng.integers(room + 1)) if self._augment else room // 2
        part = slice(begin, begin + _LONGEST * min(height, width))
        return tuple(picture[part] if height > width else picture[:, part] for picture in pictures)


def _following(compose: A.Compose, rng: np.random.Generator) -> A.Compose:
    """The same steps, by the chance of that stream.

    One stream for all steps: with a seed, each step would get its own copy of it and zoom, place and mirroring would
    depend on each other.
    """
    compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))
    return compose


def _steps(config: Crops, augment: bool, resize: Callable[[list[int]], A.BasicTransform]) -> list[A.BasicTransform]:
    size = config.crop_size
    if not augment:
        return [resize([size]), A.CenterCrop(size, size)]
    cut = [resize(list(config.load_sizes)), A.RandomCrop(size, size)]
    return [*cut, A.HorizontalFlip(p=0.5)] if config.flip else cut


def _smooth(short_sides: list[int]) -> A.BasicTransform:
    return A.SmallestMaxSize(
        short_sides,
        interpolation=cv2.INTER_CUBIC,
        mask_interpolation=cv2.INTER_NEAREST_EXACT,
        area_for_downscale="image",
    )


def _nearest(short_sides: list[int]) -> A.BasicTransform:
    return A.SmallestMaxSize(short_sides, interpolation=cv2.INTER_NEAREST_EXACT)
