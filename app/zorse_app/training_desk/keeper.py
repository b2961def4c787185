"""Keeps one training: starts it, passes on that it shall end, and writes down how it ended.

python -P keeper.py FOLDER COMMAND...

It runs as a program of its own, so that the page may end in the meantime, and needs nothing but Python's own library:
it costs a few megabytes beside the training.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_GLANCE = 0.2
"""Seconds between two looks."""
_PATIENCE = 1800.0
"""Seconds that a training has for its present step, a measurement and saving; then it is ended, and what was saved
before is kept. On a busy computer this takes minutes."""
_POLITENESS = 5
"""The page and other programs go first."""
# Windows sends Ctrl-Break to a group of processes only, which must not be the keeper's own.
if sys.platform == "win32":
    _APART = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _APART = 0


def keep(folder: Path, command: list[str]) -> None:
    """Run the command to its end, and write down its exit code, negative where a signal ended it."""
    if os.name == "posix":
        os.nice(_POLITENESS)
    interrupt = folder / "interrupt"
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, creationflags=_APART) as training:
        (folder / "training.pid").write_text(str(training.pid), encoding="utf-8")
        asked_at: float | None = None
        while training.poll() is None:
            if asked_at is None and interrupt.exists():
                asked_at = time.monotonic()
                _ask_to_end(training)
            if asked_at is not None and time.monotonic() - asked_at > _PATIENCE:
                training.kill()
            time.sleep(_GLANCE)
    part = folder / ".ended.json.part"
    part.write_text(json.dumps({"code": training.returncode, "at": time.time()}), encoding="utf-8")
    part.replace(folder / "ended.json")


def _ask_to_end(training: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        training.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        training.send_signal(signal.SIGINT)


if __name__ == "__main__":
    # Who starts the page in the background of a shell may have told it, and with it this program, to ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    keep(Path(sys.argv[1]), sys.argv[2:])
