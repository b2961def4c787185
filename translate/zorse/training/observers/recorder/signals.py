"""What can be seen of a GAN's health: pure measurements on tensors, none of which changes anything."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zorse.recipes.losses import Logits

THUMBNAIL = 64
"""Side in pixels of the small copies that diversity and brightness are measured on."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
LATTICE = 4
"""Longest period in pixels of a checkerboard; it holds period 2, too. Two stride-2 layers leave these two."""
SPECTRUM = 256
"""Side in pixels of the part of a picture that checkerboards are looked for in."""
SHADES = 0.02
"""Contrast below which a picture counts as flat: about three of 256 levels."""


def accuracy(real: Logits, fake: Logits, boundary: float) -> Tensor:
    """Share of logits on the right side of the boundary, a scalar; real and fake, and all maps, count alike."""
    reals, fakes = ([maps] if isinstance(maps, Tensor) else maps for maps in (real, fake))
    shares = [(maps > boundary).float().mean() for maps in reals] + [(maps < boundary).float().mean() for maps in fakes]
    return torch.stack(shares).mean()


def mean_change(output: Tensor, source: Tensor) -> Tensor:
    """Mean absolute difference of two batches (N, C, H, W) in [-1, 1], a scalar in [0, 2]."""
    return (output - source).abs().mean().float()


def thumbnails(pictures: Tensor) -> Tensor:
    """(N, C, H, W) -> float32 (N, 3, 64, 64), each pixel the mean of its area; grey becomes three equal channels."""
    small = F.interpolate(pictures.float(), size=(THUMBNAIL, THUMBNAIL), mode="area")
    return small if small.shape[1] == 3 else small.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def luma(pictures: Tensor) -> Tensor:
    """(N, 3, H, W) -> brightness (N, H, W)."""
    weights = pictures.new_tensor(LUMA).view(1, 3, 1, 1)
    return (pictures * weights).sum(1)


def luma_correlation(outputs: Tensor, sources: Tensor) -> float | None:
    """Correlation of brightness between pictures and what they were made from, the mean over the pictures.

    Args:
        outputs: (N, 3, H, W).
        sources: of the same shape.

    Returns:
        In [-1, 1]: 1 where light stays light, -1 where it turns dark. None if all are flat.
    """
    pairs = [luma(pictures).flatten(1) for pictures in (outputs, sources)]
    first, second = (brightness - brightness.mean(1, keepdim=True) for brightness in pairs)
    seen = (first.std(1) > SHADES) & (second.std(1) > SHADES)
    if not bool(seen.any()):
        return None
    return float(F.cosine_similarity(first[seen], second[seen]).mean())


def spread(features: Tensor) -> float:
    """Mean distance between any two of N >= 2 feature vectors (N, K)."""
    return float(torch.pdist(features.float()).mean())


def diversity(fakes: Tensor, *references: Tensor) -> float | None:
    """How much generated pictures differ among each other, relative to what they were made from and shall look like.

    Args:
        fakes: features (N, K), N >= 2.
        references: features of inputs, and of real pictures of the target domain. The least diverse one is the
            measure: pictures of a uniform domain may look alike, and so may translations of inputs that do.

    Returns:
        0 where all are the same, about 1 where they are as diverse as the reference. None if the references are all
        the same.
    """
    least = min(spread(features) for features in references)
    return spread(fakes) / least if least > 1e-6 else None


def coverage(real: Tensor, fake: Tensor, neighbours: int = 5, least: float = 0.1) -> float:
    """Share of real samples that have a generated one in their neighbourhood.

    That reaches to their fifth nearest real one, or farther where modes are so narrow that a generator which has found
    them is not that precise yet. About 1 where both are of the same distribution; 1/8 where all generated samples are
    of one of eight equal modes.

    Args:
        real: (N, ...), N > `neighbours`, or all are taken.
        fake: (M, ...).
        neighbours: that make up a neighbourhood.
        least: its smallest radius, relative to the mean distance between real samples.

    Source: Naeem et al. 2020, Reliable Fidelity and Diversity Metrics for Generative Models, section 3.2, but for
        `least`.
    """
    real, fake = real.flatten(1).float(), fake.flatten(1).float()
    within = torch.cdist(real, real)
    radius = within.kthvalue(min(neighbours + 1, len(real)), dim=1).values  # The nearest is the sample itself.
    return float((torch.cdist(real, fake).amin(1) <= radius.clamp(min=least * within.mean())).float().mean())


def luma_crops(pictures: Tensor) -> Tensor:
    """(N, 3, H, W) -> brightness (N, h, w) of a corner, whose sides are the largest multiples of 4 up to 256."""
    height, width = (min(side, SPECTRUM) // LATTICE * LATTICE for side in pictures.shape[-2:])
    return luma(pictures[:, :, :height, :width].float())


def checkerboard(brightness: Tensor) -> float:
    """Strength of the patterns of period 2 and 4 pixels that stand out of what surrounds them in the spectrum.

    Upsampling whose kernels overlap unevenly leaves such patterns all over a picture: lines in the spectrum at
    multiples of a quarter of the sampling rate, where natural textures have power that varies smoothly.

    Args:
        brightness: (N, H, W) of N pictures, H and W multiples of 4 and at least 32.

    Returns:
        Root mean square of the patterns, in the units of the brightness; the median over the pictures, since a single
        one may well show something striped.

    Source: Odena et al. 2016, Deconvolution and Checkerboard Artifacts.
    """
    height, width = brightness.shape[-2:]
    # Periodic Hann windows keep all of a pattern's power within one bin of its frequency.
    rows, columns = (torch.hann_window(side, device=brightness.device) for side in (height, width))
    window = rows[:, None] * columns
    power = torch.fft.fft2((brightness - brightness.mean((1, 2), keepdim=True)) * window).abs().square()
    # Wrapped around, so that each frequency of the lattice has neighbours on all sides.
    power = F.pad(power[:, None], (3, 3, 3, 3), mode="circular")[:, 0]
    around = power.unfold(1, 7, height // LATTICE).unfold(2, 7, width // LATTICE)[:, :LATTICE, :LATTICE]
    peaks = around[..., 2:5, 2:5].sum((-2, -1))
    rings = (around.sum((-2, -1)) - peaks) / (7 * 7 - 3 * 3)
    outstanding = (peaks - 3 * 3 * rings).flatten(1)[:, 1:].sum(1)  # The first is the brightness itself.
    # By Parseval's theorem.
    return math.sqrt(max(0.0, float(outstanding.median())) / (height * width * float(window.square().sum())))


def some_weights(network: nn.Module, per_parameter: int = 64) -> Tensor:
    """A copy of a few weights of each parameter, always the same ones, as one vector."""
    parts = [parameter.detach().flatten() for parameter in network.parameters()]
    return torch.cat([part[:: max(1, part.numel() // per_parameter)].float() for part in parts])


def movement(before: Tensor, after: Tensor) -> float:
    """By what share of their size weights (vectors of the same length) have moved."""
    return float((after - before).abs().mean() / before.abs().mean().clamp(min=1e-12))
