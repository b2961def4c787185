"""`zorse export`, as it is called from a shell."""

import json
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_onnx
import zorse
from tiny_export import noise, session
from zorse.backends.torch.safetensors_file import save_generator
from zorse.cli import main
from zorse.errors import WeightsError
from zorse.loading import locate
from zorse.model.architecture import UnetConfig
from zorse.model.card import ModelCard
from zorse.networks.build import build_generator
from zorse.system import extras
from zorse.training.files import RunFolder
from zorse_export import default_target, find_generator

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
    assert [line.split()[3] for line in out.splitlines() if "1 x 32x32" in line] == ["drawn", "noise"]
    assert "allowed" in out
    assert "uint8" in out
    translator = zorse.load(file)
    assert translator.card.direction == "AtoB"
    picture = noise(21, 34, 3)
    (alone,) = session(file).run(None, {"image": picture[None]})
    assert np.abs(alone[0].astype(int) - translator(picture, size="keep")).max() <= 1


def test_16_bits_as_json_into_a_folder(zorse_export, pix2pix_run, tmp_path):
    code, out, err = zorse_export(pix2pix_run, "--precision", "fp16", "--json", "-o", tmp_path)
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["file"] == str(tmp_path / "zebra_2_horse.onnx")
    assert report["parity"]["precision"] == "fp16"
    assert report["parity"]["psnr"] >= 50
    assert len({str(check["compared"]) for check in report["checks"]}) == 14
    assert zorse.load(report["file"]).card.name == "zebra 2/horse"


def test_which_generator_is_meant(cyclegan_run, pix2pix_run):
    both, one = RunFolder(cyclegan_run).generators, RunFolder(pix2pix_run).generators
    assert find_generator(cyclegan_run) == both / "G_AB.safetensors"
    assert find_generator(cyclegan_run, "BtoA") == both / "G_BA.safetensors"
    assert find_generator(pix2pix_run) == one / "G.safetensors"
    assert find_generator(one / "G.safetensors", "BtoA") == one / "G.safetensors"


def test_a_folder_of_pictures_does_not_hide_the_shipped_model_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "horse2zebra" / "trainA").mkdir(parents=True)
    assert find_generator(Path("horse2zebra")) == locate("horse2zebra")
    assert default_target(Path("horse2zebra"), tiny_onnx.card(name="horse2zebra")) == Path("horse2zebra.onnx")
    (tmp_path / "horse2zebra" / "config.toml").touch()
    with pytest.raises(WeightsError, match="holds no generators"):
        find_generator(Path("horse2zebra"))


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
    assert zorse_export(pix2pix_run, "--evaluate", pix2pix_run)[0] == 2
    assert zorse_export(pix2pix_run, "--keep-slower")[0] == 2
    assert zorse_export(pix2pix_run, "--io", "uint16")[0] == 2


def test_an_exported_file_is_exported_again(zorse_export, pix2pix_run, tmp_path):
    """For another precision or io, where the .safetensors file is not at hand."""
    first, second = tmp_path / "first.onnx", tmp_path / "second.onnx"
    assert zorse_export(pix2pix_run, "-o", first)[0] == 0
    code, _, err = zorse_export(first, "--io", "float", "-o", second)
    assert (code, err) == (0, "")
    values = np.random.default_rng(0).uniform(-1, 1, (1, 3, 32, 32)).astype(np.float32)
    outcomes = [zorse.load(file, "cpu").backend(values) for file in (first, second)]
    np.testing.assert_allclose(*outcomes, atol=1e-6)
    for target in ((), ("-o", first)):
        code, _, err = zorse_export(first, *target)
        assert code == 2
        assert "another file than the one that is exported" in err


def test_8_bits_need_pictures(zorse_export, pix2pix_run, tmp_path):
    code, _, err = zorse_export(pix2pix_run, "--precision", "int8")
    assert code == 1
    assert "at least 4 were wanted, 0 came. Name a folder of them: --calibrate DIR." in err
    code, _, err = zorse_export(pix2pix_run, "--precision", "int8", "--calibrate", tmp_path / "nothing")
    assert code == 1
    assert "nothing is not a folder" in err


def test_choices_are_checked(zorse_export, pix2pix_run):
    for option, message in (("--dropout-at-test", "no dropout"), ("--norm-at-test=running", "no BatchNorm")):
        code, _, err = zorse_export(pix2pix_run, option)
        assert code == 1
        assert message in err


def test_models_info_shows_the_comparison(zorse_export, pix2pix_run, monkeypatch, capfd):
    assert zorse_export(pix2pix_run, "--precision", "fp16", "-o", pix2pix_run / "a.onnx")[0] == 0
    monkeypatch.setattr(sys, "argv", ["zorse", "models", "info", str(pix2pix_run / "a.onnx")])
    with suppress(SystemExit):
        main()
    shown = dict(line.split("  ", 1) for line in capfd.readouterr().out.splitlines())
    assert shown["takes and gives"].strip() == "uint8 (N, H, W, 3), any size"
    assert "at most 1 of 255 levels, PSNR at least" in shown["beside PyTorch"]
    assert "1 x 32x32" in shown["beside PyTorch"]
    assert shown["at test time"].strip() == "each picture normalised by itself, without dropout"


def test_missing_packages_are_named(zorse_export, pix2pix_run, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnxscript" else find_spec(name))
    code, _, err = zorse_export(pix2pix_run)
    assert code == 1
    assert "pip install 'zorse[export]'" in err
