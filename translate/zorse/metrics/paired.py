"""How close a translation comes to the true picture, where there is one."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.data.decode import Picture
from zorse.errors import DatasetError

LEVELS = 255
MOST_DB = 100.0
"""PSNR of an exact copy, which would be infinite and spoil every mean."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
"""Of the Gaussian window, in pixels."""


def l1(real: Picture, fake: Picture) -> float:
    """Mean absolute difference, in levels of 0..255; 0 is a copy.

    Args:
        real: (H, W, 3) uint8.
        fake: of the same shape.
    """
    return float(np.abs(real.astype(np.float64) - fake).mean())


def psnr(real: Picture, fake: Picture) -> float:
    """Peak signal-to-noise ratio, in dB, over all channels; 100 for a copy.

    Args:
        real: (H, W, 3) uint8.
        fake: of the same shape.
    """
    error = float(((real.astype(np.float64) - fake) ** 2).mean())
    return MOST_DB if error == 0 else min(MOST_DB, 10 * math.log10(LEVELS**2 / error))


def ssim(real: Picture, fake: Picture) -> float:
    """Structural similarity: 1 is a copy, around 0 has nothing in common; the mean over channels and pixels.

    Gaussian window of 11 x 11 pixels, sigma 1.5, only where it lies wholly inside the picture, as published.

    Args:
        real: (H, W, 3) uint8, at least 11 x 11.
        fake: of the same shape.

    Raises:
        DatasetError: smaller pictures.

    Source: Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity.
    """
    height, width = real.shape[:2]
    if min(height, width) < SSIM_WINDOW:
        raise DatasetError(
            f"SSIM compares windows of {SSIM_WINDOW} x {SSIM_WINDOW} pixels, but a picture is {width} x {height}. "
            "Take larger pictures."
        )
    x, y = real.astype(np.float64), fake.astype(np.float64)
    c1, c2 = (0.01 * LEVELS) ** 2, (0.03 * LEVELS) ** 2
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    variance_x = _window_mean(x * x) - mean_x**2
    variance_y = _window_mean(y * y) - mean_y**2
    covariance = _window_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return float((luminance * structure).mean())


def _window_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, 3) -> (H - 10, W - 10, 3)."""
    margin = SSIM_WINDOW // 2
    blurred = cv2.GaussianBlur(values, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
    return np.asarray(blurred[margin:-margin, margin:-margin], np.float64)
