"""Methods of others: a class of the shape of `Recipe`, named by its import path, that the loop trains like its own."""

from typing import Any, ClassVar

from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from zorse.errors import CustomCodeError
from zorse.model.architecture import Custom, DiscriminatorConfig, GeneratorConfig, ResnetConfig
from zorse.model.card import Direction, ModelCard
from zorse.recipes.method import Domain
from zorse.recipes.recipe import Recipe
from zorse.system.import_paths import ImportPath, construct, resolve

_METHODS = ("step", "preview", "state_dict", "load_state_dict")
_PARTS: dict[str, type] = {"networks": nn.Module, "generators": nn.Module, "optimizers": Optimizer}


class CustomRecipeConfig(Custom):
    """A method of others: a class like those in `zorse.recipes`, called with this and all other settings by name."""

    kind: ImportPath
    """Where its class is: "mypackage.recipes:MyMethod"."""
    generator: GeneratorConfig = ResnetConfig()
    """Of all its generators."""
    discriminators: tuple[DiscriminatorConfig, ...] = ()
    """Its discriminators, if it has some."""
    directions: dict[str, Direction] = Field(default={"G": "AtoB"}, min_length=1)
    """Which way each of its generators translates, by the generators' names."""
    keeps_scene: bool = True
    """Whether output and input show the same things in the same places, and not anything, such as edges and photos."""
    boundary: float | None = None
    """The logit at which its discriminators hold real and generated pictures to be equally likely: 0.5 for LSGAN, 0 for
    most others; none for critics."""

    judged: ClassVar[dict[str, Domain]] = {}
    judges_pairs: ClassVar[bool] = False
    trunk: ClassVar[str | None] = None
    pictures_kept: ClassVar[int] = 0

    def completed(self, card: ModelCard) -> ModelCard:
        """See `MethodConfig`."""
        return card


def custom_recipe(config: CustomRecipeConfig) -> Recipe[Any]:
    """The method, with fresh networks.

    Raises:
        CustomCodeError: it may not run, is not installed, or is no method.
    """
    made = resolve(config.kind)
    if not isinstance(made, type):
        raise CustomCodeError(f"{config.kind} is no method: a class was wanted.")
    if lacking := [name for name in _METHODS if not callable(getattr(made, name, None))]:
        raise CustomCodeError(_not_whole(config, lacking))
    recipe: Recipe[Any] = construct(config.kind, made, config.arguments, config)
    _check(recipe, config)
    return recipe


def _check(recipe: Recipe[Any], config: CustomRecipeConfig) -> None:
    for part, kind in _PARTS.items():
        named = getattr(recipe, part, None)
        if not isinstance(named, dict) or not named or not all(isinstance(each, kind) for each in named.values()):
            raise CustomCodeError(
                f"{config.kind} is no whole method: its {part} were wanted as a dict from names to "
                f"{kind.__module__}.{kind.__name__}, and are {named!r:.200}."
            )
    if recipe.generators.keys() != config.directions.keys():
        raise CustomCodeError(
            f"The generators of {config.kind} are {', '.join(recipe.generators)}, but recipe.directions names "
            f"{', '.join(config.directions)}. Say of each which way it translates, for example "
            'recipe.directions = {G = "AtoB"}.'
        )
    networks = set(map(id, recipe.networks.values()))
    if outside := [name for name, generator in recipe.generators.items() if id(generator) not in networks]:
        raise CustomCodeError(
            f"{config.kind} is no whole method: its generators {', '.join(outside)} are not among its networks, so "
            "that checkpoints would lose them."
        )


def _not_whole(config: CustomRecipeConfig, lacking: list[str]) -> str:
    return (
        f"{config.kind} is no whole method: it has no {', '.join(lacking)}. A method has the attributes "
        f"{', '.join(_PARTS)} and the methods {', '.join(_METHODS)}, as zorse.recipes.recipe.Recipe describes them."
    )
