"""What the players see in the plane: where the discriminator believes, and where it sends generated points."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zorse.gans.sheets import Pixels, Points, grid_points, plane

SIDE = 48
"""Points each way at which the discriminator is asked."""
ARROWS = 48
"""Generated points whose way is drawn."""
LONGEST = 0.08
"""Of an arrow, relative to the reach of the drawing."""


def players_view(
    networks: Mapping[str, nn.Module], boundary: float | None, real: Points, fake: Tensor, reach: float
) -> Pixels:
    """Real and generated points on what the discriminator or critic thinks of the plane.

    Args:
        networks: of the recipe; without one named `D` or `f`, only points are drawn.
        boundary: the logit at which it decides; None for critics, whose values are spread over their range.
        real: (N, 2).
        fake: (M, 2), on the device of the networks.
        reach: of the drawing, [-reach, reach] both ways.
    """
    judge = networks.get("D", networks.get("f"))
    points = fake.detach().float().cpu().numpy()
    if judge is None:
        return plane(real, points, reach)
    # In training mode a look would move the estimates of spectral normalisation.
    judge = copy.deepcopy(judge).eval()
    belief = judge_belief(judge, boundary, reach, fake.device)
    starts = fake[:ARROWS].detach().clone().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(judge(starts).sum(), starts)
    longest = slope.norm(dim=1).max().clamp(min=1e-12)
    arrows = (slope * (LONGEST * reach / longest)).cpu().numpy()
    return plane(real, points, reach, belief=belief, flow=(points[:ARROWS], arrows))


@torch.no_grad()
def judge_belief(judge: nn.Module, boundary: float | None, reach: float, device: torch.device) -> NDArray[np.float32]:
    """(SIDE, SIDE) in [0, 1], rows from top to bottom: how much each point of the plane looks real to it."""
    logits = judge(torch.from_numpy(grid_points(reach, SIDE)).to(device)).view(SIDE, SIDE).float()
    if boundary is None:
        low, high = logits.min(), logits.max()
        share = (logits - low) / (high - low).clamp(min=1e-12)
    else:
        share = torch.sigmoid(logits - boundary)
    belief: NDArray[np.float32] = share.cpu().numpy()
    return belief
