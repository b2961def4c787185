"""Checkpoints: a run that was stopped goes on as if it never had been, and what was saved is never lost."""

import errno
import io
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from rich.console import Console
from tensorboard.summary.writer import record_writer

from tiny_training import difference, draw_pairs, draw_unpaired, tiny_cyclegan, tiny_pix2pix
from zorse.backends.torch.safetensors_file import load_generator
from zorse.errors import ConfigError, IncompatibleWeights, WeightsError, ZorseError
from zorse.legacy.reading import read_content
from zorse.training import driver, run
from zorse.training.files import save_atomically
from zorse.training.loop import checkpoint
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.observers.recorder.log import forget_after
from zorse.training.run import train


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return draw_pairs(tmp_path_factory.mktemp("pairs") / "set")


class PowerCutError(Exception):
    """The run ends without another word."""


def power_cut_after(monkeypatch, count: int) -> None:
    """The next run crashes when it asks for one more than `count` batches."""
    load = run.staged_batches

    def batches(*args):
        for number, batch in enumerate(load(*args)):
            if number == count:
                raise PowerCutError
            yield batch

    monkeypatch.setattr(run, "staged_batches", batches)


def last(folder: Path) -> dict:
    """What the newest checkpoint holds, but for the time it took and the settings."""
    content = read_checkpoint(folder / "checkpoints" / "last.pt")
    return {key: value for key, value in content.items() if key not in ("seconds", "config")}


