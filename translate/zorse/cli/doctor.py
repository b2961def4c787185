"""`zorse doctor`: what works here, what does not, and what to do about it."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from zorse.cli.command import app

_COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Check this installation: packages, ONNX Runtime, GPU, memory, models. Exit code 1 if something is broken."""
    from zorse.installation import diagnose

    findings = diagnose()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        console = Console(soft_wrap=True, highlight=False)
        width = max(len(finding.part) for finding in findings)
        for finding in findings:
            console.print(f"[{_COLOURS[finding.state]}]{finding.state:6}[/]  {finding.part:{width}}  ", end="")
            console.print(finding.found, markup=False)
            if finding.advice:
                console.print(f"{'':{width + 10}}{finding.advice}", markup=False)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)
