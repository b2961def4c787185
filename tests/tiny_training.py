"""Training runs that take a second: tiny networks on a few drawn pictures."""

from pathlib import Path
from typing import Any

import torch

from zorse.data.config import PairedConfig, UnpairedConfig
from zorse.data.synthetic import synthesize
from zorse.model.architecture import PatchGANConfig, ProjectedConfig, ResnetConfig, UnetConfig
from zorse.recipes.cyclegan import CycleGANConfig
from zorse.recipes.pix2pix import Pix2PixConfig
from zorse.training.config import LoopConfig, TrainConfig, read_config, with_overrides

SIZE = 32
"""Side of the crops, in pixels."""


def draw_unpaired(folder: Path) -> Path:
    """Six pictures for each domain."""
    synthesize("blobs", folder, n=6, size=40, seed=0)
    return folder


def draw_pairs(folder: Path) -> Path:
    """Six pairs."""
    synthesize("shapes", folder, n=6, size=40, seed=0)
    return folder


def tiny_cyclegan(*overrides: str) -> TrainConfig:
    """Identity loss, and a pool that is soon full."""
    config = TrainConfig(
        name="brown2striped",
        name_reverse="striped2brown",
        domain_a="brown blobs",
        domain_b="striped blobs",
        data=UnpairedConfig(load_size=36, crop_size=SIZE),
        recipe=CycleGANConfig(
            generator=ResnetConfig(base_channels=4, n_blocks=1),
            discriminators=(PatchGANConfig(base_channels=4, n_layers=2),),
            pool_size=2,
        ),
        training=LoopConfig(iterations=6, num_workers=0, log_every=2, sample_every=4, save_every=3, evaluate_every=0),
    )
    return with_overrides(config, overrides)


def tiny_pix2pix(*overrides: str) -> TrainConfig:
    """Everything that draws random numbers: dropout, DiffAugment; and everything with buffers: BatchNorm, spectral."""
    config = TrainConfig(
        name="outlines2shapes",
        domain_a="outlines",
        domain_b="shapes",
        data=PairedConfig(load_size=36, crop_size=SIZE),
        recipe=Pix2PixConfig(
            generator=UnetConfig(base_channels=4, depth=4, dropout=True),
            discriminators=(
                PatchGANConfig(base_channels=4, n_layers=2, norm="batch"),
                ProjectedConfig(base_channels=4, image_size=32),
            ),
        ),
        training=LoopConfig(iterations=6, num_workers=0, log_every=2, sample_every=4, save_every=3, evaluate_every=0),
    )
    return with_overrides(config, overrides)


def own_settings(run: Path) -> TrainConfig:
    """Of a run's folder, without what it has found out of its pictures by itself."""
    return read_config(run / "config.toml").model_copy(update={"training_data": None})


def difference(first: Any, second: Any, place: str = "") -> str | None:
    """Where two nested structures of tensors and plain data differ in so much as one bit; None if they do not."""
    if isinstance(first, torch.Tensor):
        same = isinstance(second, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)
        return None if same else place
    if isinstance(first, dict):
        if not isinstance(second, dict) or first.keys() != second.keys():
            return place
        return next(filter(None, (difference(first[key], second[key], f"{place}/{key}") for key in first)), None)
    if isinstance(first, list | tuple):
        if type(first) is not type(second) or len(first) != len(second):
            return place
        pairs = enumerate(zip(first, second, strict=True))
        return next(filter(None, (difference(a, b, f"{place}/{index}") for index, (a, b) in pairs)), None)
    return None if first == second else place
