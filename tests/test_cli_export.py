"""`zorse export`, as it is called from a shell."""

import json
import sys
from importlib.util import find_spec

import pytest
import torch

import zorse
from zorse.architecture import UnetConfig
from zorse.card import ModelCard
from zorse.cli import export as command
from zorse.cli import main
from zorse.generator_file import save_generator
from zorse.networks.build import build_generator
from zorse.training.files import RunFolder
from zorse_export import find_generator

ARCHITECTURE = UnetConfig(base_channels=2, depth=3, norm="none", dropout=False)
"""Traced in a second or two."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def zorse_export(monkeypatch, capfd):
    """Runs the command as the entry point does: exit code, standard output, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["zorse", "export", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capfd.readouterr()

    return run


def save(run, name, direction, model_name):
    card = ModelCard(
        name=model_name,
        task=model_name,
        domain_a="horse",
        domain_b="zebra",
        direction=direction,
        architecture=ARCHITECTURE,
        native_size=32,
    )
    save_generator(RunFolder(run).generators / f"{name}.safetensors", build_generator(ARCHITECTURE), card)


@pytest.fixture
def cyclegan_run(tmp_path):
    save(tmp_path / "run", "G_AB", "AtoB", "horse2zebra")
    save(tmp_path / "run", "G_BA", "BtoA", "zebra2horse")
    return tmp_path / "run"


@pytest.fixture
def pix2pix_run(tmp_path):
    save(tmp_path / "pix2pix", "G", "BtoA", "zebra 2/horse")
    return tmp_path / "pix2pix"


def test_a_run_becomes_a_model_that_loads(zorse_export, cyclegan_run):
    code, out, err = zorse_export(cyclegan_run)
    assert (code, err) == (0, "")
    file = cyclegan_run / "horse2zebra.onnx"
    assert str(file) in out
    assert out.count("1 x 32x32") == 1
    assert "allowed" in out
    assert zorse.load(file).card.direction == "AtoB"


def test_16_bits_as_json_into_a_folder(zorse_export, pix2pix_run, tmp_path):
    code, out, err = zorse_export(pix2pix_run, "--precision", "fp16", "--json", "-o", tmp_path)
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["file"] == str(tmp_path / "zebra_2_horse.onnx")
    assert report["precision"] == "fp16"
    assert len(report["checks"]) == 3
    assert zorse.load(report["file"]).card.name == "zebra 2/horse"


def test_which_generator_is_meant(cyclegan_run, pix2pix_run):
    both, one = RunFolder(cyclegan_run).generators, RunFolder(pix2pix_run).generators
    assert find_generator(cyclegan_run) == both / "G_AB.safetensors"
    assert find_generator(cyclegan_run, "BtoA") == both / "G_BA.safetensors"
    assert find_generator(pix2pix_run) == one / "G.safetensors"
    assert find_generator(one / "G.safetensors", "BtoA") == one / "G.safetensors"


def test_a_direction_that_is_not_there(zorse_export, pix2pix_run):
    code, _, err = zorse_export(pix2pix_run, "--direction", "AtoB")
    assert code == 1
    assert "no generator for AtoB, only for BtoA" in err
    code, _, err = zorse_export(RunFolder(pix2pix_run).generators / "G.safetensors", "--direction", "AtoB")
    assert code == 1
    assert "translates BtoA (zebra to horse), but --direction AtoB was asked for" in err


def test_what_is_no_generator(zorse_export, tmp_path):
    torch.save({}, tmp_path / "G.pth")
    for source, message in {
        tmp_path: "holds no generators",
        tmp_path / "nothing": "There is no model file",
        tmp_path / "G.pth": "is a pickle",
    }.items():
        code, out, err = zorse_export(source)
        assert (code, out) == (1, "")
        assert message in err
        assert err.count("\n") == 1


def test_wrong_usage(zorse_export, pix2pix_run):
    assert zorse_export()[0] == 2
    assert zorse_export(pix2pix_run, "--precision", "int3")[0] == 2
    code, _, err = zorse_export(pix2pix_run, "-o", "model.txt")
    assert code == 2
    assert "neither an .onnx file nor a folder" in err


def test_missing_packages_are_named(zorse_export, pix2pix_run, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "onnx" else find_spec(name))
    code, _, err = zorse_export(pix2pix_run)
    assert code == 1
    assert "pip install 'zorse[export]'" in err
