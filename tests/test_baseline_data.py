"""What baselines learn from: points in the plane, idx files, class folders."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

from tiny_baselines import draw_classes, draw_digits, idx_bytes
from zorse.errors import DatasetError
from zorse.gans.data.config import DigitsConfig, MixtureConfig, PicturesConfig
from zorse.gans.data.dataset import open_samples, sample_batches
from zorse.gans.data.idx import find_idx, read_idx
from zorse.gans.data.mixtures import centres, spread
from zorse.gans.metrics.modes import measure_modes


@pytest.mark.parametrize(("distribution", "modes"), [("ring", 8), ("grid", 25), ("spiral", 32)])
def test_points_lie_around_their_modes(distribution, modes):
    config = MixtureConfig(distribution=distribution)
    batch = open_samples(config, None).batch(0, 4000)
    means = centres(distribution)
    assert means.shape == (modes, 2)
    offset = batch["x"].numpy() - means[batch["label"].numpy()]
    assert offset.std() == pytest.approx(spread(config), rel=0.05)
    assert np.bincount(batch["label"], minlength=modes).min() > 0.5 * 4000 / modes
    figures = measure_modes(batch["x"].numpy(), means, spread(config))
    assert figures.covered == modes
    assert figures.good == pytest.approx(0.989, abs=0.012)
    assert figures.reverse_kl < 0.02
    assert figures.mismatch < 0.12


def test_modes_are_counted():
    means = np.array([[0, 0], [10, 0]], np.float32)
    points = np.array([[0, 0], [0, 2.9], [0, 3.1], [4, 0]], np.float32)
    figures = measure_modes(points, means, std=1.0)
    assert (figures.modes, figures.covered, figures.good) == (2, 1, 0.5)
    assert figures.reverse_kl == pytest.approx(np.log(2)), "all are nearest to one of two"
    assert figures.mismatch == pytest.approx(0.5)


def test_batches_go_on_where_a_run_was_stopped_and_processes_share_them(tmp_path):
    digits = open_samples(DigitsConfig(), draw_digits(tmp_path / "digits"), seed=3)
    for samples in (open_samples(MixtureConfig(), None, seed=3), digits):
        whole = [batch["x"] for batch in sample_batches(samples, 4, 0, 6)]
        rest = [batch["x"] for batch in sample_batches(samples, 4, 12, 3)]
        assert all(torch.equal(a, b) for a, b in zip(whole[3:], rest, strict=True))
        second = next(iter(sample_batches(samples, 4, 0, 1, rank=1, world=2)))["x"]
        assert torch.equal(second, whole[1])
        assert not torch.equal(whole[0], whole[1])


def test_digits_come_as_pictures_with_their_labels(tmp_path):
    folder = draw_digits(tmp_path / "digits")
    samples = open_samples(DigitsConfig(), folder)
    assert (len(samples), samples.shape, samples.class_names[3]) == (60, (1, 32, 32), "3")
    batch = samples.batch(0, 60)
    assert sorted(batch["label"].tolist()) == sorted(list(range(10)) * 6), "an epoch holds each once"
    picture = batch["x"][batch["label"].tolist().index(3)][0]
    assert set(picture.unique().tolist()) == {-1.0, 1.0}
    rows = (picture > 0).any(1).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (2 + 6, 2 + 11), "two pixels of margin"
    assert len(open_samples(DigitsConfig(size=28), folder, split="test")) == 20, "packed files, too"
    few = open_samples(DigitsConfig(only=(1, 7)), folder)
    assert set(few.batch(0, len(few))["label"].tolist()) == {1, 7}


def test_companions(tmp_path):
    folder = draw_digits(tmp_path / "digits")
    same = open_samples(DigitsConfig(companion="same_class"), folder).batch(0, 60)
    plain = {tuple(p.flatten().tolist()) for p in same["x"]}
    for one, other, label in zip(same["x"], same["y"], same["label"], strict=True):
        assert tuple(other.flatten().tolist()) in plain
        assert torch.equal(one, other), f"all drawn {int(label)}s look alike"
    negative = open_samples(DigitsConfig(companion="negative"), folder).batch(0, 60)
    assert float(negative["y"].mean()) == pytest.approx(-float(negative["x"].mean()))
    edges = open_samples(DigitsConfig(companion="edges"), folder).batch(0, 60)
    assert set(edges["y"].unique().tolist()) == {-1.0, 1.0}
    assert not torch.equal(edges["x"], edges["y"])


def test_another_picture_of_the_same_class_is_another_one(tmp_path):
    folder = draw_classes(tmp_path / "set")
    config = PicturesConfig(size=32, flip=False, companion="same_class")
    batch = open_samples(config, folder).batch(0, 8)
    assert all(not torch.equal(x, y) for x, y in zip(batch["x"], batch["y"], strict=True))
    # Green has more green than red: both of a pair are of one class.
    green = [[float(p[1].mean()) > float(p[0].mean()) for p in batch[key]] for key in ("x", "y")]
    assert green[0] == green[1]


def test_folders_are_classes(tmp_path):
    samples = open_samples(PicturesConfig(size=16), draw_classes(tmp_path / "set"))
    assert (samples.class_names, samples.shape, len(samples)) == (("green", "red"), (3, 16, 16), 8)
    batch = samples.batch(0, 8)
    for picture, label, path in zip(batch["x"], batch["label"], batch["path_x"], strict=True):
        assert samples.class_names[int(label)] in path
        assert (float(picture[1].mean()) > float(picture[0].mean())) == (int(label) == 0)
    grey = open_samples(PicturesConfig(size=16, channels=1), tmp_path / "set" / "red")
    assert (grey.shape, grey.class_names) == ((1, 16, 16), ("red",))


def test_a_class_with_one_picture_has_no_pairs(tmp_path):
    folder = draw_classes(tmp_path / "set", per_class=2)
    (folder / "red" / "0.png").unlink()
    with pytest.raises(DatasetError, match="red has only one"):
        open_samples(PicturesConfig(companion="same_class"), folder)


def test_pictures_that_are_kept_for_testing_are_never_trained_on(tmp_path):
    for name in ("train", "valid"):
        draw_classes(tmp_path / "both" / name, per_class=2 if name == "train" else 3)
    both = [len(open_samples(PicturesConfig(), tmp_path / "both", split=split)) for split in ("train", "test")]
    assert both == [4, 6]
    draw_classes(tmp_path / "tests" / "test")
    with pytest.raises(DatasetError, match=r"split 'train' were wanted.*there is test/"):
        open_samples(PicturesConfig(), tmp_path / "tests")


# Bad input


def test_no_folder_a_wrong_one_and_an_empty_one(tmp_path):
    with pytest.raises(DatasetError, match="Say where they are with --data"):
        open_samples(DigitsConfig(), None)
    with pytest.raises(DatasetError, match="does not exist"):
        open_samples(DigitsConfig(), tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="holds no train-images-idx3-ubyte"):
        open_samples(DigitsConfig(), tmp_path)
    with pytest.raises(DatasetError, match="Pictures were wanted"):
        open_samples(PicturesConfig(), tmp_path)


def test_damaged_idx_files(tmp_path):
    whole = idx_bytes(np.zeros((3, 28, 28), np.uint8))
    cases = {
        "short": (whole[:100], "says that it holds 3 x 28 x 28 bytes, but 84 follow where 2352 should"),
        "empty": (b"", "begins with nothing"),
        "labels": (idx_bytes(np.zeros(3, np.uint8)), "begins with 00 00 08 01, 00 00 08 03 was expected"),
        "other": (b"PK\x03\x04" + bytes(40), "begins with 50 4b 03 04"),
        "huge": (bytes([0, 0, 8, 3]) + b"\xff" * 12, "4294967295 x 4294967295"),
    }
    for name, (content, expected) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=expected):
            read_idx(tmp_path / name, 3)
    for name, content in (("cut.gz", gzip.compress(whole)[:-12]), ("plain.gz", whole)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match="cannot be read"):
            read_idx(tmp_path / name, 3)


def test_pictures_and_labels_that_do_not_belong_together(tmp_path):
    folder = draw_digits(tmp_path / "digits")
    labels = find_idx(folder, "train-labels-idx1-ubyte")
    labels.write_bytes(idx_bytes(np.zeros(7, np.uint8)))
    with pytest.raises(DatasetError, match=r"60 pictures, but .* 7 labels"):
        open_samples(DigitsConfig(), folder)
    labels.write_bytes(idx_bytes(np.full(60, 12, np.uint8)))
    with pytest.raises(DatasetError, match="label 12, but there are names for 10"):
        open_samples(DigitsConfig(), folder)
    labels.write_bytes(idx_bytes(np.zeros(60, np.uint8)))
    with pytest.raises(DatasetError, match=r"no picture of the labels \[4\]"):
        open_samples(DigitsConfig(only=(4,)), folder)


def test_what_is_left_out_of_folders_of_classes_is_named_and_strips_are_cut(tmp_path):
    for name, size in (("cat/1.png", (20_000, 10)), ("dog/2.png", (10, 20_000)), ("loose.png", (40, 40))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", size, (200, 10, 10)).save(tmp_path / name)
    (tmp_path / "cat" / "layers.psd").write_bytes(b"8BPS")
    pictures = open_samples(PicturesConfig(size=16), tmp_path)
    assert len(pictures) == 2
    assert tuple(pictures.batch(0, 2)["x"].shape) == (2, 3, 16, 16)
    said = " ".join(pictures.remarks)
    assert "1 in no class's folder (loose.png)" in said
    assert "layers.psd" in said
