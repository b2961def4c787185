"""The command as a whole: what it says of itself."""

import pytest
import typer

from zorse import __version__
from zorse.cli import app


def _commands():
    """Words of every command: ("translate",), ("data", "check"), ..."""
    tree = typer.main.get_command(app)
    for name, command in tree.commands.items():
        below = getattr(command, "commands", None)
        yield from [(name,)] if below is None else [(name,), *((name, inner) for inner in below)]


@pytest.mark.parametrize("words", list(_commands()), ids=" ".join)
def test_every_command_tells_what_it_does(words, zorse):
    code, out, err = zorse(*words, "--help")
    assert code == 0, err
    assert f"zorse {' '.join(words)}" in out


def test_version(zorse):
    assert zorse("--version") == (0, f"zorse {__version__}\n", "")


def test_an_unknown_command_is_wrong_usage(zorse):
    code, _, err = zorse("translat")
    assert code == 2
    assert "translate" in err
