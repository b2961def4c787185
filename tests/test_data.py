"""Where data sets are looked for, what samples hold, and what is said of a set that cannot be used."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from zorse.data.config import DataConfig, EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.dataset import open_dataset
from zorse.data.decode import decode
from zorse.data.loader import collate
from zorse.errors import DatasetError

PLAIN = {"load_size": 32, "crop_size": 32, "flip": False}


def picture(seed=0, size=(40, 40)):
    """Smooth noise, (width, height)."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def folder_of(folder: Path, *names: str, size=(40, 40)) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(sum(map(ord, name)), size).save(path)
    return folder


def tensors_of(dataset, number):
    """Both sides of a sample as the networks get them."""
    batch = collate([dataset.sample(number)])
    return {"A": batch["A"][0], "B": batch["B"][0]}


def names_of(dataset, numbers, side="path_A"):
    return [Path(dataset.sample(number)[side]).name for number in numbers]


def fails(config, root, split="train", number=None) -> str:
    """The message of the DatasetError on opening the set, or on its sample `number`."""
    if number is None:
        with pytest.raises(DatasetError) as error:
            open_dataset(config, root, split)
    else:
        dataset = open_dataset(config, root, split)
        with pytest.raises(DatasetError) as error:
            dataset.sample(number)
    return str(error.value)


# Layouts


@pytest.mark.parametrize(
    ("a", "b"), [("trainA", "trainB"), ("train/A", "train/B"), ("A/train", "B/train"), ("A", "B"), ("horses", "zebras")]
)
def test_unpaired_layouts(tmp_path, a, b):
    folder_of(tmp_path / a, "a.png")
    folder_of(tmp_path / b, "b.png", "deep/er/b2.jpg", ".hidden.png")
    dataset = open_dataset(UnpairedConfig(**PLAIN), tmp_path)
    assert len(dataset) == 2
    assert set(names_of(dataset, range(2))) == {"a.png"}
    assert set(names_of(dataset, range(2), "path_B")) == {"b.png", "b2.jpg"}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("train_A", "train_B"),
        ("train_label", "train_img"),
        ("traina", "trainb"),
        ("Train-A", "Train-B"),
        ("TRAIN/a", "TRAIN/b"),
        ("label/train", "img/train"),
        ("gtFine/train", "leftImg8bit/train"),
    ],
)
def test_folders_of_other_programs_names(tmp_path, a, b):
    for folder, name in ((a, "a.png"), (b, "b.png")):
        folder_of(tmp_path / folder, name)
        folder_of(tmp_path / re.sub("train", "test", folder, flags=re.IGNORECASE), name)
    for split in ("train", "test"):
        dataset = open_dataset(UnpairedConfig(**PLAIN), tmp_path, split)
        assert (len(dataset), names_of(dataset, [0]), names_of(dataset, [0], "path_B")) == (1, ["a.png"], ["b.png"])
        assert split in dataset.sample(0)["path_A"].lower()


def test_two_folders_that_could_both_be_meant(tmp_path):
    for name in ("train_A", "train-a", "trainB"):
        folder_of(tmp_path / name, "x.png")
    message = fails(UnpairedConfig(), tmp_path)
    assert "train-a, train_A could all be meant" in message
    folder_of(tmp_path / "trainA", "exact.png")
    assert names_of(open_dataset(UnpairedConfig(**PLAIN), tmp_path), [0]) == ["exact.png"]


def test_two_folders_with_splits_are_never_trained_on_as_a_whole(tmp_path):
    for root in (tmp_path / "city", tmp_path / "sides"):
        for side in ("gtFine", "leftImg8bit") if root.name == "city" else ("A", "B"):
            folder_of(root / side / "val", "x.png")
        assert "split 'train'" in fails(UnpairedConfig(), root)
        assert len(open_dataset(UnpairedConfig(**PLAIN), root, "test")) == 1


def paths_of_pairs(dataset):
    return {
        tuple(Path(path).stem for path in (sample["path_A"], sample["path_B"]))
        for sample in map(dataset.sample, range(len(dataset)))
    }


