"""What stands in the middle of a photo, cut out of its ground: GrabCut from two starts that have to agree."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.imaging.tensor import resize

Photo = NDArray[np.uint8]
"""(height, width, 3) RGB, 0..255."""
Mask = NDArray[np.uint8]
"""(height, width): 1 on the object, 0 on the ground."""

WORKING_SIDE = 112
"""Short side, in pixels, of the picture that is cut: fine enough for outlines, coarse enough to ignore texture."""
BORDER = 0.035
"""Of the short side: so much along each border is taken for ground."""
ROUNDS = 5
"""Of GrabCut: by then its colour models hardly move."""
SMALLEST_HOLE = 0.01
"""Of the picture: smaller holes are patterns of the object, larger ones show the ground."""
LEAST_AGREEMENT = 0.85
"""Of the cuts from the two starts, for one that can be trusted."""
SHARES = (0.12, 0.75)
"""Least and greatest part of the picture that such an object takes: less is a detail, more is everything."""


@dataclass(frozen=True)
class Cutout:
    """A photo's object."""

    alpha: NDArray[np.float32]
    """(height, width): 1 on the object, 0 on the ground, between them at the outline."""
    agreement: float
    """Of the cuts from the two starts: their intersection over their union, 0..1."""
    share: float
    """Of the picture that is object, 0..1."""

    @property
    def certain(self) -> bool:
        """Whether the cut can be trusted: it hardly depends on the start, and is neither a detail nor everything."""
        return self.agreement >= LEAST_AGREEMENT and SHARES[0] <= self.share <= SHARES[1]


def cut_out(photo: Photo) -> Cutout:
    """The largest thing that differs from the ground along the photo's border; the same photo always gives the same.

    Args:
        photo: (height, width, 3) RGB uint8. One object, wholly in the picture, apart from the ground in its colours.

    Source: Rother et al. 2004, GrabCut. It is run once from an ellipse in the middle and once from all but the border;
    where both find the same, colours alone have decided.
    """
    height, width = photo.shape[:2]
    factor = WORKING_SIDE / min(height, width)
    small = resize(photo, round(height * factor), round(width * factor))
    first, second = _object(small, _ellipse(small.shape[:2])), _object(small, np.ones(small.shape[:2], bool))
    union = np.count_nonzero(first | second)
    agreement = np.count_nonzero(first & second) / union if union else 0.0
    return Cutout(_enlarged(first, height, width), agreement, float(first.mean()))


def on_white(photo: Photo, alpha: NDArray[np.float32]) -> Photo:
    """The object on a white ground.

    Args:
        photo: (height, width, 3) RGB uint8.
        alpha: (height, width) in [0, 1].
    """
    cover = alpha[:, :, None]
    blended: Photo = np.rint(photo * cover + 255 * (1 - cover)).astype(np.uint8)
    return blended


def centred(photo: Photo, alpha: NDArray[np.float32], margin: float = 0.06) -> tuple[Photo, NDArray[np.float32]]:
    """The object in the middle of a square.

    Args:
        photo: (height, width, 3) RGB uint8.
        alpha: (height, width) in [0, 1], somewhere above 0.5.
        margin: around the object, as a part of the square's side.

    Returns:
        Photo and alpha, cropped, and padded with what is no object.
    """
    x, y, width, height = cv2.boundingRect((alpha > 0.5).astype(np.uint8))
    side = round(max(width, height) / (1 - 2 * margin))
    left, top = x - (side - width) // 2, y - (side - height) // 2
    before = (
        (max(0, -top), max(0, top + side - photo.shape[0])),
        (max(0, -left), max(0, left + side - photo.shape[1])),
    )
    rows, columns = slice(max(0, top), top + side), slice(max(0, left), left + side)
    return np.pad(photo[rows, columns], (*before, (0, 0)), mode="edge"), np.pad(alpha[rows, columns], before)


def _ellipse(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The middle of a picture."""
    height, width = shape
    y, x = np.ogrid[:height, :width]
    inside = ((y - (height - 1) / 2) / (0.42 * height)) ** 2 + ((x - (width - 1) / 2) / (0.4 * width)) ** 2 < 1
    return np.asarray(inside)


def _object(photo: Photo, start: NDArray[np.bool_]) -> Mask:
    """Cut from a first guess; the border is ground for certain."""
    labels = np.where(start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    border = round(BORDER * min(photo.shape[:2]))
    labels[:border] = labels[-border:] = cv2.GC_BGD
    labels[:, :border] = labels[:, -border:] = cv2.GC_BGD
    ground, objects = np.zeros((1, 65)), np.zeros((1, 65))  # GrabCut's colour models, which it fills
    cv2.setRNGSeed(0)  # it clusters colours from random starts
    bgr, unused = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), (0, 0, 1, 1)
    cv2.grabCut(bgr, labels, unused, ground, objects, ROUNDS, cv2.GC_INIT_WITH_MASK)
    found: Mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    return _without_holes(_largest_part(found))


def _largest_part(mask: Mask) -> Mask:
    """The largest connected part; nothing of nothing."""
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(mask)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    return (parts == 1 + np.argmax(areas)).astype(np.uint8) if len(areas) else mask


def _without_holes(mask: Mask) -> Mask:
    """Small holes belong to the object."""
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(1 - mask)
    small = [
        part for part in range(1, len(statistics)) if statistics[part, cv2.CC_STAT_AREA] < SMALLEST_HOLE * mask.size
    ]
    return mask | np.isin(parts, small).astype(np.uint8)


def _enlarged(mask: Mask, height: int, width: int) -> NDArray[np.float32]:
    """At the photo's size, with an outline that is a third of a working pixel's blur wide."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    large = resize(soft, height, width)
    return np.clip((large - 0.5) * 3 + 0.5, 0, 1).astype(np.float32)
