"""The program that makes a process for each stranger's file; `zorse.confined.launch` starts it.

It has loaded the decoders and has never seen a file. Each process is a fork of it: it is there within milliseconds, and
its memory holds nothing of any other file, so that whatever a decoder leaves unwritten shows nothing of anybody's.

    python -m zorse.confined.server fork FD          takes sockets from another one, a process for each
    python -m zorse.confined.server once PORT KEY    works for the one file that the page sends to it
"""

import gc
import os
import select
import signal
import socket
import struct
import sys

from zorse.confined.confines import confine
from zorse.confined.work import work
from zorse.imaging.formats import readable_formats
from zorse.system.extras import is_installed

CONFINES = struct.Struct(">QQ")
"""Bytes of memory and seconds of processor time that a process may take."""

_GLANCE = 200
"""Milliseconds between two looks at whether a process has ended."""

READY = b"+"
"""The first thing that a forked process says."""


def main(arguments: list[str]) -> None:
    """Works until the page closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the page, which then closes its end
    match arguments:
        case ["fork", number]:
            _load_decoders()
            _fork_for_each(socket.socket(fileno=int(number)))
        case ["once", port, key]:
            with socket.create_connection(("127.0.0.1", int(port))) as line:
                line.sendall(bytes.fromhex(key))
                work(line)


def _load_decoders() -> None:
    readable_formats()
    if is_installed("video"):
        import zorse.imaging.video.rewrite  # noqa: F401  # for the processes to come


def _fork_for_each(control: socket.socket) -> None:
    gc.collect()
    gc.freeze()  # shared pages stay shared
    lines: dict[int, socket.socket] = {}
    """Of the processes by their numbers, held open to see when the page closes its end."""
    while True:
        poll = select.poll()
        poll.register(control, select.POLLIN)
        for line in lines.values():
            poll.register(line, 0)  # tells of the other end alone
        ready = {number for number, _ in poll.poll(_GLANCE if lines else None)}
        for process, line in list(lines.items()):
            if line.fileno() in ready:  # the page wants no more of it
                os.kill(process, signal.SIGKILL)
            if os.waitpid(process, 0 if line.fileno() in ready else os.WNOHANG)[0]:
                lines.pop(process).close()  # the page sees its end
        if control.fileno() in ready and not _fork_one(control, lines):
            break
    for process in lines:
        os.kill(process, signal.SIGKILL)


def _fork_one(control: socket.socket, lines: dict[int, socket.socket]) -> bool:
    """Whether the page wanted one more process."""
    request, numbers, _, _ = socket.recv_fds(control, CONFINES.size, 1)
    if len(request) < CONFINES.size or not numbers:
        return False
    line = socket.socket(fileno=numbers[0])
    try:
        process = os.fork()
    except OSError:  # no room for a process: the page sees the end
        line.close()
        return True
    if process:
        lines[process] = line
        return True
    try:
        control.close()
        for other in lines.values():
            other.close()
        confine(*CONFINES.unpack(request))
        line.sendall(READY)
        work(line)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