def test_pairs_match_without_an_ending_that_all_names_of_a_side_share(tmp_path):
    scenes = ["aachen/aachen_000000_000019", "aachen/aachen_000001_000019", "ulm/ulm_000000_000019"]
    folder_of(tmp_path / "trainA", *[f"{scene}_gtFine_color.png" for scene in scenes])
    folder_of(tmp_path / "trainB", *[f"{scene}_leftImg8bit.png" for scene in scenes])
    dataset = open_dataset(PairedConfig(**PLAIN), tmp_path)
    names = [Path(scene).name for scene in scenes]
    assert paths_of_pairs(dataset) == {(f"{name}_gtFine_color", f"{name}_leftImg8bit") for name in names}
    (rule,) = dataset.remarks
    assert "without '_gtFine_color' on side A and '_leftImg8bit' on side B" in rule


@pytest.mark.parametrize(("a", "b"), [("{}_in", "{}"), ("{}", "{}.gt"), ("{}-photo", "{} map")])
def test_an_ending_on_one_side_or_another(tmp_path, a, b):
    folder_of(tmp_path / "trainA", *[f"{a.format(number)}.png" for number in ("1_x", "2_x")])
    folder_of(tmp_path / "trainB", *[f"{b.format(number)}.png" for number in ("1_x", "2_x")])
    assert paths_of_pairs(open_dataset(PairedConfig(**PLAIN), tmp_path)) == {
        (a.format(number), b.format(number)) for number in ("1_x", "2_x")
    }


def test_equal_names_match_as_they_are(tmp_path):
    folder_of(tmp_path / "trainA", "1_x.png", "2_x.png")
    folder_of(tmp_path / "trainB", "1_x.png", "2_x_y.png")
    assert "2_x" in fails(PairedConfig(), tmp_path)


def test_endings_that_are_named_choose_among_several_files(tmp_path):
    folder_of(tmp_path / "trainA", *[f"{n}_{kind}.png" for n in "12" for kind in ("color", "instanceIds")])
    folder_of(tmp_path / "trainB", "1_photo.png", "2_photo.png", "notes_of_2.png")
    message = fails(PairedConfig(), tmp_path)
    assert "data.ending_a" in message
    dataset = open_dataset(PairedConfig(ending_a="_color", ending_b="_photo", **PLAIN), tmp_path)
    assert paths_of_pairs(dataset) == {("1_color", "1_photo"), ("2_color", "2_photo")}
    said = " ".join(dataset.remarks)
    assert "2 whose names do not end in '_color' (1_instanceIds.png, 2_instanceIds.png)" in said
    assert "1 whose names do not end in '_photo' (notes_of_2.png)" in said
    assert "names end in '_colour'" in fails(PairedConfig(ending_a="_colour"), tmp_path)


