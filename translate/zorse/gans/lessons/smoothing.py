"""What label smoothing may not do to fakes.

With real samples labelled a and fakes labelled b, the optimal discriminator is (Salimans et al. 2016, section 3.4)

D(x) = (a p_real(x) + b p_fake(x)) / (p_real(x) + p_fake(x))

a < 1 only lowers D's confidence. b > 0 is another matter: where G puts its samples and no real ones are, D is b
whatever x is: flat, so that nothing tells G to leave.
"""

import torch
from torch import Tensor
from torch.optim import Adam

from zorse.gans.architecture import MLPJudgeConfig
from zorse.gans.lessons.lesson import BLUE, GREY, ORANGE, Lesson, panels
from zorse.gans.networks.judges import Judge, build_judge
from zorse.gans.recipes.game import cross_entropy, minus_log_d
from zorse.recipes.recipe import plain_update

TITLE = "What label smoothing may not do to fakes"

REAL_AT, FAKE_AT, STD = -1.0, 1.0, 0.5
"""Means and standard deviation of two Gaussians on a line."""
STEPS, BATCH, RATE = 500, 512, 3e-3
LABELS: dict[str, tuple[float, float, str]] = {
    "hard: 1 and 0": (1.0, 0.0, GREY),
    "one-sided: 0.9 and 0": (0.9, 0.0, BLUE),
    "two-sided: 0.9 and 0.1": (0.9, 0.1, ORANGE),
}
"""Labels of real samples and fakes, and a colour."""


def teach() -> Lesson:
    """Train a discriminator with each pair of labels, and ask what it tells G."""
    figure, (belief, push) = panels(["D(x), trained (dots: the formula)", "What -log D(x) tells a fake at x"])
    line = torch.linspace(-2.2, 2.2, 120)[:, None]
    density_real, density_fake = _density(line, REAL_AT), _density(line, FAKE_AT)
    rows = []
    for name, (a, b, colour) in LABELS.items():
        D = _trained(a, b)
        slope = _slope(D, line)
        optimum = (a * density_real + b * density_fake) / (density_real + density_fake)
        belief.plot(line, torch.sigmoid(D(line)).detach(), color=colour, label=name)
        belief.plot(line[::6], optimum[::6], ".", color=colour, markersize=4)
        push.plot(line, slope, color=colour, label=name)
        fakes = FAKE_AT + STD * torch.randn(4096, 1)
        believed = float(torch.sigmoid(D(fakes)).detach().mean())
        rows.append((name, f"{believed:.3f}", f"{float(_slope(D, fakes).mean()):.2f}"))
    for axis in (belief, push):
        axis.axvspan(FAKE_AT - STD, FAKE_AT + STD, color=ORANGE, alpha=0.12, linewidth=0)
        axis.axvspan(REAL_AT - STD, REAL_AT + STD, color=BLUE, alpha=0.12, linewidth=0)
        axis.set_xlabel("x (blue: real samples, orange: fakes)")
    belief.legend(fontsize="small")
    push.set_ylabel("d(-log D) / dx")
    return Lesson(
        (("labels", "mean D at the fakes", "mean push at the fakes"), *rows),
        "The push is towards the real samples where it is positive: gradient descent moves a fake to the left. Hard "
        "labels and one-sided smoothing push the fakes all the same, the latter with a D that is less sure of itself "
        "about real samples. Smoothing the fakes' labels too takes most of the push away just where the fakes are, and "
        "the farther they are, the more. So recipe.tricks.label_smoothing is one-sided: fakes stay 0.",
        figure,
    )


def _trained(a: float, b: float) -> Judge:
    D = build_judge(MLPJudgeConfig(hidden=(64, 64)), (1,))
    optimizer = Adam(D.parameters(), lr=RATE)
    for _ in range(STEPS):
        judged_real, judged_fake = D(REAL_AT + STD * torch.randn(BATCH, 1)), D(FAKE_AT + STD * torch.randn(BATCH, 1))
        loss_D = cross_entropy(judged_real, torch.full_like(judged_real, a)) + cross_entropy(
            judged_fake, torch.full_like(judged_fake, b)
        )
        plain_update(loss_D, optimizer)
    return D


def _slope(D: Judge, x: Tensor) -> Tensor:
    """d(-log D) / dx at each of (N, 1)."""
    x = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(minus_log_d(D(x)) * len(x), x)  # The loss is a mean.
    return slope


def _density(x: Tensor, mean: float) -> Tensor:
    """Up to a factor that both Gaussians share."""
    return torch.exp(-0.5 * ((x - mean) / STD) ** 2)
