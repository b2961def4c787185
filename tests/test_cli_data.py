import numpy as np
import pytest
from PIL import Image

from zorse.data.ab import split_ab
from zorse.data.decode import decode
from zorse.imaging.io import Picture, write_picture


def photo(path, size=(60, 50), colour=(200, 40, 40)):
    image = Image.new("RGB", size, "white")
    image.paste(colour, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def test_synthesize(zorse, tmp_path):
    code, out, _ = zorse("data", "synthesize", "shapes", tmp_path / "s", "--count", "2", "--size", "32", "--seed", "5")
    assert code == 0
    assert str(tmp_path / "s") in out
    assert len(list((tmp_path / "s" / "train").iterdir())) == 2
    code, _, err = zorse("data", "synthesize", "shapes", tmp_path / "s")
    assert code == 1
    assert "not an empty folder" in err


def test_an_unknown_kind_is_wrong_usage(zorse, tmp_path):
    code, _, err = zorse("data", "synthesize", "horses", tmp_path / "s")
    assert code == 2
    assert "blobs" in err


def test_edges_mirror_the_tree(zorse, tmp_path):
    photo(tmp_path / "photos" / "hat" / "1.png")
    photo(tmp_path / "photos" / "deep" / "er" / "v1.2.jpg", size=(50, 200))
    code, out, err = zorse("data", "edges", tmp_path / "photos", tmp_path / "out", "--size", "64", "--format", "png")
    assert (code, err) == (0, "")
    assert "2 of 2" in out
    left, right = split_ab(decode(tmp_path / "out" / "hat" / "1.png"), tmp_path)
    assert left.shape == right.shape == (64, 77, 3)
    assert set(np.unique(left)) == {0, 255}
    y, x = np.nonzero(left[:, :, 0] == 0)
    assert abs(y.min() - 16) < 3  # the edge of the photo's square
    assert abs(x.min() - 19) < 3
    tall = decode(tmp_path / "out" / "deep" / "er" / "v1.2.png")
    split_ab(tall, tmp_path)  # cut to a shape that training accepts
    assert tall.shape[1] == 128


def test_bad_files_are_reported_and_skipped(zorse, tmp_path):
    photo(tmp_path / "photos" / "good.png")
    (tmp_path / "photos" / "empty.jpg").touch()
    (tmp_path / "photos" / "notes.txt").write_text("not a picture")
    code, out, err = zorse("data", "edges", tmp_path / "photos", tmp_path / "out", "--size", "32")
    assert code == 1
    assert "1 of 2" in out
    assert "empty.jpg" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.jpg"]


def test_photos_that_differ_in_their_ending_only_are_told_before_the_work(zorse, tmp_path):
    for name in ("a.jpg", "a.png"):
        write_picture(tmp_path / "photos" / name, Picture(np.zeros((64, 64, 3), np.uint8)))
    code, _, err = zorse("data", "edges", tmp_path / "photos", tmp_path / "out")
    assert code == 1
    assert "share theirs. Remove one of them" in err
    assert not (tmp_path / "out").exists()


def test_existing_files_are_kept(zorse, tmp_path):
    photo(tmp_path / "photos" / "x.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.jpg").write_text("precious")
    code, _, err = zorse("data", "edges", tmp_path / "photos", tmp_path / "out")
    assert code == 1
    assert "x.jpg exists already" in err
    assert (tmp_path / "out" / "x.jpg").read_text() == "precious"


def test_output_inside_of_the_input(zorse, tmp_path):
    photo(tmp_path / "photos" / "x.png")
    for out in (tmp_path / "photos", tmp_path / "photos" / "out"):
        code, _, err = zorse("data", "edges", tmp_path / "photos", out)
        assert code == 1
        assert "lies inside" in err


def test_pair_matches_by_stem_and_resizes(zorse, tmp_path):
    photo(tmp_path / "a" / "x.png", size=(60, 50), colour=(0, 0, 255))
    photo(tmp_path / "b" / "x.jpg", size=(120, 100), colour=(255, 0, 0))
    code, out, _ = zorse("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "out", "--format", "png")
    assert code == 0
    assert "1 of 1" in out
    left, right = split_ab(decode(tmp_path / "out" / "x.png"), tmp_path)
    assert np.array_equal(left, decode(tmp_path / "a" / "x.png"))
    assert np.abs(right[20, 22].astype(int) - [255, 0, 0]).max() < 12


def test_pair_reports_what_does_not_fit(zorse, tmp_path):
    photo(tmp_path / "a" / "good.png")
    photo(tmp_path / "b" / "good.png")
    photo(tmp_path / "a" / "lonely.png")
    photo(tmp_path / "b" / "alone.png")
    photo(tmp_path / "a" / "shape.png", size=(40, 40))
    photo(tmp_path / "b" / "shape.png", size=(60, 40))
    code, out, err = zorse("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "out")
    assert code == 1
    assert "1 of 4" in out
    assert all(name in err for name in ("lonely.png has no counterpart", "alone.png has no counterpart", "distorted"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.jpg"]


def test_pair_without_any_match(zorse, tmp_path):
    photo(tmp_path / "a" / "one.png")
    photo(tmp_path / "b" / "two.png")
    code, _, err = zorse("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "out")
    assert code == 1
    assert "one" in err
    assert "two" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["edges", "pair"])
def test_missing_folder(zorse, tmp_path, command):
    folders = [tmp_path / "nothing"] * (2 if command == "pair" else 1)
    code, _, err = zorse("data", command, *folders, tmp_path / "out")
    assert code == 1
    assert "does not exist" in err
