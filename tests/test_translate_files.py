"""Folders: names, times, resuming, labelled sets, several workers, full disks, Ctrl-C."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import types
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny_onnx
from zorse.errors import ConfigError, DiskFull, ImageError
from zorse.files import translate as files
from zorse.files.batches import TranslateBatch
from zorse.files.jobs import Job, plan, plan_all
from zorse.files.names import distinct, safe_path
from zorse.files.selection import Selection, is_mask
from zorse.files.translate import Settings, is_done, share_cores, translate_files
from zorse.imaging.io import READ_SUFFIXES, find_pictures, read_picture
from zorse.imaging.left_out import lines, reason_for
from zorse.imaging.video.formats import VIDEO_SUFFIXES
from zorse.runtime import devices
from zorse.runtime.streamed.execute import Progress
from zorse.runtime.translator import Translator

ROOT = Path(__file__).resolve().parent.parent
OLD = 1_600_000_000


@pytest.fixture
def model(tmp_path):
    return tiny_onnx.write(tmp_path / "neg.onnx")


def save(path, value=10, size=(20, 12), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path, **options)
    os.utime(path, (OLD, OLD))
    return path


def same(picture, **_):
    return picture


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.jpg", "photo.jpg"),
        ("aux.png", "aux_.png"),
        ("con.tar.png", "con_.tar.png"),
        ("console.png", "console.png"),
        ("COM1/a.png", "COM1_/a.png"),
        ('what: "a"?.png', "what_ _a__.png"),
        ("dots.../a.png", "dots___/a.png"),
        ("end /a.png", "end_/a.png"),
        ("été.png", "été.png"),
    ],
)
def test_names_that_windows_cannot_hold_are_changed(name, safe):
    assert safe_path(Path(name)) == Path(safe)


def test_names_that_differ_in_case_only_get_a_number():
    paths = [Path(name) for name in ("a/B.png", "a/b.png", "a/b_2.png", "A/b.png", "c.png", "c.png")]
    names = [path.as_posix() for path in distinct(paths)]
    assert names == ["a/B.png", "a/b_3.png", "a/b_2.png", "A/b_4.png", "c.png", "c.png"]


def test_a_plan_uses_safe_names(tmp_path):
    save(tmp_path / "in/sub./nul.png")
    assert plan([tmp_path / "in"], tmp_path / "out", "m")[0].target == tmp_path / "out/sub_/nul_.png"


def test_a_result_whose_format_changes_makes_way(tmp_path):
    for name in ("a.png", "a.ppm", "b.ppm"):
        save(tmp_path / "in" / name)
    names = {job.source.name: job.target.name for job in plan([tmp_path / "in"], tmp_path / "out", "m")}
    assert names == {"a.png": "a.png", "a.ppm": "a.ppm.png", "b.ppm": "b.png"}
    beside = [job.target.name for job in plan([tmp_path / "in/a.png", tmp_path / "in/a.ppm"], None, "m")]
    assert beside == ["a_m.png", "a_m.ppm.png"]


def test_a_folder_and_one_of_its_pictures_are_no_contradiction(tmp_path):
    picture = save(tmp_path / "in/a.png")
    assert len(plan([tmp_path / "in", picture], tmp_path / "out", "m")) == 1


def test_results_may_go_above_the_folder(tmp_path, monkeypatch):
    save(tmp_path / "in/a.png")
    monkeypatch.chdir(tmp_path)
    assert [job.target for job in plan([Path("in")], Path(), "m")] == [Path("a.png")]


def test_links_are_followed_and_lead_in_no_circle(tmp_path):
    save(tmp_path / "elsewhere/a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    (tmp_path / "in/broken.png").symlink_to(tmp_path / "nowhere")
    assert [job.target for job in plan([tmp_path / "in"], tmp_path / "out", "m")] == [tmp_path / "out/link/a.png"]
    (tmp_path / "name").symlink_to(tmp_path / "elsewhere")
    assert plan([tmp_path / "name"], None, "m")[0].target == tmp_path / "name_m/a.png"


def test_nothing_lies_beside_the_root():
    with pytest.raises(ConfigError, match="Name one with -o"):
        plan([Path("/")], None, "m")


def test_the_longest_names_can_be_written(tmp_path, model, zorse):
    save(tmp_path / f"in/{'x' * 251}.png")
    assert zorse("translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out")[0] == 0
    assert [len(file.name) for file in (tmp_path / "out").iterdir()] == [255]
    code, _, errors = zorse("translate", *(tmp_path / "in").iterdir(), "-m", model)
    assert code == 1
    assert "Choose a shorter name" in errors


# Times and resuming --------------------------------------------------------------------------------------------------


def test_times_are_mirrored_and_done_files_are_left_out(tmp_path):
    for name in ("a.png", "deep/b.jpg"):
        save(tmp_path / "in" / name)
    jobs = plan([tmp_path / "in"], tmp_path / "out", "m")
    assert not any(outcome.was_done for outcome in translate_files(same, jobs, Settings(resume=True)))
    assert [job.target.stat().st_mtime for job in jobs] == [OLD, OLD]
    assert all(outcome.was_done for outcome in translate_files(same, jobs, Settings(resume=True)))

    os.utime(jobs[0].source, (OLD + 60, OLD + 60))  # changed since
    jobs[1].target.write_bytes(b"")  # as a crash of the whole machine may leave it
    assert not any(outcome.was_done for outcome in translate_files(same, jobs, Settings(resume=True)))
    assert not any(outcome.was_done for outcome in translate_files(same, jobs))


def test_a_disk_with_coarse_times_does_not_undo_resuming(tmp_path):
    job = Job(save(tmp_path / "a.png"), save(tmp_path / "b.png"))
    os.utime(job.source, (OLD + 1.5, OLD + 1.5))  # FAT would keep OLD, an even second
    assert is_done(job)
    os.utime(job.source, (OLD + 3, OLD + 3))
    assert not is_done(job)


# Labelled sets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("images/a.png", False),
        ("masks/a.png", True),
        ("train/SegmentationClass/a.png", True),
        ("Ground-Truth/a.png", True),
        ("a_mask.png", True),
        ("a_gtFine_labelIds.png", True),
        ("maskerade.png", False),
        ("label_printer.jpg", False),
    ],
)
def test_masks_are_known_by_their_names(name, mask):
    assert is_mask(Path(name)) is mask


@pytest.fixture
def labelled(tmp_path):
    folder = tmp_path / "set"
    save(folder / "images/a.png")
    save(folder / "images/b.jpg", exif=(lambda exif: (exif.update({0x0112: 6}), exif)[1])(Image.Exif()), size=(30, 20))
    Image.new("P", (20, 12), 3).save(folder / "images/a_mask.png")
    (folder / "masks").mkdir()
    Image.new("P", (30, 20), 2).save(folder / "masks/b.png")
    (folder / "annotations.json").write_bytes(b'{"a": [1, 2]}')
    (folder / "deep").mkdir()
    (folder / "deep/list.txt").write_bytes(b"b\r\n")
    return folder


def test_copy_others_keeps_everything_else_and_the_geometry(tmp_path, labelled, model, zorse):
    out = tmp_path / "out"
    code, _, errors = zorse("translate", labelled, "-m", model, "-o", out, "--copy-others")
    assert code == 0, errors
    assert "2 of 2 pictures translated, 4 other files copied." in errors
    for name in ("images/a_mask.png", "masks/b.png", "annotations.json", "deep/list.txt"):
        assert (out / name).read_bytes() == (labelled / name).read_bytes()
        assert (out / name).stat().st_mtime == pytest.approx((labelled / name).stat().st_mtime, abs=1e-6)
    with Image.open(out / "images/b.jpg") as image:  # masks/b.png fits the pixels as they are stored
        assert image.size == (30, 20)
        assert image.getexif()[0x0112] == 6


def test_only_and_skip_choose(labelled):
    def pictures(**choice):
        jobs = plan([labelled], labelled.parent / "out", "m", Selection(**choice))
        return sorted(job.source.name for job in jobs if not job.is_copy)

    assert pictures() == ["a.png", "a_mask.png", "b.jpg", "b.png"]
    assert pictures(skip=("masks/*", "*_mask.png")) == ["a.png", "b.jpg"]
    assert pictures(only=("*.jpg",), copy_others=True) == ["b.jpg"]
    assert pictures(only=("images/*",), copy_others=True) == ["a.png", "a_mask.png", "b.jpg"]
    with pytest.raises(ImageError, match="that --only and --skip leave"):
        pictures(skip=("*",))


def test_patterns_choose_among_named_files_too(tmp_path):
    files = [save(tmp_path / "a.png"), save(tmp_path / "a_mask.png")]
    assert [job.source for job in plan(files, tmp_path / "out", "m", Selection(skip=("*_mask.png",)))] == files[:1]
    with pytest.raises(ImageError, match="leave none"):
        plan(files, tmp_path / "out", "m", Selection(only=("*.jpg",)))


def test_heic_is_not_passed_over_where_it_cannot_be_read(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.HEIC").write_bytes(b"x")
    assert [job.source.name for job in plan([tmp_path / "in"], tmp_path / "out", "m")] == ["a.HEIC"]


# Several workers -----------------------------------------------------------------------------------------------------


def test_workers_overlap_and_report_in_order(tmp_path):
    for number in range(12):
        save(tmp_path / f"in/{number:02}.png", value=number)
    meeting = threading.Barrier(3, timeout=20)

    def slow(picture, **_):
        meeting.wait()  # passes only while three are at work
        time.sleep(0.02 * (picture.rgb[0, 0, 0] % 3))
        return picture

    jobs = plan([tmp_path / "in"], tmp_path / "out", "m")
    outcomes = list(translate_files(slow, jobs, Settings(workers=3, networks=3)))
    assert [outcome.job for outcome in outcomes] == jobs
    assert all(outcome.error is None for outcome in outcomes)


def test_networks_are_bounded(tmp_path):
    for number in range(8):
        save(tmp_path / f"in/{number}.png")
    running, most = [], []

    def watched(picture, **_):
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()
        return picture

    list(translate_files(watched, plan([tmp_path / "in"], tmp_path / "out", "m"), Settings(workers=4, networks=1)))
    assert max(most) == 1


def test_pixels_in_work_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PIXELS_AT_ONCE", 300)
    for number in range(6):
        save(tmp_path / f"in/{number}.png", size=(20, 12))
    save(tmp_path / "in/larger.png", size=(100, 100))
    running, most = [], []

    def watched(picture, **_):
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()
        return picture

    jobs = plan([tmp_path / "in"], tmp_path / "out", "m")
    outcomes = list(translate_files(watched, jobs, Settings(workers=4, networks=4)))
    assert len(outcomes) == 7
    assert max(most) == 1


def test_a_memory_limit_is_shared(tmp_path, monkeypatch):
    for name, size in (("a.png", (20, 12)), ("b.png", (20, 12)), ("larger.png", (4000, 3000))):
        save(tmp_path / "in" / name, size=size)
    frames = [Image.new("RGB", (100, 100), (value, 0, 0)) for value in (0, 100, 200)]
    frames[0].save(tmp_path / "in/c.gif", save_all=True, append_images=frames[1:])
    given = []

    def noted(picture, *, max_memory, **_):
        given.append((picture.width, max_memory))
        return picture

    jobs = plan([tmp_path / "in"], tmp_path / "out", "m")
    list(translate_files(noted, jobs, Settings(workers=2, max_memory=400_000_000)))
    assert set(given) == {(20, 300_000_000), (4000, 400_000_000), (100, 300_000_000 - 60_000)}
    given.clear()
    list(translate_files(noted, jobs, Settings(workers=2, max_memory=100_000_000)))
    assert set(given) == {(20, 100_000_000), (4000, 100_000_000), (100, 100_000_000 - 60_000)}, "too little to share"
    given.clear()
    list(translate_files(noted, jobs[:1], Settings(max_memory=100_000_000)))
    assert given == [(20, 100_000_000)], "a worker alone has no others to think of"
    list(translate_files(noted, jobs[:1]))
    assert given[-1] == (20, None)


def test_a_picture_that_needs_more_memory_is_named(tmp_path):
    translator = Translator(tiny_onnx.card(), lambda tensor: tensor)
    jobs = plan([save(tmp_path / "a.png"), save(tmp_path / "b.png", size=(800, 600))], tmp_path / "out", "m")
    outcomes = list(translate_files(partial(translator.translate, size="keep"), jobs, Settings(max_memory=10_000_000)))
    assert outcomes[0].error is None
    assert re.match(r".*b\.png: Translating a picture at 800x600 takes at least", str(outcomes[1].error))


def test_cores_are_shared(tmp_path, monkeypatch):
    assert share_cores(1, None, "native") == (1, None)
    assert share_cores(100, 4, "keep") == (4, None)
    workers, threads = share_cores(100, 2, "native")
    assert workers == 2
    assert threads >= 1
    (tmp_path / "cpu.max").write_text("100000 100000")
    monkeypatch.setattr(devices, "_QUOTA", tmp_path / "cpu.max")
    assert share_cores(100, None, "auto") == (1, None), "the container's quota is one core"


def test_links_in_a_ring_are_passed_over(tmp_path):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "ring").symlink_to("ring")
    assert find_pictures(tmp_path / "in") == [tmp_path / "in" / "a.png"]


# What goes wrong -----------------------------------------------------------------------------------------------------


def test_a_full_disk_stops_cleanly(tmp_path, model, zorse, monkeypatch):
    for number in range(9):
        save(tmp_path / f"in/{number}.png")
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(1)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr("zorse.system.atomic.os.fsync", fsync)
    out = tmp_path / "out"
    command = ("translate", tmp_path / "in", "-m", model, "-o", out, "--workers", "1")
    code, _, errors = zorse(*command)
    assert code == 1
    assert errors.count("No space left on device") == 1
    assert "Free some space" in errors
    assert "3 of 9 pictures translated." in errors
    assert sorted(file.name for file in out.iterdir()) == ["0.png", "1.png", "2.png"]
    assert all(read_picture(file).width == 20 for file in out.iterdir())
    monkeypatch.undo()


def test_a_full_disk_drops_what_is_in_work(tmp_path, monkeypatch):
    for number in range(9):
        save(tmp_path / f"in/{number}.png")

    def streamed(picture, *, report, **_):
        if threading.current_thread().name.endswith("_0"):  # the first one is slow, the other meets a full disk
            for _ in range(1000):
                time.sleep(0.01)
                report(Progress(0.5, 1.0))
        return picture

    def write(path, _content):
        raise DiskFull(f"{path} could not be written: No space left on device.")

    monkeypatch.setattr(files, "write_file", write)
    jobs = plan([tmp_path / "in"], tmp_path / "out", "m")
    outcomes = list(translate_files(streamed, jobs, Settings(workers=2, networks=2)))
    assert [outcome.job.source.name for outcome in outcomes] == ["1.png"]
    assert "No space" in str(outcomes[0].error)


def test_leaving_the_iteration_stops_between_tiles(tmp_path):
    for number in range(3):
        save(tmp_path / f"in/{number}.png")
    tiles, left = [], threading.Event()

    def streamed(picture, *, report, **_):
        if picture.rgb[0, 0, 0] == 10 and not tiles:
            tiles.append(1)
            return picture
        for _ in range(1000):
            tiles.append(1)
            left.wait(0.01)
            report(Progress(0.5, 1.0))
        return picture

    shown = []
    settings = Settings(tile_report=lambda job, progress: shown.append((job.source.name, progress.done)))
    outcomes = translate_files(streamed, plan([tmp_path / "in"], tmp_path / "out", "m"), settings)
    next(outcomes)
    while len(tiles) < 5:
        time.sleep(0.01)
    left.set()
    outcomes.close()
    assert len(tiles) < 500
    assert shown[0] == ("1.png", 0.5)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["0.png"]


def test_leaving_the_iteration_keeps_what_is_finished(tmp_path):
    for number in range(9):
        save(tmp_path / f"in/{number}.png")
    outcomes = translate_files(same, plan([tmp_path / "in"], tmp_path / "out", "m"), Settings(workers=2))
    next(outcomes)
    outcomes.close()
    assert 1 <= len(list((tmp_path / "out").iterdir())) < 9
    assert all(read_picture(file).width == 20 for file in (tmp_path / "out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize(("request_to_end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_ctrl_c_leaves_whole_files(tmp_path, model, request_to_end, code):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(30):
        Image.fromarray(rng.integers(0, 256, (400, 400, 3), dtype=np.uint8)).save(tmp_path / f"in/{number:02}.png")
    command = [sys.executable, "-m", "zorse", "translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "translate")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as run:
        while not (tmp_path / "out/01.png").exists():
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.01)
        run.send_signal(request_to_end)
        errors = run.stderr.read()
        assert run.wait(timeout=60) == code
    assert "Traceback" not in errors
    assert "--resume goes on." in errors
    results = list((tmp_path / "out").iterdir())
    assert 1 <= len(results) < 30
    assert all(file.suffix == ".png" and read_picture(file).width == 400 for file in results)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said_for_each_picture(tmp_path, model, zorse):
    save(tmp_path / "in/a.png")
    (tmp_path / "out").mkdir(mode=0o500)
    code, _, errors = zorse("translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out")
    assert code == 1
    assert "Check its permissions" in errors


def test_a_file_in_the_way_of_a_folder(tmp_path, model, zorse):
    save(tmp_path / "in/sub/a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").write_text("in the way")
    code, _, errors = zorse("translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out")
    assert code == 1
    assert "could not be written" in errors


def test_what_is_left_of_a_tiff_is_said_to_be_damaged(tmp_path, model, zorse):
    save(tmp_path / "a.tif", compression="tiff_lzw")  # its directory comes last
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])
    code, _, errors = zorse("translate", tmp_path / "a.tif", "-m", model)
    assert code == 1
    assert "a.tif is damaged or cut off" in errors
    assert "Warning" not in errors


def test_a_bomb_is_refused_and_allowed(tmp_path, model, zorse, monkeypatch):
    monkeypatch.setattr("zorse.imaging.io.MAX_PIXELS", 100)
    save(tmp_path / "a.png")
    code, _, errors = zorse("translate", tmp_path / "a.png", "-m", model)
    assert code == 1
    assert "allow it with --allow-large" in errors
    assert zorse("translate", tmp_path / "a.png", "-m", model, "--allow-large")[0] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_stops_a_batch(tmp_path, workers):
    """Whatever a library raises for one file, the next one follows."""
    raised = [
        ValueError("31 is not a valid Type"),
        RuntimeError(),
        RecursionError("too deep"),
        KeyError("x"),
        MemoryError(),
    ]
    for number in range(2 * len(raised)):
        save(tmp_path / f"in/{number:02}.png", value=number)

    def failing(picture, **_):
        number = int(picture.rgb[0, 0, 0])
        if number % 2:
            raise raised[number // 2]
        return picture

    jobs = plan([tmp_path / "in"], tmp_path / "out", "m")
    outcomes = list(translate_files(failing, jobs, Settings(workers=workers, networks=workers)))
    assert [outcome.job for outcome in outcomes] == jobs
    assert [outcome.error is None for outcome in outcomes] == [True, False] * len(raised)
    assert len(list((tmp_path / "out").iterdir())) == len(raised)
    first = outcomes[1].error
    assert isinstance(first, ImageError)
    assert "01.png could not be translated because of an unexpected ValueError (31 is not a valid Type)" in str(first)
    assert first.__cause__ is raised[0]
    assert "unexpected RuntimeError. The" in str(outcomes[3].error)
    assert "more memory than is free" in str(outcomes[9].error)
    assert all((outcome.receipt is None) == (outcome.error is not None) for outcome in outcomes)


def test_a_full_disk_ends_a_batch_whoever_says_so(tmp_path):
    for number in range(9):
        save(tmp_path / f"in/{number}.png")

    def full(_picture, **_):
        raise OSError(errno.ENOSPC, "No space left on device")

    outcomes = list(translate_files(full, plan([tmp_path / "in"], tmp_path / "out", "m")))
    assert len(outcomes) < 9
    assert isinstance(outcomes[0].error, DiskFull)


# What is left out ----------------------------------------------------------------------------------------------------


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_no_file_of_a_folder_is_left_out_without_a_word(tmp_path):
    save(tmp_path / "in/a.png")
    touch(tmp_path / "in", "b.DNG", "deep/c.jxl", "d.psd", "e.vob", "f.txt", "g.json", "h.json", "i", ".hidden.psd")
    planned = plan_all([tmp_path / "in"], tmp_path / "out", "m")
    assert [job.source.name for job in planned.jobs] == ["a.png"]
    assert [file.source.name for file in planned.left_out] == ["b.DNG", "d.psd", "c.jxl", "e.vob"]
    assert not any(file.is_named for file in planned.left_out)
    assert "raw file" in planned.left_out[0].reason
    assert planned.others == {".json": 2, ".txt": 1, "": 1}


def test_what_is_no_file_has_its_reason(tmp_path):
    folder = tmp_path / "in"
    for name in ("a.png", ".hidden.jpg", ".album/in.png", "sub/in.png"):
        save(folder / name)
    touch(folder, ".DS_Store", "._a.jpg", "Thumbs.db", ".git/config")
    os.mkfifo(folder / "pipe.jpg")
    for name, leads_to in (("gone.jpg", "nowhere.jpg"), ("self.jpg", "self.jpg"), ("sub/loop", ".."), (".#a", "me@pc")):
        (folder / name).symlink_to(leads_to)
    (folder / "zero.png").symlink_to(os.devnull)
    planned = plan_all([folder], tmp_path / "out", "m")
    assert [str(job.source.relative_to(folder)) for job in planned.jobs] == ["a.png", "sub/in.png"]
    reasons = {str(file.source.relative_to(folder)): file.reason for file in planned.left_out}
    expected = {
        "gone.jpg": "the link leads nowhere",
        "self.jpg": "the link leads to itself",
        "sub/loop": "the link leads back",
        "pipe.jpg": "it is a pipe",
        "zero.png": "it is a device",
        ".hidden.jpg": "it is hidden",
        ".album": "it is hidden",
    }
    assert reasons.keys() == expected.keys()
    assert all(words in reasons[name] for name, words in expected.items())
    assert not planned.others
    assert not any(file.is_folder for file in planned.left_out)
    assert f"{folder / 'gone.jpg'}: the link leads nowhere" in " ".join(lines(planned.left_out))
    skipping = plan_all([folder], tmp_path / "out", "m", Selection(skip=("*.jpg",)))
    assert {file.source.name for file in skipping.left_out} == {"loop", "zero.png", ".album"}


def test_a_subfolder_without_permission_stops_nothing(tmp_path, model, zorse, monkeypatch):
    save(tmp_path / "in/a.png")
    save(tmp_path / "in/locked/b.png")
    scandir = os.scandir

    def refusing(folder):
        if Path(folder).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("zorse.imaging.formats.os.scandir", refusing)
    with pytest.raises(ImageError, match=r"locked cannot be read \(Permission denied\)"):
        plan([tmp_path / "in/locked"], tmp_path / "out", "m")
    code, output, errors = zorse("translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out", "--json")
    assert code == 1
    assert f"Skipped: {tmp_path / 'in/locked'}: the folder cannot be read (Permission denied)" in errors
    assert "cannot be read" in json.loads(output.splitlines()[1])["skipped"]


def test_a_pipe_that_is_named_is_not_waited_for(tmp_path, model, zorse):
    os.mkfifo(tmp_path / "pipe.jpg")
    code, _, errors = zorse("translate", tmp_path / "pipe.jpg", "-m", model)
    assert code == 1
    assert "pipe.jpg: it is a pipe, not a file" in errors


def test_what_is_wished_for_is_not_left_out(tmp_path):
    save(tmp_path / "in/a.png")
    save(tmp_path / "in/b.jpg")
    touch(tmp_path / "in", "c.dng", "d.txt")
    chosen = plan_all([tmp_path / "in"], tmp_path / "out", "m", Selection(skip=("*.dng", "*.txt", "b.*")))
    assert (len(chosen.jobs), chosen.left_out, dict(chosen.others)) == (1, [], {})
    copied = plan_all([tmp_path / "in"], tmp_path / "out", "m", Selection(copy_others=True))
    assert (len(copied.jobs), copied.left_out, dict(copied.others)) == (4, [], {})


def test_a_file_that_is_named_is_left_out_with_its_reason(tmp_path):
    touch(tmp_path, "a.dng")
    planned = plan_all([tmp_path / "a.dng"], tmp_path / "out", "m")
    assert (planned.jobs, [file.is_named for file in planned.left_out]) == ([], [True])
    with pytest.raises(ImageError, match=r"a\.dng: \.dng is a camera's raw file"):
        plan([tmp_path / "a.dng"], tmp_path / "out", "m")
    missing = plan([tmp_path / "missing.dng"], tmp_path / "out", "m")
    assert "There is no picture" in str(next(translate_files(same, missing)).error)


def test_a_folder_of_what_cannot_be_read_says_so(tmp_path):
    touch(tmp_path / "in", *(f"{number}.jxl" for number in range(5)))
    with pytest.raises(
        ImageError, match=r"There are no pictures .* It holds 5 \.jxl files \(.*0\.jxl, .*2\.jxl, \.\.\.\)"
    ):
        plan_all([tmp_path / "in"], tmp_path / "out", "m")


def test_what_can_be_read_is_not_called_unreadable():
    for suffix in (*READ_SUFFIXES, *VIDEO_SUFFIXES):
        assert reason_for(Path(f"a{suffix}")) is None


# Receipts ------------------------------------------------------------------------------------------------------------


def test_an_outcome_has_its_receipt(tmp_path):
    clear = Image.new("RGBA", (20, 12), (10, 20, 30, 100))
    (tmp_path / "in").mkdir()
    clear.save(tmp_path / "in/a.png")
    clear.save(tmp_path / "in/named.jpg", "PNG")
    (tmp_path / "in/notes.txt").write_text("x")
    jobs = plan([tmp_path / "in"], tmp_path / "out", "m", Selection(copy_others=True))
    outcomes = {outcome.job.source.name: outcome for outcome in translate_files(same, jobs)}
    assert outcomes["a.png"].receipt.told() == []
    assert outcomes["named.jpg"].receipt.told() == [
        "The file is PNG, although its name ends in .jpg; the result is JPEG.",
        "JPEG holds no transparency: white shows through.",
    ]
    assert outcomes["notes.txt"].receipt is None
    again = list(translate_files(same, jobs, Settings(resume=True)))
    assert all(outcome.was_done and outcome.receipt is None for outcome in again)


# Batches -------------------------------------------------------------------------------------------------------------


def test_a_batch_of_files(tmp_path, model):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    names = [save(tmp_path / "a.png"), tmp_path / "bad.png"]
    batch = {"source": [str(name) for name in names], "target": [str(tmp_path / "out" / name.name) for name in names]}
    done = TranslateBatch(str(model), size="keep")(batch)
    assert done["source"] == batch["source"]
    assert done["error"][0] == ""
    assert "bad.png is not a picture" in done["error"][1]
    assert read_picture(tmp_path / "out/a.png").rgb.mean() == 245


# Pipes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_a_pipe_gives_the_format_that_came(tmp_path, model, format):
    Image.new("RGB", (20, 12), (10, 10, 10)).save(tmp_path / "in", format)
    command = [sys.executable, "-m", "zorse", "translate", "-", "-m", model, "--size", "keep", "-o", "-"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "translate")}
    content = (tmp_path / "in").read_bytes()
    run = subprocess.run(command, input=content, capture_output=True, check=True, env=environment)
    picture = read_picture(run.stdout)
    assert picture.format == format
    assert np.abs(picture.rgb.astype(int) - 245).max() <= 3


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_closed_pipe_is_said(stream, tmp_path, model, zorse, monkeypatch):
    picture = save(tmp_path / "a.png")
    monkeypatch.setattr(sys, stream, None)  # what Python makes of `<&-` and `>&-`
    ends = ["-", "-o", tmp_path / "b.png"] if stream == "stdin" else [picture, "-o", "-"]
    code, _, errors = zorse("translate", *ends, "-m", model)
    assert code == 1
    assert f"Standard {stream.removeprefix('std')}put is closed" in errors


def test_a_pipe_that_takes_a_part_at_a_time_gets_everything(tmp_path, model, zorse, monkeypatch):
    class Narrow(io.RawIOBase):
        """As `sys.stdout.buffer` is with PYTHONUNBUFFERED."""

        content = b""

        def writable(self):
            return True

        def write(self, data):
            self.content += bytes(data[:10])
            return min(len(data), 10)

    narrow = Narrow()
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=narrow))
    assert zorse("translate", save(tmp_path / "a.png"), "-o", "-", "-m", model)[0] == 0
    assert np.asarray(Image.open(io.BytesIO(narrow.content))).mean() == 245


def test_transparent_colours_stay(tmp_path, model, zorse):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 20, 4), dtype=np.uint8)
    pixels[:8, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert zorse("translate", tmp_path / "a.png", "-m", model, "-o", tmp_path / "b.png")[0] == 0
    with Image.open(tmp_path / "b.png") as image:
        result = np.asarray(image)
    np.testing.assert_array_equal(result[:8], pixels[:8])
    np.testing.assert_array_equal(result[:, :, 3], pixels[:, :, 3])
    assert np.abs(result[8:, :, :3].astype(int) - pixels[8:, :, :3]).mean() > 20


def test_frames_are_translated_one_by_one(tmp_path, model, zorse):
    frames = [Image.new("RGB", (20, 12), (value, value, value)) for value in (10, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 200, 50], loop=0)
    assert zorse("translate", tmp_path / "a.gif", "-m", model, "-o", tmp_path / "b.gif", "--size", "keep")[0] == 0
    with Image.open(tmp_path / "b.gif") as image:
        seen = []
        for number in range(image.n_frames):
            image.seek(number)
            seen.append((image.info["duration"], round(np.asarray(image.convert("RGB")).mean())))
    assert seen == [(100, 245), (200, 155), (50, 55)]


def test_no_picture_left_is_no_success(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/notes.txt").write_text("x")
    with pytest.raises(ImageError, match="no pictures"):
        plan([tmp_path / "in"], tmp_path / "out", "m", Selection(copy_others=True))
    save(tmp_path / "in/a.png")
    with pytest.raises(ConfigError, match="cannot go into the folder"):
        plan([tmp_path / "in"], tmp_path / "in", "m", Selection(copy_others=True))
    assert issubclass(DiskFull, ImageError)
