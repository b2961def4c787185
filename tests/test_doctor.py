"""The data doctor: it finds what is wrong, stays silent where nothing is, and its clean copy is clean."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from tiny_training import draw_pairs, draw_unpaired, tiny_cyclegan
from zorse.data.ab import split_ab
from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.decode import decode
from zorse.data.doctor.before_training import check_before_training
from zorse.data.doctor.diagnosis import diagnose
from zorse.data.doctor.findings import Check, Severity
from zorse.data.doctor.repair import Deed, repair
from zorse.data.doctor.sets import guess_config
from zorse.data.synthetic import brown_blobs, outlines_and_shapes, striped_blobs, synthesize
from zorse.errors import DatasetError
from zorse.training.config import to_toml

SIZE = 64
UNPAIRED = UnpairedConfig(load_size=72, crop_size=SIZE)
PAIRED = PairedConfig(load_size=72, crop_size=SIZE)
EDGES = EdgesConfig(load_size=72, crop_size=SIZE)
SMALL_SETS_ARE = {Check.FEW, Check.NO_TEST}
"""What is true of all sets here and asked for in a test of its own."""


def scene(seed, size=SIZE):
    """A picture unlike those of other seeds: coloured patches of all sizes."""
    rng = np.random.default_rng(seed)
    layers = [Image.fromarray(rng.integers(0, 256, (n, n, 3), np.uint8)) for n in (3, 7, 16)]
    large, middle, fine = (np.asarray(layer.resize((size, size), Image.Resampling.BICUBIC)) for layer in layers)
    return Image.fromarray((0.5 * large + 0.3 * middle + 0.2 * fine).astype(np.uint8))


def save(picture, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **options)


@pytest.fixture
def unpaired(tmp_path):
    """A clean set: trainA, trainB with 14 pictures each, testA and testB with 4."""
    for domain, offset in (("A", 0), ("B", 1000)):
        for split, first, n in (("train", 0, 14), ("test", 500, 4)):
            for number in range(n):
                save(scene(offset + first + number), tmp_path / "set" / f"{split}{domain}" / f"{number:02}.png")
    return tmp_path / "set"


@pytest.fixture
def pairs(tmp_path):
    """A clean set of 24 AB files."""
    for number in range(24):
        save(outlines_and_shapes(SIZE, np.random.default_rng(number)), tmp_path / "set" / "train" / f"{number:02}.png")
    return tmp_path / "set"


@pytest.fixture
def two_folders(pairs):
    """The same as A/NN.png and B/NN.jpg."""
    for path in sorted((pairs / "train").iterdir()):
        left, right = split_ab(decode(path), path)
        save(left, pairs / "A" / path.name)
        save(right, pairs / "B" / f"{path.stem}.jpg", quality=92)
    shutil.rmtree(pairs / "train")
    return pairs


def found(folder, config):
    """Findings by check."""
    findings = diagnose(folder, config).findings
    return {finding.check: finding for finding in findings if finding.check not in SMALL_SETS_ARE}


def files(finding):
    return [set(item.files) for item in finding.items]


@pytest.mark.parametrize(("kind", "config"), [("blobs", UNPAIRED), ("shapes", PAIRED)])
def test_nothing_is_found_in_a_clean_set(kind, config, tmp_path):
    synthesize(kind, tmp_path / "set", n=60, size=SIZE, seed=1)
    assert found(tmp_path / "set", config) == {}


def test_nothing_is_found_in_clean_photos(unpaired):
    assert found(unpaired, UNPAIRED) == {}
    shutil.copytree(unpaired / "trainA", unpaired / "photos" / "train")
    assert found(unpaired / "photos", EDGES) == {}


def test_files_that_cannot_be_read(unpaired):
    folder = unpaired / "trainA"
    save(scene(1), folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:-400])
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:-400])
    (folder / "empty.jpg").touch()
    (folder / "letter.jpg").write_text("Dear picture")
    (folder / "list.csv").write_text("1,2")
    findings = found(unpaired, UNPAIRED)
    unreadable = findings.pop(Check.UNREADABLE)
    assert unreadable.severity is Severity.ERROR
    details = {item.files[0]: item.detail for item in unreadable.items}
    assert details.keys() == {f"trainA/{name}" for name in ("cut.jpg", "cut.png", "empty.jpg", "letter.jpg")}
    assert "cut off" in details["trainA/cut.jpg"]
    assert "0 bytes" in details["trainA/empty.jpg"]
    assert "not a picture" in details["trainA/letter.jpg"]
    assert files(findings.pop(Check.SKIPPED)) == [{"trainA/list.csv"}]
    assert findings == {}


def test_shapes_that_training_refuses_or_blurs(unpaired):
    save(scene(80, 6), unpaired / "trainA" / "tiny.png")
    save(scene(81).resize((1600, 64)), unpaired / "trainA" / "ribbon.png")
    save(scene(82, 32), unpaired / "trainB" / "small.png")
    save(scene(83).resize((240, 70)), unpaired / "trainB" / "panorama.png")
    findings = found(unpaired, UNPAIRED)
    assert files(findings.pop(Check.UNUSABLE_SHAPE)) == [{"trainA/tiny.png"}]
    assert files(findings.pop(Check.SMALL)) == [{"trainB/small.png"}]
    assert files(findings.pop(Check.ELONGATED)) == [{"trainA/ribbon.png"}, {"trainB/panorama.png"}]
    assert findings == {}


def test_copies_however_they_were_made(unpaired):
    source = Image.open(unpaired / "trainA" / "03.png")
    folder = unpaired / "trainA"
    shutil.copy(folder / "03.png", folder / "same.png")
    save(source, folder / "pressed.jpg", quality=60)
    save(ImageOps.mirror(source), folder / "mirrored.png")
    save(source.convert("L").convert("RGB"), folder / "without colour.png")
    save(source.resize((150, 140), Image.Resampling.BICUBIC), folder / "enlarged.png")
    findings = found(unpaired, UNPAIRED)
    (item,) = findings.pop(Check.COPIES).items
    names = {"03.png", "same.png", "pressed.jpg", "mirrored.png", "without colour.png", "enlarged.png"}
    assert set(item.files) == {f"trainA/{name}" for name in names}
    assert item.files[0] == "trainA/enlarged.png", "the largest is kept"
    assert all(word in item.detail for word in ("identical", "nearly identical", "mirrored"))
    assert findings.keys() == {Check.GREY}


def test_without_mirroring_mirrored_pictures_are_different(unpaired):
    save(ImageOps.mirror(Image.open(unpaired / "trainA" / "03.png")), unpaired / "trainA" / "mirrored.png")
    assert Check.COPIES in found(unpaired, UNPAIRED)
    assert found(unpaired, UNPAIRED.model_copy(update={"flip": False})) == {}


def test_training_pictures_in_the_test_set_and_in_the_other_domain(unpaired):
    save(Image.open(unpaired / "trainA" / "05.png"), unpaired / "testA" / "seen.jpg", quality=80)
    shutil.copy(unpaired / "trainB" / "07.png", unpaired / "trainA" / "stray.png")
    shutil.copy(unpaired / "testB" / "01.png", unpaired / "testB" / "twice.png")
    findings = found(unpaired, UNPAIRED)
    assert [item.files for item in findings.pop(Check.LEAK).items] == [("testA/seen.jpg", "trainA/05.png")]
    assert [item.files for item in findings.pop(Check.IN_BOTH_DOMAINS).items] == [("trainA/stray.png", "trainB/07.png")]
    assert files(findings.pop(Check.TEST_COPIES)) == [{"testB/01.png", "testB/twice.png"}]
    assert findings == {}


def test_pictures_of_one_colour(unpaired):
    noise = np.random.default_rng(0).integers(99, 102, (SIZE, SIZE, 3), np.uint8)
    save(Image.new("RGB", (SIZE, SIZE), (90, 20, 20)), unpaired / "trainA" / "flat.png")
    save(Image.new("RGB", (SIZE, SIZE), (90, 20, 20)), unpaired / "trainA" / "flat too.png")
    save(noise, unpaired / "trainA" / "noise.png")
    findings = found(unpaired, UNPAIRED)
    names = ("flat too.png", "flat.png", "noise.png")
    assert files(findings.pop(Check.CONSTANT)) == [{f"trainA/{name}"} for name in names]
    assert findings.keys() <= {Check.GREY}, "flat pictures are no copies of each other"


def test_grey_pictures_and_grey_domains(unpaired):
    for name in ("01.png", "02.png"):
        save(Image.open(unpaired / "trainA" / name).convert("L"), unpaired / "trainA" / name)
    grey = found(unpaired, UNPAIRED)[Check.GREY]
    assert files(grey) == [{"trainA/01.png"}, {"trainA/02.png"}]
    assert grey.title.startswith("2 of 18 pictures of A are grey")
    for path in [*(unpaired / "trainA").iterdir(), *(unpaired / "testA").iterdir()]:
        save(Image.open(path).convert("L"), path)
    assert found(unpaired, UNPAIRED).keys() == {Check.GREY_DOMAIN}


def turn(path):
    left, right = split_ab(decode(path), path)
    save(np.hstack([right, left]), path)


def test_swapped_sides_of_ab_files(pairs):
    for number in range(0, 18, 2):
        turn(pairs / "train" / f"{number:02}.png")
    findings = found(pairs, PAIRED)
    assert files(findings.pop(Check.SWAPPED)) == [{f"train/{number:02}.png"} for number in range(0, 18, 2)]
    assert findings == {}


def test_half_of_the_set_in_either_order(pairs):
    for number in range(0, 24, 2):
        turn(pairs / "train" / f"{number:02}.png")
    mixed = found(pairs, PAIRED)[Check.MIXED_ORDER]
    assert len(mixed.items) == 12
    assert "not known which is right" in mixed.remedy


def test_a_swapped_test_pair_in_the_training_set(pairs):
    (pairs / "val").mkdir()
    shutil.copy(pairs / "train" / "04.png", pairs / "val" / "04.png")
    turn(pairs / "train" / "04.png")
    findings = found(pairs, PAIRED)
    assert [(item.files, item.detail) for item in findings[Check.LEAK].items] == [
        (("val/04.png", "train/04.png"), "sides swapped")
    ]
    assert files(findings[Check.SWAPPED]) == [{"train/04.png"}]


def test_sides_that_do_not_belong_together(pairs):
    folder = pairs / "train"
    first, second = (split_ab(decode(folder / name), folder) for name in ("06.png", "17.png"))
    save(np.hstack([first[0], second[1]]), folder / "06.png")
    save(np.hstack([second[0], first[1]]), folder / "17.png")
    assert files(found(pairs, PAIRED)[Check.UNRELATED]) == [{"train/06.png"}, {"train/17.png"}]


def test_a_whole_set_numbered_wrongly(two_folders):
    paths = sorted((two_folders / "A").iterdir())
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[5:] + contents[:5], strict=True):
        path.write_bytes(content)
    assert found(two_folders, PAIRED).keys() == {Check.UNRELATED_SET}


def test_a_pair_of_the_same_picture(pairs):
    _, right = split_ab(decode(pairs / "train" / "03.png"), pairs)
    save(np.hstack([right, right]), pairs / "train" / "03.png")
    assert files(found(pairs, PAIRED)[Check.EQUAL_SIDES]) == [{"train/03.png"}]


def test_pairs_of_equal_sides_throughout(two_folders):
    for path in (two_folders / "A").iterdir():
        save(Image.open(path), two_folders / "B" / f"{path.stem}.png")
        (two_folders / "B" / f"{path.stem}.jpg").unlink()
    findings = found(two_folders, PAIRED)  # and without a warning of NumPy's, which tests turn into an error
    assert len(findings[Check.EQUAL_SIDES].items) == 24
    assert Check.SWAPPED not in findings


def test_two_folders_that_do_not_match(two_folders):
    (two_folders / "A" / "01.png").unlink()
    save(scene(1), two_folders / "A" / "lonely.png")
    save(scene(2), two_folders / "B" / "02.png")
    save(Image.open(two_folders / "A" / "03.png").resize((80, 64)), two_folders / "A" / "03.png")
    save(Image.open(two_folders / "A" / "04.png").resize((80, 80)), two_folders / "A" / "04.png")
    findings = found(two_folders, PAIRED)
    assert files(findings.pop(Check.UNMATCHED)) == [{"A/lonely.png"}, {"B/01.jpg"}]
    assert files(findings.pop(Check.AMBIGUOUS_NAME)) == [{"B/02.jpg", "B/02.png"}]
    assert files(findings.pop(Check.RESIZED_SIDES)) == [{"A/04.png", "B/04.jpg"}]
    unequal = findings.pop(Check.UNEQUAL_SIDES)
    assert files(unequal) == [{"A/03.png", "B/03.jpg"}]
    assert f"zorse data pair {two_folders / 'A'} {two_folders / 'B'} OUT/train --crop" in unequal.remedy
    assert findings == {}


def test_files_that_are_no_ab_files(pairs):
    save(scene(1), pairs / "train" / "one picture.png")
    assert files(found(pairs, PAIRED)[Check.NOT_A_PAIR]) == [{"train/one picture.png"}]


def test_drawings_among_photos(unpaired):
    outlines, _ = split_ab(outlines_and_shapes(SIZE, np.random.default_rng(0)), unpaired)
    save(outlines, unpaired / "trainA" / "drawn.png")
    assert files(found(unpaired, UNPAIRED)[Check.DRAWINGS]) == [{"trainA/drawn.png"}]


def test_photos_are_wanted_where_edges_are_drawn(pairs):
    for path in (pairs / "train").iterdir():
        save(split_ab(decode(path), path)[0], path)
    assert "Give it the photos" in found(pairs, EDGES)[Check.DRAWINGS].remedy


def test_domains_that_look_alike(tmp_path):
    for draw, domain, seed in ((brown_blobs, "A", 0), (brown_blobs, "B", 1), (striped_blobs, "C", 2)):
        for number in range(60):
            save(draw(32, np.random.default_rng([seed, number])), tmp_path / f"domain{domain}" / f"{number}.png")
    config = UnpairedConfig(load_size=36, crop_size=32, folder_a="domainA", folder_b="domainB")
    assert found(tmp_path, config).keys() == {Check.ALIKE}
    assert found(tmp_path, config.model_copy(update={"folder_b": "domainC"})) == {}


def test_an_empty_test_folder_is_no_test_set(unpaired):
    for path in (unpaired / "testA").iterdir():
        path.unlink()
    assert {finding.check for finding in diagnose(unpaired, UNPAIRED).findings} == SMALL_SETS_ARE
    for path in (unpaired / "trainA").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match="holds nothing"):
        diagnose(unpaired, UNPAIRED)


def test_ab_files_may_be_tested_with_two_folders(pairs):
    for path in sorted((pairs / "train").iterdir())[:3]:
        left, right = split_ab(decode(path), path)
        save(left, pairs / "testA" / path.name)
        save(right, pairs / "testB" / path.name)
    assert [item.files[1] for item in found(pairs, PAIRED)[Check.LEAK].items] == [f"train/0{n}.png" for n in range(3)]


def test_uneven_few_and_untested(unpaired):
    for number in range(4, 14):
        (unpaired / "trainB" / f"{number:02}.png").unlink()
    for number in range(14, 20):
        save(scene(number), unpaired / "trainA" / f"{number}.png")
    shutil.rmtree(unpaired / "testA")
    shutil.rmtree(unpaired / "testB")
    findings = {finding.check: finding for finding in diagnose(unpaired, UNPAIRED).findings}
    assert findings.keys() == {Check.FEW, Check.NO_TEST, Check.IMBALANCE}
    assert findings[Check.FEW].title == "Few to learn from: 20 of A, 4 of B"
    assert findings[Check.IMBALANCE].title == "Domain A has 5 times as many pictures as B: 20 and 4"


def odd_files(folder):
    """One picture of each odd kind; returns the files by the check that notes them."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    save(scene(91), folder / "rotated.jpg", exif=orientation)
    veil = Image.new("L", (SIZE, SIZE), 255)
    veil.paste(0, (0, 0, 20, 20))
    glass = scene(92)
    glass.putalpha(veil)
    save(glass, folder / "glass.png")
    rng = np.random.default_rng(93)
    deep = Image.fromarray(rng.integers(0, 65536, (4, 4), np.uint16)).resize((SIZE, SIZE), Image.Resampling.NEAREST)
    save(deep, folder / "deep.png")
    save(scene(94).convert("CMYK"), folder / "print.jpg", quality=95)
    save(scene(95), folder / "moving.gif", save_all=True, append_images=[scene(96)])
    return {
        Check.ROTATED: "rotated.jpg",
        Check.TRANSPARENT: "glass.png",
        Check.DEEP: "deep.png",
        Check.CMYK: "print.jpg",
        Check.ANIMATED: "moving.gif",
    }


