"""Measuring: KID, closeness of pairs, test sets, and `zorse evaluate`."""

import json
import math

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import tiny_onnx
from zorse.backends.torch.safetensors_file import save_generator
from zorse.data.config import UnpairedConfig
from zorse.data.synthetic import brown_blobs, outlines_and_shapes, striped_blobs
from zorse.errors import DatasetError
from zorse.imaging.io import Picture, read_picture, write_picture
from zorse.metrics.evaluation import Report
from zorse.metrics.features import BATCH_SIZE, efficientnet_extractor, extract_features
from zorse.metrics.grid import GAP, TILE, grid, shown_numbers
from zorse.metrics.kid import kid, kid_resamples
from zorse.metrics.paired import l1, psnr, ssim
from zorse.metrics.pictures import detect_kind, edges_set, paired_set, two_sets, unpaired_set
from zorse.metrics.resampling import interval
from zorse.model.architecture import CompactConfig
from zorse.networks.build import build_generator
from zorse.networks.efficientnet import load_efficientnet


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def lite0():
    return efficientnet_extractor("lite0")


def drawn(draw, n, seed=0, size=48):
    return [draw(size, np.random.default_rng([seed, number])) for number in range(n)]


def write_all(folder, pictures, names=None):
    for number, pixels in enumerate(pictures):
        write_picture(folder / f"{names[number] if names else number}.png", Picture(pixels))


# KID


