"""Gradient checkpointing changes neither results nor gradients, and keeps less."""

import copy

import pytest
import torch
from torch import nn

from tiny_training import difference, draw_unpaired, tiny_cyclegan
from zorse.errors import ConfigError
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.networks.build import build_generator
from zorse.networks.recompute import recompute_blocks
from zorse.training.run import train

GENERATORS = {
    "resnet": ResnetConfig(base_channels=4, n_blocks=2),
    "resnet_dropout": ResnetConfig(base_channels=4, n_blocks=2, dropout=True),
    "resnet_batch": ResnetConfig(base_channels=4, n_blocks=2, norm="batch"),
    "resnet_winograd": ResnetConfig(base_channels=16, n_blocks=1),
    "compact": CompactConfig(base_channels=8, n_blocks=2),
    "unet": UnetConfig(base_channels=4, depth=4, dropout=True),
}


def passed(network: nn.Module, image: torch.Tensor) -> dict[str, object]:
    """Result, gradients and running statistics of a pass there and back, and what chance comes after it."""
    torch.manual_seed(0)
    result = network(image)
    after = torch.rand(1)
    (result * torch.linspace(0, 1, result.numel()).view_as(result)).sum().backward()
    return {
        "result": result.detach(),
        "gradients": [parameter.grad for parameter in network.parameters()],
        "image": image.grad,
        "buffers": dict(network.named_buffers()),
        "chance": (after, torch.rand(1)),
    }


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("wants_image", [False, True])
def test_results_gradients_statistics_and_chance_are_the_same(kind, wants_image):
    plain = build_generator(GENERATORS[kind])
    frugal = copy.deepcopy(plain)
    recompute_blocks(frugal)
    side = 128 if kind == "resnet_winograd" else 32
    image = torch.rand(2, 3, side, side) * 2 - 1
    images = [image.clone().requires_grad_(wants_image) for _ in range(2)]
    assert difference(passed(plain, images[0]), passed(frugal, images[1])) is None


@pytest.mark.parametrize("kind", GENERATORS)
def test_less_is_kept_for_the_way_back(kind):
    network = build_generator(GENERATORS[kind])
    image = torch.rand(1, 3, 64, 64)

    def kept() -> int:
        storages: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            result = network(image)
        # Outside of the checkpointed parts, only tensors that reach the hooks count: those inside never do.
        del result
        return sum(storages.values())

    plain = kept()
    recompute_blocks(network)
    weights = sum(parameter.numel() * 4 for parameter in network.parameters())
    assert kept() < 0.5 * (plain - weights) + weights


def test_nothing_is_recomputed_without_gradients():
    network = build_generator(GENERATORS["resnet"])
    image = torch.rand(1, 3, 32, 32)
    plain = network(image)
    recompute_blocks(network)
    with torch.no_grad():
        assert torch.equal(network(image), plain)


def test_a_run_comes_out_the_same(tmp_path):
    data = draw_unpaired(tmp_path / "data")
    short = ("training.iterations=2", "recipe.generator.dropout=true")
    plain = train(tiny_cyclegan(*short), data, tmp_path / "plain")
    frugal = train(tiny_cyclegan(*short, "training.checkpoint_blocks=true"), data, tmp_path / "frugal")
    for name, network in plain.recipe.networks.items():
        assert difference(network.state_dict(), frugal.recipe.networks[name].state_dict()) is None, name


def test_it_does_not_go_with_compile():
    with pytest.raises(ConfigError, match=r"training\.compile.*training\.checkpoint_blocks"):
        tiny_cyclegan("training.checkpoint_blocks=true", "training.compile=true")
