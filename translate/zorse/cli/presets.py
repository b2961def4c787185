"""Presets by their names: the command line knows those of translators and those of the baseline GANs."""

from pathlib import Path

from zorse.cli.gans.baselines import NAMES
from zorse.errors import ConfigError, did_you_mean
from zorse.training.config import TrainConfig, read_config
from zorse.training.presets import PRESETS


def find_translator(preset: str) -> TrainConfig:
    """The settings of a translator that a preset's name or a file stands for.

    Raises:
        ConfigError: there is no such preset, or a file that cannot be read, or whose settings do not fit.
    """
    if preset.endswith(".toml"):
        return read_config(Path(preset))
    if preset not in PRESETS:
        guess = did_you_mean(preset, [*PRESETS, *NAMES])
        raise ConfigError(
            f"{preset!r} is neither a preset nor a .toml file.{guess} The presets are: {', '.join(sorted(PRESETS))}; "
            f"of the baseline GANs: {', '.join(sorted(NAMES))}."
        )
    return PRESETS[preset]()
