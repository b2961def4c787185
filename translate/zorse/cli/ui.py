"""`zorse ui`: the web page."""

import os
from pathlib import Path
from typing import Annotated

import typer

from zorse.cli.command import app
from zorse.cli.console import Console, only_visible
from zorse.cli.options import ArenaOption, DeviceOption, parse_amount
from zorse.cli.stopping import stopping_cleanly
from zorse.errors import ConfigError
from zorse.runtime.devices import Setting

_USER = "ZORSE_USER"
_SHARED_SECONDS = 300
"""Seconds of work in ten minutes that a visitor may take where others than the owner come in."""


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other computers in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    share: Annotated[bool, typer.Option("--share", help="Ask Gradio for a public address for a week.")] = False,
    models: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of .onnx files to offer; one replaces the shipped model of its name."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:PASSWORD",
            help=f"Ask for them, on the page and by HTTP Basic in the API. Better in the environment ({_USER}): others "
            "can see command lines.",
        ),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where trainings started on the page are kept.", show_default="the user's data folder"
        ),
    ] = None,
    device: DeviceOption = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads for one picture.", show_default="one per core")
    ] = None,
    arena: ArenaOption = "auto",
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="For all translations together, such as 4GB.", show_default="half of what is free"
        ),
    ] = None,
    max_file: Annotated[str, typer.Option(metavar="SIZE", help="Largest file that may be sent.")] = "50MB",
    max_pixels: Annotated[
        float, typer.Option(metavar="MILLIONS", min=0.01, max=250, help="Largest picture, in millions of pixels.")
    ] = 60,
    max_queue: Annotated[int, typer.Option(min=1, max=1000, help="Pictures that may wait for their turn.")] = 64,
    max_seconds: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seconds of work that one visitor may take in ten minutes; 0 for no limit.",
            show_default=f"0, or {_SHARED_SECONDS} where other computers can come in",
        ),
    ] = None,
) -> None:
    """Open the page: drop a picture or draw a sketch, compare before and after, download. There is an API, too."""
    from zorse_app import Limits, is_local, launch

    if max_seconds is None:
        max_seconds = 0 if is_local(host) and not share else _SHARED_SECONDS
    limits = Limits(
        file_bytes=parse_amount(max_file, "--max-file"),
        pixels=int(max_pixels * 10**6),
        queue=max_queue,
        seconds=max_seconds or None,
        memory=None if max_memory is None else parse_amount(max_memory),
    )
    credentials = _credentials(user)
    console = Console()
    setting = Setting(device, threads, arena)
    with (
        stopping_cleanly(),
        only_visible(),
        launch(host, port, share, models, limits, credentials, runs, setting) as page,
    ):
        console.print(f"The page is open at {page.url} (Ctrl-C stops it)")
        if page.share_url is not None:
            console.print(f"and for everybody who knows the address at {page.share_url}")
        elif share:
            console.print("Gradio's servers gave no public address; the page works on this computer.")
        if credentials is None and (page.share_url is not None or not is_local(host)):
            console.print("Everybody who reaches that address can use it; --user NAME:PASSWORD keeps others out.")
        console.print(f"API: {page.api_url}")
        if page.protocol_url is not None:
            console.print(f"MCP: {page.protocol_url}")
        else:
            console.print("MCP: not installed; pip install 'zorse[mcp]' adds it")
        page.wait()


def _credentials(option: str | None) -> tuple[str, str] | None:
    given = os.environ.get(_USER) if option is None else option
    if given is None:
        return None
    name, colon, password = given.partition(":")
    if not (name and colon and password):
        raise ConfigError(
            "The user is not a name and a password with a colon between them. Write --user NAME:PASSWORD, or set the "
            f"environment variable {_USER}=NAME:PASSWORD."
        )
    return name, password