def test_odd_files_are_noted(unpaired):
    expected = odd_files(unpaired / "trainB")
    findings = found(unpaired, UNPAIRED)
    assert {check: findings[check].items[0].files for check in expected} == {
        check: (f"trainB/{name}",) for check, name in expected.items()
    }
    assert all(findings[check].severity is Severity.NOTE and len(findings[check].items) == 1 for check in expected)


def test_class_numbers_and_12_bits_are_nearly_black(unpaired):
    rng = np.random.default_rng(0)
    for split, n in (("train", 14), ("test", 4)):
        for number in range(n):
            numbers = rng.integers(0, 19, (8, 8), np.uint8).repeat(8, 0).repeat(8, 1)
            save(numbers, unpaired / f"{split}A" / f"{number:02}.png")
            levels = np.asarray(scene(number).convert("L"), np.uint16) * 16
            save(Image.fromarray(levels), unpaired / f"{split}B" / f"{number:02}.png")
    findings = [finding for finding in diagnose(unpaired, UNPAIRED).findings if finding.check is Check.DARK]
    classes, deep = findings
    assert "levels up to 18 of 255" in classes.title
    assert f"zorse data levels {unpaired / 'trainA'} OUT --classes" in classes.remedy
    assert "12 bits in files of 16" in deep.title
    assert f"zorse data levels {unpaired / 'trainB'} OUT --range 0 4095" in deep.remedy
    assert all(finding.severity is Severity.WARNING and len(finding.items) == 18 for finding in findings)
    assert Check.DEEP not in found(unpaired, UNPAIRED)  # of which it would say that nothing changes


