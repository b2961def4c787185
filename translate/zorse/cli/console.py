"""The one way to the terminal: everything that a command prints goes through here.

Names, cards and foreign texts are in nearly every line, so every line is taken for one of theirs: what would steer the
terminal, or break the line, is written out, and nothing is markup.
"""

import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import rich.console
from pydantic import BaseModel
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from zorse.system.texts import json_text, visible


class Console(rich.console.Console):
    """Prints strings as they are, each in a line that only the terminal wraps; colours are asked for by `style`.

    Args:
        stderr: for what is not the result: progress, notes, errors.
        quiet: says nothing.
    """

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """A string, also a cell of a table, as it is printed."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of anything, also of texts that were put together elsewhere."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n":
                yield segment
            else:
                yield Segment("\n".join(map(visible, segment.text.split("\n"))), segment.style)


def echo(*lines: object) -> None:
    """Writes lines to standard output, for people and scripts."""
    for line in lines:
        sys.stdout.write(f"{visible(str(line))}\n")
    sys.stdout.flush()


def echo_json(value: Any, indent: int | None = 2) -> None:
    """Writes JSON to standard output.

    Args:
        value: a model of pydantic, or of what `json.dumps` takes.
        indent: of nested values; None for one line.
    """
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    sys.stdout.write(f"{json_text(plain, indent)}\n")
    sys.stdout.flush()


class _Visible(io.TextIOBase):
    """A stream on which lines stay lines, and all else that steers a terminal is written out."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write("\n".join(map(visible, text.split("\n"))))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


@contextlib.contextmanager
def only_visible() -> Iterator[None]:
    """Inside, what any part of the process prints is fit to be seen: a server's log repeats what strangers sent."""
    with contextlib.redirect_stdout(_Visible(sys.stdout)), contextlib.redirect_stderr(_Visible(sys.stderr)):
        yield