def test_what_is_left_out_of_a_folder_is_named(tmp_path):
    folder_of(tmp_path / "train", "a.png", "b.tga", "c.jp2", "d.ppm")
    for name in ("layers.psd", "film.mp4", "list.csv"):
        (tmp_path / "train" / name).write_bytes(b"x")
    (tmp_path / "train" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    dataset = open_dataset(EdgesConfig(**PLAIN), tmp_path)
    assert len(dataset) == 4
    said = "\n".join(dataset.remarks)
    assert "layers.psd): .psd is a picture in layers" in said
    assert "film.mp4): .mp4 is a video" in said
    assert "gone.png: the link leads nowhere" in said
    assert "1 other file, neither pictures nor videos (1 .csv)" in said


def test_unpaired_folders_named_in_the_config(tmp_path):
    folder_of(tmp_path / "set" / "monet", "m.png")
    folder_of(tmp_path / "elsewhere", "p.png")
    folder_of(tmp_path / "set" / "third", "x.png")
    config = UnpairedConfig(folder_a="monet", folder_b=str(tmp_path / "elsewhere"), **PLAIN)
    dataset = open_dataset(config, tmp_path / "set")
    assert names_of(dataset, [0]) == ["m.png"]
    assert names_of(dataset, [0], "path_B") == ["p.png"]


@pytest.mark.parametrize("asked", ["test", "val"])
@pytest.mark.parametrize("there", ["test", "val"])
def test_test_and_validation_pictures_stand_in_for_each_other(tmp_path, asked, there):
    folder_of(tmp_path / "trainA", "a.png")
    folder_of(tmp_path / "trainB", "b.png")
    folder_of(tmp_path / f"{there}A", "ta.png")
    folder_of(tmp_path / f"{there}B", "tb.png")
    assert names_of(open_dataset(UnpairedConfig(**PLAIN), tmp_path, asked), [0]) == ["ta.png"]


def test_training_pictures_never_stand_in_for_test_pictures_nor_the_other_way(tmp_path):
    for name in ("onlytrain/trainA", "onlytrain/trainB", "onlytest/testA", "onlytest/testB"):
        folder_of(tmp_path / name, "x.png")
    folder_of(tmp_path / "edges" / "val", "x.png")
    assert "testA and testB" in fails(UnpairedConfig(), tmp_path / "onlytrain", "test")
    assert "trainA and trainB" in fails(UnpairedConfig(), tmp_path / "onlytest", "train")
    assert "val/" in fails(EdgesConfig(), tmp_path / "edges", "train")


@pytest.mark.parametrize("folder", ["train", "."])
def test_ab_files(tmp_path, folder):
    left, right = picture(1), picture(2)
    both = Image.new("RGB", (80, 40))
    both.paste(left, (0, 0))
    both.paste(right, (40, 0))
    (tmp_path / folder).mkdir(exist_ok=True)
    both.save(tmp_path / folder / "ab.png")
    plain = {"load_size": 40, "crop_size": 40, "flip": False}
    sample = tensors_of(open_dataset(PairedConfig(**plain), tmp_path), 0)
    swapped = tensors_of(open_dataset(PairedConfig(direction="BtoA", **plain), tmp_path), 0)
    assert torch.equal(sample["A"], as_tensor(left))
    assert torch.equal(sample["B"], as_tensor(right))
    assert torch.equal(swapped["A"], sample["B"])
    assert torch.equal(swapped["B"], sample["A"])


def test_two_folders_are_matched_by_stem(tmp_path):
    folder_of(tmp_path / "trainA", "x.png", "sub/y.jpg")
    folder_of(tmp_path / "trainB", "x.jpg", "sub/y.png")
    dataset = open_dataset(PairedConfig(**PLAIN), tmp_path)
    pairs = {(sample["path_A"], sample["path_B"]) for sample in map(dataset.sample, range(2))}
    root = tmp_path
    assert pairs == {
        (str(root / "trainA/x.png"), str(root / "trainB/x.jpg")),
        (str(root / "trainA/sub/y.jpg"), str(root / "trainB/sub/y.png")),
    }


@pytest.mark.parametrize("folder", ["train", "."])
def test_photos_in_class_folders_become_edge_pairs(tmp_path, folder):
    folder_of(tmp_path / folder, "hat/1.png", "shirt/2.png", size=(64, 48))
    dataset = open_dataset(EdgesConfig(**PLAIN), tmp_path)
    assert len(dataset) == 2
    sample = tensors_of(dataset, 0)
    assert sample["A"].shape == sample["B"].shape == (3, 32, 32)
    assert torch.equal(sample["A"][0], sample["A"][2])
    assert sample["A"].median() == 1  # lines on white


# Samples


def as_tensor(image):
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).astype(np.float32) / np.float32(127.5) - 1)


@pytest.fixture
def unpaired(tmp_path):
    folder_of(tmp_path / "trainA", *[f"{n}.png" for n in range(5)])
    folder_of(tmp_path / "trainB", *[f"{n}.png" for n in range(3)])
    folder_of(tmp_path / "testA", *[f"{n}.png" for n in range(3)])
    folder_of(tmp_path / "testB", *[f"{n}.png" for n in range(2)])
    return tmp_path


def same(one, other):
    return (
        np.array_equal(one["A"], other["A"])
        and np.array_equal(one["B"], other["B"])
        and (one["path_A"], one["path_B"]) == (other["path_A"], other["path_B"])
    )


def test_a_sample_is_a_pure_function_of_seed_and_number(unpaired):
    config = UnpairedConfig(load_size=36, crop_size=24, scale=(0.8, 1.2))
    dataset = open_dataset(config, unpaired, seed=7)
    forwards = [dataset.sample(number) for number in range(12)]
    for number in reversed(range(12)):
        assert same(dataset.sample(number), forwards[number])
    elsewhere = pickle.loads(pickle.dumps(open_dataset(config, unpaired, seed=7)))
    assert same(elsewhere.sample(11), forwards[11])
    other_seed = open_dataset(config, unpaired, seed=8)
    assert not all(same(other_seed.sample(number), forwards[number]) for number in range(12))


