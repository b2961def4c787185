"""Runs and model files of the version before modules moved go on working: `make_before_the_moves` has made them."""

import json
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

import zorse as package
from make_before_the_moves import ARCHIVE, GO_ON, draw, picture


@pytest.fixture
def before(tmp_path):
    """The folder of what was made then."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path / "before")
    return tmp_path / "before"


@pytest.fixture
def squares(tmp_path):
    return draw(tmp_path / "squares")


@pytest.fixture
def shown(before):
    with Image.open(before / "result.png") as result:
        return np.asarray(result, np.int16)


def assert_same_weights(file, expected):
    found, wanted = safetensors.numpy.load_file(file), safetensors.numpy.load_file(expected)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        # Processors differ in the last digits. Adam makes steps of them where a norm takes a bias out again.
        tolerance = 1e-6 if name.endswith("weight") else 1e-4
        np.testing.assert_allclose(found[name], tensor, rtol=1e-3, atol=tolerance, err_msg=name)


def assert_moved(file, later):
    """Else the comparison would show nothing."""
    first, then = safetensors.numpy.load_file(file), safetensors.numpy.load_file(later)
    assert any(np.abs(first[name] - then[name]).max() > 1e-5 for name in then if name.endswith("weight"))


def differs_at_most(model, shown):
    """Levels between what a model makes of the picture and what it made before."""
    return int(np.abs(package.load(model, "cpu")(picture(), size="keep").astype(np.int16) - shown).max())


def test_a_run_goes_on_as_it_would_have_then(zorse, before, squares):
    run = before / "translator"
    assert_moved(run / "generators" / "G_AB.safetensors", before / "later.safetensors")
    code, _, err = zorse("train", run / "config.toml", "--data", squares, "--out", run, *GO_ON)
    assert code == 0, err
    assert_same_weights(run / "generators" / "G_AB.safetensors", before / "later.safetensors")


def test_a_run_is_evaluated_with_the_same_figures(zorse, before, squares):
    run = before / "translator"
    code, out, err = zorse("evaluate", run, "--data", squares, "--direction", "AtoB", "--json")
    assert code == 0, err
    (evaluation,) = json.loads(out)["evaluations"]
    figures = {metric["name"]: metric["value"] for metric in evaluation["metrics"]}
    assert figures == pytest.approx(json.loads((before / "figures.json").read_text("utf-8")), rel=0.01)


def test_a_run_is_exported_and_started_from(zorse, before, squares, tmp_path, shown):
    run = before / "translator"
    code, _, err = zorse("export", run, "-o", tmp_path / "again.onnx")
    assert code == 0, err
    assert differs_at_most(tmp_path / "again.onnx", shown) <= 1
    options = ("--set", "training.iterations=2", "--set", "training.evaluate_every=0", "--set", "training.warm_up=0")
    start = ("train", run / "config.toml", "--data", squares, "--out", tmp_path / "new", "--from", run, "--no-check")
    code, out, err = zorse(*start, *options, "--device", "cpu")
    assert code == 0, err
    assert "G_AB starts from" in out


@pytest.mark.parametrize("file", ["model.onnx", "translator/generators/G_AB.safetensors"])
def test_a_model_file_translates_as_it_did(before, shown, file):
    assert differs_at_most(before / file, shown) <= 1


@pytest.mark.parametrize("file", ["model.onnx", "samples.onnx", "sampler/generators/G.safetensors"])
def test_a_model_file_says_what_it_is(zorse, before, file):
    code, out, err = zorse("models", "info", before / file)
    assert code == 0, err
    assert ("dark2light" if file == "model.onnx" else "gan_ring") in out


def test_a_run_that_draws_samples_goes_on_is_shown_and_exported(zorse, before, tmp_path):
    run = before / "sampler"
    assert_moved(run / "generators" / "G.safetensors", before / "later_G.safetensors")
    code, _, err = zorse("train", "gan_ring", "--out", run, *GO_ON)
    assert code == 0, err
    assert_same_weights(run / "generators" / "G.safetensors", before / "later_G.safetensors")
    for model in (run, before / "samples.onnx"):
        code, _, err = zorse("sample", model, "-o", tmp_path / "samples.png")
        assert code == 0, err
    code, _, err = zorse("export", run, "-o", tmp_path / "again.onnx")
    assert code == 0, err
    code, _, err = zorse("translate", tmp_path, "-m", before / "samples.onnx", "-o", tmp_path / "out")
    assert code == 1
    assert "draws samples from noise" in err
