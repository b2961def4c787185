"""Trainings that the page starts: real tiny ones, and quick stand-ins for what may happen to their processes."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tiny_training import SIZE, draw_unpaired, tiny_cyclegan
from zorse.errors import DatasetError, UnknownModel
from zorse.training.config import read_config, to_toml, with_overrides
from zorse.training.presets import PRESETS
from zorse_app.archives import ArchiveError
from zorse_app.training_desk import Desk, DeskError, State
from zorse_app.training_desk import desk as desk_module
from zorse_app.training_desk.command import METHODS, Method, model_names, train_command
from zorse_app.training_desk.models import TrainedModels, directions, model_file, moments, sample_pictures
from zorse_app.training_desk.pictures import data_config, is_fixable, is_usable
from zorse_app.training_desk.progress import failure, read_progress, revision
from zorse_app.training_desk.record import TrainingFolder, Wish
from zorse_app.uploads import Upload

STAND_IN = """
import json, signal, sys, time
from pathlib import Path
out, steps, code = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append(1))
checkpoint = out / "checkpoints" / "last.pt"
checkpoint.parent.mkdir(parents=True, exist_ok=True)
step = int(checkpoint.read_text()) if checkpoint.exists() else 0
while step < steps and not asked:
    step += 1
    with (out / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({"iteration": step, "losses": {"G": 1.0 / step}}) + chr(10))
    time.sleep(0.02)
checkpoint.write_text(str(step))
if code:
    print("Error: The disk is full. Free some space in " + str(out), file=sys.stderr)
sys.exit(130 if asked else code)
"""
"""What `zorse train` looks like from outside, without a second of importing."""

FOREVER = 10**6


@pytest.fixture(autouse=True)
def _child_processes(monkeypatch):
    """They find what this one finds, and do not fight for cores."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def desk(tmp_path):
    """A desk whose trainings do not outlive the test."""
    desk = Desk(tmp_path / "trainings")
    yield desk
    desk.end_all_at_once()
    until(lambda: desk.running() is None)


@pytest.fixture
def stand_ins(monkeypatch):
    """Trainings that take as many steps as one says, and end with a code."""
    plan = {"steps": FOREVER, "code": 0}

    def command(folder, wish, *, resume):
        return [sys.executable, "-c", STAND_IN, str(folder.run.root), str(plan["steps"]), str(plan["code"])]

    monkeypatch.setattr(desk_module, "train_command", command)
    return plan


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """Two kinds of pictures, six each."""
    folder = tmp_path_factory.mktemp("zips")
    drawn = draw_unpaired(folder / "drawn")
    return [zipped(folder / f"{side}.zip", drawn / f"train{side}") for side in "AB"]


def zipped(path, folder):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, f"{path.stem}/{file.relative_to(folder)}")
    return path


def sent(*paths):
    return [Upload(path, path.name) for path in paths]


def draft(desk, zips):
    training, _ = desk.take_in("unpaired", ("brown blobs", "striped blobs"), sent(zips[0]), sent(zips[1]))
    return training.key


def until(condition, seconds=280):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return value


def state(desk, key):
    return desk.training(key).state


def steps(desk, key):
    return read_progress(desk.training(key)).iteration


@pytest.fixture
def tiny_method(monkeypatch, tmp_path):
    """The method of the page, with networks that train in no time."""
    settings = tmp_path / "tiny.toml"
    settings.write_text(to_toml(tiny_cyclegan()))
    monkeypatch.setitem(METHODS, "unpaired", Method(str(settings), 20, load_size=36, crop_size=SIZE))


