"""What `zorse models info` says of a generator that draws samples from noise."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zorse.gans.card import SampleCard


def find_sample_card(model: str) -> "tuple[Path, SampleCard] | None":
    """The file and the card of such a generator; None where something else is meant.

    Args:
        model: a shipped generator's name, or a file.

    Raises:
        WeightsError: the file or its card is damaged.
    """
    from zorse.gans.card import read_sample_card
    from zorse.loading import safetensors_metadata
    from zorse.model.card import SAMPLE_CARD_KEY
    from zorse.model.model_file import read_onnx
    from zorse.model.registry import sample_model_file, sample_models

    file = Path(model)
    if not file.is_file():
        if model not in sample_models():
            return None
        file = sample_model_file(model)
    match file.suffix.lower():
        case ".onnx":
            metadata = read_onnx(file).metadata
        case ".safetensors":
            metadata = safetensors_metadata(file)
        case _:
            return None
    return (file, read_sample_card(metadata, str(file))) if SAMPLE_CARD_KEY in metadata else None


def described_sample_card(file: Path, card: "SampleCard") -> dict[str, str]:
    """The card as label -> text, without what is empty."""
    latent, data = card.latent, card.training_data
    parts = [f"{latent.noise} of {latent.distribution} noise"]
    parts += [f"a label ({', '.join(card.class_names[: latent.classes])})"] if latent.classes else []
    parts += [f"a code of {values} values" for values in latent.categories]
    parts += ["a code in [-1, 1]"] * latent.continuous
    lines = {
        "file": f"{file} ({file.stat().st_size / 1e6:.2f} MB)",
        "name": card.name,
        "method": card.method,
        "shows": card.shows,
        "state": card.state,
        "draws from": ", ".join(parts),
        "a sample": " x ".join(map(str, card.shape)),
        "licence": card.licence,
        "training data": f"{data.name}, {data.n_pictures} pictures, {data.licence}, {data.origin}" if data else "",
        "training": card.training,
        "notes": card.notes,
        "made with": f"zorse {card.zorse_version}" if card.zorse_version else "",
    }
    metrics = {metric.name: f"{metric.value:g} ({metric.protocol})" for metric in card.metrics}
    return {label: text for label, text in (lines | metrics).items() if text}


def sample_card_data(file: Path, card: "SampleCard") -> dict[str, Any]:
    """The same for scripts."""
    return {"file": str(file)} | card.model_dump(mode="json")
