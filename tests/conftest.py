"""What all tests share."""

import signal
import sys

import pytest
import torch

from zorse.cli import main

# A shell that runs the tests in the background makes them ignore Ctrl-C, and so would the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small networks gain nothing from more, and results do not depend on the machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def zorse(monkeypatch, capsys):
    """Runs a command; gives exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["zorse", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return leaving.value.code, out, err

    return run
