"""`zorse doctor`: what works here, what does not, and what to do about it."""

from dataclasses import asdict
from typing import Annotated

import typer

from zorse.cli.command import app
from zorse.cli.console import Console, echo_json

_COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Check this installation: packages, ONNX Runtime, GPU, memory, models. Exit code 1 if something is broken."""
    from zorse.installation import diagnose

    findings = diagnose()
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        console = Console()
        width = max(len(finding.part) for finding in findings)
        for finding in findings:
            console.print(f"{finding.state:6}", style=_COLOURS[finding.state], end="")
            console.print(f"  {finding.part:{width}}  {finding.found}")
            if finding.advice:
                console.print(f"{'':{width + 10}}{finding.advice}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)
