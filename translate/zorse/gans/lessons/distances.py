"""JS against the earth mover's distance, where real and generated points have nothing in common.

Real points lie on the line x = 0, generated ones on x = t (Arjovsky et al. 2017, section 2, example 1):

JS(P_0, P_t) = log 2 for t != 0, and 0 for t = 0        W(P_0, P_t) = |t|

Both are measured as GANs measure them. The optimal D's cross-entropy is 2 log 2 - 2 JS (Goodfellow et al. 2014, theorem
1); the optimal critic's E[f(x)] - E[f(G(z))] is W. What G is told is the slope of its loss along t.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Adam

from zorse.gans.architecture import MLPJudgeConfig
from zorse.gans.lessons.lesson import BLUE, GREY, ORANGE, Lesson, panels
from zorse.gans.networks.judges import Judge, build_judge
from zorse.gans.recipes.game import cross_entropy, minus_log_one_minus_d
from zorse.recipes.losses import gradient_penalty
from zorse.recipes.recipe import plain_update

TITLE = "JS against earth mover's distance on disjoint supports"

SHIFTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""t."""
STEPS, BATCH, RATE = 250, 128, 5e-3
LAMBDA = 10.0
"""Of the gradient penalty."""


@dataclass(frozen=True)
class _Measured:
    js: float
    earth_mover: float
    slope_js: float
    """|d/dt| of E[log(1 - D(G(z)))], what the minimax generator is told."""
    slope_earth_mover: float
    """|d/dt| of -E[f(G(z))], what the generator of a WGAN is told."""


def teach() -> Lesson:
    """Train a discriminator and a critic for each shift."""
    measured = [_measure(shift) for shift in SHIFTS]
    figure, (values, slopes) = panels(["How far apart are the lines?", "What G is told: |d loss / d t|"])
    values.plot([0, 0, 1], [0, math.log(2), math.log(2)], ":", color=GREY, label="exact")
    values.plot([0, 1], [0, 1], ":", color=GREY)
    values.plot(SHIFTS, [each.js for each in measured], "o-", color=ORANGE, label="JS, by a discriminator")
    values.plot(SHIFTS, [each.earth_mover for each in measured], "o-", color=BLUE, label="W, by a critic")
    values.set(xlabel="t, the distance of the lines", ylabel="distance")
    slopes.plot(SHIFTS, [each.slope_js for each in measured], "o-", color=ORANGE, label="GAN, minimax")
    slopes.plot(SHIFTS, [each.slope_earth_mover for each in measured], "o-", color=BLUE, label="WGAN-GP")
    slopes.set(xlabel="t, the distance of the lines")
    for axis in (values, slopes):
        axis.legend(fontsize="small")
    rows = [
        (f"{t:g}", f"{m.js:.2f}", f"{m.earth_mover:.2f}", f"{m.slope_js:.1e}", f"{m.slope_earth_mover:.2f}")
        for t, m in zip(SHIFTS, measured, strict=True)
    ]
    return Lesson(
        (("t", f"JS (log 2 = {math.log(2):.2f})", "W (exact: t)", "slope, GAN", "slope, WGAN-GP"), *rows),
        "As soon as the lines do not touch, D tells them apart without fail: JS is log 2 whether they are near or far, "
        "and its slope says nothing about which way to go. W falls in step with the distance, with slope 1 all the "
        "way: the critic may be trained until it is optimal. (At t = 0 there is nothing to tell apart; what is left is "
        "the chance of finite batches.)",
        figure,
    )


def _measure(shift: float) -> _Measured:
    config = MLPJudgeConfig(hidden=(64, 64))
    D, f = build_judge(config, (2,)), build_judge(config, (2,))
    _train_discriminator(D, shift)
    _train_critic(f, shift)
    with torch.no_grad():
        real, fake = _line(0.0, 4096), _line(shift, 4096)
        js = math.log(2) - 0.5 * float(_confusion(D, real, fake))
        distance = float(f(real).mean() - f(fake).mean())
    t = torch.tensor(shift, requires_grad=True)
    fake = torch.cat([t.expand(BATCH, 1), torch.rand(BATCH, 1)], dim=1)
    (slope_js,) = torch.autograd.grad(-minus_log_one_minus_d(D(fake)), t)
    fake = torch.cat([t.expand(BATCH, 1), torch.rand(BATCH, 1)], dim=1)
    (slope_earth_mover,) = torch.autograd.grad(-f(fake).mean(), t)
    return _Measured(max(js, 0.0), distance, abs(float(slope_js)), abs(float(slope_earth_mover)))


def _line(x: float, n: int) -> Tensor:
    return torch.cat([torch.full((n, 1), x), torch.rand(n, 1)], dim=1)


def _confusion(D: Judge, real: Tensor, fake: Tensor) -> Tensor:
    judged_real, judged_fake = D(real), D(fake)
    return cross_entropy(judged_real, torch.ones_like(judged_real)) + cross_entropy(
        judged_fake, torch.zeros_like(judged_fake)
    )


def _train_discriminator(D: Judge, shift: float) -> None:
    optimizer = Adam(D.parameters(), lr=RATE)
    for _ in range(STEPS):
        plain_update(_confusion(D, _line(0.0, BATCH), _line(shift, BATCH)), optimizer)


def _train_critic(f: Judge, shift: float) -> None:
    optimizer = Adam(f.parameters(), lr=RATE, betas=(0.0, 0.9))
    for _ in range(STEPS):
        real, fake = _line(0.0, BATCH), _line(shift, BATCH)
        distance = f(real).mean() - f(fake).mean()
        plain_update(-distance + LAMBDA * gradient_penalty(f, real, fake), optimizer)