def test_each_side_shows_all_its_pictures_in_a_new_order_every_time_round(unpaired):
    dataset = open_dataset(UnpairedConfig(**PLAIN), unpaired)
    assert len(dataset) == 5
    rounds_a = [names_of(dataset, range(5 * epoch, 5 * epoch + 5)) for epoch in range(6)]
    rounds_b = [names_of(dataset, range(3 * epoch, 3 * epoch + 3), "path_B") for epoch in range(10)]
    assert all(sorted(names) == [f"{n}.png" for n in range(5)] for names in rounds_a)
    assert all(sorted(names) == [f"{n}.png" for n in range(3)] for names in rounds_b)
    assert len({tuple(names) for names in rounds_a}) > 3
    assert len({tuple(names) for names in rounds_b}) > 3


def test_evaluation_comes_in_order_and_without_chance(unpaired):
    config = UnpairedConfig(load_size=48, crop_size=32)
    dataset = open_dataset(config, unpaired, "test", seed=1)
    assert names_of(dataset, range(3)) == ["0.png", "1.png", "2.png"]
    assert same(dataset.sample(1), open_dataset(config, unpaired, "test", seed=2).sample(1))


def coordinates(folder: Path, size=(60, 50)) -> Path:
    """An AB file whose pixels tell their own place: red is x and green is y on both sides, blue tells the side."""
    width, height = size
    place = np.zeros((height, width, 3), np.uint8)
    place[:, :, 0] = np.arange(width) * 4
    place[:, :, 1] = np.arange(height)[:, None] * 4
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.hstack([place, place + np.array([0, 0, 200], np.uint8)])).save(folder / "xy.png")
    return folder


def test_both_sides_of_a_pair_are_zoomed_cut_and_mirrored_alike(tmp_path):
    coordinates(tmp_path / "train")
    dataset = open_dataset(PairedConfig(load_size=50, crop_size=32, scale=(0.8, 1.5)), tmp_path)
    samples = [tensors_of(dataset, number) for number in range(40)]
    for sample in samples:
        assert torch.equal(sample["A"][:2], sample["B"][:2])
        assert (sample["A"][2] == -1).all()
        assert (sample["B"][2] > 0).all()
    slopes = torch.stack([(sample["A"][0, 16, 31] - sample["A"][0, 16, 0]) * 127.5 / 4 / 31 for sample in samples])
    mirrored = slopes < 0
    assert 8 < mirrored.sum() < 32
    zooms = 1 / slopes.abs()
    assert zooms.min() < 0.9
    assert zooms.max() > 1.35
    assert zooms.min() > 0.75
    assert zooms.max() < 1.6
    lefts = {int(sample["A"][0].min() * 127.5 + 127.5) for sample in samples}
    tops = {int(sample["A"][1].min() * 127.5 + 127.5) for sample in samples}
    assert len(lefts) > 5
    assert len(tops) > 5


def test_zoom_place_and_mirroring_are_drawn_independently(tmp_path):
    coordinates(tmp_path / "train", size=(60, 60))
    dataset = open_dataset(PairedConfig(load_size=60, crop_size=30, scale=(0.7, 1.4)), tmp_path)
    drawn = []
    for number in range(150):
        x, y = (tensors_of(dataset, number)["A"][:2] * 127.5 + 127.5) / 4
        step = (x[15, 29] - x[15, 0]) / 29
        room = 60 - 30 * step.abs()
        drawn.append([step.abs(), step < 0, x.min() / room, y.min() / room])
    correlation = np.corrcoef(np.array(drawn, dtype=np.float64).T)
    assert np.abs(correlation - np.eye(4)).max() < 0.3


def test_without_flip_nothing_is_mirrored(tmp_path):
    coordinates(tmp_path / "train")
    dataset = open_dataset(PairedConfig(load_size=50, crop_size=32, flip=False), tmp_path)
    assert all((sample["A"][0, -1, 0] > sample["A"][0, 0, 0]) for sample in map(dataset.sample, range(20)))


def test_pictures_smaller_than_the_crop_are_enlarged_and_long_ones_cut(tmp_path):
    folder_of(tmp_path / "A", "small.png", size=(12, 9))
    folder_of(tmp_path / "B", "long.png", size=(300, 40))
    for split_of_chance in range(3):
        sample = tensors_of(open_dataset(UnpairedConfig(load_size=40, crop_size=32), tmp_path), split_of_chance)
        assert sample["A"].shape == sample["B"].shape == (3, 32, 32)
        assert sample["A"].dtype == torch.float32
        assert sample["A"].min() >= -1
        assert sample["A"].max() <= 1


