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
    assert [path.stem for path in (tmp_path / "out").iterdir()] == ["good"]


def label_map(path, side=48, mode="P"):
    """Three classes in patches, the last of them rare."""
    path.parent.mkdir(parents=True, exist_ok=True)
    classes = np.random.default_rng(side).choice(3, (12, 12), p=[0.5, 0.4, 0.1]).astype(np.uint8)
    image = Image.fromarray(classes.repeat(side // 12, 0).repeat(side // 12, 1), "P")
    image.putpalette([10, 20, 30, 250, 0, 120, 0, 240, 90])
    image.convert(mode).save(path)
    return {(10, 20, 30), (250, 0, 120), (0, 240, 90)}


def scene(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)).resize(size).save(path)


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_pair_keeps_the_colours_of_label_maps(zorse, tmp_path, mode):
    scene(tmp_path / "a" / "x_photo.png", (60, 60))
    colours = label_map(tmp_path / "b" / "x_map.png", mode=mode)
    code, _, err = zorse("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "out")
    assert (code, err) == (0, "")
    left, right = split_ab(decode(tmp_path / "out" / "x.png"), tmp_path)
    assert np.array_equal(left, decode(tmp_path / "a" / "x_photo.png"))
    assert {tuple(map(int, colour)) for colour in right.reshape(-1, 3)} == colours
    zorse("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "smooth", "--nearest", "neither")
    _, right = split_ab(decode(tmp_path / "smooth" / "x.jpg"), tmp_path)
    assert len(np.unique(right.reshape(-1, 3), axis=0)) > 64


def test_pair_cuts_the_wider_side_to_what_both_show(zorse, tmp_path):
    wide = np.zeros((40, 60, 3), np.uint8)
    wide[:, 10:50] = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    Image.fromarray(wide).save(tmp_path / "a" / "x.png")
    Image.fromarray(wide[:, 10:50]).save(tmp_path / "b" / "x.png")
    arguments = ("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "out", "--format", "png")
    code, _, err = zorse(*arguments)
    assert code == 1
    assert "--crop" in err
    code, _, err = zorse(*arguments, "--crop")
    assert (code, err) == (0, "")
    left, right = split_ab(decode(tmp_path / "out" / "x.png"), tmp_path)
    assert np.array_equal(left, right)


def test_pair_with_named_endings(zorse, tmp_path):
    for kind in ("color", "ids"):
        photo(tmp_path / "a" / f"x_{kind}.png")
    photo(tmp_path / "b" / "x.png")
    code, _, err = zorse("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "out", "--ending-a", "_color")
    assert (code, err) == (0, "")
    assert [path.stem for path in (tmp_path / "out").iterdir()] == ["x"]
    code, _, err = zorse("data", "pair", tmp_path / "a", tmp_path / "b", tmp_path / "other")
    assert code == 1
    assert "--ending-a" in err


def test_levels_give_each_class_a_colour(zorse, tmp_path):
    classes = np.random.default_rng(0).integers(0, 20, (32, 32), np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(classes).save(tmp_path / "in" / "x.png")
    photo(tmp_path / "in" / "photo.png")
    code, out, err = zorse("data", "levels", tmp_path / "in", tmp_path / "out", "--classes")
    assert code == 1
    assert "1 of 2" in out
    assert "photo.png holds no class numbers" in err
    with Image.open(tmp_path / "out" / "x.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), classes)
    coloured = decode(tmp_path / "out" / "x.png")
    assert len({tuple(colour) for colour in coloured.reshape(-1, 3).tolist()}) == len(np.unique(classes))
    assert coloured.max() >= 128
    assert coloured[classes == 1][0].tolist() == [128, 0, 0]  # the Pascal VOC's first class


def test_levels_spread_12_bits(zorse, tmp_path):
    levels = np.linspace(0, 4095, 32 * 32).astype(np.uint16).reshape(32, 32)
    (tmp_path / "in").mkdir()
    Image.fromarray(levels).save(tmp_path / "in" / "x.png")
    code, _, err = zorse("data", "levels", tmp_path / "in", tmp_path / "out", "--range", "0", "4095")
    assert (code, err) == (0, "")
    assert np.abs(decode(tmp_path / "out" / "x.png")[:, :, 0] - levels / 4095 * 255).max() <= 0.51
    for wrong in ((), ("--classes", "--range", "0", "9"), ("--range", "9", "9")):
        code, _, err = zorse("data", "levels", tmp_path / "in", tmp_path / "other", *wrong)
        assert code in (1, 2)
        assert err


def test_what_is_left_out_is_named(zorse, tmp_path):
    photo(tmp_path / "photos" / "x.png")
    (tmp_path / "photos" / "layers.psd").write_bytes(b"8BPS")
    code, _, err = zorse("data", "edges", tmp_path / "photos", tmp_path / "out")
    assert code == 0
    assert "layers.psd" in err


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
