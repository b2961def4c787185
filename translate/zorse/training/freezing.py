"""Layers that keep their weights while the others learn."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from torch import nn

from zorse.errors import ConfigError
from zorse.networks.abilities import having_encoder
from zorse.recipes.recipe import Recipe
from zorse.training.config import TrainConfig

ENCODER = "encoder"
"""Stands for a generator's layers from the picture to its lowest resolution."""


def freeze(recipe: Recipe[object], config: TrainConfig) -> None:
    """Take the layers of `training.freeze` out of the training.

    Raises:
        ConfigError: a pattern fits no layer, or an optimizer has nothing left to train.
    """
    wanted = config.training.freeze
    parameters = {
        f"{network}.{name}": parameter
        for network, module in recipe.networks.items()
        for name, parameter in module.named_parameters()
    }
    for pattern in wanted:
        patterns = _encoders(recipe) if pattern == ENCODER else [pattern]
        names = [name for name in parameters if any(_fits(name, p, recipe.generators) for p in patterns)]
        if not names:
            raise ConfigError(
                f"training.freeze holds {pattern!r}, which fits no layer. Write {ENCODER!r}, or a layer, or a part of "
                "its name with *. With the network's name in front it is meant in that one, without in all generators. "
                f"The layers are: {', '.join(_layers(recipe.networks))}."
            )
        for name in names:
            parameters[name].requires_grad_(False)
    for name, optimizer in recipe.optimizers.items():
        if not any(parameter.requires_grad for group in optimizer.param_groups for parameter in group["params"]):
            raise ConfigError(
                f"training.freeze = {list(wanted)} leaves nothing to train of the networks of the optimizer {name}. "
                "Freeze fewer layers."
            )


def _fits(name: str, pattern: str, generators: Iterable[str]) -> bool:
    """Whether the pattern names the parameter or a module around it; the name of a generator may be left out."""
    network, _, inside = name.partition(".")
    candidates = [name, inside] if network in generators else [name]
    return any(fnmatchcase(candidate, p) for candidate in candidates for p in (pattern, f"{pattern}.*"))


def _encoders(recipe: Recipe[object]) -> list[str]:
    """The modules between the picture and the lowest resolution, of each generator."""
    wanted_by = f"training.freeze = [{ENCODER!r}]"
    return [
        f"{name}.{layer}"
        for name, generator in recipe.generators.items()
        for layer in having_encoder(generator, wanted_by).encoder_layers
    ]


def _layers(networks: Mapping[str, nn.Module]) -> list[str]:
    """The modules that have parameters, each once."""
    return [
        f"{network}.{name}"
        for network, module in networks.items()
        for name, layer in module.named_modules()
        if name and next(layer.parameters(recurse=False), None) is not None
    ]
