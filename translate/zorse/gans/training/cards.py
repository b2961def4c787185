"""The card of the generator that such a run produces."""

from zorse import __version__
from zorse.gans.card import SampleCard
from zorse.gans.data.batch import SampleSet
from zorse.gans.recipes.cogan import CoGANConfig
from zorse.gans.training.config import BaselineConfig
from zorse.training.cards import hardware
from zorse.training.loop.loop import TrainingState

GENERATOR = "G"
"""Every recipe's name of it."""


def sample_card(config: BaselineConfig, samples: SampleSet, state: TrainingState) -> SampleCard:
    """What the averaged generator is now."""
    domains = (config.shows, f"{config.shows}: {config.data.companion}")
    return SampleCard(
        name=config.name,
        method=config.recipe.kind,
        shows=config.shows,
        architecture=config.recipe.generator,
        class_names=samples.class_names,
        domains=domains if isinstance(config.recipe, CoGANConfig) else None,
        training_data=config.training_data,
        training=(
            f"{config.recipe.kind}, {state.iteration} iterations of batch {config.training.batch_size}, "
            f"{state.seconds / 3600:.2f} hours on {hardware(state)}."
        ),
        zorse_version=__version__,
    )