# Decoding


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    file = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new("RGB", (16, 12), (255, 255, 255)).convert(mode).save(file)
    pixels = decode(file)
    assert pixels.shape == (12, 16, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 255).all()


def test_transparency_is_white(tmp_path):
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    image.paste((200, 0, 0, 128), (8, 0, 16, 16))
    image.save(tmp_path / "x.png")
    pixels = decode(tmp_path / "x.png")
    assert (pixels[:, :8] == 255).all()
    assert (pixels[:, 8:] == [227, 127, 127]).all()


def test_16_bits_are_scaled_not_cut(tmp_path):
    Image.fromarray(np.full((16, 16), 128 * 257, np.uint16)).save(tmp_path / "x.png")
    assert (decode(tmp_path / "x.png") == 128).all()


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (32, 16), "white")
    image.paste("black", (0, 0, 16, 16))
    image.save(tmp_path / "x.jpg", exif=exif)
    pixels = decode(tmp_path / "x.jpg")
    assert pixels.shape == (32, 16, 3)
    assert pixels[:12].max() < 40
    assert pixels[20:].min() > 215


# What is said of sets that cannot be used


def test_missing_folder(tmp_path):
    for config in (UnpairedConfig(), PairedConfig(), EdgesConfig()):
        message = fails(config, tmp_path / "nothing")
        assert "nothing does not exist" in message


def test_a_file_instead_of_a_folder(tmp_path):
    folder_of(tmp_path, "x.png")
    assert "x.png is a file" in fails(EdgesConfig(), tmp_path / "x.png")


def test_one_side_empty_or_missing(tmp_path):
    folder_of(tmp_path / "trainA", "a.png")
    message = fails(UnpairedConfig(), tmp_path)
    assert "trainA and trainB" in message
    assert "there is trainA/" in message
    (tmp_path / "trainB").mkdir()
    message = fails(UnpairedConfig(), tmp_path)
    assert str(tmp_path / "trainB") in message
    assert "nothing" in message
    (tmp_path / "trainB" / "notes.txt").write_text("later")
    assert "notes.txt" in fails(UnpairedConfig(), tmp_path)
    assert "notes.txt" in fails(PairedConfig(), tmp_path)


def test_one_side_missing_of_a_paired_set_is_not_taken_for_ab_files(tmp_path):
    folder_of(tmp_path / "trainA", "a.png")
    message = fails(PairedConfig(), tmp_path)
    assert "trainA and trainB" in message
    assert "there is trainA/" in message


def test_folders_that_only_begin_like_a_split_are_sides(tmp_path):
    for name in ("trains", "trams"):
        folder_of(tmp_path / name, "x.png")
    assert open_dataset(UnpairedConfig(), tmp_path).n_pictures == 2


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refused(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    assert "cannot be read (Permission denied)" in fails(UnpairedConfig(), tmp_path)


def test_three_folders_are_not_guessed(tmp_path):
    for name in ("cezanne", "ukiyoe", "vangogh"):
        folder_of(tmp_path / name, "x.png")
    assert "cezanne/, ukiyoe/, vangogh/" in fails(UnpairedConfig(), tmp_path)


def test_no_pictures(tmp_path):
    assert "holds nothing" in fails(EdgesConfig(), tmp_path)
    (tmp_path / "data.csv").write_text("1,2")
    message = fails(EdgesConfig(), tmp_path)
    assert "data.csv" in message
    assert ".png" in message


@pytest.mark.parametrize("content", [b"", b"no picture", "truncated"], ids=["empty", "text", "truncated"])
def test_an_unreadable_picture_is_named(tmp_path, content):
    file = folder_of(tmp_path / "train", "x.jpg", size=(80, 40)) / "x.jpg"
    file.write_bytes(file.read_bytes()[:-300] if content == "truncated" else content)
    for config in (PairedConfig(**PLAIN), EdgesConfig(**PLAIN)):
        message = fails(config, tmp_path, number=0)
        assert str(file) in message


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 7)])
def test_a_picture_too_small_is_named(tmp_path, size):
    folder_of(tmp_path / "train", "x.png", size=size)
    message = fails(EdgesConfig(**PLAIN), tmp_path, number=0)
    assert "x.png" in message
    assert f"{size[0]} x {size[1]}" in message


