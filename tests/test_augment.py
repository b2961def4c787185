"""DiffAugment against the published code, which is written out here a second time, and where it takes place."""

import pytest
import torch
import torch.nn.functional as F

from zorse.model.architecture import (
    DIFF_AUGMENT,
    MILD_AUGMENT,
    CompactConfig,
    PatchGANConfig,
    PixelConfig,
    ProjectedConfig,
    ResnetConfig,
)
from zorse.networks.augment import diff_augment
from zorse.networks.build import build_discriminator
from zorse.recipes.cut import CUT, CUTConfig
from zorse.recipes.cyclegan import CycleGAN, CycleGANConfig
from zorse.recipes.pix2pix import Pix2Pix, Pix2PixConfig
from zorse.recipes.recipe import plain_update


def published(x: torch.Tensor, name: str) -> torch.Tensor:
    """mit-han-lab/data-efficient-gans, DiffAugment_pytorch.py."""
    n, _, height, width = x.shape

    def rand() -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, dtype=x.dtype)

    match name:
        case "brightness":
            return x + (rand() - 0.5)
        case "saturation":
            mean = x.mean(dim=1, keepdim=True)
            return (x - mean) * (rand() * 2) + mean
        case "contrast":
            mean = x.mean(dim=[1, 2, 3], keepdim=True)
            return (x - mean) * (rand() + 0.5) + mean
        case "translation":
            down = torch.randint(-(height // 8), height // 8 + 1, [n, 1, 1]).flatten().tolist()
            right = torch.randint(-(width // 8), width // 8 + 1, [n, 1, 1]).flatten().tolist()
            moved = torch.zeros_like(x)
            for i in range(n):
                for row in range(height):
                    for column in range(width):
                        y, z = row + down[i], column + right[i]
                        if 0 <= y < height and 0 <= z < width:
                            moved[i, :, row, column] = x[i, :, y, z]
            return moved
        case "cutout":
            size = height // 2, width // 2
            offset_x = torch.randint(0, height + (1 - size[0] % 2), [n, 1, 1]).flatten().tolist()
            offset_y = torch.randint(0, width + (1 - size[1] % 2), [n, 1, 1]).flatten().tolist()
            mask = torch.ones(n, 1, height, width, dtype=x.dtype)
            for i in range(n):
                for row in range(size[0]):
                    for column in range(size[1]):
                        y = min(max(row + offset_x[i] - size[0] // 2, 0), height - 1)
                        z = min(max(column + offset_y[i] - size[1] // 2, 0), width - 1)
                        mask[i, :, y, z] = 0
            return x * mask
    raise ValueError(name)


@pytest.mark.parametrize("name", DIFF_AUGMENT)
@pytest.mark.parametrize("size", [(16, 24), (32, 32)])
def test_each_augmentation_is_the_published_one(name, size):
    x = torch.rand(8, 3, *size, dtype=torch.float64) * 2 - 1
    torch.manual_seed(3)
    found = diff_augment(x, (name,))
    torch.manual_seed(3)
    torch.testing.assert_close(found, published(x, name))


def test_the_whole_policy_is_applied_in_its_order():
    x = torch.rand(4, 3, 16, 16, dtype=torch.float64) * 2 - 1
    torch.manual_seed(3)
    found = diff_augment(x)
    torch.manual_seed(3)
    wanted = x
    for name in ("brightness", "saturation", "contrast", "translation", "cutout"):
        wanted = published(wanted, name)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", DIFF_AUGMENT)
def test_both_pictures_of_a_pair_are_treated_alike(name):
    first, second = (torch.rand(3, 3, 16, 16) * 2 - 1 for _ in range(2))
    torch.manual_seed(4)
    pair = diff_augment(torch.cat([first, second], dim=1), (name,))
    for half, alone in ((pair[:, :3], first), (pair[:, 3:], second)):
        torch.manual_seed(4)
        torch.testing.assert_close(half, diff_augment(alone, (name,)))


def test_pictures_of_other_numbers_of_channels_stay_whole():
    grey = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(diff_augment(grey, ("saturation",)), grey)
    assert diff_augment(torch.rand(2, 4, 16, 16)).shape == (2, 4, 16, 16)


JUDGES = {
    "patchgan": PatchGANConfig(base_channels=4, n_layers=2, augment=DIFF_AUGMENT),
    "scales": PatchGANConfig(base_channels=4, n_layers=2, scales=2, augment=DIFF_AUGMENT),
    "pixel": PixelConfig(base_channels=4, augment=DIFF_AUGMENT),
    "projected": ProjectedConfig(base_channels=4, image_size=32, augment=DIFF_AUGMENT),
}


def maps(judged) -> list[torch.Tensor]:
    return judged if isinstance(judged, list) else [judged]


@pytest.mark.parametrize("config", JUDGES.values(), ids=JUDGES)
def test_a_discriminator_judges_augmented_pictures(config):
    torch.manual_seed(0)
    augmenting = build_discriminator([config])
    torch.manual_seed(0)
    plain = build_discriminator([config.model_copy(update={"augment": ()})])
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    torch.manual_seed(1)
    found = maps(augmenting(image))
    torch.manual_seed(1)
    wanted = maps(plain(diff_augment(image, DIFF_AUGMENT)))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "recipe",
    [
        lambda **s: CycleGAN(CycleGANConfig(generator=CompactConfig(base_channels=4, n_blocks=1), **s)),
        lambda **s: CUT(CUTConfig(generator=CompactConfig(base_channels=4, n_blocks=1), **s)),
        lambda **s: Pix2Pix(Pix2PixConfig(generator=ResnetConfig(base_channels=4, n_blocks=1), **s)),
    ],
    ids=["cyclegan", "cut", "pix2pix"],
)
def test_real_and_generated_pictures_are_augmented_in_both_steps(recipe, monkeypatch):
    """Augmenting only one of them would teach the discriminator the augmentation, and the generator to draw it."""
    seen = []

    def watching(image, policy):
        seen.append((image.shape[0], image.requires_grad))
        return F.dropout(image, 0.0)

    monkeypatch.setattr("zorse.networks.patchgan.diff_augment", watching)
    made = recipe(discriminators=(JUDGES["patchgan"],))
    batch = {side: torch.rand(1, 3, 32, 32) * 2 - 1 for side in "AB"} | {"path_A": ["a"], "path_B": ["b"]}
    made.step(batch, 0, plain_update)
    judges = sum(name.startswith("D") for name in made.networks)
    assert seen.count((2, False)) == judges, "real and generated together in the discriminators' step"
    assert seen.count((1, True)) == judges, "generated with gradient in the generators' step"
    assert len(seen) == 2 * judges


def test_a_policy_may_be_written_as_true_or_false():
    assert PatchGANConfig.model_validate({"augment": True}).augment == DIFF_AUGMENT
    assert PixelConfig.model_validate({"augment": True}).augment == DIFF_AUGMENT
    assert ProjectedConfig.model_validate({"augment": True}).augment == MILD_AUGMENT
    assert ProjectedConfig.model_validate({"augment": False}).augment == ()
    assert ProjectedConfig().augment == MILD_AUGMENT
    assert PatchGANConfig().augment == PixelConfig().augment == ()
