"""`zorse train`: what it writes and says, its exit codes, and that it can be stopped at any time."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from tiny_training import difference, draw_unpaired, own_settings, tiny_cyclegan
from zorse import cli
from zorse.training.config import read_config, to_toml
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.run import train

forks = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
"""Python 3.12 and later warn of forked workers in a process with threads; PyTorch forks them nevertheless."""
signals = pytest.mark.skipif(os.name != "posix", reason="these signals are those of POSIX")

ENDLESS = ["--set", "training.iterations=1000000", "--set", "training.schedule=constant"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(to_toml(tiny_cyclegan()), encoding="utf-8")
    return file


@pytest.fixture
def zorse(monkeypatch, capsys):
    """Runs a command line; gives back its exit code, output and errors."""

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zorse", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as exit:
            code = int(exit.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_a_run_tells_its_losses_and_where_its_results_are(zorse, config, data, tmp_path):
    out = tmp_path / "run"
    four = ("--set", "training.iterations=4", "--no-check")
    code, shown, errors = zorse("train", config, "--data", data, "--out", out, *four)
    assert (code, errors) == (0, "")
    first, sides, *progress, last = shown.splitlines()
    assert sides == f"A is {data / 'trainA'}, B is {data / 'trainB'}."
    assert first == f"Training brown2striped in {out}"
    assert [line.split()[0] for line in progress] == ["2/4", "4/4"]
    assert "cycle 0." in progress[0]
    assert last == f"Done. Generators with their cards are in {out / 'generators'}; next: zorse export {out}"
    assert own_settings(out) == tiny_cyclegan("training.iterations=4")


def test_without_out_a_dated_folder_is_made(zorse, config, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, _ = zorse("train", config, "--data", data, "--set", "training.iterations=1")
    assert code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("tiny-20")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cyclegan_horse2zebr"], "is neither a preset nor a .toml file. Did you mean 'cyclegan_horse2zebra'?"),
        (["cdcgan_digit"], "Did you mean 'cdcgan_digits'?"),
        (["none.toml"], "none.toml cannot be read"),
        (["CONFIG", "--set", "recipe.lambda_cyle=5"], "Did you mean 'lambda_cycle'?"),
        (["CONFIG", "--set", "training.precision=fp16", "--device", "cpu"], "needs a GPU"),
        (["CONFIG", "--device", "cuda"], "finds no CUDA device"),
        (["CONFIG", "--resume"], "There is no checkpoint"),
        (["CONFIG", "--data", "nowhere"], "nowhere does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_paragraph_and_exit_code_1(
    arguments, message, zorse, config, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    given = [config if argument == "CONFIG" else argument for argument in arguments]
    given += [] if "--data" in given else ["--data", data]
    code, _, errors = zorse("train", *given, "--out", tmp_path / "run")
    assert code == 1
    assert errors.startswith("Error: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_empty_side_of_the_data_is_named(zorse, config, data, tmp_path):
    shutil.copytree(data / "trainA", tmp_path / "set" / "trainA")
    (tmp_path / "set" / "trainB").mkdir()
    code, _, errors = zorse("train", config, "--data", tmp_path / "set", "--out", tmp_path / "run")
    assert code == 1
    assert f"Error: Pictures were wanted in {tmp_path / 'set' / 'trainB'}, which holds nothing" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "run").exists()


@forks
@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_ends_the_run_with_its_name(workers, zorse, config, data, tmp_path):
    shutil.copytree(data, tmp_path / "set")
    for picture in (tmp_path / "set" / "trainB").iterdir():
        picture.write_bytes(picture.read_bytes()[:200])
    arguments = ["train", config, "--data", tmp_path / "set", "--out", tmp_path / "run", "--no-check"]
    code, _, errors = zorse(*arguments, "--set", f"training.num_workers={workers}")
    assert code == 1
    assert errors.startswith("Error: ")
    assert str(tmp_path / "set" / "trainB") in errors
    assert "Traceback" not in errors


def test_a_folder_that_is_in_use_is_left_alone(zorse, config, data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("important")
    code, _, errors = zorse("train", config, "--data", data, "--out", tmp_path / "run")
    assert code == 1
    assert "already holds files. Add --resume" in errors
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "arguments", [["CONFIG"], ["--data", "x"], ["CONFIG", "--data", "x", "--resume"], ["CONFIG", "--data", "x", "--no"]]
)
def test_wrong_usage_is_exit_code_2(arguments, zorse, config):
    code, _, errors = zorse("train", *[config if argument == "CONFIG" else argument for argument in arguments])
    assert code == 2
    assert "Usage:" in errors


def log(run: Path) -> list[dict]:
    file = run / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]  # The last one may just be being written.


def saved(run: Path) -> dict:
    return read_checkpoint(run / "checkpoints" / "last.pt")


def wait_for(happened, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)


def press_ctrl_c() -> None:
    """As on a terminal, where the signal reaches the workers, too."""
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)


@signals
@forks
def test_ctrl_c_saves_and_says_how_to_go_on(zorse, config, data, tmp_path):
    out = tmp_path / "run"
    arguments = ["train", config, "--data", data, "--out", out, "--set", "training.num_workers=1", *ENDLESS]
    arguments += ["--set", "training.save_every=1000000"]

    def interrupt() -> None:
        wait_for(lambda: log(out))
        press_ctrl_c()

    user = threading.Thread(target=interrupt)
    user.start()
    code, shown, errors = zorse(*arguments)
    user.join()
    iteration = saved(out)["iteration"]
    assert (code, errors) == (130, "")
    assert f"Stopped after iteration {iteration} of 1000000; everything is saved." in shown
    assert f"Go on with the same command and: --out {out} --resume" in shown

    code, shown, _ = zorse(*arguments, "--resume", "--set", f"training.iterations={iteration + 2}")
    assert code == 0
    assert saved(out)["iteration"] == iteration + 2
    numbers = [line["iteration"] for line in log(out)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("saved_before", "says"),
    [(False, "before anything was saved: the same command starts again"), (True, "Go on from the last checkpoint")],
)
def test_ctrl_c_outside_of_the_loop_says_how_to_go_on(zorse, config, data, tmp_path, monkeypatch, saved_before, says):
    def interrupted(config, data, out, **_):
        if saved_before:
            (out / "checkpoints").mkdir(parents=True)
            (out / "checkpoints" / "last.pt").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("zorse.training.run.train", interrupted)
    code, shown, errors = zorse("train", config, "--data", data, "--out", tmp_path / "run")
    assert (code, errors) == (130, "")
    assert says in shown


def test_a_run_goes_on_with_its_own_settings_which_need_not_be_repeated(zorse, config, data, tmp_path):
    """`zorse train PRESET --data DIR --out RUN --resume`: PRESET alone would be other networks and another name."""
    out = tmp_path / "run"
    assert zorse("train", config, "--data", data, "--out", out, "--no-check")[0] == 0
    command = ("train", "cyclegan_horse2zebra", "--data", data, "--out", out, "--resume")
    code, _, errors = zorse(*command, "--set", "training.iterations=8")
    assert (code, errors) == (0, "")
    told = read_config(out / "config.toml").training_data
    assert (told.name, told.licence, told.n_pictures) == (
        data.name,
        "unknown",
        2 * len(list((data / "trainA").iterdir())),
    )
    assert own_settings(out) == tiny_cyclegan("training.iterations=8")
    assert saved(out)["iteration"] == 8
    assert "Nothing is left to do: the run is at iteration 8 of 8." in zorse(*command)[1]
    assert "of 8." in zorse("train", config, *command[2:])[1], "a file is no other than a preset here"
    code, _, errors = zorse("train", "pix2pix_facades", *command[2:])
    assert code == 1
    assert errors.startswith(f"Error: The run in {out} trains cyclegan, but the preset")
    (out / "config.toml").write_text("name = 3", encoding="utf-8")
    code, _, errors = zorse(*command)
    assert code == 1
    assert errors.startswith(f"Error: The configuration {out / 'config.toml'} is not valid. name: Input should be")


@signals
def test_a_killed_process_is_resumed_bit_for_bit(config, data, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", "from zorse.cli import main; main()", "train"]
        + [str(argument) for argument in (config, "--data", data, "--out", out, *ENDLESS)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
    )
    try:
        wait_for(lambda: process.poll() is not None or (out / "checkpoints" / "last.pt").exists())
        lines = len(log(out))
        wait_for(lambda: process.poll() is not None or len(log(out)) > lines)
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL

    rest = tiny_cyclegan("training.schedule=constant", f"training.iterations={saved(out)['iteration'] + 1}")
    train(rest, data, out, resume=True)
    train(rest, data, tmp_path / "whole")
    ends = [{**saved(folder), "seconds": 0} for folder in (out, tmp_path / "whole")]
    assert difference(*ends) is None
    resumed, whole = log(out), log(tmp_path / "whole")
    assert [line["iteration"] for line in resumed] == [line["iteration"] for line in whole], "no line twice"