def iterations(folder: Path) -> list[int]:
    return [json.loads(line)["iteration"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


# Python 3.12 and later warn of forked workers in a process with threads; PyTorch forks them nevertheless.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("make", [tiny_cyclegan, tiny_pix2pix])
def test_a_killed_run_ends_bit_for_bit_as_an_uninterrupted_one(make, unpaired, pairs, tmp_path, monkeypatch):
    """Also with another number of workers, and after random numbers were drawn in between."""
    data = unpaired if make is tiny_cyclegan else pairs
    train(make(), data, tmp_path / "whole")
    with monkeypatch.context() as patch:
        power_cut_after(patch, 5)
        with pytest.raises(PowerCutError):
            train(make(), data, tmp_path / "cut")
    assert last(tmp_path / "cut")["iteration"] == 3
    assert iterations(tmp_path / "cut") == [2, 4]
    torch.rand(7)
    train(make("training.num_workers=1"), data, tmp_path / "cut", resume=True)
    assert difference(last(tmp_path / "whole"), last(tmp_path / "cut")) is None
    assert iterations(tmp_path / "cut") == [2, 4, 6], "the line of iteration 4 is written once"
    for name in ("G_AB", "G_BA") if make is tiny_cyclegan else ("G",):
        files = [tmp_path / folder / "generators" / f"{name}.safetensors" for folder in ("whole", "cut")]
        (whole, _), (cut, _) = (load_generator(file) for file in files)
        assert difference(dict(whole.state_dict()), dict(cut.state_dict())) is None


def test_gradients_that_are_being_gathered_survive_too(unpaired, tmp_path, monkeypatch):
    config = tiny_cyclegan("training.accumulate=2", "training.save_every=1")
    train(config, unpaired, tmp_path / "whole")
    with monkeypatch.context() as patch:
        power_cut_after(patch, 3)
        with pytest.raises(PowerCutError):
            train(config, unpaired, tmp_path / "cut")
    assert any(last(tmp_path / "cut")["gradients"].values())
    train(config, unpaired, tmp_path / "cut", resume=True)
    assert difference(last(tmp_path / "whole"), last(tmp_path / "cut")) is None


def test_what_a_checkpoint_holds_matters(unpaired, tmp_path):
    """The comparison above would notice: another seed ends elsewhere, in everything that learns."""
    train(tiny_cyclegan("training.iterations=2"), unpaired, tmp_path / "one")
    train(tiny_cyclegan("training.iterations=2", "training.seed=1"), unpaired, tmp_path / "other")
    one, other = last(tmp_path / "one"), last(tmp_path / "other")
    for part in ("networks", "averages", "optimizers", "recipe", "chance"):
        assert difference(one[part], other[part]) is not None, part


def test_a_resumed_run_may_go_on_longer_with_larger_crops_and_other_precision(unpaired, tmp_path):
    train(tiny_cyclegan("training.iterations=3"), unpaired, tmp_path / "run")
    longer = tiny_cyclegan("training.iterations=5", "data.load_size=40", "data.crop_size=40", "training.precision=bf16")
    state = train(longer, unpaired, tmp_path / "run", resume=True)
    assert (state.iteration, state.interrupted) == (5, False)
    assert last(tmp_path / "run")["iteration"] == 5


def test_a_resumed_run_may_have_other_settings_of_adam(unpaired, tmp_path):
    train(tiny_cyclegan("training.iterations=2"), unpaired, tmp_path / "run")
    state = train(
        tiny_cyclegan("training.iterations=3", "recipe.betas=[0.1, 0.9]"), unpaired, tmp_path / "run", resume=True
    )
    for optimizer in state.recipe.optimizers.values():
        assert [group["betas"] for group in optimizer.param_groups] == [(0.1, 0.9)]
        assert optimizer.state, "what it remembers of the gradients came back"


def test_resuming_a_finished_run_changes_nothing(unpaired, tmp_path):
    config = tiny_cyclegan("training.iterations=2")
    train(config, unpaired, tmp_path / "run")
    before, lines = last(tmp_path / "run"), iterations(tmp_path / "run")
    train(config, unpaired, tmp_path / "run", resume=True)
    assert difference(before, last(tmp_path / "run")) is None
    assert iterations(tmp_path / "run") == lines


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (['recipe.generator={kind="resnet", base_channels=6, n_blocks=1}'], "size mismatch"),
        (['recipe.generator={kind="resnet", base_channels=4, n_blocks=2}'], "Missing key"),
        (["recipe={kind='pix2pix', generator={kind='unet', depth=4, base_channels=4}}"], "it holds no G"),
    ],
)
def test_a_checkpoint_of_other_networks_is_refused(overrides, message, unpaired, tmp_path):
    train(tiny_cyclegan("training.iterations=1"), unpaired, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoints" / "last.pt").read_bytes()
    with pytest.raises(IncompatibleWeights, match=f"saved from other networks .*{message}.*config.toml") as caught:
        train(tiny_cyclegan(*overrides), unpaired, tmp_path / "run", resume=True)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert (tmp_path / "run" / "checkpoints" / "last.pt").read_bytes() == before


class Intruder:
    """Unpickling it would create a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


def damage(name: str, good: bytes, trap: Path) -> bytes:
    match name:
        case "cut off":
            return good[: len(good) // 2]
        case "empty":
            return b""
        case "text":
            return b"not a checkpoint"
        case "pickle with code":
            return pickle.dumps(Intruder(trap), protocol=2)
        case "archive with code":
            file = trap.with_name("archive")
            torch.save({"format": 1, "networks": Intruder(trap)}, file)
            return file.read_bytes()
        case _:
            raise AssertionError(name)


@pytest.mark.parametrize("name", ["cut off", "empty", "text", "pickle with code", "archive with code"])
def test_a_damaged_or_foreign_checkpoint_is_refused_and_nothing_in_it_runs(name, tmp_path):
    trap, file = tmp_path / "trap", tmp_path / "last.pt"
    torch.save({"format": 1, "networks": {}}, file)
    file.write_bytes(damage(name, file.read_bytes(), trap))
    with pytest.raises(WeightsError, match=r"last.pt is damaged or not a checkpoint of Zorse") as caught:
        read_checkpoint(file)
    assert "\n" not in str(caught.value)
    assert not trap.exists()


def test_the_trap_of_the_test_above_works(tmp_path):
    pickle.loads(pickle.dumps(Intruder(tmp_path / "trap")))
    assert (tmp_path / "trap").exists()


@pytest.mark.parametrize("content", [[1, 2], {"weights": torch.zeros(1)}, {"format": 99}])
def test_other_files_of_tensors_are_no_checkpoints(content, tmp_path):
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(WeightsError, match="not a checkpoint that this version"):
        read_checkpoint(tmp_path / "last.pt")


def test_resuming_where_there_is_nothing(unpaired, tmp_path):
    with pytest.raises(WeightsError, match=r"There is no checkpoint .*last.pt.*without --resume"):
        train(tiny_cyclegan(), unpaired, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_flipped_bit_is_noticed(unpaired, tmp_path):
    train(tiny_cyclegan("training.iterations=1"), unpaired, tmp_path / "run")
    flip_a_bit(tmp_path / "run" / "checkpoints" / "last.pt")
    with pytest.raises(WeightsError, match=r"last\.pt is damaged"):
        read_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")
    with pytest.raises(WeightsError, match=r"last\.pt is damaged"):
        read_content(tmp_path / "run" / "checkpoints" / "last.pt")


@pytest.mark.parametrize("spoil", [flip_a_bit, Path.unlink])
def test_a_run_whose_newest_checkpoint_is_lost_goes_on_from_the_one_before(spoil, unpaired, tmp_path):
    config = tiny_cyclegan("training.save_every=2")
    train(config, unpaired, tmp_path / "whole")
    train(tiny_cyclegan("training.save_every=2", "training.iterations=4"), unpaired, tmp_path / "run")
    spoil(tmp_path / "run" / "checkpoints" / "last.pt")
    told = io.StringIO()
    train(config, unpaired, tmp_path / "run", resume=True, console=Console(file=told, width=1000))
    assert "the run goes on from previous.pt, iteration 2" in told.getvalue()
    assert difference(last(tmp_path / "whole"), last(tmp_path / "run")) is None


def test_a_run_whose_checkpoints_are_all_damaged_says_so_and_changes_nothing(unpaired, tmp_path):
    train(tiny_cyclegan("training.save_every=2"), unpaired, tmp_path / "run")
    files = sorted((tmp_path / "run" / "checkpoints").iterdir())
    contents = []
    for file in files:
        # Two of the names are of the same file.
        file.write_bytes(b"damaged")
        contents.append(file.read_bytes())
    with pytest.raises(WeightsError, match="is damaged"):
        train(tiny_cyclegan("training.save_every=2"), unpaired, tmp_path / "run", resume=True)
    assert [file.read_bytes() for file in files] == contents


def test_two_runs_do_not_share_a_folder(unpaired, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "_LOADERS_END_WITHIN", 0)
    train(tiny_cyclegan("training.iterations=1"), unpaired, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with (
        FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(ConfigError, match=r"Another process is training in .*run\. .*--out"),
    ):
        train(tiny_cyclegan("training.iterations=2"), unpaired, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
    assert train(tiny_cyclegan("training.iterations=2"), unpaired, tmp_path / "run", resume=True).iteration == 2


def test_tensorboard_that_fails_ends_no_run(unpaired, tmp_path, monkeypatch):
    def no_space(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(record_writer.RecordWriter, "write", no_space)
    told = io.StringIO()
    state = train(tiny_cyclegan(), unpaired, tmp_path / "run", console=Console(file=told, width=1000))
    assert state.iteration == state.total
    assert told.getvalue().count("the run goes on without them") == 1


def test_a_folder_with_files_is_not_trained_into(unpaired, tmp_path):
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(ConfigError, match=r"already holds files\. Add --resume"):
        train(tiny_cyclegan(), unpaired, tmp_path)
    with pytest.raises(ConfigError, match="is a file"):
        train(tiny_cyclegan(), unpaired, tmp_path / "letter.txt")
    with pytest.raises(ZorseError, match=r"could not be written \(Not a directory\)"):
        train(tiny_cyclegan(), unpaired, tmp_path / "letter.txt" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_full_disk_costs_nothing_that_was_saved(unpaired, tmp_path, monkeypatch):
    config = tiny_cyclegan("training.save_every=2")
    train(config, unpaired, tmp_path / "whole")
    save = torch.save

    def save_until_full(content, file):
        save(content, file)
        if content["iteration"] == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.torch, "save", save_until_full)
        with pytest.raises(ZorseError, match=r"last.pt could not be written \(No space left on device\)") as caught:
            train(config, unpaired, tmp_path / "full")
    assert "\n" not in str(caught.value)
    assert "--resume" in str(caught.value)
    assert last(tmp_path / "full")["iteration"] == 2
    assert {path.name for path in (tmp_path / "full" / "checkpoints").iterdir()} == {
        "last.pt",
        "previous.pt",
        "healthy.pt",
    }
    train(config, unpaired, tmp_path / "full", resume=True)
    assert difference(last(tmp_path / "whole"), last(tmp_path / "full")) is None


def test_a_file_that_the_system_refuses_to_let_grow(tmp_path):
    """A real failure inside of torch.save, which reports it as something else."""
    resource = pytest.importorskip("resource")  # Not on Windows.
    file = tmp_path / "last.pt"
    save_atomically(file, lambda part: torch.save({"old": 1}, part))
    before = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(ZorseError, match=r"last.pt could not be written \(File too large\)"):
            save_atomically(file, lambda part: torch.save(torch.zeros(100_000), part))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_errors_of_what_is_written_are_not_taken_for_a_full_disk(tmp_path):
    def write(part):
        raise RuntimeError("a tensor that cannot be written")

    with pytest.raises(RuntimeError, match="cannot be written"):
        save_atomically(tmp_path / "last.pt", write)
    assert not list(tmp_path.iterdir())


def test_a_log_that_cannot_grow_ends_the_run_with_a_paragraph(unpaired, tmp_path, monkeypatch):
    def no_space(self, *args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run.MetricsLog, "after_step", no_space)
    with pytest.raises(ZorseError, match=r"run could not be written \(No space left on device\)"):
        train(tiny_cyclegan(), unpaired, tmp_path / "run")


def test_lines_of_iterations_that_will_be_done_again_are_dropped(tmp_path):
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(b'{"iteration": 2}\n\xff\x00\n{"iteration": 4}\n{"iteration": 6}\n3\nnull\n{"iterat')
    forget_after(log, 4)
    assert log.read_text() == '{"iteration": 2}\n{"iteration": 4}\n'
    forget_after(tmp_path / "none.jsonl", 4)
    assert not (tmp_path / "none.jsonl").exists()
