"""The torch backend: the network as its card wants it used, picture by picture."""

import numpy as np
import pytest
import torch

from zorse.backends.torch.backend import TorchBackend, load_torch
from zorse.backends.torch.safetensors_file import save_generator
from zorse.errors import ConfigError, DeviceError, WeightsError
from zorse.loading import load
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.model.card import ModelCard
from zorse.networks.build import build_generator
from zorse.runtime.devices import Setting

WITH_DROPOUT = UnetConfig(base_channels=2, depth=6)
WITHOUT_DROPOUT = WITH_DROPOUT.model_copy(update={"dropout": False})


def card(architecture, **changes):
    settings = {"name": "tiny", "task": "dark to light", "domain_a": "dark", "domain_b": "light", "native_size": 32}
    return ModelCard.model_validate(settings | {"architecture": architecture} | changes)


def trained(architecture):
    """A generator whose BatchNorm has seen other pictures than those of the tests."""
    network = build_generator(architecture)
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(4, 3, 64, 64) ** 3)
    return network


def pictures(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def test_running_statistics():
    network = trained(WITHOUT_DROPOUT)
    seen = pictures(2, 3, 64, 128)
    found = TorchBackend(network, card(WITHOUT_DROPOUT, norm_at_test="running"), "cpu")(seen)
    with torch.no_grad():
        assert np.array_equal(found, network.eval()(torch.from_numpy(seen)).numpy())


def test_statistics_of_each_picture_whatever_else_is_in_the_batch():
    network = trained(WITHOUT_DROPOUT)
    seen = pictures(3, 3, 64, 128) * np.float32([0.1, 0.5, 1])[:, None, None, None]
    found = TorchBackend(network, card(WITHOUT_DROPOUT, norm_at_test="picture"), "cpu")(seen)
    with torch.no_grad():
        # pix2pix: BatchNorm in training mode on a batch of one.
        alone = [network.train()(torch.from_numpy(picture[None])).numpy() for picture in seen]
        together = network(torch.from_numpy(seen)).numpy()
    np.testing.assert_allclose(found, np.concatenate(alone), atol=1e-5)
    assert np.abs(found - together).max() > 1e-3


@pytest.mark.parametrize("norm_at_test", ["picture", "running"])
def test_dropout_stays_active_where_the_card_says_so(norm_at_test):
    network = trained(WITH_DROPOUT)
    seen = pictures(1, 3, 64, 64)
    active = TorchBackend(network, card(WITH_DROPOUT, norm_at_test=norm_at_test, dropout_at_test=True), "cpu")
    assert not np.array_equal(active(seen), active(seen))
    off = TorchBackend(network, card(WITH_DROPOUT, norm_at_test=norm_at_test), "cpu")
    assert np.array_equal(off(seen), off(seen))


def test_the_network_of_the_caller_is_left_alone():
    network = trained(WITH_DROPOUT)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    TorchBackend(network, card(WITH_DROPOUT), "cpu")(pictures(1, 3, 64, 64))
    assert network.training
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_file_translates_pictures_of_any_size(tmp_path):
    architecture = ResnetConfig(base_channels=4, n_blocks=1)
    network = build_generator(architecture)
    save_generator(tmp_path / "G.safetensors", network, card(architecture))
    translator = load_torch(tmp_path / "G.safetensors", Setting("cpu"))
    picture = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    assert translator.provider == "torch on cpu"
    translated = translator(picture, size="keep")
    assert translated.shape == picture.shape
    assert np.array_equal(translated, translator(picture, size="keep"))
    assert not np.array_equal(translated, picture)


def test_threads_are_taken_for_a_picture_and_given_back(tmp_path):
    architecture = CompactConfig(base_channels=8, n_blocks=1)
    save_generator(tmp_path / "G.safetensors", build_generator(architecture), card(architecture))
    before, seen = torch.get_num_threads(), []
    backend = load(tmp_path / "G.safetensors", threads=before + 1).backend
    backend._network.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    backend(pictures(1, 3, 16, 16))
    assert (seen, torch.get_num_threads()) == ([before + 1], before)
    with pytest.raises(ConfigError, match="0 threads"):
        load(tmp_path / "G.safetensors", threads=0)


def test_a_picture_that_does_not_fit_into_memory():
    network = build_generator(CompactConfig(base_channels=8, n_blocks=1))
    backend = TorchBackend(network, card(CompactConfig(base_channels=8, n_blocks=1)), "cpu")
    huge = np.broadcast_to(np.zeros((1, 3, 1, 1), np.float32), (1, 3, 1 << 22, 1 << 22))
    with pytest.raises(MemoryError):
        backend(huge)


def test_cuda_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    architecture = CompactConfig(base_channels=8, n_blocks=1)
    save_generator(tmp_path / "G.safetensors", build_generator(architecture), card(architecture))
    with pytest.raises(DeviceError, match=r"CUDA was asked for.*nvidia-smi.*--device cpu"):
        load_torch(tmp_path / "G.safetensors", Setting("cuda"))
    assert load_torch(tmp_path / "G.safetensors").provider == "torch on cpu"


def test_a_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="There is no model file"):
        load_torch(tmp_path / "nothing.safetensors")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_cuda_gives_the_pixels_of_the_cpu():
    architecture = ResnetConfig(base_channels=16, n_blocks=3)
    network = build_generator(architecture)
    seen = pictures(1, 3, 64, 96)
    on_cpu, on_cuda = (TorchBackend(network, card(architecture), device)(seen) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(on_cuda, on_cpu, atol=1e-4)
