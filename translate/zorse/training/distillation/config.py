"""The settings of a distillation: what follows from the teacher, and how long and on what to train."""

from pathlib import Path
from typing import Any, Literal

from zorse.data.config import DataConfig, EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.layout import find_pairs
from zorse.imaging.strokes import USUAL_SHARE
from zorse.metrics.pictures import Kind
from zorse.model.architecture import CompactConfig, GeneratorConfig
from zorse.recipes.distillation import DistillationConfig
from zorse.training.config import LoopConfig, TrainConfig
from zorse.training.distillation.teacher import FoundTeacher

Preset = Literal["cpu", "gpu"]

PRESETS: dict[Preset, LoopConfig] = {
    "cpu": LoopConfig(iterations=4000, ema_decay=0.995),
    "gpu": LoopConfig(
        iterations=20_000, batch_size=8, precision="bf16", channels_last=True, compile=True, num_workers=8
    ),
}
"""Distillations by name: for one core of a CPU in about an hour, and for a GPU in about half an hour."""

SCALE = (0.85, 1.2)
"""Zoom of the crops, so that the student sees things larger and smaller than the teacher's pictures show them."""
CROP_SHARE = 0.8
"""Side of the crops, relative to the size at which the teacher works: most of a picture, for wholes must be judged."""
GRID = 16
"""Crops are multiples of so many pixels."""


def distillation_config(found: FoundTeacher, data: Path, kind: Kind | None, preset: Preset) -> TrainConfig:
    """The settings for making a compact student of a teacher.

    Args:
        found: the teacher.
        data: folder of the pictures.
        kind: of the set; None: as the teacher was trained, or, where that is not known, by the folders' names.
        preset: how long and on what to train.

    Raises:
        DatasetError: the folder holds no training pictures.
    """
    card = found.card
    pictures = _pictures(found, kind or (found.data.kind if found.data else _kind(data)))
    pictures = pictures.model_copy(update={"in_memory": preset == "gpu"})
    reverse = card.direction == "BtoA" and isinstance(pictures, UnpairedConfig)
    return TrainConfig(
        name=f"{card.name}-student",
        domain_a=card.domain_a,
        domain_b=card.domain_b,
        data=pictures,
        recipe=DistillationConfig(
            teacher=found.config, source="B" if reverse else "A", generator=_student(card.architecture)
        ),
        training=PRESETS[preset],
    )


def _student(teacher: GeneratorConfig) -> CompactConfig:
    """The compact generator, or, where the teacher is one, one of half its width."""
    if isinstance(teacher, CompactConfig):
        return teacher.model_copy(update={"base_channels": max(1, teacher.base_channels // 2)})
    return CompactConfig()


def _kind(data: Path) -> Kind:
    """Two folders are unpaired, one holds pairs."""
    return "unpaired" if isinstance(find_pairs(data, "train"), tuple) else "paired"


def _pictures(found: FoundTeacher, kind: Kind) -> DataConfig:
    size = found.card.native_size
    crops: dict[str, Any] = {"load_size": size, "crop_size": max(GRID, int(CROP_SHARE * size) // GRID * GRID)}
    match kind:
        case "unpaired":
            folders = found.data if isinstance(found.data, UnpairedConfig) else UnpairedConfig()
            return UnpairedConfig(**crops, scale=SCALE, folder_a=folders.folder_a, folder_b=folders.folder_b)
        case "paired":
            direction = found.data.direction if isinstance(found.data, PairedConfig) else found.card.direction
            return PairedConfig(**crops, scale=SCALE, direction=direction)
        case "edges":
            return EdgesConfig(**crops, scale=SCALE, strokes=USUAL_SHARE if found.card.takes_strokes else 0.0)
