"""Checkpoints of other programs: what they computed is computed, and nothing in them is ever run."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foreign_networks import (
    BATCH,
    INSTANCE,
    NORMS,
    PatchGAN,
    Pixel,
    Resnet,
    Unet,
    instance_affine,
    no_norm,
    randomised,
)
from zorse.backends.torch.backend import as_tested
from zorse.backends.torch.safetensors_file import load_generator, save_generator
from zorse.errors import IncompatibleWeights, WeightsError
from zorse.legacy.files import networks_in
from zorse.legacy.importing import import_generator
from zorse.model.architecture import PatchGANConfig, PixelConfig, ResnetConfig, UnetConfig
from zorse.networks.build import build_discriminator

GENERATORS = {
    **{f"resnet {name}": (Resnet(4, 2, norm), 1) for name, norm in NORMS.items()},
    "resnet_6blocks": (Resnet(4, 6, INSTANCE), 1),
    "resnet_9blocks": (Resnet(4, 9, INSTANCE), 1),
    "resnet dropout": (Resnet(4, 2, BATCH, dropout=True), 1),
    "resnet affine dropout": (Resnet(4, 2, instance_affine, dropout=True), 1),
    "resnet CUT": (Resnet(4, 2, INSTANCE, blur_down=True, blur_up=True), 1),
    "resnet CUT batch": (Resnet(4, 2, BATCH, blur_down=True, blur_up=True), 1),
    "resnet CUT dropout": (Resnet(4, 2, INSTANCE, dropout=True, blur_down=True, blur_up=True), 1),
    "resnet CUT --no_antialias": (Resnet(4, 2, instance_affine, blur_up=True), 1),
    "resnet CUT --no_antialias_up": (Resnet(4, 2, INSTANCE, blur_down=True), 1),
    "unet_128": (Unet(2, 7, BATCH, dropout=True), 128),
    "unet_256": (Unet(1, 8, BATCH, dropout=True), 256),
    **{f"unet {name}": (Unet(3, 5, norm), 32) for name, norm in NORMS.items()},
}
CONFIGS = {
    "resnet instance": ResnetConfig(base_channels=4, n_blocks=2),
    "resnet batch": ResnetConfig(base_channels=4, n_blocks=2, norm="batch"),
    "resnet instance affine": ResnetConfig(base_channels=4, n_blocks=2, norm="instance_affine"),
    "resnet instance tracked": ResnetConfig(base_channels=4, n_blocks=2),
    "resnet none": ResnetConfig(base_channels=4, n_blocks=2, norm="none"),
    "resnet_9blocks": ResnetConfig(base_channels=4, n_blocks=9),
    "resnet dropout": ResnetConfig(base_channels=4, n_blocks=2, norm="batch", dropout=True),
    "resnet CUT": ResnetConfig(base_channels=4, n_blocks=2, downsampling="blur", upsampling="bilinear"),
    "resnet CUT --no_antialias_up": ResnetConfig(base_channels=4, n_blocks=2, downsampling="blur"),
    "unet_128": UnetConfig(base_channels=2, depth=7),
    "unet_256": UnetConfig(base_channels=1, depth=8),
    "unet instance tracked": UnetConfig(base_channels=3, depth=5, norm="instance", dropout=False),
    "unet none": UnetConfig(base_channels=3, depth=5, norm="none", dropout=False),
}
DISCRIMINATORS = {
    **{f"basic {name}": (PatchGAN(3, 4, 3, norm), PatchGANConfig(base_channels=4)) for name, norm in NORMS.items()},
    "pairs": (PatchGAN(6, 4, 3, BATCH), PatchGANConfig(base_channels=4, norm="batch")),
    "n_layers": (PatchGAN(3, 4, 4, INSTANCE), PatchGANConfig(base_channels=4, n_layers=4)),
    "one layer": (PatchGAN(3, 4, 1, BATCH), PatchGANConfig(base_channels=4, n_layers=1, norm="batch")),
    "CUT": (PatchGAN(3, 4, 3, INSTANCE, blur=True), PatchGANConfig(base_channels=4, downsampling="blur")),
    "pixel": (Pixel(3, 4, INSTANCE), PixelConfig(base_channels=4)),
    "pixel batch": (Pixel(6, 4, BATCH), PixelConfig(base_channels=4, norm="batch")),
}


def saved(network, path: Path, wrap=lambda state: state, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(wrap(network.state_dict()), path, **options)
    return path


def as_their_test(network):
    """test.py never calls eval(): each picture is normalised by itself. Dropout is left out to compare."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return network


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def assert_same_pictures(network, card, original, size=32):
    ours = as_tested(network, card.model_copy(update={"dropout_at_test": False}))
    seen = noise(1, 3, size, size + (16 if size < 64 and card.size_multiple < 32 else 0))
    expected = as_their_test(original)(seen)
    assert expected.std() > 0.03
    torch.testing.assert_close(ours(seen), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", GENERATORS)
def test_the_imported_generator_computes_what_theirs_computes(tmp_path, case):
    original, size = GENERATORS[case]
    file = saved(randomised(original), tmp_path / "latest_net_G.pth")
    network, card = import_generator(file, {})
    assert card.norm_at_test == "picture"
    assert (
        card.dropout_at_test == any(isinstance(module, nn.Dropout) for module in original.modules()) or "unet" in case
    )
    assert_same_pictures(network, card, original, max(size, 32))
    if case in CONFIGS:
        assert card.architecture == CONFIGS[case]


def test_running_statistics_come_along(tmp_path):
    original = randomised(Resnet(4, 2, BATCH))
    network, card = import_generator(saved(original, tmp_path / "G.pth"), {"norm_at_test": "running"})
    seen = noise(1, 3, 32, 32)
    torch.testing.assert_close(as_tested(network, card)(seen), original.eval()(seen), atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", DISCRIMINATORS)
def test_discriminators_compute_what_theirs_compute(tmp_path, case):
    original, config = DISCRIMINATORS[case]
    channels = 6 if case in ("pairs", "pixel batch") else 3
    (found,) = networks_in(saved(randomised(original), tmp_path / "latest_net_D.pth"))
    norm = {"basic batch": "batch", "basic none": "none", "basic instance affine": "instance_affine"}.get(case)
    assert found.network.config == (config.model_copy(update={"norm": norm}) if norm else config)
    assert found.network.in_channels == channels
    ours = build_discriminator([found.network.config], channels)
    ours.load_state_dict(found.network.state)
    seen = noise(1, channels, 48, 64)
    torch.testing.assert_close(ours(seen), original(seen), atol=1e-5, rtol=0)


WRAPPINGS = {
    "DataParallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "note": "hello"},
    "model": lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
    "netG": lambda state: {"nets": {"netG": state}, "losses": [1.0, 2.0]},
    "Lightning": lambda state: {"state_dict": {f"generator.{name}": tensor for name, tensor in state.items()}},
    "compiled": lambda state: {f"_orig_mod.{name}": tensor for name, tensor in state.items()},
    "half": lambda state: {name: tensor.half() for name, tensor in state.items()},
}


@pytest.mark.parametrize("case", WRAPPINGS)
def test_wrapped_and_rounded_weights(tmp_path, case):
    original = randomised(Resnet(4, 1, INSTANCE))
    if case == "half":
        original.load_state_dict({name: tensor.half().float() for name, tensor in original.state_dict().items()})
    network, card = import_generator(saved(original, tmp_path / "x.pth", WRAPPINGS[case]), {})
    assert_same_pictures(network, card, original)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_files_from_before_pytorch_1_6_and_before_batches_were_counted(tmp_path):
    original = randomised(Unet(2, 5, BATCH))

    def uncounted(state):
        return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}

    file = saved(original, tmp_path / "latest_net_G.pth", uncounted, _use_new_zipfile_serialization=False)
    network, card = import_generator(file, {})
    assert_same_pictures(network, card, original)


def test_a_file_with_several_networks(tmp_path):
    networks = {
        "netG_A": Resnet(4, 1, INSTANCE),
        "netG_B": Resnet(4, 1, INSTANCE),
        "netD_A": PatchGAN(3, 4, 3, INSTANCE),
    }
    for network in networks.values():
        randomised(network)
    file = tmp_path / "horse2zebra.pth"
    torch.save({name: network.state_dict() for name, network in networks.items()}, file)
    assert {found.place: found.name for found in networks_in(file)} == {
        "netG_A": "G_AB",
        "netG_B": "G_BA",
        "netD_A": "D_B",
    }
    for chosen, expected in (
        ({}, "netG_A"),
        ({"direction": "AtoB"}, "netG_A"),
        ({"direction": "BtoA"}, "netG_B"),
    ):
        network, card = import_generator(file, chosen)
        assert card.direction == chosen.get("direction", "AtoB")
        assert_same_pictures(network, card, networks[expected])
    network, card = import_generator(file, {}, place="netG_B")
    assert (card.direction, card.task) == ("BtoA", "zebra to horse")
    with pytest.raises(WeightsError, match=r"no generator at 'netG'.*--place: netG_A, netG_B"):
        import_generator(file, {}, place="netG")
    torch.save({name: networks["netG_A"].state_dict() for name in ("one", "two")}, file)
    with pytest.raises(WeightsError, match=r"several generators.*--place: one, two"):
        import_generator(file, {})


def test_a_folder_of_the_reference(tmp_path):
    folder = tmp_path / "checkpoints" / "maps"
    networks = {name: randomised(Resnet(4, 1, INSTANCE)) for name in ("G_A", "G_B")}
    networks |= {name: randomised(PatchGAN(3, 4, 3, INSTANCE)) for name in ("D_A", "D_B")}
    for name, network in networks.items():
        saved(network, folder / f"latest_net_{name}.pth")
        saved(randomised(PatchGAN(3, 2, 3, BATCH)), folder / f"5_net_{name}.pth")
    found = {found.name: found for found in networks_in(folder)}
    assert {name: entry.file.stem for name, entry in found.items()} == {
        "G_AB": "latest_net_G_A",
        "G_BA": "latest_net_G_B",
        "D_B": "latest_net_D_A",
        "D_A": "latest_net_D_B",
    }
    network, card = import_generator(folder, {"direction": "BtoA"})
    assert (card.name, card.direction, card.task) == ("maps", "BtoA", "domain B to domain A")
    assert_same_pictures(network, card, networks["G_B"])
    for name in networks:
        (folder / f"latest_net_{name}.pth").unlink()
        saved(networks[name], folder / f"10_net_{name}.pth")
    assert {entry.file.stem for entry in networks_in(folder)} == {f"10_net_{name}" for name in networks}


def test_what_the_card_says(tmp_path):
    file = saved(Resnet(4, 1, INSTANCE), tmp_path / "horse2zebra_pretrained" / "latest_net_G.pth")
    _, card = import_generator(file, {})
    assert (card.name, card.task, card.domain_a, card.domain_b) == ("horse2zebra", "horse to zebra", "horse", "zebra")
    assert (card.licence, card.state, card.native_size, card.keeps_detail) == ("unknown", "preview", 256, True)
    assert "Imported from latest_net_G.pth (sha256 " in card.training
    _, card = import_generator(saved(Unet(1, 7, BATCH), tmp_path / "x.pth"), {"licence": "MIT", "task": "to draw"})
    assert (card.name, card.licence, card.task, card.native_size, card.keeps_detail) == (
        "x",
        "MIT",
        "to draw",
        128,
        False,
    )
    assert (card.norm_at_test, card.dropout_at_test) == ("picture", True)
    _, card = import_generator(tmp_path / "x.pth", {}, dropout=False)
    resnet = saved(Resnet(4, 2, INSTANCE), tmp_path / "r.pth")
    assert not import_generator(resnet, {}, dropout=False)[1].dropout_at_test
    with pytest.raises(WeightsError, match="trained without dropout"):
        import_generator(resnet, {}, dropout=True)
    assert (card.architecture.dropout, card.dropout_at_test) == (False, False)


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_what_is_no_checkpoint_of_these_programs(tmp_path):
    def refused(content, error, message):
        file = tmp_path / "latest_net_G.pth"
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(content, file)
        with pytest.raises(error, match=message) as raised:
            import_generator(file, {})
        assert str(file) in str(raised.value)

    resnet = Resnet(4, 1, INSTANCE).state_dict()
    refused(b"", WeightsError, "damaged or not a file of PyTorch")
    refused(b"some text that is long enough", WeightsError, "damaged or not a file of PyTorch")
    refused(
        {"opt": argparse.Namespace(), **resnet}, WeightsError, r"more than tensors: .*argparse\.Namespace.*state_dict"
    )
    refused({"trap": Trap(tmp_path / "ran"), **resnet}, WeightsError, "more than tensors")
    assert not (tmp_path / "ran").exists()
    refused([1, 2], WeightsError, "holds a list")
    refused({}, WeightsError, "no tensors at all")
    ours = {"config": "", "networks": {"G": resnet}, "averages": {"G": resnet}}
    refused(ours, WeightsError, "one of Zorse.*model files already, in the folders generators")
    refused({"layer.weight": torch.zeros(3)}, WeightsError, r"no network that Zorse knows.*Found: layer\.weight")
    refused(PatchGAN(3, 4, 3, INSTANCE).state_dict(), WeightsError, "holds no generator, only a patchgan")
    refused(Resnet(4, 1, INSTANCE, channels=1).state_dict(), IncompatibleWeights, "1 channels into 1")
    del resnet["model.10.conv_block.1.weight"]
    refused(
        resnet, IncompatibleWeights, r"resnet network .* layers\.10\.body\.1\.weight .* is missing.*changed program"
    )
    surplus = Resnet(4, 1, INSTANCE).state_dict() | {"model.10.attention.weight": torch.zeros(1)}
    refused(surplus, IncompatibleWeights, r"layers\.10\.attention\.weight has no place")
    refused({"model.1.weight": torch.zeros(4, 3, 7, 7)}, IncompatibleWeights, "how it enlarges cannot be told")
    refused({"model.0.weight": torch.zeros(4, 3, 4, 4)}, IncompatibleWeights, "is not complete")
    blurred = Resnet(4, 1, INSTANCE, blur_down=True).state_dict()
    blurred["model.7.filt"] = torch.zeros(8, 1, 5, 5)
    refused(blurred, IncompatibleWeights, r"blurs with 5 taps")
    with pytest.raises(WeightsError, match="There is no file"):
        import_generator(tmp_path / "none.pth", {})
    with pytest.raises(WeightsError, match=r"model\.onnx is no checkpoint .*zorse models info"):
        import_generator(tmp_path / "model.onnx", {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"no file such as latest_net_G\.pth"):
        import_generator(tmp_path / "empty", {})


def test_import_translate_export(tmp_path, zorse):
    """With all that no other architecture of Zorse has; the export compares it with PyTorch."""
    original = randomised(Resnet(4, 1, instance_affine, blur_down=True, blur_up=True))
    file = saved(original, tmp_path / "horse2zebra" / "latest_net_G.pth")
    out = tmp_path / "new" / "mine.safetensors"
    code, text, _ = zorse("models", "import", file, "-o", out, "--licence", "CC0", "--native-size", 32)
    assert code == 0
    for expected in (
        "norm instance_affine",
        "downsampling blur",
        "upsampling bilinear",
        "without dropout",
        "horse to zebra",
        "CC0",
        "32 px",
    ):
        assert expected in text
    picture = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)).save(picture)
    assert zorse("translate", picture, "-m", out, "-o", tmp_path / "b.png")[0] == 0
    assert zorse("export", out, "-o", tmp_path / "mine.onnx")[0] == 0
    assert zorse("translate", picture, "-m", tmp_path / "mine.onnx", "-o", tmp_path / "c.png")[0] == 0
    by_torch, by_onnx = (np.asarray(Image.open(tmp_path / name), dtype=int) for name in ("b.png", "c.png"))
    assert np.abs(by_torch - by_onnx).max() <= 1
    assert "Imported from latest_net_G.pth" in zorse("models", "info", out)[1]


