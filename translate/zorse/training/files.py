"""The run folder, and what happens when its disk is full."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zorse.atomic import replacing
from zorse.errors import ZorseError

_DISK_PROBLEMS = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EFBIG,
        errno.EIO,
        errno.EISDIR,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Inside, a disk that is full or forbidden becomes an error for the user.

    Raises:
        ZorseError: `path`, or something in it, could not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_PROBLEMS:
            raise
        raise ZorseError(
            f"{path} could not be written ({error.strerror}). What was saved before is untouched. Free some disk space "
            "and run the same command with --resume if there is a checkpoint, or choose another folder with --out."
        ) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a file that takes the place of `path` only when it is complete.

    Raises:
        ZorseError: it could not be written (a full disk); what stood at `path` before is untouched.
    """
    with disk_errors(path), replacing(path) as file:
        _write(file, write)


def _write(file: BinaryIO, write: Callable[[BinaryIO], object]) -> None:
    try:
        write(file)
    except RuntimeError as error:
        # torch.save hides a full disk behind a complaint about positions in its archive.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


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
