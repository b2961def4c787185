"""Generators that draw from noise as ONNX files, without torch.

The contract of such a file: an input `latent`, float32 (N, L), an input `label`, int64 (N,), where the generator takes
labels, and an output `sample`, float32 (N, *shape), for any N >= 1; `SampleCard` as JSON in `metadata_props`. L counts
noise, then each discrete code as one number per value, of which one is 1, then continuous codes in [-1, 1].
"""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zorse.backends.onnx.sessions import Session
from zorse.errors import ConfigError, WeightsError
from zorse.gans.architecture import LatentConfig
from zorse.gans.card import SampleCard, read_sample_card
from zorse.model.card import SAMPLE_CARD_KEY
from zorse.model.model_file import read_onnx
from zorse.model.onnx_file import OnnxFile
from zorse.runtime.devices import CPU, Setting

LATENT, LABEL, SAMPLE = "latent", "label", "sample"

Floats = NDArray[np.float32]


class SampleModel:
    """Draws samples with ONNX Runtime on one core: small networks gain nothing from more. Safe to use from threads.

    Args:
        file: where it comes from, for error messages.
        found: its content, as 'zorse export' wrote it of a baseline.

    Raises:
        WeightsError: damaged, or a file that holds something else.
    """

    def __init__(self, file: Path, found: OnnxFile) -> None:
        self.card: SampleCard = read_sample_card(found.metadata, str(file))
        inputs = [value.name for value in found.inputs]
        wanted = [LATENT, LABEL] if self.card.latent.classes else [LATENT]
        if inputs != wanted or [value.name for value in found.outputs] != [SAMPLE]:
            raise WeightsError(
                f"{file} has the inputs {', '.join(inputs) or 'none'}; {' and '.join(wanted)} were wanted, and one "
                f"output {SAMPLE}, as its card says. It was changed: export the generator again."
            )
        self._session = Session(file, found.content, CPU, Setting("cpu", threads=1))

    @classmethod
    def load(cls, file: Path) -> Self:
        """From a file.

        Raises:
            WeightsError: missing, damaged, or a file that holds something else.
        """
        return cls(file, read_onnx(file))

    def draw(self, latents: Floats, labels: NDArray[np.int64] | None = None) -> Floats:
        """(N, L) and, where the generator takes labels, (N,) -> samples (N, *shape).

        Raises:
            ConfigError: labels where there should be none or the other way round, such as there are not, or latents of
                another width.
        """
        classes, width = self.card.latent.classes, latent_width(self.card.latent)
        if latents.ndim != 2 or latents.shape[1] != width:
            raise ConfigError(f"{self.card.name!r} draws from (N, {width}) numbers, not from {latents.shape}.")
        if (labels is None) != (classes == 0) or (labels is not None and labels.shape != latents.shape[:1]):
            wanted = f"one label for each sample, from 0 to {classes - 1}" if classes else "no labels"
            raise ConfigError(f"{self.card.name!r} takes {wanted}.")
        inputs: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {LATENT: np.ascontiguousarray(latents, np.float32)}
        if labels is not None:
            if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
                raise ConfigError(f"{self.card.name!r} takes labels from 0 to {classes - 1}, not {labels.tolist()}.")
            inputs[LABEL] = labels.astype(np.int64)
        (samples,) = self._session.run([SAMPLE], inputs)  # type: ignore[arg-type]
        return samples


def latent_width(latent: LatentConfig) -> int:
    """Numbers of the input `latent`: all but those of the label, which has an input of its own."""
    return latent.size - latent.classes


def draws_samples(file: Path) -> bool:
    """Whether an ONNX file holds a generator of samples, and not one that translates.

    Raises:
        WeightsError: missing, damaged, or no ONNX file.
    """
    return SAMPLE_CARD_KEY in read_onnx(file).metadata