@pytest.mark.parametrize("size", [(81, 40), (40, 40), (60, 80), (200, 40)])
def test_a_file_that_is_no_ab_file_is_named(tmp_path, size):
    folder_of(tmp_path / "train", "x.png", size=size)
    message = fails(PairedConfig(**PLAIN), tmp_path, number=0)
    assert "x.png" in message
    assert f"{size[0]} x {size[1]}" in message


def test_unmatched_stems_are_named(tmp_path):
    folder_of(tmp_path / "trainA", "x.png", "lonely.png")
    folder_of(tmp_path / "trainB", "x.png", "other.png")
    message = fails(PairedConfig(), tmp_path)
    assert "lonely" in message
    assert "other" in message


def test_ambiguous_stems_are_named(tmp_path):
    folder_of(tmp_path / "trainA", "x.png", "x.jpg")
    folder_of(tmp_path / "trainB", "x.png")
    message = fails(PairedConfig(), tmp_path)
    assert "x.png" in message
    assert "x.jpg" in message


def test_sides_of_different_shape_are_named_with_the_command_that_mends_them(tmp_path):
    folder_of(tmp_path / "trainA", "x.png", size=(40, 40))
    folder_of(tmp_path / "trainB", "x.png", size=(40, 50))
    message = fails(PairedConfig(**PLAIN), tmp_path, number=0)
    assert "40 x 40" in message
    assert "40 x 50" in message
    assert f"zorse data pair {tmp_path / 'trainA'} {tmp_path / 'trainB'} OUT/train --crop" in message


def test_sides_of_different_size_lie_on_each_other(tmp_path):
    for side, factor in (("A", 1), ("B", 3)):
        (tmp_path / f"train{side}").mkdir()
        picture(1, (40, 40)).resize((40 * factor, 40 * factor)).save(tmp_path / f"train{side}" / "x.png")
    dataset = open_dataset(PairedConfig(load_size=60, crop_size=32, scale=(0.7, 1.3)), tmp_path)
    for sample in map(dataset.sample, range(8)):
        difference = np.abs(sample["A"].astype(int) - sample["B"])
        assert difference.mean() < 4  # sides cut at different places differ by 40 and more


# Strips


def strip(folder: Path, vertical=False) -> Path:
    """64 x 1800 pixels whose red tells the place along the strip, green across."""
    pixels = np.zeros((64, 1800, 3), np.uint8)
    pixels[:, :, 0] = np.linspace(0, 255, 1800)
    pixels[:, :, 1] = np.linspace(0, 255, 64)[:, None]
    folder.mkdir(parents=True)
    Image.fromarray(pixels.transpose(1, 0, 2) if vertical else pixels).save(folder / "strip.png")
    return folder


@pytest.mark.parametrize("vertical", [False, True])
def test_crops_come_from_all_along_a_strip(tmp_path, vertical):
    for side in "AB":
        strip(tmp_path / f"train{side}", vertical)
        strip(tmp_path / f"test{side}", vertical)
    config = {"load_size": 72, "crop_size": 64, "flip": False}
    pairs = open_dataset(PairedConfig(**config), tmp_path)
    samples = [pairs.sample(number) for number in range(40)]
    assert all(np.array_equal(sample["A"], sample["B"]) for sample in samples)
    places = np.array([sample["A"][:, :, 0].mean() for sample in samples])
    assert places.min() < 50
    assert places.max() > 200
    unpaired = [open_dataset(UnpairedConfig(**config), tmp_path).sample(number) for number in range(10)]
    assert not all(np.array_equal(sample["A"], sample["B"]) for sample in unpaired)
    middle = open_dataset(UnpairedConfig(**config), tmp_path, "test").sample(0)["A"]
    assert abs(middle[:, :, 0].mean() - 127.5) < 2


def test_a_very_long_strip_is_never_resized_as_a_whole(tmp_path, monkeypatch):
    import albumentations

    folder_of(tmp_path / "train", "x.png", size=(40_000, 10))
    seen = []
    real = albumentations.SmallestMaxSize.apply

    def apply(self, img, *args, **params):
        seen.append(img.shape)
        return real(self, img, *args, **params)

    monkeypatch.setattr(albumentations.SmallestMaxSize, "apply", apply)
    open_dataset(EdgesConfig(load_size=64, crop_size=64), tmp_path).sample(0)
    assert [shape[:2] for shape in seen] == [(10, 80)]


