"""Random crops for training and middle crops for evaluation, the same for both sides of a pair."""

import random

import albumentations as A
import cv2
import numpy as np

from zorse.data.config import Crops
from zorse.data.decode import Picture


class Cropper:
    """Cuts squares out of pictures.

    Args:
        config: sizes and chances.
        augment: random zoom, place and mirroring; otherwise the middle of the picture.
    """

    def __init__(self, config: Crops, augment: bool) -> None:
        self._compose = A.Compose(
            _random_crop(config) if augment else _middle_crop(config),
            additional_targets={"other": "image"},
        )

    def one(self, picture: Picture, rng: np.random.Generator) -> Picture:
        """Cut one square.

        Args:
            picture: (height, width, 3) uint8, of any size.
            rng: the only source of chance.

        Returns:
            (crop_size, crop_size, 3) uint8.
        """
        self._follow(rng)
        square: Picture = self._compose(image=picture)["image"]
        return square

    def pair(self, left: Picture, right: Picture, rng: np.random.Generator) -> tuple[Picture, Picture]:
        """Cut the same square, with the same mirroring, out of two pictures of the same size."""
        self._follow(rng)
        squares = self._compose(image=left, other=right)
        return squares["image"], squares["other"]

    def _follow(self, rng: np.random.Generator) -> None:
        # One stream for all steps: with a seed, each step would get its own copy of it and zoom, place and mirroring
        # would depend on each other.
        self._compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))


def _random_crop(config: Crops) -> list[A.BasicTransform]:
    steps: list[A.BasicTransform] = [_resize(list(config.load_sizes)), A.RandomCrop(config.crop_size, config.crop_size)]
    return [*steps, A.HorizontalFlip(p=0.5)] if config.flip else steps


def _middle_crop(config: Crops) -> list[A.BasicTransform]:
    return [_resize([config.crop_size]), A.CenterCrop(config.crop_size, config.crop_size)]


def _resize(short_sides: list[int]) -> A.BasicTransform:
    return A.SmallestMaxSize(short_sides, interpolation=cv2.INTER_CUBIC, area_for_downscale="image")
