"""Gradient descent on min_x max_y xy does not converge, though its equilibrium (0, 0) is as simple as can be.

x <- x - h y,  y <- y + h x      at the same time: every step is a turn that also lengthens (x, y) by sqrt(1 + h^2)
x <- x - h y,  y <- y + h x_new  one after the other: round and round on a closed curve

Each player's best move changes with the other's, so descent for both is a rotation and no way down (Goodfellow 2016,
NIPS tutorial, section 7.2; Salimans et al. 2016, section 3.3). A GAN near its equilibrium is such a game.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from zorse.gans.lessons.lesson import BLUE, GREY, ORANGE, Lesson, panels
from zorse.gans.recipes.tricks import Tricks, TricksConfig
from zorse.recipes.recipe import frozen, plain_update

TITLE = "Gradient descent on xy does not converge"

STEPS = 400
RATE = 0.1


class Player(nn.Module):
    """Has one number to play with."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.ones(()))

    def forward(self) -> Tensor:
        """The number."""
        return self.value


@dataclass(frozen=True)
class _Way:
    """One way of playing."""

    name: str
    colour: str
    optimizer: Callable[[Any], Optimizer]
    at_once: bool = False
    """Both players move at the same time, not one after the other."""
    tricks: TricksConfig = field(default_factory=TricksConfig)


def _sgd(parameters: Any) -> Optimizer:
    return SGD(parameters, lr=RATE)


def _adam(parameters: Any) -> Optimizer:
    return Adam(parameters, lr=RATE, betas=(0.5, 0.999))


WAYS = (
    _Way("both at once", ORANGE, _sgd, at_once=True),
    _Way("one after the other", GREY, _sgd),
    _Way("one after the other, Adam", "#b39ddb", _adam),
    _Way("with historical averaging", BLUE, _sgd, tricks=TricksConfig(historical_averaging=1.0)),
)


def teach() -> Lesson:
    """Play in four ways from (1, 1)."""
    figure, (plane, distance) = panels(["The way of (x, y) from (1, 1)", "Distance from the equilibrium"])
    rows = []
    for way in WAYS:
        path = _played(way)
        radius = path.norm(dim=1)
        plane.plot(path[:, 0], path[:, 1], color=way.colour, linewidth=1)
        distance.plot(radius, color=way.colour, label=way.name)
        rows.append((way.name, f"{radius[STEPS // 2]:.3g}", f"{radius[-1]:.3g}"))
    plane.plot([0], [0], "k+")
    plane.set(xlabel="x, which wants xy small", ylabel="y, which wants it large", aspect="equal")
    plane.set(xlim=(-4, 4), ylim=(-4, 4))
    distance.set(xlabel="steps", ylabel="|(x, y)|", yscale="log")
    distance.legend(fontsize="small")
    return Lesson(
        (("gradient descent", f"distance after {STEPS // 2}", f"after {STEPS}"), *rows),
        f"They begin sqrt(2) away. At once, every step multiplies the distance by sqrt(1 + {RATE}^2); one after the "
        "other, it stays as it is, and Adam makes it grow again. What damps the rotation helps: here the pull towards "
        "the mean of all earlier positions (recipe.tricks.historical_averaging).",
        figure,
    )


def _played(way: _Way) -> Tensor:
    """Positions (STEPS + 1, 2)."""
    x, y = Player(), Player()
    optimizer_x, optimizer_y = way.optimizer(x.parameters()), way.optimizer(y.parameters())
    tricks = Tricks(way.tricks, {"x": x, "y": y})
    path = [torch.stack([x(), y()]).detach()]
    for _ in range(STEPS):
        before = x().detach().clone()
        with frozen(y):
            plain_update(x() * y() + tricks.look_back("x"), optimizer_x)
        with frozen(x):
            seen = before if way.at_once else x()
            plain_update(-seen * y() + tricks.look_back("y"), optimizer_y)
        path.append(torch.stack([x(), y()]).detach())
    return torch.stack(path)