# Label maps


LABEL_COLOURS = np.array([[0, 0, 0], [250, 10, 10], [20, 240, 30], [40, 50, 230]], np.uint8)


def label_map(seed, side=48) -> Image.Image:
    """A palette picture of four classes in patches whose sides are no multiples of each other's."""
    classes = np.random.default_rng(seed).integers(0, 4, (side // 6, side // 6), np.uint8).repeat(6, 0).repeat(6, 1)
    image = Image.fromarray(classes, "P")
    image.putpalette(LABEL_COLOURS.ravel().tolist())
    return image


def labelled(root: Path, mode="P") -> Path:
    """Photos in trainA, their label maps in trainB."""
    for side in "AB":
        (root / f"train{side}").mkdir(parents=True)
    for number in range(3):
        folder_of(root / "trainA", f"{number}.png", size=(48, 48))
        label_map(number).convert(mode).save(root / "trainB" / f"{number}.png")
    return root


def colours_of(picture) -> set[tuple[int, ...]]:
    return {tuple(map(int, colour)) for colour in np.unique(picture.reshape(-1, 3), axis=0)}


CLASSES = {tuple(map(int, colour)) for colour in LABEL_COLOURS}


@pytest.mark.parametrize("kind", [UnpairedConfig, PairedConfig])
@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("size", [30, 80])
def test_palette_files_get_no_colours_that_the_map_does_not_have(tmp_path, kind, in_memory, size):
    labelled(tmp_path)
    config = kind(load_size=size, crop_size=size - 8, scale=(0.9, 1.2))
    dataset = open_dataset(config, tmp_path, in_memory=in_memory)
    for sample in map(dataset.sample, range(6)):
        assert colours_of(sample["B"]) <= CLASSES
        assert len(colours_of(sample["A"])) > 64
    assert any("label maps" in remark for remark in dataset.remarks)
    smooth = open_dataset(config.model_copy(update={"nearest": "neither"}), tmp_path)
    assert not colours_of(smooth.sample(0)["B"]) <= CLASSES
    assert not any("label maps" in remark for remark in smooth.remarks)


def test_pictures_of_few_colours_are_label_maps_where_the_user_says_so(tmp_path):
    labelled(tmp_path, "RGB")
    for nearest, is_kept in (("auto", False), ("A", False), ("B", True), ("both", True)):
        config = PairedConfig(load_size=80, crop_size=64, nearest=nearest)
        sample = open_dataset(config, tmp_path).sample(0)
        assert (colours_of(sample["B"]) <= CLASSES) == is_kept, nearest
        turned = open_dataset(config.model_copy(update={"direction": "BtoA"}), tmp_path).sample(0)
        assert np.array_equal(turned["A"], sample["B"])  # sides are those of the files


def test_a_label_map_lies_on_its_photo(tmp_path):
    labelled(tmp_path)
    label_map(0).convert("RGB").save(tmp_path / "trainA" / "0.png")
    dataset = open_dataset(PairedConfig(load_size=96, crop_size=64, scale=(0.8, 1.2)), tmp_path)
    for number in range(12):
        sample = dataset.sample(number)
        if sample["path_A"].endswith("0.png"):
            away = np.abs(sample["A"].astype(int) - sample["B"]).max(axis=2) > 60
            assert away.mean() < 0.2  # but for the seams of the patches; half of all pixels if shifted by a patch


def test_a_palette_of_many_colours_is_a_photo(tmp_path):
    for side in "AB":
        folder_of(tmp_path / f"train{side}", "x.png", size=(200, 200))
        file = tmp_path / f"train{side}" / "x.png"
        Image.open(file).quantize(256).save(file)
    assert not any("label maps" in line for line in open_dataset(UnpairedConfig(), tmp_path).remarks)


# Configuration


def test_the_kind_decides_the_config():
    adapter = TypeAdapter(DataConfig)
    assert adapter.validate_python({"kind": "paired", "direction": "BtoA"}) == PairedConfig(direction="BtoA")
    for wrong in (
        {"kind": "pared"},
        {"kind": "unpaired", "direction": "BtoA"},
        {"kind": "edges", "crop_size": 300},
        {"kind": "edges", "load_size": 300, "crop_size": 256, "scale": (0.8, 1.0)},
        {"kind": "edges", "scale": (1.2, 1.1)},
        {"kind": "unpaired", "folder_a": "x"},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