def test_a_real_training_is_measured_paused_goes_on_and_gives_models(desk, zips, tiny_method):
    key = draft(desk, zips)
    diagnosis = desk.examine(key)
    assert is_usable(diagnosis)
    assert desk.training(key).wish.n_pictures == 12
    trial = desk.measure(key)
    assert trial.fits
    assert 0 < desk.training(key).wish.seconds_per_iteration < 60
    desk.start(key, "normal")
    until(lambda: steps(desk, key) > 0)
    assert desk.pause(key).state is State.PAUSING
    until(lambda: not desk.training(key).alive)
    paused = desk.training(key)
    assert paused.state is State.PAUSED, paused.folder.log.read_text()
    at = steps(desk, key)
    assert 0 < at < 20
    config = read_config(paused.folder.run.config)
    assert (config.name, config.domain_b, config.training_data.n_pictures) == (
        "brown-blobs2striped-blobs",
        "striped blobs",
        12,
    )

    desk.resume(key)
    until(lambda: state(desk, key) not in (State.RUNNING, State.QUEUED))
    done = desk.training(key)
    assert done.state is State.DONE, done.folder.log.read_text()
    progress = read_progress(done)
    iterations = [iteration for iteration, _ in progress.losses]
    assert iterations == sorted(set(iterations)) == [5, 10, 15, 20]  # nothing is lost, nothing done twice
    assert progress.samples[-1].name == "00000020.png"
    assert [moment.key for moment in moments(done)] == ["5", "10", "15", "last", "best"]
    assert directions(done) == ["AtoB", "BtoA"]
    picture = sample_pictures(done, "BtoA", most=1)[0]
    translator = TrainedModels().translator(done, "10", "BtoA")
    assert translator.card.task == "striped blobs to brown blobs"
    assert translator(picture).shape == picture.shape
    with pytest.raises(UnknownModel):
        model_file(done, "11", "AtoB")
    with pytest.raises(UnknownModel):
        model_file(done, "../../..", "AtoB")
    with pytest.raises(DeskError, match="cannot go on"):
        desk.resume(key)


def test_one_after_the_other(desk, zips, stand_ins):
    first, second, third = (draft(desk, zips) for _ in range(3))
    for key in (first, second, third):
        desk.start(key, "quick")
    assert [state(desk, key) for key in (first, second, third)] == [State.RUNNING, State.QUEUED, State.QUEUED]
    assert [training.key for training in desk.queue()] == [second, third]
    desk.cancel(second)
    assert state(desk, second) is State.PAUSED
    until(lambda: steps(desk, first) > 0)
    desk.stop(first)
    until(lambda: not desk.training(first).alive)
    assert state(desk, first) is State.STOPPED
    with desk.open():
        until(lambda: state(desk, third) is State.RUNNING)
        desk.resume(second)  # behind the one that runs
        assert state(desk, second) is State.QUEUED
    with pytest.raises(DeskError, match="does not run"):
        desk.pause(second)
    with pytest.raises(DeskError, match="Stop it before"):
        desk.delete(third)


def test_a_training_outlives_the_page_that_started_it(desk, zips, stand_ins, tmp_path):
    key = draft(desk, zips)
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom zorse_app.training_desk import Desk, desk as module\n"
        f"module.train_command = lambda folder, wish, *, resume: [sys.executable, '-c', {STAND_IN!r}, "
        f"str(folder.run.root), '{FOREVER}', '0']\n"
        f"desk = Desk(Path({str(desk.folder)!r}))\n"
        f"with desk.open():\n    desk.start({key!r}, 'quick')\n    print('started', flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "started\n"
        server.kill()
    before = until(lambda: steps(desk, key))
    until(lambda: steps(desk, key) > before)
    again = Desk(desk.folder)  # the page is started once more
    assert [(t.key, t.state) for t in again.trainings()] == [(key, State.RUNNING)]
    again.pause(key)
    until(lambda: state(again, key) is State.PAUSED)
    again.resume(key)
    assert state(again, key) is State.RUNNING


def test_a_computer_that_is_switched_off_leaves_what_can_go_on(desk, zips, stand_ins):
    key = draft(desk, zips)
    desk.start(key, "quick")
    until(lambda: steps(desk, key) > 0)
    desk.pause(key)
    until(lambda: state(desk, key) is State.PAUSED)
    at = int(desk.training(key).folder.run.last_checkpoint.read_text())
    desk.resume(key)
    until(lambda: steps(desk, key) > at)
    desk.end_all_at_once()
    until(lambda: not desk.training(key).alive)
    assert state(desk, key) is State.INTERRUPTED
    # The number of the process that is gone now belongs to another one.
    for pid_file in (desk.training(key).folder.keeper_pid, desk.training(key).folder.training_pid):
        pid_file.write_text(str(os.getpid()))
    assert state(desk, key) is State.INTERRUPTED
    assert desk.training(key).can_resume
    stand_ins["steps"] = at + 1
    desk.resume(key)
    until(lambda: state(desk, key) is State.DONE)  # from the checkpoint: one step was left


