"""Presets: functions that return a config. `compact_*` are for a CPU; the others the papers', or say what differs."""

from collections.abc import Callable

from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
from zorse.imaging.strokes import USUAL_SHARE
from zorse.model.architecture import CompactConfig, PatchGANConfig, ProjectedConfig, ResnetConfig, UnetConfig
from zorse.recipes.cut import CUTConfig, fastcut
from zorse.recipes.cyclegan import CycleGANConfig
from zorse.recipes.pix2pix import Pix2PixConfig
from zorse.training.config import LoopConfig, TrainConfig


def cyclegan_horse2zebra() -> TrainConfig:
    """Horse <-> zebra as in the paper: ResNet-9, 256 px, 200 epochs. For a GPU."""
    return TrainConfig(
        name="horse2zebra",
        name_reverse="zebra2horse",
        domain_a="horses",
        domain_b="zebras",
        data=UnpairedConfig(),
        recipe=CycleGANConfig(generator=ResnetConfig(n_blocks=9)),
    )


def cyclegan_photo2monet() -> TrainConfig:
    """Monet <-> photo as in the paper: ResNet-9, 256 px, 200 epochs. For a GPU."""
    return TrainConfig(
        name="monet2photo",
        name_reverse="photo2monet",
        domain_a="paintings by Claude Monet",
        domain_b="landscape photographs",
        data=UnpairedConfig(),
        recipe=CycleGANConfig(generator=ResnetConfig(n_blocks=9)),
    )


def cut_horse2zebra() -> TrainConfig:
    """Horse -> zebra by CUT as in the paper: antialiased ResNet-9, 256 px, 400 epochs. For a GPU."""
    return cyclegan_horse2zebra().model_copy(
        update={"name_reverse": None, "recipe": CUTConfig(), "training": LoopConfig(epochs=400)}
    )


def fastcut_horse2zebra() -> TrainConfig:
    """Horse -> zebra by FastCUT as in the paper: antialiased ResNet-9, 256 px, 200 epochs. For a GPU."""
    return cut_horse2zebra().model_copy(
        update={"recipe": fastcut(), "training": LoopConfig(epochs=200, decay_from=0.75)}
    )


def pix2pix_edges2shoes() -> TrainConfig:
    """Edges -> shoes as in the paper: U-Net-256, batch 4, 15 epochs. For a GPU."""
    return TrainConfig(
        name="edges2shoes",
        domain_a="edges",
        domain_b="shoes",
        data=PairedConfig(),
        recipe=Pix2PixConfig(generator=UnetConfig(depth=8)),
        training=LoopConfig(epochs=15, batch_size=4),
    )


def pix2pix_facades() -> TrainConfig:
    """Labels -> facades as in the paper: U-Net-256, batch 1, 200 epochs, right half to left half. For a GPU."""
    return TrainConfig(
        name="labels2facades",
        domain_a="labels of facades",
        domain_b="facades",
        data=PairedConfig(direction="BtoA"),
        recipe=Pix2PixConfig(generator=UnetConfig(depth=8)),
    )


def pix2pixhd_facades() -> TrainConfig:
    """Labels -> facades with pix2pixHD's discriminators and losses, but CycleGAN's ResNet-9 at 256 px. For a GPU.

    The paper's generator goes from coarse to fine up to 2048 x 1024 pixels; its perceptual loss (VGG) is left out, too.
    """
    return pix2pix_facades().model_copy(
        update={
            "recipe": Pix2PixConfig(
                generator=ResnetConfig(n_blocks=9),
                discriminators=(PatchGANConfig(norm="instance", scales=3),),
                objective="lsgan",
                lambda_l1=0.0,
                lambda_feature_matching=10.0,
            )
        }
    )


def _compact_cyclegan() -> CycleGANConfig:
    """What makes CycleGAN converge on one CPU: a compact generator judged by a projected discriminator."""
    return CycleGANConfig(
        generator=CompactConfig(),
        discriminators=(ProjectedConfig(),),
        objective="hinge",
        lambda_cycle=5.0,
        lambda_identity=0.5,
        pool_size=0,
        learning_rate=4e-4,
        discriminator_learning_rate=2e-4,
    )


def _compact_pix2pix() -> Pix2PixConfig:
    """Pairs for one CPU: the L1 term weighs less, since a projected discriminator gives a more useful gradient."""
    return Pix2PixConfig(
        generator=CompactConfig(),
        discriminators=(ProjectedConfig(), PatchGANConfig(base_channels=32, norm="instance")),
        objective="hinge",
        lambda_l1=10.0,
        learning_rate=4e-4,
        discriminator_learning_rate=2e-4,
    )


COMPACT_CROPS = UnpairedConfig(load_size=160, crop_size=128, scale=(0.85, 1.2))
"""Crops of 128 px that show most of the picture: the discriminator must see whole animals to know where stripes go."""


def compact_horse2zebra() -> TrainConfig:
    """Horse <-> zebra on one CPU in about an hour."""
    return cyclegan_horse2zebra().model_copy(
        update={
            "data": COMPACT_CROPS,
            "recipe": _compact_cyclegan(),
            "training": LoopConfig(iterations=4000, decay_from=0.5, ema_decay=0.995),
        }
    )


def compact_cut_horse2zebra() -> TrainConfig:
    """Horse -> zebra on one CPU in about half an hour: a third of compact_horse2zebra's work per step, one way only."""
    recipe = fastcut(
        generator=CompactConfig(),
        discriminators=(ProjectedConfig(),),
        initialisation="normal",
        objective="hinge",
        lambda_nce=2.0,
        learning_rate=4e-4,
        discriminator_learning_rate=2e-4,
    )
    return compact_horse2zebra().model_copy(update={"name_reverse": None, "recipe": recipe})


def compact_photo2monet() -> TrainConfig:
    """Monet <-> photo on one CPU in about an hour."""
    return cyclegan_photo2monet().model_copy(
        update={
            "data": COMPACT_CROPS,
            "recipe": _compact_cyclegan(),
            "training": LoopConfig(iterations=4000, decay_from=0.5, ema_decay=0.995),
        }
    )


def compact_edges2shoes() -> TrainConfig:
    """Edges -> shoes on one CPU in about half an hour."""
    return pix2pix_edges2shoes().model_copy(
        update={
            "data": PairedConfig(load_size=208, crop_size=192),
            "recipe": _compact_pix2pix(),
            "training": LoopConfig(iterations=3000, ema_decay=0.995),
        }
    )


def compact_edges2clothes() -> TrainConfig:
    """Edges -> garments on one CPU in about two hours; edges and strokes of colour are drawn from the photos."""
    return TrainConfig(
        name="edges2clothes",
        domain_a="edges",
        domain_b="garments",
        data=EdgesConfig(load_size=208, crop_size=192, strokes=USUAL_SHARE),
        recipe=_compact_pix2pix(),
        training=LoopConfig(iterations=8000, ema_decay=0.995),
    )


PRESETS: dict[str, Callable[[], TrainConfig]] = {
    preset.__name__: preset
    for preset in (
        pix2pix_edges2shoes,
        pix2pix_facades,
        pix2pixhd_facades,
        cyclegan_horse2zebra,
        cyclegan_photo2monet,
        cut_horse2zebra,
        fastcut_horse2zebra,
        compact_edges2shoes,
        compact_edges2clothes,
        compact_horse2zebra,
        compact_cut_horse2zebra,
        compact_photo2monet,
    )
}
