"""The sheet of samples that such a run draws now and then."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from zorse.gans.data.batch import SampleSet
from zorse.gans.sampling.sampler import as_pixels
from zorse.gans.sheets import Pixels, sheet
from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.view import players_view
from zorse.training.loop.loop import TrainingState, device_of
from zorse.training.observers.logging import on_device

N_POINTS, N_PICTURES = 1024, 64
"""On a sheet."""
ROOM = 1.25
"""Side of a drawing of the plane, relative to the farthest real point."""


def sheet_of(config: BaselineConfig, samples: SampleSet) -> Callable[[TrainingState], Pixels]:
    """Draws what the averaged generator makes of as many latents as there are samples on a sheet."""
    real = samples.batch(0, N_POINTS if len(samples.shape) == 1 else N_PICTURES)

    def draw(state: TrainingState) -> Pixels:
        drawn: dict[str, Tensor] = state.recipe.preview(on_device(real, device_of(state)), state.averages)
        fake = drawn["fake"]
        if fake.ndim == 2:
            points = real["x"].numpy()
            reach = ROOM * float(np.abs(points).max())
            return players_view(state.recipe.networks, config.boundary, points, fake, reach)
        return sheet(np.concatenate([as_pixels(pictures) for pictures in drawn.values()], axis=2))

    return draw
