"""Options that several commands share."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from zorse.runtime.devices import Arena, Device

if TYPE_CHECKING:
    from zorse.runtime.translator import Size


def _allow(context: typer.Context, packages: list[str] | None) -> list[str]:
    """Allows the code until the command ends."""
    from zorse.system.import_paths import allow_code

    context.with_resource(allow_code(packages or ()))
    return packages or []


AllowCodeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-code",
        metavar="PACKAGE",
        callback=_allow,
        help="Let the code of this package run where a model or a run names it. May be repeated. No .onnx file needs "
        "code.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    Device, typer.Option(help="Where to compute. auto: on an NVIDIA GPU where one runs, else on the CPU.")
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="CPU threads for one picture.", show_default="the cores, shared by --workers")
]
ArenaOption = Annotated[
    Arena,
    typer.Option(
        help="Memory of ONNX Runtime between pictures. auto: used again, given back after large ones; keep: used "
        "again, whatever it takes; off: given back at once, which takes longer."
    ),
]


def parse_amount(text: str, option: str = "--max-memory") -> int:
    """The value of an option that takes an amount of memory, in bytes.

    Raises:
        typer.BadParameter: it is no amount of memory.
    """
    from zorse.errors import ConfigError
    from zorse.system.memory import parse_memory

    try:
        return parse_memory(text)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def parse_size(text: str) -> "Size":
    """The value of `--size`: auto, native, keep, or a short side in pixels.

    Raises:
        typer.BadParameter: anything else.
    """
    from zorse.runtime.translator import LARGEST_SIZE

    if text == "auto":
        return "auto"
    if text == "native":
        return "native"
    if text == "keep":
        return "keep"
    if re.fullmatch(r"[0-9]{1,7}", text) and 1 <= int(text) <= LARGEST_SIZE:
        return int(text)
    raise typer.BadParameter(
        f"{text!r} is none of auto, native, keep and a number of pixels from 1 to {LARGEST_SIZE}.", param_hint="--size"
    )


def shown(value: float) -> str:
    """A measured figure as tables show it."""
    return f"{value:.1f}" if abs(value) >= 2 else f"{value:.3f}"