def test_a_few_dark_pictures_are_no_way_of_storing(unpaired):
    for number in range(3):
        save(np.asarray(scene(number)) // 5, unpaired / "trainA" / f"{number:02}.png")
    assert Check.DARK not in found(unpaired, UNPAIRED)


def test_label_maps_are_told_of(two_folders):
    for number, path in enumerate((two_folders / "A").iterdir()):
        save(scene(number).quantize(8), path)
    finding = found(two_folders, PAIRED)[Check.LABEL_MAPS]
    assert "side A" in finding.title
    assert "nearest pixel" in finding.effect
    finding = found(two_folders, PAIRED.model_copy(update={"nearest": "neither"}))[Check.LABEL_MAPS]
    assert "--set data.nearest=A" in finding.remedy


def test_a_test_set_that_cannot_be_used_is_not_missing(unpaired):
    for path in (unpaired / "testA").iterdir():
        path.write_bytes(b"no picture")
    (finding,) = (f for f in diagnose(unpaired, UNPAIRED).findings if f.check is Check.NO_TEST)
    assert "cannot be used" in finding.title
    assert "testA" in finding.effect


def test_strips_are_tested_with(tmp_path):
    for folder, first in (("trainA", 0), ("trainB", 100), ("testA", 200), ("testB", 300)):
        for number in range(3):
            save(scene(first + number).resize((1800, 64)), tmp_path / folder / f"{number}.png")
    findings = {finding.check: finding for finding in diagnose(tmp_path, UNPAIRED).findings}
    assert Check.NO_TEST not in findings
    assert all(finding.severity is not Severity.ERROR for finding in findings.values())


def test_how_pairs_were_matched_and_what_was_left_out_is_said(zorse, two_folders):
    for path in (two_folders / "A").iterdir():
        path.rename(path.with_stem(f"{path.stem}_gtFine_color"))
    (two_folders / "A").rename(two_folders / "train_label")
    (two_folders / "B").rename(two_folders / "train_img")
    save(scene(1), two_folders / "train_inst" / "00.png")
    (two_folders / "train_img" / "layers.psd").write_bytes(b"8BPS")
    code, out, _ = zorse("data", "check", two_folders, "--crop", SIZE)
    assert code == 0
    assert "matched by file name without its extension and without '_gtFine_color' on side A" in out
    assert "train_inst  (it is named after no split and side of the set)" in out
    assert "layers.psd  (.psd is a picture in layers" in out
    code, out, _ = zorse("data", "check", two_folders, "--kind", "paired", "--ending-a", "_color", "--crop", SIZE)
    assert code == 1
    assert "without a counterpart" in out


CURED = (
    {Check.UNREADABLE, Check.UNUSABLE_SHAPE, Check.NOT_A_PAIR, Check.UNEQUAL_SIDES, Check.UNMATCHED}
    | {Check.AMBIGUOUS_NAME, Check.CONSTANT, Check.LEAK, Check.COPIES, Check.SWAPPED}
    | {Check.ROTATED, Check.TRANSPARENT, Check.DEEP, Check.CMYK}
)
"""What `repair` claims to put right."""


def test_the_clean_copy_of_a_messy_set_is_clean(unpaired, tmp_path):
    odd_files(unpaired / "trainB")
    (unpaired / "trainA" / "empty.jpg").touch()
    save(scene(2, 6), unpaired / "trainA" / "tiny.png")
    save(Image.new("RGB", (SIZE, SIZE)), unpaired / "testB" / "black.png")
    shutil.copy(unpaired / "trainA" / "01.png", unpaired / "trainA" / "same.png")
    shutil.copy(unpaired / "trainA" / "02.png", unpaired / "testA" / "seen.png")
    diagnosis = diagnose(unpaired, UNPAIRED)
    before = {path: path.read_bytes() for path in unpaired.rglob("*.*")}
    out = tmp_path / "clean"
    changes = {change.file: change for change in repair(diagnosis, out)}

    assert {path: path.read_bytes() for path in unpaired.rglob("*.*")} == before
    assert changes.keys() == {path.relative_to(unpaired).as_posix() for path in before}
    left_out = {file for file, change in changes.items() if change.deed is Deed.LEFT_OUT}
    assert left_out == {"trainA/empty.jpg", "trainA/tiny.png", "testB/black.png", "trainA/same.png", "trainA/02.png"}
    changed = {file for file, change in changes.items() if change.deed is Deed.CHANGED}
    assert changed == {f"trainB/{name}" for name in ("rotated.jpg", "glass.png", "deep.png", "print.jpg")}
    for file, change in changes.items():
        if change.deed is Deed.COPIED:
            assert (out / change.written).read_bytes() == (unpaired / file).read_bytes()
        elif change.deed is Deed.CHANGED:
            difference = np.abs(decode(out / change.written).astype(int) - decode(unpaired / file))
            assert difference.mean() < 1.5, file
    assert json.loads((out / "changes.json").read_text())[0]["file"] in changes
    assert not CURED & found(out, UNPAIRED).keys()


def test_the_clean_copy_of_pairs(pairs, tmp_path):
    folder = pairs / "train"
    for number in (2, 5, 9):
        turn(folder / f"{number:02}.png")
    save(Image.open(folder / "07.png"), folder / "again.png", compress_level=1)
    save(scene(1), folder / "one picture.png")
    (pairs / "val").mkdir()
    save(Image.open(folder / "11.png"), pairs / "val" / "seen.jpg", quality=95)
    changes = {change.file: change for change in repair(diagnose(pairs, PAIRED), tmp_path / "clean")}
    assert {file: change.why for file, change in changes.items() if change.deed is Deed.CHANGED} == {
        f"train/{number:02}.png": "sides turned round" for number in (2, 5, 9)
    }
    assert {file for file, change in changes.items() if change.deed is Deed.LEFT_OUT} == {
        "train/again.png",
        "train/one picture.png",
        "train/11.png",
    }
    turned = split_ab(decode(tmp_path / "clean" / "train" / "05.png"), folder)
    swapped = split_ab(decode(folder / "05.png"), folder)
    assert np.array_equal(turned[0], swapped[1])
    assert np.array_equal(turned[1], swapped[0])
    assert found(tmp_path / "clean", PAIRED) == {}


def test_the_clean_copy_of_pairs_in_two_folders(two_folders, tmp_path):
    a, b = two_folders / "A", two_folders / "B"
    for stem in ("03", "08"):
        left, right = decode(a / f"{stem}.png"), decode(b / f"{stem}.jpg")
        save(right, a / f"{stem}.png")
        save(left, b / f"{stem}.jpg", quality=92)
    (b / "10.jpg").write_bytes(b"")
    (b / "11.jpg").unlink()
    save(scene(3, 80).resize((80, 60)), a / "12.png")
    changes = {change.file: change for change in repair(diagnose(two_folders, PAIRED), tmp_path / "clean")}
    gone = {file for file, change in changes.items() if change.deed is Deed.LEFT_OUT}
    assert gone == {"A/10.png", "B/10.jpg", "A/11.png", "A/12.png", "B/12.jpg"}
    assert "belongs to B/10.jpg" in changes["A/10.png"].why
    assert (tmp_path / "clean" / "A" / "03.jpg").read_bytes() == (b / "03.jpg").read_bytes()
    assert (tmp_path / "clean" / "B" / "03.png").read_bytes() == (a / "03.png").read_bytes()
    assert found(tmp_path / "clean", PAIRED) == {}


def test_where_a_clean_copy_cannot_go(unpaired, tmp_path):
    diagnosis = diagnose(unpaired, UNPAIRED)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(DatasetError, match="not an empty folder"):
        repair(diagnosis, tmp_path / "full")
    with pytest.raises(DatasetError, match="lies inside of"):
        repair(diagnosis, unpaired / "clean")
    for path in unpaired.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="no usable picture would be left"):
        repair(diagnose(unpaired, UNPAIRED), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_unpaired_sets_may_use_the_same_names(unpaired):
    assert guess_config(unpaired).kind == "unpaired"


def test_pairs_are_recognised(pairs):
    assert guess_config(pairs).kind == "paired"
    assert guess_config(pairs, crop_size=128).crop_size == 128


def test_pairs_in_two_folders_are_recognised(two_folders):
    assert guess_config(two_folders).kind == "paired"


def test_photos_are_recognised_even_if_they_are_wide(tmp_path):
    for number in range(16):
        save(scene(number, 128).crop((0, 0, 128, 64)), tmp_path / "train" / "places" / f"{number}.png")
    assert guess_config(tmp_path).kind == "edges"


def test_the_command_tells_people(zorse, unpaired):
    for number in range(6):
        shutil.copy(unpaired / "trainA" / f"{number:02}.png", unpaired / "trainA" / f"copy {number}.png")
    code, out, err = zorse("data", "check", unpaired, "--crop", SIZE)
    assert (code, err) == (0, "")
    assert "trainA 20" in out
    assert "6 training pictures are copies of another one" in out
    assert "and 2 more (--all lists them)" in out
    assert out.rstrip().splitlines()[-1].startswith("Fit for training, with reservations: ")
    assert zorse("data", "check", unpaired, "--crop", SIZE, "--all")[1].count("copy ") == 6
    (unpaired / "trainB" / "empty.png").touch()
    code, out, _ = zorse("data", "check", unpaired, "--crop", SIZE)
    assert code == 1
    assert out.rstrip().splitlines()[-1].startswith("Not fit for training yet: 1 error, ")


def test_the_command_tells_programs_and_fixes(zorse, unpaired, tmp_path):
    (unpaired / "trainB" / "empty.png").touch()
    code, out, _ = zorse("data", "check", unpaired, "--json", "--fix", tmp_path / "clean")
    told = json.loads(out)
    assert code == 0, "the clean copy is fit for training"
    assert (told["kind"], told["errors"]) == ("unpaired", 1)
    assert told["findings"][0]["check"] == "unreadable"
    assert told["findings"][0]["items"][0]["files"] == ["trainB/empty.png"]
    assert {"file": "trainB/empty.png", "deed": "left out", "why": "cannot be read", "written": ""} in told["changes"]
    code, out, _ = zorse("data", "check", tmp_path / "clean", "--json")
    assert code == 0
    assert json.loads(out)["errors"] == 0


def test_the_command_without_a_set(zorse, tmp_path):
    code, _, err = zorse("data", "check", tmp_path / "nothing")
    assert code == 1
    assert "does not exist" in err
    code, _, err = zorse("data", "check", tmp_path)
    assert code == 1
    assert err.count("\n") == 1


def test_an_existing_folder_is_refused_before_anything_is_read(zorse, unpaired, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    code, out, err = zorse("data", "check", unpaired, "--fix", tmp_path / "full")
    assert (code, out) == (1, "")
    assert "not an empty folder" in err


@pytest.fixture
def tiny(tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(to_toml(tiny_cyclegan("training.iterations=1")), encoding="utf-8")
    return file


def test_training_does_not_start_with_pictures_that_would_stop_it(zorse, tiny, tmp_path):
    data = draw_unpaired(tmp_path / "set")
    (data / "trainB" / "0002.png").write_bytes(b"")
    code, out, err = zorse("train", tiny, "--data", data, "--out", tmp_path / "run")
    assert code == 1
    assert "1 file cannot be read (trainB/0002.png)" in err
    assert f"zorse data check {data} --kind unpaired" in err
    assert "--no-check" in err
    assert err.count("\n") == 1
    assert "Not fit for training yet" in out
    assert not (tmp_path / "run").exists()


def test_warnings_do_not_stop_a_training_run(tmp_path):
    from rich.console import Console

    data = draw_pairs(tmp_path / "set")
    console = Console(record=True, quiet=False, width=100)
    check_before_training(PAIRED, data, console)
    assert "Few to learn from: 6 pairs" in console.export_text()


def test_the_doctor_needs_no_torch():
    code = (
        "import sys, zorse.data.doctor.before_training, zorse.data.doctor.repair, zorse.cli.data;"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=120)
