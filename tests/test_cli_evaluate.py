"""`zorse evaluate`: what beyond KID it measures and prints, and what happens where a download fails."""

import json
from dataclasses import replace

import numpy as np
import pytest

import tiny_onnx
from tiny_training import tiny_cyclegan
from zorse.data.synthetic import brown_blobs, outlines_and_shapes, striped_blobs, synthesize
from zorse.errors import WeightsError
from zorse.imaging.io import Picture, write_picture
from zorse.metrics import evaluation, inception, perceptual
from zorse.metrics import figures as figures_module
from zorse.metrics.features import efficientnet_extractor
from zorse.metrics.perceptual import PairMeasure
from zorse.metrics.pictures import two_sets
from zorse.training.run import train


def draw(folder, drawing, n, seed=0):
    for number in range(n):
        pixels = drawing(48, np.random.default_rng([seed, number]))
        write_picture(folder / f"{number}.png", Picture(pixels))


@pytest.fixture
def blobs(tmp_path):
    draw(tmp_path / "blobs" / "testA", brown_blobs, 5)
    draw(tmp_path / "blobs" / "testB", striped_blobs, 4)
    return tmp_path / "blobs"


@pytest.fixture
def pairs(tmp_path):
    draw(tmp_path / "pairs" / "val", outlines_and_shapes, 2)
    return tmp_path / "pairs"


@pytest.fixture(autouse=True)
def one_eye(monkeypatch):
    """One network is enough, and so are rough intervals."""
    monkeypatch.setattr(evaluation, "VARIANTS", ("lite0",))
    monkeypatch.setattr(figures_module, "N_RESAMPLES", 50)


@pytest.fixture
def negation(tmp_path):
    return tiny_onnx.write(tmp_path / "tiny.onnx", tiny_onnx.negation, tiny_onnx.card(native_size=48))


def figures(text):
    (measured,) = json.loads(text)["evaluations"]
    return {metric["name"]: metric for metric in measured["metrics"]}


def test_there_and_back_is_measured_with_a_way_back(zorse, blobs, negation, tmp_path):
    identity = tiny_onnx.write(tmp_path / "identity.onnx", tiny_onnx.identity, tiny_onnx.card(native_size=48))
    code, out, _ = zorse("evaluate", negation, "--back", negation, "--data", blobs, "--json")
    assert code == 0
    there_and_back = figures(out)
    assert there_and_back["Cycle error (levels of 255)"]["value"] == pytest.approx(0, abs=0.5)
    assert there_and_back["Cycle error (levels of 255)"]["better"] == "lower"
    code, out, _ = zorse("evaluate", negation, "--back", identity, "--data", blobs, "--json")
    only_there = figures(out)
    assert only_there["Cycle error (levels of 255)"]["value"] > 30
    assert only_there["Cycle PSNR (dB)"]["value"] < 15
    assert there_and_back["Cycle PSNR (dB)"]["value"] > 45


def test_an_identifier_stands_below_every_figure(zorse, blobs, negation, tmp_path):
    file = tmp_path / "result.json"
    code, out, _ = zorse("evaluate", negation, "--data", blobs, "-o", file)
    assert code == 0
    lines = out.splitlines()
    measured = figures(file.read_text())
    assert list(measured) == [f"{name} (EfficientNet-Lite0)" for name in ("KID x 1000", "Precision", "Recall")]
    for name, metric in measured.items():
        (place,) = [number for number, line in enumerate(lines) if line.startswith(name)]
        assert lines[place + 1].strip() == metric["protocol_id"]
        assert metric["protocol_id"].split("/")[-2] == "5v4"
    assert "5 pictures of blobs/testA translated at 48 px; 4 real pictures of blobs/testB" in out


def test_identifiers_follow_the_pictures_not_their_place(blobs, tmp_path):
    here = two_sets(blobs / "testA", blobs / "testB").fingerprint()
    moved = blobs.rename(tmp_path / "elsewhere")
    assert two_sets(moved / "testA", moved / "testB").fingerprint() == here
    assert two_sets(moved / "testB", moved / "testA").fingerprint() != here
    (moved / "testB" / "0.png").write_bytes((moved / "testA" / "0.png").read_bytes())
    assert two_sets(moved / "testA", moved / "testB").fingerprint() != here


def test_fid_stands_first_where_inception_can_be_had(zorse, blobs, negation, monkeypatch):
    stand_in = replace(efficientnet_extractor("lite0"), name="Inception-v3", identifier="inception", has_fid=True)
    monkeypatch.setattr(inception, "inception_extractor", lambda: stand_in)
    code, out, _ = zorse("evaluate", negation, "--data", blobs, "--fid", "--json")
    assert code == 0
    names = list(figures(out))
    assert names[:3] == ["FID", "KID x 1000 (Inception-v3)", "KID x 1000 (EfficientNet-Lite0)"]
    assert "Precision (Inception-v3)" in names
    assert figures(out)["FID"]["value"] > 1


