"""One game in the plane, played step by step. Imports torch."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from zorse.backends.torch.backend import using_threads
from zorse.gans.data.config import MixtureConfig, MixtureShape
from zorse.gans.data.mixtures import Mixture, centres, spread
from zorse.gans.metrics.modes import ModeFigures, measure_modes
from zorse.gans.networks.latents import draw_latents
from zorse.gans.sheets import Pixels, plane
from zorse.gans.training.build import build_baseline
from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.presets import points
from zorse.gans.training.view import players_view
from zorse.recipes.recipe import plain_update

SHOWN, MEASURED = 400, 1000
"""Points that are drawn, and that figures are measured on."""
REACH = {"ring": 2.8, "grid": 5.2, "spiral": 4.0}

_TURN = threading.Lock()
"""PyTorch's source of chance is one for all: whoever plays holds it."""


@dataclass(frozen=True)
class View:
    """How a game stands."""

    step: int
    picture: Pixels
    figures: ModeFigures
    losses: dict[str, float]
    finite: bool
    """Whether all is still made of numbers."""


class Experiment:
    """A method that learns a distribution. What happens depends on its settings and its seed, and on nothing else.

    Args:
        method: beginning of a preset's name, such as "wgan_gp".
        distribution: that it learns.
        seed: of all chance.
    """

    def __init__(self, method: str, distribution: MixtureShape, seed: int) -> None:
        self.config: BaselineConfig = points(method, distribution)
        self.step = 0
        self._reach = REACH[distribution]
        mixture = MixtureConfig(distribution=distribution)
        self._means, self._std, self._samples = centres(distribution), spread(mixture), Mixture(mixture, seed)
        self._losses: dict[str, float] = {}
        self._chance = torch.Generator().manual_seed(seed).get_state()
        with self._turn():
            self._recipe = build_baseline(self.config.recipe)

    def advance(self, steps: int, seconds: float) -> None:
        """Play at most so many steps, for about so long at most."""
        size = self.config.training.batch_size
        with self._turn():
            end = time.monotonic() + seconds
            for _ in range(steps):
                batch = self._samples.batch(self.step * size, size)
                losses = self._recipe.step(batch, self.step, plain_update).losses
                self.step += 1
                self._losses = {name: float(loss) for name, loss in losses.items()}
                if time.monotonic() > end:
                    break

    def look(self) -> View:
        """How the game stands; looking changes nothing."""
        latent, generator = self.config.recipe.generator.latent, self._recipe.generators["G"]
        with torch.no_grad():
            fake = generator(draw_latents(latent, MEASURED, chance=torch.Generator().manual_seed(0)))
        real, finite = self._samples.batch(0, SHOWN)["x"].numpy(), bool(torch.isfinite(fake).all())
        if finite:
            picture = players_view(self._recipe.networks, self.config.boundary, real, fake[:SHOWN], self._reach)
        else:
            picture = plane(real, None, self._reach)
        figures = measure_modes(fake.nan_to_num().numpy(), self._means, self._std)
        return View(self.step, picture, figures, dict(self._losses), finite)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Inside, chance is this game's own, and one core is used."""
        with _TURN, using_threads(1), torch.random.fork_rng([]):
            torch.set_rng_state(self._chance)
            yield
            self._chance = torch.get_rng_state()