def test_import_refuses_in_one_paragraph(tmp_path, zorse):
    file = saved(PatchGAN(3, 4, 3, INSTANCE), tmp_path / "latest_net_D.pth")
    code, _, complaint = zorse("models", "import", file, "-o", tmp_path / "x.safetensors")
    assert (code, "holds no generator" in complaint) == (1, True)
    assert not (tmp_path / "x.safetensors").exists()
    assert zorse("models", "import", file, "-o", tmp_path / "x.onnx")[0] == 2
    plain = saved(randomised(Unet(2, 5, no_norm)), tmp_path / "latest_net_G.pth")
    for option, value in (("--norm-at-test", "running"), ("--dropout-at-test", None)):
        code, _, complaint = zorse(
            "models", "import", plain, "-o", tmp_path / "x.safetensors", option, *filter(None, [value])
        )
        assert (code, f"leave {option} out" in complaint) == (1, True)
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    code, _, complaint = zorse("translate", tmp_path / "a.png", "-m", file)
    assert (code, "zorse models import" in complaint) == (1, True)


def test_what_was_imported_can_be_saved_and_loaded(tmp_path):
    original = randomised(Unet(2, 5, no_norm))
    network, card = import_generator(saved(original, tmp_path / "G.pth"), {})
    save_generator(tmp_path / "G.safetensors", network, card)
    loaded, read = load_generator(tmp_path / "G.safetensors")
    assert_same_pictures(loaded, read, original)