def test_a_process_that_is_just_being_loaded_is_alive(desk, zips, stand_ins, monkeypatch):
    key = draft(desk, zips)
    desk.start(key, "quick")
    monkeypatch.setattr(psutil.Process, "cmdline", lambda process: [])
    assert state(desk, key) is State.RUNNING


def test_what_was_ended_before_its_first_save_begins_anew(desk, zips, stand_ins):
    key = draft(desk, zips)
    desk.start(key, "quick")
    until(lambda: steps(desk, key) > 0)
    desk.end_all_at_once()
    until(lambda: not desk.training(key).alive)
    stand_ins["steps"] = 2
    desk.resume(key)
    until(lambda: state(desk, key) is State.DONE)
    assert [iteration for iteration, _ in read_progress(desk.training(key)).losses] == [1, 2]


def test_a_training_that_fails_says_why_without_paths(desk, zips, stand_ins):
    stand_ins.update(steps=1, code=1)
    key = draft(desk, zips)
    desk.start(key, "quick")
    until(lambda: state(desk, key) is State.FAILED)
    said = failure(desk.training(key))
    assert said.startswith("The disk is full.")
    assert str(desk.folder) not in said


def test_everything_changes_the_revision(desk, zips, stand_ins):
    key = draft(desk, zips)
    seen = {revision(desk.training(key))}
    assert revision(desk.training(key)) in seen
    desk.start(key, "quick")
    until(lambda: steps(desk, key) > 0)
    for action in (desk.pause, desk.resume):
        seen.add(revision(desk.training(key)))
        action(key)
        assert revision(desk.training(key)) not in seen
        until(lambda: state(desk, key) in (State.PAUSED, State.RUNNING))


def test_deleting_frees_the_disk(desk, zips, stand_ins):
    stand_ins["steps"] = 1
    key = draft(desk, zips)
    desk.start(key, "quick")
    until(lambda: state(desk, key) is State.DONE)
    assert desk.n_bytes(key) > sum(path.stat().st_size for path in zips) / 2
    desk.delete(key)
    assert list(desk.folder.glob("[!.]*")) == []
    with pytest.raises(DeskError, match="not there any more"):
        desk.training(key)


@pytest.mark.parametrize("key", ["", "..", "/etc", "20250101-000000-abcdef", "../20250101-000000-abcdef"])
def test_keys_that_lead_nowhere(desk, key):
    for action in (desk.training, desk.pause, desk.delete, desk.resume, desk.examine, desk.measure):
        with pytest.raises(DeskError, match="not there any more"):
            action(key)


def test_drafts_are_forgotten_after_a_day_and_damaged_records_are_skipped(desk, zips, monkeypatch):
    key = draft(desk, zips)
    assert desk.trainings() == []
    with desk.open():
        assert desk.training(key).state is State.DRAFT
    monkeypatch.setattr(desk_module, "_DRAFTS_KEPT", -1.0)
    other = desk.folder / "20250101-000000-abcdef"
    other.mkdir()
    (other / "training.json").write_text("{")
    with desk.open():
        assert desk.trainings() == []
    assert not (desk.folder / key).exists()


# Pictures


def test_the_doctor_finds_and_mends_what_is_wrong(desk, zips, tmp_path):
    broken, copy = tmp_path / "broken.jpg", tmp_path / "copy.png"
    broken.write_bytes(b"no picture")
    with zipfile.ZipFile(zips[0]) as archive:
        name = next(name for name in archive.namelist() if name.endswith((".png", ".jpg")))
        copy = tmp_path / f"copy{Path(name).suffix}"
        copy.write_bytes(archive.read(name))
    training, _ = desk.take_in("unpaired", ("a", "b"), sent(zips[0], broken, copy), sent(zips[1]))
    diagnosis = desk.examine(training.key)
    assert not is_usable(diagnosis)
    assert is_fixable(diagnosis)
    mended = desk.fix(training.key)
    assert is_usable(mended)
    assert not is_fixable(mended)
    assert desk.training(training.key).wish.n_pictures == 12


