import numpy as np
import pytest

from zorse.data.config import EdgesConfig
from zorse.data.sources import Edges
from zorse.imaging import io
from zorse.imaging.strokes import random_strokes, with_strokes

RED, GREY = (200, 30, 40), (120, 120, 125)


def picture(left=RED, right=GREY, side=128):
    photo = np.full((side, side, 3), right, np.uint8)
    photo[:, : side // 2] = left
    return photo


def test_strokes_have_the_colour_of_the_photo_and_grey_gets_none():
    for seed in range(20):
        red = random_strokes(picture(right=RED), np.random.default_rng(seed))
        assert {tuple(map(int, colour)) for colour in red.reshape(-1, 3)} == {RED, (255, 255, 255)}
        assert (random_strokes(picture(left=GREY), np.random.default_rng(seed)) == 255).all()


def test_strokes_are_where_the_photo_has_their_colour():
    for seed in range(20):
        covered = (random_strokes(picture(), np.random.default_rng(seed)) < 255).any(axis=2)
        assert covered.mean() < 0.5
        assert covered[:, :64].sum() >= covered[:, 64:].sum()


def test_the_same_seed_draws_the_same_strokes():
    drawn = [random_strokes(picture(right=(30, 60, 200)), np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_lines_go_over_strokes():
    strokes = np.full((4, 4, 3), 255, np.uint8)
    strokes[:2] = RED
    lines = np.full((4, 4), 255, np.uint8)
    lines[:, 1] = 0
    drawing = with_strokes(lines, strokes)
    assert (drawing[:, 1] == 0).all()
    assert (drawing[:2, 2:] == RED).all()
    assert (drawing[2:, 2:] == 255).all()


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.5, 20), (1.0, 40)])
def test_so_many_training_drawings_have_strokes_and_no_test_drawing(tmp_path, share, expected):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        io.write_picture(tmp_path / split / "x.png", io.Picture(picture(right=(40, 90, 200))))
    config = EdgesConfig(load_size=64, crop_size=64, strokes=share)

    def coloured(split, count):
        samples = [Edges(config, tmp_path, split, seed=0).sample(number)["A"] for number in range(count)]
        return sum(bool(np.ptp(sample, axis=2).max() > 12) for sample in samples)

    assert coloured("train", 40) == pytest.approx(expected, abs=0 if share in (0, 1) else 9)
    assert coloured("test", 3) == 0
