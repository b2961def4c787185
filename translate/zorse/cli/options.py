"""Options that several commands share."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from zorse.runtime.translator import Size


def parse_max_memory(text: str) -> int:
    """The value of `--max-memory` in bytes.

    Raises:
        typer.BadParameter: it is no amount of memory.
    """
    from zorse.errors import ConfigError
    from zorse.runtime.memory import parse_memory

    try:
        return parse_memory(text)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--max-memory") from error


def parse_size(text: str) -> "Size":
    """The value of `--size`: auto, native, keep, or a short side in pixels.

    Raises:
        typer.BadParameter: anything else.
    """
    if text == "auto":
        return "auto"
    if text == "native":
        return "native"
    if text == "keep":
        return "keep"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise typer.BadParameter(f"{text!r} is none of auto, native, keep and a number of pixels.", param_hint="--size")
