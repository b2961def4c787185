"""Each trick as settings, so that its effect can be measured: the same preset with it and without it."""

from collections.abc import Mapping

from zorse.errors import ConfigError
from zorse.gans.training.config import BaselineConfig
from zorse.training.config import with_overrides

D_STEPS = 5
"""Of the trick that lets the discriminator take several; the batch grows with them, so that each sees as many."""

TRICKS: Mapping[str, tuple[str, ...]] = {
    "label smoothing": ("recipe.tricks.label_smoothing=0.1",),
    "soft labels": ("recipe.tricks.label_noise=0.1",),
    "swapped labels": ("recipe.tricks.label_flips=0.05",),
    "several D steps": (f"recipe.tricks.d_steps={D_STEPS}",),
    "feature matching": ("recipe.tricks.feature_matching=1",),
    "minibatch discrimination": ("recipe.discriminator.minibatch_kernels=16",),
    "historical averaging": ("recipe.tricks.historical_averaging=1",),
    "virtual normalisation": ("recipe.generator.norm=virtual",),
    "DiffAugment": ("recipe.tricks.augment=true",),
    "no moving average": ("training.ema_decay=0",),
}
"""Their settings by their names. The moving average of G is on in all presets, so what is measured is its absence."""


def with_tricks(config: BaselineConfig) -> dict[str, tuple[BaselineConfig, tuple[str, ...]]]:
    """The config with each trick that its method and its samples allow, by the tricks' names, and what was set."""
    changed = {}
    for name, settings in TRICKS.items():
        if name == "several D steps":
            settings = (*settings, f"training.batch_size={D_STEPS * config.training.batch_size}")
        try:
            changed[name] = with_overrides(config, settings), settings
        except ConfigError:  # A critic knows no labels, points cannot be augmented.
            continue
    return changed
