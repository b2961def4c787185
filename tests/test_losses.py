"""Losses against their formulas, worked out by hand or spelled out with elementary operations."""

import math

import pytest
import torch
from torch import nn

from zorse.recipes.losses import discriminator_loss, generator_loss, gradient_penalty

REAL = torch.tensor([[[[0.5, -1.0], [2.0, 3.0]]]])
FAKE = torch.tensor([[[[-2.0, 0.25], [1.5, -0.5]]]])


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def numbers(logits: torch.Tensor) -> list[float]:
    return logits.flatten().tolist()


DISCRIMINATOR = {
    "nonsaturating": lambda r, f: 0.5 * (mean(-log_sigmoid(x) for x in r) + mean(-log_sigmoid(-x) for x in f)),
    "lsgan": lambda r, f: 0.5 * (mean((x - 1) ** 2 for x in r) + mean(x**2 for x in f)),
    "hinge": lambda r, f: 0.5 * (mean(max(0.0, 1 - x) for x in r) + mean(max(0.0, 1 + x) for x in f)),
    "wgan_gp": lambda r, f: mean(f) - mean(r),
}
GENERATOR = {
    "nonsaturating": lambda f: mean(-log_sigmoid(x) for x in f),
    "lsgan": lambda f: mean((x - 1) ** 2 for x in f),
    "hinge": lambda f: -mean(f),
    "wgan_gp": lambda f: -mean(f),
}
OBJECTIVES = list(GENERATOR)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_losses_are_the_formulas_of_the_papers(objective):
    wanted = DISCRIMINATOR[objective](numbers(REAL), numbers(FAKE))
    assert discriminator_loss(REAL, FAKE, objective).item() == pytest.approx(wanted, rel=1e-6)
    assert generator_loss(FAKE, objective).item() == pytest.approx(GENERATOR[objective](numbers(FAKE)), rel=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_map_counts_the_same_whatever_its_size(objective):
    small_real, small_fake = torch.tensor([[[[4.0]]]]), torch.tensor([[[[-3.0]]]])
    joint = discriminator_loss([REAL, small_real], [FAKE, small_fake], objective)
    apart = [discriminator_loss(REAL, FAKE, objective), discriminator_loss(small_real, small_fake, objective)]
    assert joint.item() == pytest.approx(mean(loss.item() for loss in apart), rel=1e-6)
    joint = generator_loss([FAKE, small_fake], objective)
    assert joint.item() == pytest.approx(mean(generator_loss(f, objective).item() for f in (FAKE, small_fake)))


def test_maps_without_a_counterpart_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        discriminator_loss([REAL, REAL], [FAKE], "lsgan")


def test_smoothing_moves_the_label_of_real_pictures_only():
    nothing_fake = torch.zeros_like(FAKE)
    at_label = torch.full_like(REAL, 0.9)
    assert discriminator_loss(at_label, nothing_fake, "lsgan", label_smoothing=0.1).item() == pytest.approx(
        0, abs=1e-12
    )
    wanted = mean(-0.9 * log_sigmoid(x) - 0.1 * log_sigmoid(-x) for x in numbers(REAL))
    wanted = 0.5 * (wanted + mean(-log_sigmoid(-x) for x in numbers(FAKE)))
    smoothed = discriminator_loss(REAL, FAKE, "nonsaturating", label_smoothing=0.1)
    assert smoothed.item() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_descending_moves_logits_the_right_way(objective):
    real, fake = (torch.full((1, 1, 2, 2), 0.5, requires_grad=True) for _ in range(2))
    discriminator_loss(real, fake, objective).backward()
    assert (real.grad < 0).all(), "the discriminator wants higher logits of real pictures"
    assert (fake.grad > 0).all(), "and lower ones of generated pictures"
    fooling = torch.zeros_like(FAKE, requires_grad=True)
    generator_loss(fooling, objective).backward()
    assert (fooling.grad < 0).all(), "the generator wants higher logits"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_sixteen_bit_logits_are_averaged_in_thirty_two(objective):
    torch.manual_seed(0)
    real, fake = torch.randn(2, 1, 30, 30).bfloat16(), torch.randn(2, 1, 30, 30).bfloat16()
    loss = discriminator_loss(real, fake, objective)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, discriminator_loss(real.float(), fake.float(), objective))
    assert discriminator_loss(real.double(), fake.double(), objective).dtype == torch.float64


class LinearCritic(nn.Module):
    """D(x) = scale * sum(x): its gradient has the norm scale * sqrt(C * H * W) everywhere."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x.sum(dim=(1, 2, 3), keepdim=True)


def test_gradient_penalty_of_a_linear_critic_is_exact():
    real, fake = torch.randn(3, 3, 4, 4), torch.randn(3, 3, 4, 4)
    for scale in (0.1, 1 / math.sqrt(48), 2.0):
        norm = scale * math.sqrt(3 * 4 * 4)
        critic = LinearCritic(scale)
        penalty = gradient_penalty(critic, real, fake)
        assert penalty.item() == pytest.approx((norm - 1) ** 2, rel=1e-5, abs=1e-9)
        penalty.backward()
        assert critic.scale.grad.item() == pytest.approx(2 * (norm - 1) * math.sqrt(48), rel=1e-4, abs=1e-4)


def test_gradient_penalty_is_taken_between_real_and_fake():
    """D(x) = sum(x^2) / 2 has the gradient x: between constant pictures its norm lies between theirs."""

    class Quadratic(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x**2).sum(dim=(1, 2, 3), keepdim=True) / 2

    real, fake = torch.full((64, 1, 2, 2), 3.0), torch.full((64, 1, 2, 2), 1.0)
    torch.manual_seed(0)
    share = torch.rand(64, 1, 1, 1)
    torch.manual_seed(0)
    norms = 2 * (share * 3 + (1 - share) * 1)
    assert gradient_penalty(Quadratic(), real, fake).item() == pytest.approx(((norms - 1) ** 2).mean().item(), rel=1e-5)


def test_gradient_penalty_judges_each_picture_alone_and_spares_the_generator():
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))
    real, fake = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8, requires_grad=True)
    torch.manual_seed(0)
    both = gradient_penalty(critic, real, fake)
    torch.manual_seed(0)
    first_share, second_share = torch.rand(2, 1, 1, 1)
    alone = []
    for index, share in enumerate((first_share, second_share)):
        between = (share * real[index] + (1 - share) * fake[index].detach())[None].requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).mean(), between)
        alone.append((gradient.norm() - 1) ** 2)
    assert both.item() == pytest.approx(mean(term.item() for term in alone), rel=1e-4)
    both.backward()
    assert fake.grad is None
    assert all(parameter.grad is not None for parameter in critic[:1].parameters() if parameter.ndim > 1)


def test_gradient_penalty_of_several_maps_is_that_of_their_mean_as_in_the_loss():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = LinearCritic(0.1), LinearCritic(0.3)

        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [self.first(x), self.second(x)]

    pictures = torch.randn(2, 3, 4, 4)
    norm = (0.1 + 0.3) / 2 * math.sqrt(48)
    assert gradient_penalty(Two(), pictures, -pictures).item() == pytest.approx((norm - 1) ** 2, rel=1e-5)
