"""What is measured. This module imports no torch: the ONNX Runtime cases must not carry its memory."""

from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from zorse.model.architecture import CompactConfig, GeneratorConfig, ResnetConfig, UnetConfig

Runtime = Literal["eager", "compile", "onnxruntime", "zorse"]
"""PyTorch, PyTorch compiled, ONNX Runtime with the exported graph as it is, and as `zorse translate` runs it."""

GENERATORS: dict[str, GeneratorConfig] = {
    "resnet-9": ResnetConfig(),
    "resnet-6": ResnetConfig(n_blocks=6),
    "unet-256": UnetConfig(),
    "compact": CompactConfig(),
}
PRESETS = {
    "cyclegan resnet-9": "cyclegan_horse2zebra",
    "cyclegan compact": "compact_horse2zebra",
    "cut resnet-9": "cut_horse2zebra",
    "fastcut resnet-9": "fastcut_horse2zebra",
    "pix2pix unet-256": "pix2pix_edges2shoes",
    "pix2pix compact": "compact_edges2shoes",
}
"""Name of a training step -> the preset whose recipe it is, with batch 1."""
SIZES = (128, 256)

REFERENCE_SECONDS = {
    "forward resnet-9 eager 256": "0.70",
    "forward resnet-9 onnxruntime 256": "0.62",
    "step cyclegan resnet-9 128": "3.5",
    "step cyclegan resnet-9 256": "16 to 28",
}
"""Of the reference implementation of CycleGAN, on one machine with 2 cores."""
REFERENCE_MB = {"step cyclegan resnet-9 256": "4200"}


@dataclass(frozen=True)
class Forward:
    """A generator's pass over one picture."""

    network: str
    runtime: Runtime
    size: int

    @property
    def name(self) -> str:
        return f"forward {self.network} {self.runtime} {self.size}"


@dataclass(frozen=True)
class Step:
    """One training step with batch 1."""

    recipe: str
    size: int

    @property
    def name(self) -> str:
        return f"step {self.recipe} {self.size}"


Case = Forward | Step


def fits(network: str, size: int) -> bool:
    return size % GENERATORS[network].size_multiple == 0


def all_cases() -> list[Case]:
    runtimes: tuple[Runtime, ...] = get_args(Runtime)
    forwards = [Forward(*each) for each in product(GENERATORS, runtimes, SIZES) if fits(each[0], each[2])]
    steps = [Step(recipe, size) for recipe, size in product(PRESETS, SIZES) if fits(recipe.split()[1], size)]
    return [*forwards, *steps]
