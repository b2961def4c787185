"""`zorse ui`: the web page."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from zorse.cli import app


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other computers in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    share: Annotated[bool, typer.Option("--share", help="Ask Gradio for a public address for a week.")] = False,
    models: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of .onnx files to offer; one replaces the shipped model of its name."),
    ] = None,
) -> None:
    """Open the page: drop a picture or draw a sketch, compare before and after, download."""
    from zorse_app import launch

    console = Console(highlight=False, soft_wrap=True)
    with launch(host, port, share, models) as page:
        console.print(f"The page is open at {page.url} (Ctrl-C stops it)", markup=False)
        if page.share_url is not None:
            console.print(f"and for everybody who knows the address at {page.share_url}", markup=False)
        elif share:
            console.print("Gradio's servers gave no public address; the page works on this computer.", markup=False)
        page.wait()
