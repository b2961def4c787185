"""SampleCard: what a generator that draws from noise says of itself; `ModelCard` is for those that translate.

They are two kinds because they share little: what a translator expects (domains, sizes, tiling) means nothing here, and
latents, labels and codes mean nothing there. This module imports no torch.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError

from zorse.errors import WeightsError
from zorse.gans.architecture import LatentConfig, SampleGeneratorConfig
from zorse.model.architecture import Frozen
from zorse.model.card import SAMPLE_CARD_KEY, Metric, TrainingData


class SampleCard(Frozen):
    """What a generator draws, from what, and how it came to be."""

    name: str
    method: str
    """The recipe's kind: "wgan_gp"."""
    shows: str
    """What the samples show, in a few words."""
    architecture: SampleGeneratorConfig
    class_names: tuple[str, ...] = ()
    """What label 0, 1, ... stands for, where the generator takes labels; names of the modes or classes otherwise."""
    domains: tuple[str, str] | None = None
    """What the two pictures of a pair show, where the generator draws pairs."""
    licence: str = "not stated"
    """Of the weights."""
    state: Literal["release", "preview"] = "preview"
    training_data: TrainingData | None = None
    training: str = ""
    """Recipe, iterations, hours and hardware in one sentence."""
    metrics: tuple[Metric, ...] = ()
    notes: str = ""
    zorse_version: str = ""
    weights_sha256: str = ""
    """Of the weights (names, shapes, bytes), whatever file they are stored in."""

    @property
    def latent(self) -> LatentConfig:
        """How the vector that it draws from is made up."""
        return self.architecture.latent

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (2,) for points, (channels, height, width) in [-1, 1] for pictures."""
        return self.architecture.shape

    @property
    def draws_points(self) -> bool:
        """Whether samples are points in the plane, not pictures."""
        return len(self.shape) == 1


def read_sample_card(metadata: Mapping[str, str], file: str) -> SampleCard:
    """The card inside a file's metadata.

    Raises:
        WeightsError: there is none, or it does not describe a generator of samples.
    """
    text = metadata.get(SAMPLE_CARD_KEY)
    if text is None:
        raise WeightsError(
            f"{file} holds no generator that draws samples from noise (metadata key {SAMPLE_CARD_KEY!r}). Wanted: a "
            "file that 'zorse train' wrote with a baseline such as gan_ring or dcgan_digits; translators are for "
            "'zorse translate'."
        )
    try:
        return SampleCard.model_validate_json(text)
    except ValidationError as error:
        raise WeightsError(f"The card in {file} cannot be understood: {error}") from error
