"""Lines drawn from photos: black on white, as somebody might sketch them."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
EdgeMethod = Literal["canny"]


def extract_edges(photo: Picture, method: EdgeMethod = "canny", detail: float = 0.5) -> Picture:
    """Lines of a photo: (height, width) uint8, 0 on 255."""
    high = 255 - 200 * detail
    return 255 - cv2.Canny(cv2.GaussianBlur(photo, (0, 0), 1.5), high / 2, high).astype(np.uint8)


def random_edges(photo: Picture, rng: np.random.Generator) -> Picture:
    """Lines of a photo, found in a way that varies."""
    return extract_edges(photo, detail=float(rng.uniform()))
