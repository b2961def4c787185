import cv2
import numpy as np
import pytest
from PIL import Image

from zorse.data.ab import split_ab
from zorse.data.decode import decode
from zorse.data.synthetic import synthesize
from zorse.errors import ConfigError, DatasetError


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_blobs_are_an_unpaired_set(tmp_path):
    synthesize("blobs", tmp_path / "set", 5, 48, seed=0)
    counts = {folder.name: len(files(folder)) for folder in (tmp_path / "set").iterdir()}
    assert counts == {"trainA": 5, "trainB": 5, "testA": 2, "testB": 2}
    assert decode(tmp_path / "set" / "trainA" / "0000.png").shape == (48, 48, 3)


def test_striped_blobs_are_black_and_white_and_brown_ones_are_not(tmp_path):
    synthesize("blobs", tmp_path / "set", 8, 64, seed=0)

    def extremes(folder):
        """Share of the ground's pixels, below the horizon, that are nearly grey and dark or bright."""
        pixels = np.stack([decode(path)[36:] for path in (tmp_path / "set" / folder).iterdir()]).astype(int)
        grey = np.ptp(pixels, axis=-1) < 30
        return (grey & (pixels.max(-1) < 60)).mean(), (grey & (pixels.min(-1) > 150)).mean()

    assert max(extremes("trainA")) < 0.01
    assert min(extremes("trainB")) > 0.03


def test_shapes_are_pairs_of_outlines_and_shapes_in_the_same_place(tmp_path):
    synthesize("shapes", tmp_path / "set", 4, 64, seed=1)
    assert len(files(tmp_path / "set" / "train")) == 4
    assert len(files(tmp_path / "set" / "val")) == 1
    for path in (tmp_path / "set" / "train").iterdir():
        outlines, shapes = split_ab(decode(path), path)
        assert (outlines[0, 0] == 255).all()
        assert (outlines == 0).any()
        paper = np.where(outlines.max(-1) > 128, 255, 0).astype(np.uint8)
        cv2.floodFill(paper, None, (0, 0), 100)
        outside = paper == 100
        coloured = np.ptp(shapes.astype(int), axis=-1) > 60
        assert (coloured & outside).mean() < 0.005
        assert (coloured & ~outside).sum() > 0.6 * (~outside).sum()


@pytest.mark.parametrize("kind", ["blobs", "shapes"])
def test_the_seed_decides_all(tmp_path, kind):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        synthesize(kind, tmp_path / name, 2, 32, seed)
    names = files(tmp_path / "one")
    content = {
        name: [Image.open(tmp_path / name / file).tobytes() for file in names] for name in ("one", "again", "other")
    }
    assert content["one"] == content["again"]
    assert not set(content["one"]) & set(content["other"])
    assert len(set(content["one"])) == len(names)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    for out in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(DatasetError, match="not an empty folder"):
            synthesize("blobs", out, 1, 32, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("n", "size"), [(0, 32), (1, 15)])
def test_impossible_sizes(tmp_path, n, size):
    with pytest.raises(ConfigError):
        synthesize("shapes", tmp_path / "set", n, size, seed=0)
    assert not (tmp_path / "set").exists()
