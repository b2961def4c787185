"""An exported generator in the place of the network that it was made from."""

from pathlib import Path

import torch
from torch import Tensor, nn

from zorse.gans.card import SampleCard
from zorse.gans.networks.latents import take_apart
from zorse.gans.onnx_model import SampleModel


class OnnxSampleNetwork(nn.Module):
    """(N, latent.size), labels as one-hot numbers among them -> samples, computed by ONNX Runtime on the CPU."""

    def __init__(self, model: SampleModel) -> None:
        super().__init__()
        self._model = model

    def forward(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> (N, *shape). Between two labels, the nearer one is drawn: a file takes whole labels."""
        latent = self._model.card.latent
        parts = take_apart(latent, latents)
        without_labels = torch.cat([parts.noise, *parts.categories, parts.continuous], dim=1)
        labels = parts.labels.argmax(1).numpy() if latent.classes else None
        return torch.from_numpy(self._model.draw(without_labels.numpy(), labels))


def load_onnx_sample_generator(path: Path) -> tuple[nn.Module, SampleCard]:
    """The generator in an .onnx file that 'zorse export' wrote.

    Raises:
        WeightsError: missing, damaged, or a file that holds something else.
    """
    model = SampleModel.load(path)
    return OnnxSampleNetwork(model).eval(), model.card
