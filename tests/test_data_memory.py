"""data.in_memory: the same samples, without a look at the disk once training has begun."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tiny_training import draw_pairs, draw_unpaired, tiny_cyclegan, tiny_pix2pix
from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.dataset import open_dataset
from zorse.data.decode import kept_in_memory
from zorse.errors import DatasetError
from zorse.training.stages import staged_batches

SIZES = {"load_size": 44, "crop_size": 32}


def two_folders(folder):
    for side in "AB":
        (folder / f"train{side}").mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 256, (40, 44, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"train{side}" / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("draw", "config"),
    [
        (draw_unpaired, UnpairedConfig(**SIZES)),
        (draw_pairs, PairedConfig(**SIZES, direction="BtoA")),
        (two_folders, PairedConfig(**SIZES)),
        (lambda folder: draw_unpaired(folder), EdgesConfig(**SIZES)),
    ],
)
def test_samples_are_the_same_bit_for_bit_and_need_no_files(tmp_path, draw, config):
    data = draw(tmp_path / "set")
    if isinstance(config, EdgesConfig):
        data = data / "trainA"
    wanted = [open_dataset(config, data).sample(number) for number in range(8)]
    kept = open_dataset(config, data, in_memory=True)
    shutil.rmtree(tmp_path / "set")
    for number, sample in enumerate(wanted):
        found = kept.sample(number)
        np.testing.assert_array_equal(found["A"], sample["A"])
        np.testing.assert_array_equal(found["B"], sample["B"])
        assert found["path_A"] == sample["path_A"]


def test_large_pictures_are_kept_no_larger_than_they_are_wanted(tmp_path):
    for name, size in (("large", (400, 300)), ("small", (50, 40)), ("tall", (90, 500))):
        Image.new("RGB", size, (10, 20, 30)).save(tmp_path / f"{name}.png")
    read = kept_in_memory([tmp_path / f"{name}.png" for name in ("large", "small", "tall")], 60)
    assert read(tmp_path / "large.png").shape == (60, 80, 3)
    assert read(tmp_path / "small.png").shape == (40, 50, 3)
    assert read(tmp_path / "tall.png").shape == (333, 60, 3)
    with pytest.raises(ValueError, match="read-only"):
        read(tmp_path / "small.png")[0, 0] = 0


def test_a_broken_picture_is_told_of_before_the_first_step(tmp_path):
    data = draw_unpaired(tmp_path / "set")
    (data / "trainA" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        open_dataset(UnpairedConfig(**SIZES), data, in_memory=True)


@pytest.mark.parametrize(("draw", "config"), [(draw_unpaired, tiny_cyclegan), (draw_pairs, tiny_pix2pix)])
def test_a_run_loads_from_memory_if_it_is_told_to(tmp_path, draw, config):
    data = draw(tmp_path / "set")
    plain = list(staged_batches(config("data.load_size=44"), data, 0, 4))
    source = staged_batches(config("data.load_size=44", "data.in_memory=true"), data, 0, 4)
    first = next(source)
    shutil.rmtree(data)
    for wanted, found in zip(plain, [first, *source], strict=True):
        assert torch.equal(wanted["A"], found["A"])
        assert torch.equal(wanted["B"], found["B"])
