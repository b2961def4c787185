"""Every generator that Zorse knows can be exported: its file gives the pixels that PyTorch gives."""

from typing import get_args

import numpy as np
import pytest
import torch

import zorse
from foreign_networks import BATCH, Unet
from tiny_export import card, noise, session, trained
from zorse.backends.torch.backend import as_tested
from zorse.backends.torch.onnx_weights import load_onnx_generator
from zorse.errors import ConfigError
from zorse.imaging.tensor import to_pixels
from zorse.legacy.importing import import_generator
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse_export import at_test, export_onnx
from zorse_export.cases import padded
from zorse_export.prepare import FixedDropout, fix_dropout

RUNNING, DROPPING = {"norm_at_test": "running"}, {"dropout_at_test": True}


def resnet(**settings):
    return ResnetConfig(base_channels=2, n_blocks=1, **settings)


def unet(**settings):
    return UnetConfig(base_channels=2, depth=3, **settings)


def compact(**settings):
    return CompactConfig(base_channels=4, n_blocks=1, finish_channels=2, **settings)


DEEP = UnetConfig(base_channels=1, depth=6)
"""The least that has dropout."""

VARIANTS = {
    "resnet, CUT's": (resnet(norm="instance_affine", downsampling="blur", upsampling="bilinear"), {}),
    "resnet, grey": (resnet(norm="instance", upsampling="resize", in_channels=1), {}),
    "resnet, dropping": (resnet(norm="batch", upsampling="transposed", dropout=True), RUNNING | DROPPING),
    "unet": (unet(), {}),
    "unet, affine": (unet(norm="instance_affine", dropout=False), {}),
    "unet, dropping": (DEEP, RUNNING | DROPPING),
    "compact": (compact(norm="none"), {}),
    "compact, running": (compact(norm="batch"), RUNNING),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant(tmp_path, variant):
    torch.manual_seed(0)
    architecture, changes = VARIANTS[variant]
    network, model_card = trained(architecture), card(architecture, native_size=20, **changes)
    before = [(name, type(module), module.training) for name, module in network.named_modules()]
    report = export_onnx(network, model_card, tmp_path / "m.onnx")
    assert (report.card.norm_at_test, report.card.dropout_at_test) == (
        model_card.norm_at_test,
        model_card.dropout_at_test,
    )
    pictures = noise(2, 19, 70, architecture.in_channels)
    (found,) = session(tmp_path / "m.onnx").run(None, {"image": pictures})
    judge = as_tested(network, model_card)
    fix_dropout(judge)
    with torch.no_grad():
        expected = judge(torch.from_numpy(padded(pictures, model_card))).numpy()[:, :, :19, :70]
    assert np.abs(found.astype(int) - np.stack([to_pixels(each[None]) for each in expected])).max() <= 1
    assert found.std() > 5
    assert [(name, type(module), module.training) for name, module in network.named_modules()] == before
    if architecture.norm != "batch":
        weights = load_onnx_generator(tmp_path / "m.onnx")[0].state_dict()
        assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())
    if model_card.dropout_at_test:
        translator = zorse.load(tmp_path / "m.onnx", "cpu")
        assert np.array_equal(translator(pictures[0]), translator(pictures[0]))
        with pytest.raises(ConfigError, match="keeps dropout active at test time, and is not computed piece by piece"):
            translator(pictures[0], tiling="exact")


@pytest.mark.parametrize("config", [ResnetConfig, UnetConfig, CompactConfig])
def test_no_choice_is_left_out(config):
    """Who adds one to an architecture adds a variant here; of norms, one network of each is enough."""
    every = [architecture for architecture, _ in VARIANTS.values()]
    own = [architecture for architecture in every if isinstance(architecture, config)]
    for name, field in config.model_fields.items():
        choices = {True, False} if field.annotation is bool else set(get_args(field.annotation))
        among = every if name == "norm" else own
        assert choices <= {architecture.model_dump()[name] for architecture in among}, name


def test_an_imported_checkpoint(tmp_path):
    """As test.py of pytorch-CycleGAN-and-pix2pix runs it: each picture's statistics; dropout is left out."""
    torch.manual_seed(0)
    torch.save(Unet(1, 6, BATCH, dropout=True).state_dict(), tmp_path / "latest_net_G.pth")
    network, foreign_card = import_generator(tmp_path / "latest_net_G.pth", {"native_size": 20})
    assert foreign_card.dropout_at_test
    report = export_onnx(network, at_test(network, foreign_card), tmp_path / "m.onnx")
    assert not report.card.dropout_at_test
    assert report.card.norm_at_test == "picture"
    assert zorse.load(tmp_path / "m.onnx")(noise(9, 9, 3)).shape == (9, 9, 3)


def test_dropout_is_a_pattern_that_looks_like_chance():
    """As many places are dropped as wanted, and none of them tells of a neighbour, channel or layer."""
    ones = torch.ones(2, 32, 64, 48)
    first, second = FixedDropout(0.5, 0)(ones), FixedDropout(0.5, 1)(ones)
    assert torch.equal(first[0], first[1])
    assert set(first.unique().tolist()) == {0.0, 2.0}
    patterns = first[0] - 1
    others = {
        "row": patterns.roll(1, dims=1),
        "column": patterns.roll(1, dims=2),
        "two columns": patterns.roll(2, dims=2),
        "diagonal": patterns.roll((1, 1), dims=(1, 2)),
        "channel": patterns.roll(1, dims=0),
        "layer": second[0] - 1,
        "constant": torch.ones(()),
    }
    for name, other in others.items():
        assert abs(float((patterns * other).mean())) < 4 / patterns.numel() ** 0.5, name
    assert abs(float((FixedDropout(0.2, 0)(ones) == 0).float().mean()) - 0.2) < 0.01
