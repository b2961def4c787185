"""What watches such a run besides the observers of all runs: sheets of samples, checkpoints with the generator."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from zorse.data.samples.dataset import SampleSet
from zorse.imaging.sheets import Pixels, sheet
from zorse.recipes.recipe import StepResult
from zorse.samples.sampler import as_pixels
from zorse.training.baselines.config import BaselineConfig
from zorse.training.baselines.view import players_view
from zorse.training.files import RunFolder, write_atomically
from zorse.training.loop import TrainingState, device_of
from zorse.training.observers import encode_png

N_POINTS, N_PICTURES = 1024, 64
"""On a sheet."""
ROOM = 1.25
"""Side of a drawing of the plane, relative to the farthest real point."""


class SampleSheets:
    """Draws what the averaged generator makes of the same latents all along, every `sample_every` steps."""

    def __init__(self, run: RunFolder, config: BaselineConfig, writer: SummaryWriter, samples: SampleSet) -> None:
        self._folder = run.samples
        self._every = config.training.sample_every
        self._boundary = config.boundary
        self._writer = writer
        self._real = samples.batch(0, N_POINTS if len(samples.shape) == 1 else N_PICTURES)

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Draw a sheet when it is time, and at the end of the run."""
        if state.iteration % self._every and state.iteration != state.total:
            return
        device = device_of(state)
        inputs = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in self._real.items()}
        # The training must not miss the random numbers that are drawn here, and they shall always be the same.
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            drawn = state.recipe.preview(inputs, state.averages)
        picture = self._drawing(state, drawn)
        write_atomically(self._folder / f"{state.iteration:08d}.png", lambda file: file.write(encode_png(picture)))
        self._writer.add_image("samples", picture, state.iteration, dataformats="HWC")

    def at_end(self, state: TrainingState) -> None:
        """Nothing left to do."""

    def _drawing(self, state: TrainingState, drawn: dict[str, Tensor]) -> Pixels:
        fake = drawn["fake"]
        if fake.ndim == 2:
            real = self._real["x"].numpy()
            reach = ROOM * float(np.abs(real).max())
            return players_view(state.recipe.networks, self._boundary, real, fake, reach)
        return sheet(np.concatenate([as_pixels(pictures) for pictures in drawn.values()], axis=2))