def test_what_cannot_be_mended_stays_as_it_was(desk, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    training, _ = desk.take_in("unpaired", ("a", "b"), sent(broken), sent(broken))
    with pytest.raises(DatasetError, match="none would be left"):
        desk.fix(training.key)
    assert len(list(training.folder.pictures.rglob("*.jpg"))) == 2


def test_pairs_in_two_zips_or_side_by_side_and_photos(desk, tmp_path):
    rows = np.arange(64, dtype=np.uint8)[:, None, None]
    chance = np.random.default_rng(0)
    for number in range(4):
        left = np.broadcast_to(rows * 3, (64, 64, 3)) + chance.integers(0, 30, (64, 64, 3), dtype=np.uint8)
        for folder, picture in (("A", left), ("B", 255 - left), ("AB", np.hstack([left, 255 - left]))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(picture).save(tmp_path / folder / f"{number}.png")
    a, b, ab = (zipped(tmp_path / f"{name}.zip", tmp_path / name) for name in ("A", "B", "AB"))
    for first, second in (([a], [b]), ([ab], [])):
        training, _ = desk.take_in("paired", ("plans", "houses"), sent(*first), sent(*second))
        assert is_usable(desk.examine(training.key))
        assert sample_pictures(desk.training(training.key), "AtoB", most=2)[0].shape == (64, 64, 3)
    training, _ = desk.take_in("edges", ("lines", "houses"), sent(b), [])
    assert is_usable(desk.examine(training.key))


def test_what_is_missing_is_said(desk, zips, tmp_path):
    with pytest.raises(DeskError, match="No pictures have come"):
        desk.take_in("unpaired", ("a", "b"), [], [])
    with pytest.raises(DeskError, match="what the second pictures show"):
        desk.take_in("unpaired", ("a", "  "), sent(zips[0]), sent(zips[1]))
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(ArchiveError, match="neither a zip nor a picture"):
        desk.take_in("unpaired", ("a", "b"), sent(zips[0]), sent(text))
    assert list(desk.folder.glob("[!.]*")) == []  # nothing is left of what was refused
    training, _ = desk.take_in("unpaired", ("a", "b"), sent(zips[0]), [])
    with pytest.raises(DatasetError) as error:
        desk.look_at_new(training)
    assert str(desk.folder) not in str(error.value)
    assert list(desk.folder.glob("[!.]*")) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeskError, match="--runs"):
        Desk(tmp_path / "file" / "trainings")


def test_a_full_disk_is_told_before_unpacking(desk, zips, monkeypatch):
    usage = shutil.disk_usage(desk.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(ArchiveError, match="nearly full"):
        desk.take_in("unpaired", ("a", "b"), sent(zips[0]), sent(zips[1]))


# The command


@pytest.mark.parametrize("kind", ["unpaired", "paired", "edges"])
def test_names_of_visitors_are_names_and_nothing_else(tmp_path, kind):
    name = 'x"]\n--out /tmp {a=1} training.seed=1 \N{HORSE FACE}'
    wish = Wish(kind=kind, name_a=name, name_b="../..", iterations=10, start=("horse2zebra",))
    command = train_command(TrainingFolder(tmp_path), wish, resume=False)
    settings = [value for flag, value in pairwise(command) if flag == "--set"]
    before = PRESETS[METHODS[kind].preset]()
    config = with_overrides(before, settings)
    assert (config.domain_a, config.domain_b, config.training.seed) == (name, "../..", 0)
    assert config.training_data.licence == "unknown"
    assert all(part.isascii() and "/" not in part for part in model_names(wish))
    assert command.count("--from") == 1
    # What the doctor looks at is what is trained on.
    assert config.data == data_config(kind)
