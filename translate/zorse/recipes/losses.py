"""The losses of the papers as functions of logits: no state, no classes."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Objective = Literal["nonsaturating", "lsgan", "hinge", "wgan_gp"]
"""What discriminator and generator play for; the names of the losses below."""
Logits = Tensor | Sequence[Tensor]
"""What a discriminator returns: one map of logits, or several of different scales."""


def _maps(logits: Logits) -> list[Tensor]:
    maps = [logits] if isinstance(logits, Tensor) else logits
    # Under mixed precision the logits come in 16 bits, too few for squares and means.
    return [logit_map.to(torch.promote_types(logit_map.dtype, torch.float32)) for logit_map in maps]


def _mean(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).mean()


def discriminator_loss(real: Logits, fake: Logits, objective: Objective, label_smoothing: float = 0.0) -> Tensor:
    """What the discriminator minimises, averaged over pixels, pictures and maps.

    Halved, as both papers do to slow the discriminator down; except for `wgan_gp`, whose penalty is added unhalved.

    Args:
        real: logits of real pictures.
        fake: logits of generated pictures, maps of the same number.
        objective:
            `nonsaturating`: binary cross-entropy (Goodfellow et al. 2014);
            `lsgan`: (D(x) - 1)^2 + D(G(z))^2 (Mao et al. 2017);
            `hinge`: max(0, 1 - D(x)) + max(0, 1 + D(G(z))) (Lim and Ye 2017);
            `wgan_gp`: D(G(z)) - D(x), without the penalty (Gulrajani et al. 2017).
        label_smoothing: one-sided: real pictures are labelled 1 - label_smoothing (Salimans et al. 2016, section 3.4).
            It has a meaning for `nonsaturating` and `lsgan` only.
    """
    pairs = zip(_maps(real), _maps(fake), strict=True)
    label = 1.0 - label_smoothing
    match objective:
        case "nonsaturating":
            return _mean([0.5 * (_cross_entropy(r, label) + _cross_entropy(f, 0.0)) for r, f in pairs])
        case "lsgan":
            return _mean([0.5 * (((r - label) ** 2).mean() + (f**2).mean()) for r, f in pairs])
        case "hinge":
            return _mean([0.5 * (F.relu(1 - r).mean() + F.relu(1 + f).mean()) for r, f in pairs])
        case "wgan_gp":
            return _mean([f.mean() - r.mean() for r, f in pairs])


def generator_loss(fake: Logits, objective: Objective) -> Tensor:
    """What the generator minimises, given the discriminator's logits of its pictures.

    `nonsaturating`: -log D(G(z)); `lsgan`: (D(G(z)) - 1)^2; `hinge` and `wgan_gp`: -D(G(z)).
    """
    match objective:
        case "nonsaturating":
            return _mean([_cross_entropy(f, 1.0) for f in _maps(fake)])
        case "lsgan":
            return _mean([((f - 1) ** 2).mean() for f in _maps(fake)])
        case "hinge" | "wgan_gp":
            return _mean([-f.mean() for f in _maps(fake)])


def decision_boundary(objective: Objective, label_smoothing: float = 0.0) -> float | None:
    """The logit at which an optimal discriminator holds real and generated to be equally likely.

    None for `wgan_gp`, whose critic measures a distance and decides nothing.
    """
    middle = (1.0 - label_smoothing) / 2
    match objective:
        case "lsgan":
            return middle
        case "nonsaturating":
            return math.log(middle / (1 - middle))
        case "hinge":
            return 0.0
        case "wgan_gp":
            return None


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def patch_contrast(query: Tensor, key: Tensor, temperature: float = 0.07) -> Tensor:
    """How hard it is to tell from a patch's embedding which patch of the original it was made from (InfoNCE).

    -log( exp(q_i k_i / t) / sum_j exp(q_i k_j / t) ), averaged over patches i and pictures; j runs over the patches of
    the same picture.

    Args:
        query: (N, P, C), embeddings of length 1 of the generated picture's patches.
        key: (N, P, C), those of the patches at the same places of the original; no gradient flows into them.
        temperature: t; 0.07 in the paper.

    Source: Park et al. 2020, Contrastive Learning for Unpaired Image-to-Image Translation, section 3.
    """
    n, patches, _ = query.shape
    # The temperature makes differences 14 times larger: 16 bits, which autocast would take, are too few.
    with torch.autocast(query.device.type, enabled=False):
        precise = torch.promote_types(query.dtype, torch.float32)
        similarity = query.to(precise) @ key.detach().to(precise).transpose(1, 2) / temperature
        itself = torch.arange(patches, device=query.device).repeat(n)
        return F.cross_entropy(similarity.flatten(0, 1), itself)


def feature_matching_loss(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """L1 distance of what discriminators see in generated and in real pictures, that the generator has to shorten.

    Summed over the layers of a discriminator and averaged over the discriminators, as `generator_loss` averages theirs:
    the paper adds up both over the discriminators, and weighs this one with 10. (The authors' code divides it by the
    number of discriminators once more.)

    Args:
        real: for each discriminator its maps (N, C, h, w) of real pictures; no gradient flows into them.
        fake: those of generated pictures, of the same shapes.

    Source: Wang et al. 2018, High-Resolution Image Synthesis with Conditional GANs (pix2pixHD), section 3.3.
    """
    return _mean(
        [
            torch.stack([F.l1_loss(f, r.detach()) for r, f in zip(real_maps, fake_maps, strict=True)]).sum()
            for real_maps, fake_maps in zip(real, fake, strict=True)
        ]
    )


def gradient_penalty(critic: Callable[[Tensor], Logits], real: Tensor, fake: Tensor) -> Tensor:
    """(||grad D(x)|| - 1)^2 at random points between real and generated pictures, averaged over the batch.

    Args:
        critic: any discriminator without BatchNorm (each picture must have a gradient of its own).
        real: (N, C, H, W), or points (N, 2).
        fake: of the same shape; no gradient flows into it.

    Source: Gulrajani et al. 2017, section 4; weigh it with 10.
    """
    share = torch.rand(real.shape[0], *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    between = (share * real + (1 - share) * fake.detach()).requires_grad_(True)
    # Slopes of single pixels are tiny: in fp16, which autocast may take, they would vanish.
    with torch.autocast(real.device.type, enabled=False):
        judged = _mean([logits.flatten(1).mean(1).sum() for logits in _maps(critic(between))])
        (gradient,) = torch.autograd.grad(judged, between, create_graph=True)
        norms: Tensor = gradient.flatten(1).norm(2, dim=1)
        return ((norms - 1) ** 2).mean()
