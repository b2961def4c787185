"""What a precision does to the distance from real pictures of the target domain."""

from pathlib import Path

from zorse.data.config import UnpairedConfig
from zorse.metrics.evaluation import VARIANTS, Evaluation, Instruments, evaluate, unpacked
from zorse.metrics.features import efficientnet_extractor
from zorse.metrics.pictures import EvaluationSet, detect_kind, edges_set, paired_set, unpaired_set
from zorse.metrics.resampling import interval, recentred
from zorse.model.card import ModelCard
from zorse.model.parity import KidChange
from zorse.runtime.translator import Translator
from zorse.training.config import TrainConfig
from zorse.training.observers.evaluation import picture_set
from zorse_export.parity import open_session, run_graph

MOST_PICTURES = 150
"""Of each domain: enough for an interval, and minutes at most."""


def evaluation_pictures(root: Path, card: ModelCard, config: TrainConfig | None = None) -> EvaluationSet:
    """The test pictures of a data set, as `zorse evaluate` finds them.

    Args:
        root: folder of the set.
        card: of the generator.
        config: of the run that it comes from, which says how the set is laid out; None: its folders tell.

    Raises:
        DatasetError: there are none.
    """
    found = _found(root, card) if config is None else picture_set(config, root, card.direction, "test")
    return found.thinned(MOST_PICTURES)


def _found(root: Path, card: ModelCard) -> EvaluationSet:
    match detect_kind(root, card):
        case "unpaired":
            return unpaired_set(root, UnpairedConfig(), card.direction)
        case "paired":
            return paired_set(root, card.direction)
        case "edges":
            return edges_set(root, card.native_size)


def kid_changes(fp32: bytes, here: bytes, card: ModelCard, pictures: EvaluationSet) -> tuple[KidChange, ...]:
    """KID of both graphs' translations, through each of the networks that `zorse evaluate` uses, and their difference.

    Both translate the same pictures and are resampled alike, so that differences are seen that are much smaller than
    the intervals of the figures.

    Args:
        fp32: the float graph in 32 bits.
        here: the float graph of the file.
        card: of the model.
        pictures: sources to translate and real pictures of the target domain.

    Raises:
        DatasetError: a picture that cannot be used, or fewer than two in a set.
    """
    instruments = Instruments([efficientnet_extractor(variant) for variant in VARIANTS], ())
    before, after = (evaluate(_translator(model, card), pictures, instruments=instruments) for model in (fp32, here))
    return tuple(_change(name, before, after) for name in before.resamples if name.startswith("KID"))


def _translator(model: bytes, card: ModelCard) -> Translator:
    session = open_session(model, card)
    return Translator(card, lambda picture: run_graph(session, picture))


def _change(name: str, before: Evaluation, after: Evaluation) -> KidChange:
    first, second = (next(each for each in side.metrics if each.name == name) for side in (before, after))
    change = second.value - first.value
    draws = unpacked(after.resamples[name]) - unpacked(before.resamples[name])
    low, high = interval(recentred(draws, change))
    return KidChange(
        name=name,
        protocol_id=second.protocol_id,
        fp32=_rounded(first.value),
        here=_rounded(second.value),
        change=_rounded(change),
        interval=(_rounded(low), _rounded(high)),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
