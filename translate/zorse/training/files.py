"""The run folder, and files that are either complete or not there."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zorse.errors import ZorseError


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, and put it in place only when it is complete and on disk.

    Raises:
        ZorseError: it could not be written (a full disk); what stood at `path` before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        # torch.save reports a failed write as RuntimeError.
        raise ZorseError(
            f"{path} could not be written: {error}. The version saved before, if any, is untouched. Free some disk "
            "space or choose another folder, then run the same command with --resume."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class RunFolder:
    """Where the files of a training run are."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings, as TOML."""
        return self.root / "config.toml"

    @property
    def metrics(self) -> Path:
        """Losses, one JSON object per line."""
        return self.root / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.root / "tensorboard"

    @property
    def samples(self) -> Path:
        """Folder of picture grids."""
        return self.root / "samples"

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint, from which the run resumes."""
        return self.root / "checkpoints" / "last.pt"

    @property
    def generators(self) -> Path:
        """Folder of the generators as model files with cards, ready to use or export."""
        return self.root / "generators"
