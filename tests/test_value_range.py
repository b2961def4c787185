"""Models whose numbers are not those of the papers: whatever runs them converts."""

import numpy as np
import pytest
import torch
from torch import nn

import zorse
from tiny_export import card, noise, session, trained
from zorse.backends.torch.backend import TorchBackend
from zorse.backends.torch.safetensors_file import save_generator
from zorse.errors import IncompatibleWeights, WeightsError
from zorse.imaging.tensor import from_range, to_range, to_tensor
from zorse.model.architecture import ResnetConfig
from zorse.runtime.translator import Translator
from zorse.training.distillation.teacher import find_teacher
from zorse.training.start import check_trains
from zorse_export import export_onnx

RESNET = ResnetConfig(base_channels=4, n_blocks=1)
RANGES = [(0.0, 1.0), (0.0, 255.0), (-3.0, -1.0)]


class Rescaled(nn.Module):
    """The same network with other numbers: those of a range."""

    def __init__(self, network: nn.Module, lowest: float, highest: float) -> None:
        super().__init__()
        self.network, self.centre, self.half = network, (lowest + highest) / 2, (highest - lowest) / 2

    def forward(self, x):
        return self.network((x - self.centre) / self.half) * self.half + self.centre


@pytest.fixture(scope="module")
def usual():
    torch.manual_seed(0)
    return trained(RESNET)


def as_the_usual_one(usual, pixels):
    return Translator(card(RESNET), TorchBackend(usual, card(RESNET), "cpu"))(pixels, size="keep")


@pytest.mark.parametrize("value_range", RANGES)
def test_values_come_back(value_range):
    values = to_tensor(np.arange(256, dtype=np.uint8).reshape(16, 16, 1))
    inside = to_range(values, value_range)
    assert (inside.min(), inside.max(), inside.dtype) == (*value_range, np.float32)
    np.testing.assert_allclose(from_range(inside, value_range), values, atol=1e-6)


@pytest.mark.parametrize("value_range", RANGES)
@pytest.mark.parametrize("io", ["uint8", "float"])
def test_a_range_is_honoured_by_torch_and_onnx_runtime_alone(usual, value_range, io, tmp_path):
    network, own = Rescaled(usual, *value_range), card(RESNET, value_range=value_range)
    pixels = noise(75, 90, 3)
    expected = as_the_usual_one(usual, pixels).astype(int)
    by_torch = Translator(own, TorchBackend(network, own, "cpu"))(pixels, size="keep")
    assert np.abs(expected - by_torch).max() <= 1
    file = tmp_path / "model.onnx"
    export_onnx(network, own, file, io=io)
    model = zorse.load(file, "cpu")
    assert np.abs(expected - model(pixels, size="keep", tiling="whole")).max() <= 1
    if io == "uint8":
        assert np.abs(expected - session(file).run(None, {"image": pixels[None]})[0][0]).max() <= 1


@pytest.mark.parametrize("is_wrapped", [False, True])
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_exact_tiles_of_another_range(usual, backend, is_wrapped, tmp_path):
    own = card(RESNET, value_range=(0, 1))
    network = Rescaled(usual, 0, 1) if is_wrapped else usual
    model = Translator(own, TorchBackend(network, own, "cpu"))
    if backend == "onnx":
        export_onnx(network, own, tmp_path / "model.onnx")
        model = zorse.load(tmp_path / "model.onnx", "cpu")
    pixels = noise(75, 90, 3)
    whole = model(pixels, size="keep", tiling="whole")
    assert np.abs(whole.astype(int) - model(pixels, size="keep", tiling="exact")).max() <= 1
    difference = np.abs(whole.astype(int) - as_the_usual_one(usual, pixels)).max()
    assert difference <= 1 if is_wrapped else difference > 20


@pytest.mark.parametrize("value_range", [(1, 1), (1, -1), (0, float("inf"))])
def test_what_is_not_a_range_is_refused(value_range):
    with pytest.raises(ValueError, match="the lower one first"):
        card(RESNET, value_range=value_range)


def test_training_refuses_other_numbers_than_its_own(usual, tmp_path):
    own = card(RESNET, value_range=(0, 1))
    with pytest.raises(IncompatibleWeights, match="numbers from 0 to 1; training works with -1 to 1"):
        check_trains("mine", own)
    save_generator(tmp_path / "own.safetensors", usual, own)
    with pytest.raises(WeightsError, match="numbers from 0 to 1"):
        find_teacher(str(tmp_path / "own.safetensors"))
