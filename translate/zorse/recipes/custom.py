"""Methods of other people, named by import path."""

from zorse.data.loader import Batch
from zorse.errors import ConfigError
from zorse.model.architecture import Custom, DiscriminatorConfig, GeneratorConfig, ResnetConfig
from zorse.recipes.losses import Objective
from zorse.recipes.recipe import Recipe
from zorse.system.import_paths import constructed

_METHODS = ("step", "preview", "state_dict", "load_state_dict")


class CustomRecipeConfig(Custom):
    """Settings of somebody else's method, a class that is called with them and has the shape of
    `zorse.recipes.recipe.Recipe`. Settings that are not named here are its attributes: `config.my_weight`."""

    generator: GeneratorConfig = ResnetConfig()
    """Of the generators, for the model cards; the method builds them with `build_generator(config.generator)`."""
    discriminators: tuple[DiscriminatorConfig, ...] = ()
    """Judges, if it has any; the method builds them with `build_discriminator(config.discriminators)`."""
    objective: Objective | None = None
    """Adversarial loss, for the alarms of the flight recorder; none where they shall not look at logits."""
    label_smoothing: float = 0.0
    """Real pictures are labelled 1 minus this (one-sided)."""
    keeps_detail: bool = False
    """Whether pictures and translations show the same things, so that large ones may be translated small and their
    detail kept."""


def custom_recipe(config: CustomRecipeConfig) -> Recipe[Batch]:
    """The method, with fresh networks.

    Raises:
        ConfigError: its code is not allowed, fails, or does not make a recipe.
    """
    recipe = constructed(config.kind, object, {}, config, has=_METHODS)
    if not isinstance(recipe, Recipe):
        raise ConfigError(
            f"{config.kind} makes a {type(recipe).__name__}, which is not a method: it needs what "
            f"zorse.recipes.recipe.Recipe has ({', '.join(name for name in vars(Recipe) if not name.startswith('_'))})."
        )
    return recipe