def test_pairs_have_perceptual_distances(zorse, pairs, negation, monkeypatch):
    stand_in = PairMeasure("LPIPS (AlexNet)", "lpips", "LPIPS", lambda real, fake: 0.25)
    monkeypatch.setattr(perceptual, "lpips", lambda: stand_in)
    code, out, _ = zorse("evaluate", negation, "--data", pairs, "--lpips", "--json")
    assert code == 0
    assert figures(out)["LPIPS (AlexNet)"]["value"] == 0.25
    assert 0 < figures(out)["Perceptual distance (EfficientNet-Lite2)"]["value"] < 2


def test_what_cannot_be_downloaded_takes_nothing_else_with_it(zorse, pairs, negation, monkeypatch, tmp_path):
    def unreachable():
        raise WeightsError("FID needs weights that are not there.")

    monkeypatch.setattr(inception, "inception_extractor", unreachable)
    file = tmp_path / "result.json"
    code, out, err = zorse("evaluate", negation, "--data", pairs, "--fid", "-o", file)
    assert code == 1
    assert "PSNR (dB)" in out
    assert "FID needs weights that are not there." in err
    (measured,) = json.loads(file.read_text())["evaluations"]
    assert "FID needs weights that are not there." in measured["missing"]
    assert len(measured["metrics"]) == 5


def test_few_pictures_are_told_of(zorse, pairs, negation):
    code, _, err = zorse("evaluate", negation, "--data", pairs)
    assert code == 0
    assert "Precision and recall need at least 4 pictures" in err


def test_lpips_of_a_set_without_pairs_is_refused_before_the_work(zorse, blobs, negation):
    code, out, err = zorse("evaluate", negation, "--data", blobs, "--lpips")
    assert code == 1
    assert "holds no pairs" in err
    assert out == ""


def test_a_result_that_could_not_be_written_is_told_before_the_work(zorse, blobs, negation, tmp_path):
    for option, file, reason in (
        ("-o", tmp_path, "it is a folder"),
        ("--grid", tmp_path / "none" / "grid.png", "there is no folder"),
        ("--grid", tmp_path / "grid.xyz", "its name must end in"),
    ):
        code, out, err = zorse("evaluate", negation, "--data", blobs, option, file)
        assert (code, out) == (1, "")
        assert reason in err


def test_a_single_model_has_no_best_checkpoint(zorse, blobs, negation):
    code, _, err = zorse("evaluate", negation, "--data", blobs, "--checkpoint", "best")
    assert code == 1
    assert "is a single model" in err


def test_one_direction_of_a_run_is_measured(zorse, tmp_path):
    synthesize("blobs", tmp_path / "set", n=6, size=40, seed=0)
    run, data = tmp_path / "run", tmp_path / "set"
    train(tiny_cyclegan("training.iterations=1"), data, run)
    code, out, _ = zorse("evaluate", run, "--data", data, "--direction", "BtoA", "--json", "--grid", tmp_path / "g.png")
    (measured,) = json.loads(out)["evaluations"]
    assert (code, measured["direction"]) == (0, "BtoA")
    assert "Cycle error (levels of 255)" in [metric["name"] for metric in measured["metrics"]]
    assert (tmp_path / "g.png").is_file()
    given = ("--data", data / "testA", "--real", data / "testB")
    code, _, err = zorse("evaluate", run, *given)
    assert code == 1
    assert "Say with --direction" in err
    code, out, _ = zorse("evaluate", run, *given, "--direction", "AtoB", "--json")
    assert [each["direction"] for each in json.loads(out)["evaluations"]] == ["AtoB"]


def test_a_direction_where_there_is_none(zorse, blobs, negation):
    for given in (("--real", blobs / "testB"), ("--kind", "edges")):
        code, _, err = zorse("evaluate", negation, "--data", blobs, "--direction", "AtoB", *given)
        assert code == 1
        assert "--direction" in err


def test_strips_are_measured(zorse, negation, tmp_path):
    for side, drawing in (("testA", brown_blobs), ("testB", striped_blobs)):
        for number in range(3):
            pixels = np.tile(drawing(48, np.random.default_rng(number)), (1, 28, 1))
            write_picture(tmp_path / "strips" / side / f"{number}.png", Picture(pixels))
    (tmp_path / "strips" / "testA" / "layers.psd").write_bytes(b"8BPS")
    code, out, err = zorse("evaluate", negation, "--data", tmp_path / "strips", "--json")
    assert code == 0, err
    assert "3 pictures of strips/testA against 3 of strips/testB" in err
    assert "layers.psd" in err
    assert all(np.isfinite(metric["value"]) for metric in figures(out).values())


def test_a_run_with_both_ways_needs_no_way_back(zorse, negation, tmp_path):
    synthesize("blobs", tmp_path / "set", n=6, size=40, seed=0)
    train(tiny_cyclegan("training.iterations=1"), tmp_path / "set", tmp_path / "run")
    code, _, err = zorse("evaluate", tmp_path / "run", "--data", tmp_path / "set", "--back", negation)
    assert code == 1
    assert "leave --back out" in err
    code, out, _ = zorse("evaluate", tmp_path / "run", "--data", tmp_path / "set", "--json")
    assert code == 0
    for measured in json.loads(out)["evaluations"]:
        assert "Cycle error (levels of 255)" in [metric["name"] for metric in measured["metrics"]]
