"""What the doctor does at the start of a training run."""

from pathlib import Path

from rich.console import Console

from zorse.data.config import DataConfig
from zorse.data.doctor.diagnosis import diagnose
from zorse.data.doctor.findings import Finding, Severity
from zorse.data.doctor.report import progress, show_briefly
from zorse.errors import DatasetError


def check_before_training(config: DataConfig, root: Path, console: Console) -> None:
    """Print what is wrong with a training set and its test set.

    Raises:
        DatasetError: there is no such set, or training would stop at one of its files.
    """
    with progress(console, "Checking the pictures") as on_file:
        diagnosis = diagnose(root, config, on_file)
    show_briefly(diagnosis, console)
    errors = diagnosis.of(Severity.ERROR)
    if errors:
        raise DatasetError(
            f"A set to train on was wanted, but training would stop at files of {root}: "
            f"{'; '.join(_with_files(error) for error in errors)}. 'zorse data check {root} --kind {config.kind}' says "
            "more about them, with --fix OUT it writes a clean copy to train on; --no-check trains nevertheless."
        )


def _with_files(finding: Finding, most: int = 3) -> str:
    names = [name for item in finding.items[:most] for name in item.files]
    rest = f" and {len(finding.items) - most} more" if len(finding.items) > most else ""
    return f"{finding.title} ({', '.join(names)}{rest})"
