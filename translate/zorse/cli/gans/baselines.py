"""What `zorse train` does with a preset of the baseline GANs, or with such settings from a file."""

from collections.abc import Sequence
from pathlib import Path

from zorse.cli.console import Console
from zorse.cli.stopping import say_stopped
from zorse.gans.training.config import BaselineConfig, read_baseline_config, settings_of
from zorse.gans.training.presets import BASELINE_PRESETS
from zorse.gans.training.run import train_baseline
from zorse.training.config import with_overrides
from zorse.training.files import RunFolder, draws_samples
from zorse.training.loop.loop import TrainingDevice

NAMES = tuple(BASELINE_PRESETS)
"""Of the presets."""


def find_baseline(preset: str) -> BaselineConfig | None:
    """The settings that a preset's name or a file stands for; None if they are those of a translator, or of nothing.

    Raises:
        ConfigError: a file that cannot be read, or whose settings do not fit.
    """
    if not preset.endswith(".toml"):
        return BASELINE_PRESETS[preset]() if preset in BASELINE_PRESETS else None
    return read_baseline_config(Path(preset)) if draws_samples(Path(preset)) else None


def train_from_command(
    source: BaselineConfig,
    settings: Sequence[str],
    data: Path | None,
    folder: Path,
    console: Console,
    *,
    resume: bool,
    device: TrainingDevice,
) -> None:
    """Train, and say where the results are.

    Args:
        source: the preset, or the settings from a file.
        settings: of `--set`.
        data: folder of the samples.
        folder: of the run.
        console: for progress.
        resume: go on from the last checkpoint, with the run's own settings.
        device: where to compute.
    """
    if resume:
        source = settings_of(RunFolder(folder), source)
    config = with_overrides(source, settings)
    console.print(f"Training {config.name} ({config.recipe.kind}) in {folder}")
    state = train_baseline(config, data, folder, resume=resume, device=device, console=console)
    if state.interrupted:
        say_stopped(state, folder, console)
    console.print(f"Done. The generator with its card is in {folder / 'generators'}; next: zorse sample {folder}")
    if (best := RunFolder(folder).best_generators).is_dir():
        console.print(f"The best one is in {best}: zorse sample {folder} --checkpoint best")