def test_kid_is_the_published_formula(rng):
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)) + 0.5

    def k(a, b):
        return (sum(a * b) / 3 + 1) ** 3

    expected = (
        sum(k(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
        + sum(k(y[i], y[j]) for i in range(4) for j in range(4) if i != j) / (4 * 3)
        - 2 * sum(k(a, b) for a in x for b in y) / (5 * 4)
    )
    assert kid(x, y) == pytest.approx(expected, rel=1e-12)
    assert kid(y, x) == pytest.approx(expected, rel=1e-12)


def test_kid_of_two_samples_of_one_set_is_zero_on_average(rng):
    values = [kid(*rng.normal(size=(2, 8, 4))) for _ in range(2000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(2000)
    assert min(values) < 0


def test_kid_grows_with_the_distance(rng):
    real = rng.normal(size=(60, 8))
    distances = [kid(real, rng.normal(size=(60, 8)) + shift) for shift in (0, 0.5, 1, 2)]
    assert distances == sorted(distances)
    assert distances[1] > 3 * abs(distances[0])


def kid_interval(real, fake, confidence=0.95, **settings):
    return interval(kid_resamples(real, fake, **settings), confidence)


def test_kid_interval_holds_the_true_value_and_is_no_wider_than_it_must(rng):
    def sample(n, shift):
        return 0.5 * (rng.normal(size=(n, 8)) + shift)

    true = np.mean([kid(sample(1000, 0), sample(1000, 0.7)) for _ in range(5)])
    pairs = [(sample(40, 0), sample(50, 0.7)) for _ in range(100)]
    intervals = [kid_interval(*pair, n_resamples=200) for pair in pairs]
    assert sum(low <= true <= high for low, high in intervals) >= 88
    width = np.mean([high - low for low, high in intervals])
    assert width < 1.3 * 2 * 1.96 * np.std([kid(*pair) for pair in pairs])


def test_kid_interval_narrows_with_more_pictures(rng):
    x, y = rng.normal(size=(400, 3)), rng.normal(size=(400, 3)) + 0.7
    few, many = kid_interval(x[:25], y[:25]), kid_interval(x, y)
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])
    assert many[0] < kid(x, y) < many[1]
    assert kid_interval(x, y) == many
    narrow = kid_interval(x, y, confidence=0.5)
    assert narrow[1] - narrow[0] < 0.6 * (many[1] - many[0])


def test_kid_interval_of_like_sets_is_around_zero(rng):
    low, high = kid_interval(rng.normal(size=(60, 3)), rng.normal(size=(60, 3)))
    assert low < 0 < high


@pytest.mark.parametrize(("n_real", "n_fake", "name"), [(1, 5, "real"), (5, 1, "translated"), (0, 5, "real")])
def test_kid_needs_two_pictures_of_each(n_real, n_fake, name):
    with pytest.raises(DatasetError, match=f"the {name} set has"):
        kid(np.zeros((n_real, 4)), np.zeros((n_fake, 4)))


def test_kid_refuses_features_that_are_not_numbers():
    fake = np.zeros((3, 4))
    fake[1, 2] = np.nan
    with pytest.raises(DatasetError, match="not finite"):
        kid(np.zeros((3, 4)), fake)


# Features


def test_features_do_not_depend_on_the_batch(lite0):
    pictures = drawn(brown_blobs, BATCH_SIZE + 2)
    features = extract_features(pictures, lite0)
    assert features.shape == (BATCH_SIZE + 2, 1280)
    alone = np.concatenate([extract_features([picture], lite0) for picture in pictures[-3:]])
    np.testing.assert_allclose(features[-3:], alone, atol=1e-5)


def test_features_are_of_the_whole_picture_resized_with_pillow(lite0, rng):
    picture = rng.integers(0, 256, (150, 300, 3), dtype=np.uint8)
    small = np.asarray(Image.fromarray(picture).resize((224, 224), Image.Resampling.BICUBIC))
    with torch.inference_mode():
        expected = load_efficientnet("lite0")(torch.from_numpy(small.transpose(2, 0, 1)[None] / np.float32(127.5) - 1))
    np.testing.assert_allclose(extract_features([picture], lite0), expected.numpy(), atol=1e-6)


def test_features_of_files_are_those_of_their_pixels(lite0, tmp_path):
    pictures = drawn(striped_blobs, 2)
    write_all(tmp_path, pictures)
    from_files = extract_features(sorted(tmp_path.iterdir()), lite0)
    np.testing.assert_array_equal(from_files, extract_features(pictures, lite0))


def test_features_of_a_broken_file_name_it(lite0, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        extract_features([tmp_path / "broken.png"], lite0)


def test_kid_tells_stripes_from_brown(lite0):
    brown, other_brown, striped = (
        extract_features(drawn(draw, 12, seed), lite0)
        for draw, seed in ((brown_blobs, 0), (brown_blobs, 1), (striped_blobs, 2))
    )
    assert kid(brown, striped) > 0.1
    assert abs(kid(brown, other_brown)) < 0.1 * kid(brown, striped)


# Pairs


def test_psnr_and_l1_of_a_known_difference():
    real = np.full((20, 20, 3), 100, np.uint8)
    assert psnr(real, real + 10) == pytest.approx(20 * math.log10(25.5))
    assert l1(real, real + 10) == 10
    assert l1(real + 10, real) == 10
    assert psnr(real, real) == 100
    assert l1(real, real) == 0


def test_ssim_is_the_published_formula(rng):
    real = cv2.blur(rng.integers(0, 256, (13, 14, 3), dtype=np.uint8), (3, 3))
    fake = np.clip(real.astype(int) + rng.integers(-40, 40, real.shape), 0, 255).astype(np.uint8)
    offset = np.arange(-5, 6)
    window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for top in range(3):
        for left in range(4):
            for channel in range(3):
                x, y = (p[top : top + 11, left : left + 11, channel].astype(float) for p in (real, fake))
                mx, my = (window * x).sum(), (window * y).sum()
                vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
                cov = (window * (x - mx) * (y - my)).sum()
                c1, c2 = 2.55**2, 7.65**2
                values.append((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(real, fake) == pytest.approx(np.mean(values), rel=1e-9)
    assert ssim(real, real) == pytest.approx(1)


def test_ssim_of_pictures_smaller_than_its_window():
    with pytest.raises(DatasetError, match="10 x 20"):
        ssim(np.zeros((20, 10, 3), np.uint8), np.zeros((20, 10, 3), np.uint8))


# Test sets


def test_unpaired_set_goes_both_ways(tmp_path):
    brown, striped = drawn(brown_blobs, 3), drawn(striped_blobs, 2)
    write_all(tmp_path / "blobs" / "testA", brown)
    write_all(tmp_path / "blobs" / "testB", striped)
    forward = unpaired_set(tmp_path / "blobs", UnpairedConfig(), "AtoB")
    assert (forward.source_name, forward.target_name) == ("blobs/testA", "blobs/testB")
    assert (forward.n_examples, forward.n_targets) == (3, 2)
    for example, picture in zip(forward.examples(), brown, strict=True):
        np.testing.assert_array_equal(example.source, picture)
        assert example.truth is None
    backward = unpaired_set(tmp_path / "blobs", UnpairedConfig(), "BtoA")
    assert (backward.source_name, backward.n_examples, backward.n_targets) == ("blobs/testB", 2, 3)
    assert detect_kind(tmp_path / "blobs", tiny_onnx.card()) == "unpaired"


def test_paired_set_of_ab_files_goes_both_ways(tmp_path):
    pairs = drawn(outlines_and_shapes, 2)
    write_all(tmp_path / "val", pairs)
    assert detect_kind(tmp_path, tiny_onnx.card()) == "paired"
    for direction, source, truth in (("AtoB", slice(48), slice(48, 96)), ("BtoA", slice(48, 96), slice(48))):
        pictures = paired_set(tmp_path, direction)
        assert (pictures.n_examples, pictures.n_targets) == (2, 2)
        for example, pair in zip(pictures.examples(), pairs, strict=True):
            np.testing.assert_array_equal(example.source, pair[:, source])
            np.testing.assert_array_equal(example.truth, pair[:, truth])


@pytest.mark.parametrize(("direction", "side"), [("AtoB", 40), ("BtoA", 48)])
def test_paired_set_of_two_folders_has_the_size_of_what_is_translated(tmp_path, direction, side):
    write_all(tmp_path / "testA", [*drawn(brown_blobs, 1, size=40), drawn(brown_blobs, 1, size=40)[0][:30]])
    write_all(tmp_path / "testB", drawn(striped_blobs, 2))
    examples = paired_set(tmp_path, direction).examples()
    first = next(examples)
    assert first.source.shape == first.truth.shape == (side, side, 3)
    with pytest.raises(DatasetError, match=r"testA/1\.png is 40 x 30 .*--crop"):
        next(examples)


def test_edges_set_searches_lines_at_the_models_size(tmp_path):
    write_all(tmp_path / "test", drawn(brown_blobs, 2, size=64))
    example = next(edges_set(tmp_path, 32).examples())
    assert example.source.shape == example.truth.shape == (32, 32, 3)
    assert set(np.unique(example.source)) == {0, 255}


def test_an_empty_side_is_named(tmp_path):
    write_all(tmp_path / "here", drawn(brown_blobs, 1))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DatasetError, match="nothing"):
        two_sets(tmp_path / "here", tmp_path / "nothing")


# Grid


def test_grid_shows_inputs_and_outputs_side_by_side():
    red, blue = np.zeros((30, 60, 3), np.uint8) + np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)[:, None]
    sheet = grid([[red, blue]] * 6)
    assert sheet.shape == (2 * TILE + GAP, 4 * 2 * TILE + 3 * GAP, 3)
    assert sheet[TILE // 2, 10].tolist() == [255, 0, 0]
    assert sheet[TILE // 2, TILE + 10].tolist() == [0, 0, 255]
    assert sheet[10, 10].tolist() == [255, 255, 255]  # beside a wide picture
    assert sheet[TILE + GAP + TILE // 2, 2 * TILE + GAP + 10].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("n", "shown"), [(1, {0}), (5, {0, 1, 2, 3, 4}), (16, set(range(16))), (61, set(range(0, 61, 4)))]
)
def test_grid_shows_up_to_sixteen_pictures_of_the_whole_set(n, shown):
    assert shown_numbers(n) == shown


# The command


@pytest.fixture
def blobs(tmp_path):
    root = tmp_path / "blobs"
    write_all(root / "testA", drawn(brown_blobs, 3))
    write_all(root / "testB", drawn(striped_blobs, 4))
    return root


def test_a_model_that_does_nothing_scores_as_the_untouched_pictures(zorse, blobs, tmp_path):
    model = tiny_onnx.write(tmp_path / "tiny.onnx", tiny_onnx.identity, tiny_onnx.card(native_size=48))
    result, sheet = tmp_path / "result.json", tmp_path / "grid.png"
    code, out, _ = zorse("evaluate", model, "--data", blobs, "-o", result, "--grid", sheet, "--json")
    assert code == 0
    report = Report.model_validate_json(out)
    assert report == Report.model_validate_json(result.read_text())
    (evaluation,) = report.evaluations
    names = [metric.name for metric in evaluation.metrics]
    assert names == ["KID x 1000 (EfficientNet-Lite0)", "KID x 1000 (EfficientNet-Lite2)"]
    for metric, untouched in zip(evaluation.metrics, evaluation.untouched, strict=True):
        assert metric.value == pytest.approx(untouched.value, abs=1e-3)
        assert metric.interval[0] < metric.value < metric.interval[1]
        assert "3 pictures of blobs/testA translated at 48 px; 4 real pictures of blobs/testB" in metric.protocol
        assert "untouched" in untouched.protocol
    assert read_picture(sheet).rgb.shape == (TILE, 3 * 2 * TILE + 2 * GAP, 3)


def test_pairs_are_compared_picture_by_picture(zorse, tmp_path):
    write_all(tmp_path / "data" / "val", drawn(outlines_and_shapes, 2))
    model = tiny_onnx.write(tmp_path / "tiny.onnx", tiny_onnx.negation, tiny_onnx.card(native_size=48))
    result = tmp_path / "result.json"
    code, out, _ = zorse("evaluate", model, "--data", tmp_path / "data", "-o", result)
    assert code == 0
    assert "PSNR (dB)" in out
    metrics = {m["name"]: m["value"] for m in json.loads(result.read_text())["evaluations"][0]["metrics"]}
    pairs = drawn(outlines_and_shapes, 2)
    assert metrics["L1 (levels of 255)"] == pytest.approx(
        np.mean([l1(pair[:, 48:], 255 - pair[:, :48]) for pair in pairs]), abs=1e-6
    )
    assert metrics["SSIM"] < 0.5


def test_both_generators_of_a_run_are_measured_in_their_direction(zorse, blobs, tmp_path):
    architecture = CompactConfig(base_channels=4, n_blocks=1, finish_channels=2)
    run = tmp_path / "run"
    for name, direction in (("G_AB", "AtoB"), ("G_BA", "BtoA")):
        card = tiny_onnx.card(name=name, direction=direction, architecture=architecture)
        save_generator(run / "generators" / f"{name}.safetensors", build_generator(architecture), card)
    (run / "config.toml").write_text(
        'name = "blobs"\ndomain_a = "brown"\ndomain_b = "striped"\n'
        '[data]\nkind = "unpaired"\nfolder_a = "B"\nfolder_b = "A"\n[recipe]\nkind = "cyclegan"\n'
    )
    (blobs / "A").mkdir()
    (blobs / "B").mkdir()
    (blobs / "testA").rename(blobs / "A" / "test")
    (blobs / "testB").rename(blobs / "B" / "test")
    code, out, _ = zorse("evaluate", run, "--data", blobs, "--json", "--grid", tmp_path / "grid.png")
    assert code == 0
    forward, backward = json.loads(out)["evaluations"]
    # The run's own folders count: its domain A is in the folder B.
    assert "4 pictures of B/test translated" in forward["metrics"][0]["protocol"]
    assert "3 pictures of A/test translated" in backward["metrics"][0]["protocol"]
    assert {path.name for path in tmp_path.glob("grid*")} == {"grid_G_AB.png", "grid_G_BA.png"}


def test_what_evaluate_cannot_use_is_said_in_a_paragraph(zorse, blobs, tmp_path):
    model = tiny_onnx.write(tmp_path / "tiny.onnx")
    one = tmp_path / "one"
    write_all(one, drawn(brown_blobs, 1))
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, complaint in [
        ([model, "--data", tmp_path / "nowhere"], "nowhere does not exist"),
        ([model, "--data", empty], "Pictures of the split 'test' were wanted"),
        ([model, "--data", blobs / "testA", "--real", empty], "empty, which holds nothing"),
        ([model, "--data", blobs / "testA", "--real", one], "At least 2 pictures"),
        ([model, "--data", blobs, "--real", one, "--kind", "paired"], "--real names real pictures"),
        ([model, "--data", blobs, "-o", tmp_path / "no" / "result.json"], "there is no folder"),
        ([model, "--data", blobs, "--grid", tmp_path / "grid.xcf"], "must end in one of"),
        ([empty, "--data", blobs], "holds no generators"),
        ([tmp_path / "no.onnx", "--data", blobs], "does not exist"),
    ]:
        code, out, err = zorse("evaluate", *arguments)
        assert code == 1
        assert complaint in err
        assert out == ""


def test_an_unknown_size_is_wrong_usage(zorse, blobs, tmp_path):
    code, _, err = zorse("evaluate", tiny_onnx.write(tmp_path / "tiny.onnx"), "--data", blobs, "--size", "large")
    assert code == 2
    assert "--size" in err
