"""What generated points in the plane have to do with the Gaussians that the real ones come from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_POINTS = 2500
"""Points that are drawn to be measured, as published."""
WITHIN = 3.0
"""Standard deviations from the nearest mean within which a point is a good one."""

Points = NDArray[np.float32]


@dataclass(frozen=True)
class ModeFigures:
    """How a set of generated points looks."""

    modes: int
    """Gaussians that there are."""
    covered: int
    """Of them, those that at least one good point belongs to."""
    good: float
    """Share of points within three standard deviations of the nearest mean; 0.989 of real ones are."""
    reverse_kl: float
    """KL(generated || real) of the modes that the points are nearest to, in nats; 0 where all are equally frequent."""
    mismatch: float
    """1 - sum over modes of min(share of good points there, 1 / modes), in [0, 1]: what is missing or out of place."""


def measure_modes(points: Points, centres: Points, std: float) -> ModeFigures:
    """Count what points do to a mixture of equally likely Gaussians.

    Args:
        points: (N, 2), generated.
        centres: (K, 2), the means.
        std: standard deviation of each, in both directions.

    Source: Srivastava et al. 2017 (VEEGAN), section 5.1, and Lin et al. 2018 (PacGAN), section 4.1, for covered modes,
        good points and reverse KL.
    """
    distance = np.linalg.norm(points[:, None] - centres[None], axis=2)
    nearest, count = distance.argmin(1), len(centres)
    good = distance.min(1) <= WITHIN * std
    shares = np.bincount(nearest, minlength=count) / len(points)
    good_shares = np.bincount(nearest[good], minlength=count) / len(points)
    present = shares[shares > 0]
    return ModeFigures(
        modes=count,
        covered=int((good_shares > 0).sum()),
        good=float(good.mean()),
        reverse_kl=float((present * np.log(present * count)).sum()),
        mismatch=float(1 - np.minimum(good_shares, 1 / count).sum()),
    )
