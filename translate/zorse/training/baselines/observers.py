"""What watches such a run besides the observers of all runs: sheets of samples, checkpoints with the generator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from zorse.data.samples.dataset import SampleSet
from zorse.imaging.sheets import Pixels, sheet
from zorse.recipes.recipe import StepResult
from zorse.sample_file import save_sample_generator
from zorse.samples.sampler import as_pixels
from zorse.training.baselines.cards import GENERATOR, sample_card
from zorse.training.baselines.config import BaselineConfig
from zorse.training.baselines.view import players_view
from zorse.training.checkpoint import keep_checkpoint, save_checkpoint
from zorse.training.config import to_toml
from zorse.training.files import RunFolder, write_atomically
from zorse.training.loop import TrainingState, check_weights, device_of
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


class SampleSaver:
    """Writes a checkpoint and the averaged generator with its card every `save_every` steps, and when the run ends.

    Every `keep_every` steps the generator is kept for good.

    Args:
        run: where to.
        config: of the run.
        samples: that it learns from.
        accelerator: of the run.
        healthy: tells whether the run is, so that the checkpoint is kept until there is a newer healthy one.

    Raises:
        TrainingDivergedError: a weight is not finite; the checkpoint saved before is kept.
    """

    def __init__(
        self,
        run: RunFolder,
        config: BaselineConfig,
        samples: SampleSet,
        accelerator: Accelerator,
        healthy: Callable[[], bool],
    ) -> None:
        self._run, self._config, self._samples = run, config, samples
        self._accelerator, self._healthy = accelerator, healthy
        self._saved_at = -1

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Save every `save_every` steps; keep the generator for good every `keep_every` steps."""
        settings = self._config.training
        if state.iteration % settings.save_every == 0:
            self._save(state)
        if settings.keep_every and state.iteration % settings.keep_every == 0:
            check_weights(state)
            self._save_generator(state, self._run.kept_generators / f"{state.iteration:08d}")

    def at_end(self, state: TrainingState) -> None:
        """Save once more, unless that has just been done."""
        if self._saved_at != state.iteration:
            self._save(state)

    def _save(self, state: TrainingState) -> None:
        check_weights(state)
        save_checkpoint(self._run.last_checkpoint, state, self._accelerator, to_toml(self._config))
        if self._healthy():
            keep_checkpoint(self._run.last_checkpoint, self._run.healthy_checkpoint)
        self._save_generator(state, self._run.generators)
        self._saved_at = state.iteration

    def _save_generator(self, state: TrainingState, folder: Path) -> None:
        card = sample_card(self._config, self._samples, state)
        save_sample_generator(folder / f"{GENERATOR}.safetensors", state.averages[GENERATOR], card)
