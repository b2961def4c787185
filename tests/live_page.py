"""A page in a process of its own, as the command opens it, for tests; Gradio leaves sockets open in its process."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

COMMAND = "from zorse.cli import main; main()"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def live_page(models, *options, environment=None):
    """Gives the process and the address; stops the page with Ctrl-C."""
    port = str(free_port())
    command = [sys.executable, "-c", COMMAND, "ui", "--port", port, "--models", str(models), *options]
    ours = {"PYTHONPATH": os.pathsep.join(sys.path), "ZORSE_RUNS": f"{models}-trainings"}
    everything = os.environ | ours | (environment or {})
    with subprocess.Popen(
        command, env=everything, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert f"http://127.0.0.1:{port}/" in process.stdout.readline(), process.stderr.read()
            yield process, f"http://127.0.0.1:{port}"
        finally:
            is_deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # a job in the background hands that on
            process.send_signal(signal.SIGTERM if is_deaf else signal.SIGINT)
            process.communicate(timeout=120)
