"""Real pictures of the source domain: some to compare with, the others to calibrate with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zorse.data.decode import decode
from zorse.errors import ConfigError
from zorse.imaging.tensor import Tensor, resize
from zorse.model.card import ModelCard
from zorse.runtime.translator import working_size
from zorse_export.cases import Batch, padded

COMPARED = 8
"""Pictures that a file is compared with, where there are twice as many."""
CALIBRATING = 48
"""Pictures that calibrate at most: more do not move the ranges any more."""
FEWEST = 4
"""To calibrate with at all."""
RGB = 3


@dataclass(frozen=True)
class RealPictures:
    """Pictures at the size at which the network sees them."""

    compared: Sequence[Batch]
    """(1, H, W, 3) each."""
    calibrating: Sequence[Tensor]
    """(1, 3, H, W) in [-1, 1] each; empty where nothing is calibrated."""

    @classmethod
    def read(cls, files: Sequence[Path], card: ModelCard, *, calibrate: bool) -> "RealPictures":
        """Reads what is needed of these files, spread evenly over them.

        Raises:
            ConfigError: too few to calibrate with, or the model takes no RGB pictures.
            DatasetError: one cannot be read.
        """
        if calibrate and len(files) < FEWEST:
            raise ConfigError(
                f"8 bits are calibrated with pictures of what {card.name!r} translates: at least {FEWEST} were wanted, "
                f"{len(files)} came. Name a folder of them: --calibrate DIR. Some 50 are enough."
            )
        if files and card.architecture.in_channels != RGB:
            raise ConfigError(
                f"{card.name!r} takes {card.architecture.in_channels} channels, but --calibrate reads RGB pictures. "
                "Leave it out."
            )
        n_compared = min(COMPARED, -(-len(files) // 2))
        used = _spread(files, n_compared + CALIBRATING * calibrate)
        compared = _spread(used, n_compared)
        others = [file for file in used if file not in compared]
        return cls(
            [_seen(file, card) for file in compared],
            [padded(_seen(file, card), card) for file in others] if calibrate else (),
        )

    @property
    def described(self) -> str:
        """What calibrated, in words; empty if nothing did."""
        return f"with {len(self.calibrating)} pictures" if self.calibrating else ""


def _seen(file: Path, card: ModelCard) -> Batch:
    """(1, H, W, 3) at the model's native size."""
    pixels = decode(file)
    height, width = working_size(pixels.shape[0], pixels.shape[1], "native", card.native_size)
    return resize(pixels, height, width)[None]


def _spread(files: Sequence[Path], most: int) -> list[Path]:
    return [files[number * len(files) // most] for number in range(most)] if len(files) > most else list(files)
