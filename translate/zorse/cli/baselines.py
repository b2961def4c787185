"""What `zorse train` does with a preset of the baseline GANs, or with such settings from a file."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from zorse.errors import ConfigError
from zorse.training.baselines.config import BaselineConfig, describes_baseline, read_baseline_config
from zorse.training.baselines.presets import BASELINE_PRESETS
from zorse.training.baselines.run import train_baseline
from zorse.training.config import with_overrides
from zorse.training.files import RunFolder
from zorse.training.loop import Device


def find_baseline(preset: str) -> BaselineConfig | None:
    """The settings that a preset's name or a file stands for; None if they are those of a translator, or of nothing.

    Raises:
        ConfigError: a file that cannot be read, or whose settings do not fit.
    """
    if not preset.endswith(".toml"):
        return BASELINE_PRESETS[preset]() if preset in BASELINE_PRESETS else None
    return read_baseline_config(Path(preset)) if describes_baseline(Path(preset)) else None


def train_from_command(
    source: BaselineConfig,
    settings: Sequence[str],
    data: Path | None,
    folder: Path,
    console: Console,
    *,
    resume: bool,
    device: Device,
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
        source = _settings_of(RunFolder(folder), source)
    config = with_overrides(source, settings)
    console.print(f"Training {config.name} ({config.recipe.kind}) in {folder}")
    state = train_baseline(config, data, folder, resume=resume, device=device, console=console)
    if state.interrupted:
        console.print(
            f"Stopped after iteration {state.iteration} of {state.total}; everything is saved. Go on with the same "
            f"command and: --out {folder} --resume"
        )
        raise typer.Exit(130)
    console.print(f"Done. The generator with its card is in {folder / 'generators'}; next: zorse sample {folder}")
    if (best := RunFolder(folder).best_generators).is_dir():
        console.print(f"The best one is in {best}: zorse sample {folder} --checkpoint best")


def _settings_of(run: RunFolder, preset: BaselineConfig) -> BaselineConfig:
    if not run.config.exists():
        return preset
    if not describes_baseline(run.config):
        raise ConfigError(
            f"The run in {run.root} trains a translator, but {preset.name} was named for going on with it. Name the "
            "preset that it was started with, or choose another --out."
        )
    saved = read_baseline_config(run.config)
    if saved.recipe.kind != preset.recipe.kind:
        raise ConfigError(
            f"The run in {run.root} trains {saved.recipe.kind}, but the preset that was named for going on with it is "
            f"one of {preset.recipe.kind}. Name the preset that it was started with, or choose another --out."
        )
    return saved
