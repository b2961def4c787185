"""What `zorse export` makes of a model file beside it: a page for browsers, a repository for Triton."""

from pathlib import Path

from zorse.cli.console import Console


def write_bundles(model: Path, web: Path | None, triton: Path | None, runtime: Path | None) -> list[str]:
    """Writes the page into `web` and the model repository into `triton`, each if it is wanted.

    Args:
        model: an .onnx file.
        web: the page's folder.
        triton: the repository's folder.
        runtime: the tarball of ONNX Runtime Web; None downloads it once.

    Returns:
        What was written and what to do with it, in words.
    """
    lines = []
    if web is not None:
        _write_page(model, web, runtime)
        lines.append(f"{web}: a page for any web server; try it with: {_served(web)}")
    if triton is not None:
        from zorse_export.triton import write_repository

        written = write_repository(model, triton)
        lines.append(f"{written}: for tritonserver --model-repository={triton.resolve()}")
    return lines


def _write_page(model: Path, folder: Path, runtime: Path | None) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from zorse_export.web import RUNTIME, write_page

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{RUNTIME.name} {RUNTIME.version}", total=None)
        write_page(model, folder, runtime, lambda done, total: progress.update(task, completed=done, total=total))


def _served(folder: Path) -> str:
    return f"python3 -m http.server -d '{folder}'"
