"""A run with networks, methods or readers of others: their code is allowed, and what it makes is looked at."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from zorse.backends.torch.safetensors_file import blank_generator, first_difference
from zorse.errors import CustomCodeError
from zorse.imaging.custom_readers import reading_with
from zorse.model.architecture import CustomGeneratorConfig, GeneratorConfig
from zorse.recipes.recipe import Recipe
from zorse.runtime.passes import MIN_SIDE
from zorse.system.import_paths import allow_code, described
from zorse.training.config import TrainConfig


@contextmanager
def own_code(config: TrainConfig, console: Console | None = None) -> Iterator[None]:
    """Inside, the code that the settings of a run name is allowed: they are the word of the user who trains with them.

    So are those of a run that goes on, since it goes on only where the user says so. Settings that others have written
    are to be read before, as every program of others.

    Raises:
        CustomCodeError: a reader of pictures is not installed.
    """
    if console is not None and config.code:
        console.print(f"This run uses the code of {', '.join(sorted(config.code))}, which its settings name.")
    with allow_code(config.code), reading_with(config.data.readers):
        yield


def check_generators(recipe: Recipe[Any], config: GeneratorConfig) -> None:
    """See that generators are what the settings, and so their cards, say, before they learn.

    Args:
        recipe: fresh.
        config: of its generators.

    Raises:
        CustomCodeError: they are others, or give no pictures of the size of what they take.
    """
    expected = blank_generator(config).state_dict()
    for name, generator in recipe.generators.items():
        if difference := first_difference(expected, generator.state_dict()):
            raise CustomCodeError(
                f"The generator {name} is not what recipe.generator describes: {difference}. Make it with "
                "zorse.networks.build.build_generator from the settings of the method."
            )
        if isinstance(config, CustomGeneratorConfig):
            _check_shape(name, generator, config)


def _check_shape(name: str, generator: nn.Module, config: CustomGeneratorConfig) -> None:
    multiple = config.size_multiple
    # Odd times the multiple, and not below the least side: the sides are multiples of no other number that is likely.
    odd = -(-MIN_SIDE // multiple) // 2 * 2 + 1
    picture = torch.zeros(1, config.in_channels, odd * multiple, (odd + 2) * multiple)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            result = copy.deepcopy(generator).eval()(picture)
    except Exception as error:  # Whatever it does.
        raise CustomCodeError(
            f"The generator {name}, {config.kind}, cannot translate a picture (1, 3, {picture.shape[2]}, "
            f"{picture.shape[3]}): {described(error)}. {_ABOUT_MULTIPLES}"
        ) from error
    if not isinstance(result, Tensor) or result.shape != picture.shape:
        came = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        raise CustomCodeError(
            f"The generator {name}, {config.kind}, was given a picture {tuple(picture.shape)}; another one of that "
            f"shape was wanted, but {came} came. {_ABOUT_MULTIPLES}"
        )


_ABOUT_MULTIPLES = (
    "If it takes only sides that are multiples of some number, set recipe.generator.size_multiple to that number."
)
