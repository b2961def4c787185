"""The cards of the generators that a run produces."""

import platform
from pathlib import Path

import torch

from zorse import __version__
from zorse.data.config import EdgesConfig
from zorse.model.card import Direction, ModelCard, TrainingData
from zorse.training.config import TrainConfig
from zorse.training.loop.loop import TrainingState, device_of


def generator_cards(config: TrainConfig, state: TrainingState) -> dict[str, ModelCard]:
    """A card for each generator of the recipe, by the generator's name."""
    recipe = config.recipe
    return {name: recipe.completed(_card(config, state, way)) for name, way in recipe.directions.items()}


def _card(config: TrainConfig, state: TrainingState, direction: Direction) -> ModelCard:
    generator, forward = config.recipe.generator, direction == "AtoB"
    return ModelCard(
        name=config.name if forward else config.name_reverse or f"{config.name}-reverse",
        task=f"{config.domain_a} to {config.domain_b}" if forward else f"{config.domain_b} to {config.domain_a}",
        domain_a=config.domain_a,
        domain_b=config.domain_b,
        direction=direction,
        architecture=generator,
        native_size=config.native_size,
        keeps_detail=config.recipe.keeps_scene,
        takes_strokes=isinstance(config.data, EdgesConfig) and config.data.strokes > 0,
        # pix2pix normalises each picture with its own statistics at test time, too (Isola et al. 2017, appendix 6.2).
        norm_at_test="picture",
        dropout_at_test=generator.dropout_at_test,
        training_data=config.training_data,
        training=training_summary(config, state),
        state="preview",
        zorse_version=__version__,
    )


def undescribed(data: Path, n_pictures: int) -> TrainingData:
    """What a card can say of pictures that nobody has said anything of (`training_data` in the config)."""
    return TrainingData(name=data.resolve().name, origin="not stated", licence="unknown", n_pictures=n_pictures)


def training_summary(config: TrainConfig, state: TrainingState) -> str:
    """Recipe, iterations, hours and hardware in one sentence."""
    crops = [config.data.crop_size, *(stage.crop_size for stage in config.data.stages)]
    sizes = ", then ".join(f"{crop} x {crop}" for crop in crops)
    return (
        f"{config.recipe.kind}, {state.iteration} iterations of batch {config.training.batch_size} at {sizes} "
        f"pixels, {state.seconds / 3600:.2f} hours on {hardware(state)}.{_start(config)}"
    )


def _start(config: TrainConfig) -> str:
    points = [f"{point.network} {Path(point.model).name} (sha256 {point.sha256[:16]})" for point in config.start]
    return f" Started from: {', '.join(points)}." if points else ""


def hardware(state: TrainingState) -> str:
    """What computes, in a few words."""
    device = device_of(state)
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"{threads} {'thread' if threads == 1 else 'threads'} of a CPU ({platform.machine()})"
