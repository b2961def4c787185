"""What can go wrong, as one tree.

ZorseError
├── ConfigError            a setting that does not exist or does not make sense
├── DatasetError           a folder or file that training cannot use
├── ImageError             a picture that cannot be read or written
│   └── DiskFull               no space is left where a picture should be written
├── WeightsError           a model file that cannot be used
│   ├── UnknownModel           no shipped model has that name
│   ├── ChecksumMismatch       the file is not the one that was published
│   └── IncompatibleWeights    the file holds another architecture
├── ExportError            an ONNX file that does not compute what the network computes
├── CustomCodeError        code of others that may not run, is not installed, or is not what was wanted
├── DeviceError            hardware that was asked for and does not run here
├── TrainingDivergedError  a loss that is not a number any more
└── MissingExtraError      a part of Zorse that is not installed

Each message is one paragraph that says what was wanted, what came, and what to do.
"""

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Self

_WORDS = 300


class ZorseError(Exception):
    """Base of all errors that Zorse raises for its users."""


class ConfigError(ZorseError):
    """A setting that does not exist or does not make sense."""


class DatasetError(ZorseError):
    """A folder or file that training cannot use."""


class ImageError(ZorseError):
    """A picture that cannot be read or written."""


class DiskFull(ImageError):
    """No space is left where a picture should be written: no further one can be."""

    @staticmethod
    def is_meant_by(error: OSError) -> bool:
        """Whether the system says that the disk, or the user's share of it, is full."""
        return error.errno in (errno.ENOSPC, errno.EDQUOT)

    @classmethod
    def of(cls, path: Path, error: OSError) -> Self:
        """The error for a file that could not be written."""
        return cls(
            f"{path} could not be written: {error.strerror}. What was finished before is whole. Free some space or "
            "choose another place; --resume then leaves out what is done."
        )


class WeightsError(ZorseError):
    """A model file that cannot be used."""


class UnknownModel(WeightsError):
    """No shipped model has that name."""


class ChecksumMismatch(WeightsError):
    """The file is not the one that was published."""


class IncompatibleWeights(WeightsError):
    """The file holds another architecture than the one wanted."""


class ExportError(ZorseError):
    """An exported file that does not compute what the network computes, or that cannot be put where it is wanted."""


class CustomCodeError(ZorseError):
    """Code of others, named by an import path, that may not run, is not installed, or is not what was wanted."""


class DeviceError(ZorseError):
    """Hardware that was asked for and does not run here."""


class TrainingDivergedError(ZorseError):
    """A loss that is not a number any more."""


class MissingExtraError(ZorseError):
    """A part of Zorse that is not installed.

    Args:
        wanted: what the caller tried to do, as a noun ("training").
        extra: the extra that brings it ("train").
    """

    def __init__(self, wanted: str, extra: str) -> None:
        super().__init__(
            f"{wanted} needs packages that are not installed. Install them with: pip install 'zorse[{extra}]'"
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A guess for a message, with a blank before it: " Did you mean 'horse2zebra'?"; nothing if no name is near."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def unexpected_failure(what: str, failure: Exception) -> str:
    """A message for an error that is not one of Zorse's: its kind and words are all that a report can start from.

    Args:
        what: the file that could not be translated.
        failure: what came instead; its first 300 letters are repeated.
    """
    words = " ".join(str(failure).split())[:_WORDS]
    return (
        f"{what} could not be translated because of an unexpected {type(failure).__name__}"
        f"{f' ({words})' * bool(words)}. The other files are not affected. Please report it, and attach the file if "
        "you can share it."
    )
