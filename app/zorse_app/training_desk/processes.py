"""Starting a training's process, and telling whether it is there, also after the page was gone."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from zorse_app import texts
from zorse_app.training_desk.record import TrainingFolder

_KEEPER = Path(__file__).with_name("keeper.py")

_started: list[subprocess.Popen[bytes]] = []
"""Keepers that this process has started: who starts a process has to ask how it ended, or it stays as a zombie."""


def zorse_command(*arguments: str) -> list[str]:
    """`zorse` with these arguments, by the Python that runs this.

    -P: nothing is imported from the folder that it runs in, which holds what visitors sent.
    """
    return [sys.executable, "-P", "-m", "zorse", *arguments]


def run_to_its_end(command: Sequence[str], folder: TrainingFolder, patience: float) -> subprocess.CompletedProcess[str]:
    """Wait for a command that does something small for a training.

    Args:
        command: see `zorse_command`.
        folder: of the training, in which it runs.
        patience: seconds that it may take.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
    """
    return subprocess.run(
        command,
        cwd=folder.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=patience,
        check=False,
    )


def why_it_failed(failed: subprocess.CompletedProcess[str]) -> str:
    """Why a command that came to its end failed, in its own words if it left any."""
    said = failed.stderr.strip().splitlines()
    return said[-1].removeprefix("Error: ") if said else texts.TRAIN_ENDED.format(code=failed.returncode)


def launch(folder: TrainingFolder, command: Sequence[str]) -> None:
    """Start a training and its keeper apart from this process: Ctrl-C in the page's terminal does not reach them.

    Raises:
        OSError: it cannot be started, or the folder cannot be written.
    """
    for file in (folder.ended, folder.interrupt, folder.training_pid):
        file.unlink(missing_ok=True)
    with folder.log.open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-P", str(_KEEPER), str(folder.root), *command],
            cwd=folder.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )
    folder.keeper_pid.write_text(str(keeper.pid), encoding="utf-8")
    _started.append(keeper)


def bury() -> None:
    """Ask those that have ended how, so that the system forgets them."""
    _started[:] = [keeper for keeper in _started if keeper.poll() is None]


def is_alive(folder: TrainingFolder) -> bool:
    """Whether the keeper or the training runs.

    Numbers of processes are used again after a while, so the process must name the folder in its command.
    """
    return any(_runs(pid_file, folder.root) for pid_file in (folder.keeper_pid, folder.training_pid))


def _runs(pid_file: Path, root: Path) -> bool:
    try:
        process = psutil.Process(int(pid_file.read_text(encoding="utf-8")))
        command = process.cmdline()  # empty for a moment while the program is being loaded
        names_it = not command or any(str(root) in part for part in command)
        return names_it and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return False


def end_at_once(folder: TrainingFolder) -> None:
    """End the processes without saving."""
    for pid_file in (folder.keeper_pid, folder.training_pid):
        if _runs(pid_file, folder.root):
            with suppress(OSError, ValueError, psutil.Error):
                psutil.Process(int(pid_file.read_text(encoding="utf-8"))).kill()
