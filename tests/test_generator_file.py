"""Generator files: what is written comes back, and nothing else is taken for one."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

from zorse.backends.torch.safetensors_file import load_generator, save_generator
from zorse.errors import ChecksumMismatch, IncompatibleWeights, WeightsError
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.model.card import CARD_KEY, ModelCard
from zorse.networks.build import build_generator

COMPACT = CompactConfig(base_channels=8, n_blocks=1, finish_channels=4)
ARCHITECTURES = {
    "compact": COMPACT,
    "resnet": ResnetConfig(base_channels=4, n_blocks=1),
    "resnet resize": ResnetConfig(base_channels=4, n_blocks=1, upsampling="resize", norm="batch"),
    "unet": UnetConfig(base_channels=4, depth=3),
    "unet instance": UnetConfig(base_channels=4, depth=3, norm="instance"),
}


def card(architecture=COMPACT, **changes):
    settings = {"name": "tiny", "task": "dark to light", "domain_a": "dark", "domain_b": "light", "native_size": 32}
    return ModelCard.model_validate(settings | {"architecture": architecture} | changes)


def raw(path: Path, tensors, model_card: ModelCard):
    """A safetensors file that `save_generator` would not write."""
    path.write_bytes(safetensors.torch.save(tensors, metadata={CARD_KEY: model_card.model_dump_json()}))
    return path


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_weights_and_card_come_back(tmp_path, architecture):
    network = build_generator(architecture)
    network(torch.rand(2, 3, 16, 16))  # BatchNorm now has running averages of its own
    written = save_generator(tmp_path / "new folder" / "G.safetensors", network, card(architecture, notes="hello"))
    loaded, read = load_generator(tmp_path / "new folder" / "G.safetensors")
    assert read == written
    assert read.notes == "hello"
    assert loaded.state_dict().keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert all(parameter.requires_grad and parameter.device.type == "cpu" for parameter in loaded.parameters())


def test_fp16_halves_the_file_and_rounds_parameters_only(tmp_path):
    architecture = UnetConfig(base_channels=16, depth=3)
    network = build_generator(architecture)
    network(torch.rand(2, 3, 16, 16))
    save_generator(tmp_path / "full.safetensors", network, card(architecture))
    save_generator(tmp_path / "half.safetensors", network, card(architecture), precision="fp16")
    full, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half"))
    assert half < 0.6 * full
    loaded, _ = load_generator(tmp_path / "half.safetensors")
    for found, wanted in zip(loaded.parameters(), network.parameters(), strict=True):
        assert found.dtype == torch.float32
        assert torch.equal(found, wanted.half().float())
    for found, wanted in zip(loaded.buffers(), network.buffers(), strict=True):
        assert torch.equal(found, wanted)


def test_weights_beyond_16_bits_are_refused_for_fp16(tmp_path):
    network = build_generator(COMPACT)
    next(network.parameters()).data[0] = 1e6
    with pytest.raises(WeightsError, match=r"stem\.1\.weight reach 1e\+06"):
        save_generator(tmp_path / "G.safetensors", network, card(), precision="fp16")


def test_checksum_is_of_the_weights_alone(tmp_path):
    network = build_generator(COMPACT)
    one = save_generator(tmp_path / "1.safetensors", network, card(notes="one"))
    two = save_generator(tmp_path / "2.safetensors", network.to(memory_format=torch.channels_last), card(notes="two"))
    assert one.weights_sha256 == two.weights_sha256
    next(network.parameters()).data[0, 0, 0, 0] += 1e-6
    assert save_generator(tmp_path / "3.safetensors", network, card()).weights_sha256 != one.weights_sha256


def test_a_network_of_another_architecture_is_not_saved(tmp_path):
    network = build_generator(ResnetConfig(base_channels=4, n_blocks=1))
    with pytest.raises(IncompatibleWeights, match=r"not the compact network.*the tensor stem\.1\.weight .* is missing"):
        save_generator(tmp_path / "G.safetensors", network, card())
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_the_old_file(tmp_path):
    resource = pytest.importorskip("resource", reason="only POSIX can limit the size of files")
    path = tmp_path / "G.safetensors"
    save_generator(path, build_generator(COMPACT), card())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(WeightsError, match=r"could not be written .* untouched.*free some space"):
            save_generator(path, build_generator(COMPACT), card())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("name", ["G.pth", "G.safetensors"])
@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_pickles_are_refused_and_not_opened(tmp_path, name, write):
    write({"weight": Trap(tmp_path / "executed")}, tmp_path / name)
    with pytest.raises(WeightsError, match=r"is a pickle.*can run any program.*safetensors"):
        load_generator(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_files_that_are_no_generators(tmp_path):
    path = tmp_path / "G.safetensors"
    with pytest.raises(WeightsError, match="There is no model file"):
        load_generator(path)
    with pytest.raises(WeightsError, match="is a folder"):
        load_generator(tmp_path)
    for content, message in {
        b"": "is empty",
        b"PNG": "not a safetensors",
        b"some longer text": "not a safetensors",
    }.items():
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=message):
            load_generator(path)
    path.write_bytes(safetensors.torch.save({"weight": torch.zeros(3)}))
    with pytest.raises(WeightsError, match="holds no Zorse model card"):
        load_generator(path)


@pytest.mark.parametrize("kept", [20, 3000, -1])
def test_a_file_that_was_cut_off(tmp_path, kept):
    path = tmp_path / "G.safetensors"
    save_generator(path, build_generator(COMPACT), card())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="damaged or cut off"):
        load_generator(path)


def test_another_architecture_names_the_first_difference(tmp_path):
    tensors = build_generator(COMPACT).state_dict()
    path = tmp_path / "G.safetensors"
    wider = card(COMPACT.model_copy(update={"base_channels": 16}))
    with pytest.raises(IncompatibleWeights, match=r"stem\.1\.weight has shape \(8, 48, 3, 3\) where \(16, 48, 3, 3\)"):
        load_generator(raw(path, tensors, wider))
    deeper = card(COMPACT.model_copy(update={"n_blocks": 2}))
    with pytest.raises(IncompatibleWeights, match=r"blocks\.1\.body\.0\.weight of shape .* is missing"):
        load_generator(raw(path, tensors, deeper))
    with pytest.raises(IncompatibleWeights, match="the tensor surplus has no place"):
        load_generator(raw(path, tensors | {"surplus": torch.zeros(1)}, card()))


def test_changed_weights_are_noticed(tmp_path):
    path = tmp_path / "G.safetensors"
    save_generator(path, build_generator(COMPACT), card())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ChecksumMismatch, match=r"sha256 is [0-9a-f]{64}, [0-9a-f]{64} was expected"):
        load_generator(path)


def test_a_card_that_makes_no_sense(tmp_path):
    path = tmp_path / "G.safetensors"
    save_generator(path, build_generator(COMPACT), card())
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"][CARD_KEY] = '{"name": 3, "kind": "nonsense"}'
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    with pytest.raises(WeightsError, match="cannot be understood"):
        load_generator(path)
