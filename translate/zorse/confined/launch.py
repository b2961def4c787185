"""Starts the processes that strangers' files are opened in."""

import atexit
import os
import secrets
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from zorse.confined.server import CONFINES, READY
from zorse.errors import ZorseError

_STARTING = 60.0
"""Seconds that a program may take to start on a busy machine."""

_TRIES = 2

_CANNOT_START = "No process could be started to read the file in ({reason}). Close other programs, then try again."

_PACKAGES = str(Path(__file__).parents[2])
"""Where `zorse` lies."""

_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
"""All that a process learns of the page's environment, which may hold a password."""


@dataclass(frozen=True)
class Confines:
    """What a process may take; the system sees to that on Linux."""

    memory: int
    """Bytes."""
    seconds: int
    """Of processor time."""


class CannotStart(ZorseError):
    """The system starts no more programs."""


class ForkServer:
    """The running server; one for the whole page. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def connect(self, confines: Confines) -> socket.socket:
        """A line to a new process.

        Raises:
            CannotStart: there is none.
        """
        if sys.platform != "linux":
            return _started_for_one()
        for _ in range(_TRIES):
            line = self._forked(confines)
            if line is not None:
                return line
        raise CannotStart(_CANNOT_START.format(reason="its server ended"))

    def warm_up(self) -> None:
        """Starts the server, so that the first picture need not wait for it."""
        if sys.platform == "linux":
            with self._lock:
                self._started()

    def close(self) -> None:
        """Ends the server; processes that hold a file go on. It starts again when it is needed."""
        with self._lock:
            self._stop()

    def _forked(self, confines: Confines) -> socket.socket | None:
        """None where the server had been ended from outside, or the system had no room for a process."""
        ours, theirs = _pair()
        ours.settimeout(_STARTING)
        with ExitStack() as on_failure:
            on_failure.enter_context(ours)
            with theirs, self._lock:
                control = self._started()
                with suppress(OSError):
                    request = CONFINES.pack(confines.memory, confines.seconds)
                    socket.send_fds(control, [request], [theirs.fileno()])
            with suppress(OSError):
                if ours.recv(1) == READY:
                    on_failure.pop_all()
                    return ours
        with self._lock:
            if self._control is control:
                self._stop()
        return None

    def _started(self) -> socket.socket:
        if self._control is None:
            ours, theirs = _pair()
            with ExitStack() as on_failure, theirs:
                on_failure.enter_context(ours)
                _run(["fork", str(theirs.fileno())], pass_fds=(theirs.fileno(),))
                on_failure.pop_all()
            self._control = ours
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control = None


fork_server = ForkServer()
atexit.register(fork_server.close)


def _started_for_one() -> socket.socket:
    """A program for one file: where processes cannot be forked it takes half a second longer."""
    key = secrets.token_bytes(32)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_STARTING)
        _run(["once", str(listener.getsockname()[1]), key.hex()])
        while True:
            try:
                line, _ = listener.accept()
            except OSError as error:
                raise CannotStart(_CANNOT_START.format(reason=error)) from error
            line.settimeout(_STARTING)
            with suppress(OSError):  # somebody else's, who says nothing
                if secrets.compare_digest(line.recv(len(key), socket.MSG_WAITALL), key):
                    return line
            line.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair()
    except OSError as error:  # too many files are open
        raise CannotStart(_CANNOT_START.format(reason=error)) from error


def _run(arguments: list[str], pass_fds: tuple[int, ...] = ()) -> None:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {
        "PYTHONPATH": _PACKAGES,
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",  # so that all new memory can be filled, see imaging.unwritten
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "zorse.confined.server", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise CannotStart(_CANNOT_START.format(reason=error)) from error
    threading.Thread(target=process.wait, name="confined", daemon=True).start()  # clears it away when it has ended
