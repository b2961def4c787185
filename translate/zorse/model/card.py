"""ModelCard: what a model file says of itself, so that a lone file can be used by somebody who knows nothing else."""

from math import isfinite
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from zorse.errors import WeightsError
from zorse.model.architecture import Frozen, GeneratorConfig

Direction = Literal["AtoB", "BtoA"]
"""Which way a model translates between the two domains that it was trained on."""

CARD_KEY = "zorse.card"
"""Key of the card's JSON in the metadata of safetensors files and in the `metadata_props` of ONNX files."""


SAMPLE_CARD_KEY = "zorse.sample_card"
"""Key of the card of generators that draw from noise (`zorse.gans.card.SampleCard`)."""


class Metric(Frozen):
    """One measured figure with everything needed to measure it again."""

    name: str
    """For example "KID x 1000 (EfficientNet-Lite0)"."""
    value: float
    """What was measured."""
    interval: tuple[float, float] | None = None
    """95 % confidence interval."""
    protocol: str
    """Extractor, size, filter, sets and counts, in words."""
    protocol_id: str = ""
    """The same in short: figures compare if, and only if, this is equal. Empty in cards of Zorse 0.1.0."""
    better: Literal["lower", "higher"] | None = None
    """What a better model has. Empty in cards of Zorse 0.1.0."""


class TrainingData(Frozen):
    """Where the pictures came from and on what terms."""

    name: str
    """Of the set."""
    origin: str
    """Where the pictures come from."""
    licence: str
    """Of the pictures."""
    n_pictures: int = Field(ge=0)
    """Pictures that the model was trained on."""


class ModelCard(Frozen):
    """What a translation model is, what it expects, and how it came to be."""

    name: str = Field(min_length=1)
    """Of the model, as in "horse2zebra"."""
    task: str
    """What the model does, in a few words: "horse to zebra"."""
    domain_a: str
    """What the pictures of domain A show."""
    domain_b: str
    """What the pictures of domain B show."""
    direction: Direction = "AtoB"
    """From which domain to which the model translates."""
    architecture: GeneratorConfig
    """Of the network, with all its settings."""
    value_range: tuple[float, float] = (-1.0, 1.0)
    """Lowest and highest value, (-1, 1) as in the papers or (0, 1) for example, of the network's input and output: what
    the darkest and the lightest level of a picture become. Whatever runs the model converts."""
    native_size: int = Field(default=256, ge=1)
    """Short side, in pixels, of the pictures that the model was trained on."""
    keeps_detail: bool = True
    """Both domains show the same things in the same places (horse and zebra, photo and painting), so a change that was
    computed on a smaller picture can be added to the full one. False where the input is another kind of picture
    (edges, label maps)."""
    takes_strokes: bool = False
    """Lines may come with strokes that say what colour the things between them have (`zorse.imaging.strokes`)."""
    norm_at_test: Literal["picture", "running"] = "picture"
    """Normalisation statistics: of each picture (InstanceNorm) or running averages of the training (BatchNorm)."""
    dropout_at_test: bool = False
    """Whether dropout stays active."""
    licence: str = "not stated"
    """Of the weights."""
    state: Literal["release", "preview"] = "release"
    """`preview`: does its job on some pictures only."""
    training_data: TrainingData | None = None
    """What the model was trained on."""
    training: str = ""
    """Recipe, iterations, hours and hardware in one sentence."""
    metrics: tuple[Metric, ...] = ()
    """What was measured of it."""
    notes: str = ""
    """What else its users should know."""
    zorse_version: str = ""
    """Of the Zorse that wrote the card."""
    weights_sha256: str = ""
    """Of the weights (names, shapes, bytes), whatever file they are stored in."""

    @field_validator("value_range")
    @classmethod
    def _is_a_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not (isfinite(value[0]) and isfinite(value[1]) and value[0] < value[1]):
            raise ValueError("two numbers were wanted, the lower one first")
        return value

    @property
    def size_multiple(self) -> int:
        """The network takes heights and widths that are multiples of this; the Translator pads and crops."""
        return self.architecture.size_multiple

    @property
    def source_domain(self) -> str:
        """What the input shows."""
        return self.domain_a if self.direction == "AtoB" else self.domain_b

    @property
    def target_domain(self) -> str:
        """What the output shows."""
        return self.domain_b if self.direction == "AtoB" else self.domain_a


def read_card(metadata: dict[str, str], file: str) -> ModelCard:
    """The card inside a model file's metadata.

    Raises:
        WeightsError: there is no card, or it does not describe a model.
    """
    text = metadata.get(CARD_KEY)
    if text is None and SAMPLE_CARD_KEY in metadata:
        raise WeightsError(
            f"{file} draws samples from noise and translates nothing. Look at what it draws with 'zorse sample', or "
            "take a model that translates."
        )
    if text is None:
        raise WeightsError(
            f"{file} holds no Zorse model card (metadata key {CARD_KEY!r}). Files written by 'zorse train' and "
            "'zorse export' have one; convert foreign checkpoints first."
        )
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise WeightsError(f"The model card in {file} cannot be understood: {error}") from error
