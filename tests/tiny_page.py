"""The page in a process of its own, whose trainings take seconds: `serve(...)` is a context that gives its address."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

from tiny_training import SIZE, tiny_cyclegan
from zorse.training.config import to_toml

PROGRAM = """
import sys
from zorse_app.training_desk.command import METHODS, Method
METHODS["unpaired"] = Method(sys.argv.pop(1), int(sys.argv.pop(1)), load_size=36, crop_size={size})
from zorse.cli import main
main()
"""


@contextmanager
def serve(folder, steps, models):
    """Opens the page with `folder` for its trainings, `normal` ones having `steps` steps."""
    settings = folder.with_suffix(".toml")
    settings.write_text(to_toml(tiny_cyclegan()))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    arguments = [str(settings), str(steps), "ui", "--port", port, "--runs", str(folder), "--models", str(models)]
    command = [sys.executable, "-c", PROGRAM.format(size=SIZE), *arguments]
    with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE) as process:
        try:
            line = process.stdout.readline()
            assert f"http://127.0.0.1:{port}/" in line, line
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
