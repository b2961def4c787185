"""Which networks a checkpoint holds: their architecture, read off names and shapes, and their weights by our names.

The names are those of `models/networks.py` in pytorch-CycleGAN-and-pix2pix and in CUT: positions in nn.Sequential.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zorse.backends.torch.safetensors_file import blank_generator, first_difference
from zorse.errors import IncompatibleWeights, WeightsError
from zorse.model.architecture import (
    DiscriminatorConfig,
    GeneratorConfig,
    Norm,
    PatchGANConfig,
    PixelConfig,
    ResnetConfig,
    UnetConfig,
)
from zorse.networks.build import build_discriminator

State = Mapping[str, Tensor]

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class ForeignGenerator:
    """A generator of a foreign checkpoint."""

    config: ResnetConfig | UnetConfig
    state: State
    """By the names of our own network; it can be loaded into it."""


@dataclass(frozen=True)
class ForeignDiscriminator:
    """A discriminator of a foreign checkpoint."""

    config: PatchGANConfig | PixelConfig
    in_channels: int
    """3, or 6 in pix2pix, where it judges pairs."""
    state: State


ForeignNetwork = ForeignGenerator | ForeignDiscriminator


def find_networks(tensors: State, file: str) -> dict[str, ForeignNetwork]:
    """The known networks among a checkpoint's tensors, by where they are in it ("" for the whole file).

    Args:
        tensors: from `flattened`.
        file: for messages.

    Raises:
        WeightsError: there is none.
        IncompatibleWeights: one looks like a known network but is another one.
    """
    found: dict[str, ForeignNetwork] = {}
    for kind in _KINDS:
        for place in _places(tensors, kind):
            state = {name.removeprefix(place): tensor for name, tensor in tensors.items() if name.startswith(place)}
            own = {name: tensor for name, tensor in state.items() if name.startswith(kind.root)}
            where = f"{file} ({place.rstrip('.')})" if place else file
            if kind.not_with not in own:
                found[place.rstrip(".")] = _taken(kind, own, where)
    if not found:
        names = ", ".join(list(tensors)[:4]) or "no tensors at all"
        raise WeightsError(
            f"{file} holds no network that Zorse knows. Wanted: a ResNet or U-Net generator or a PatchGAN of "
            f"pytorch-CycleGAN-and-pix2pix or CUT, whose weights are called model.1.weight and so on. Found: {names}."
        )
    return found


@dataclass(frozen=True)
class _Kind:
    """How to know a network among other tensors."""

    root: str
    """Beginning of all its names."""
    signature: str
    """The name of its first convolution, or of another one that no other kind has."""
    kernel: int
    """Side of that convolution's kernel."""
    take: Callable[[State, str], ForeignNetwork]
    not_with: str = ""
    """A name that shows that it is none."""


def _places(tensors: State, kind: _Kind) -> list[str]:
    """What stands before the names of each network of this kind: "" or "netG." and the like."""
    return [
        name.removesuffix(kind.signature)
        for name, tensor in tensors.items()
        if (name == kind.signature or name.endswith(f".{kind.signature}"))
        and tensor.ndim == 4
        and tensor.shape[-1] == kind.kernel
    ]


def _taken(kind: _Kind, state: State, file: str) -> ForeignNetwork:
    try:
        return kind.take(state, file)
    except (KeyError, IndexError, ValueError) as error:  # What should be there is not.
        raise IncompatibleWeights(
            f"{file} looks like a network of pytorch-CycleGAN-and-pix2pix or CUT, but is not complete ({error}). "
            "It is a part of one, or was made by a changed program; Zorse cannot load it."
        ) from error


# Generators


def _resnet(state: State, file: str) -> ForeignGenerator:
    """ReflectionPad, c7s1, then from 4 on two downsamplings, the blocks, two upsamplings, ReflectionPad, c7s1, Tanh."""
    stem = state["model.1.weight"]
    strided = _is_convolution(state, "model.7")  # A blur takes one more place, in each of the two downsamplings.
    first = 10 if strided else 12
    n_blocks = len({name.split(".")[1] for name in state if ".conv_block." in name})
    after = first + n_blocks
    _check_blurs(state, file)
    config = ResnetConfig(
        in_channels=stem.shape[1],
        out_channels=state[f"model.{_last_convolution(state)}.weight"].shape[0],
        base_channels=stem.shape[0],
        n_blocks=n_blocks,
        norm=_norm(state, "model.1", "model.2"),
        downsampling="strided" if strided else "blur",
        upsampling="transposed" if _is_convolution(state, f"model.{after}") else "bilinear",
        # Dropout stands before the block's second convolution and moves it from place 5 to 6.
        dropout=_is_convolution(state, f"model.{first}.conv_block.6"),
    )
    if config.upsampling == "bilinear" and not _is_convolution(state, f"model.{after + 1}"):
        raise IncompatibleWeights(
            f"{file} looks like a ResNet generator with {n_blocks} blocks, but how it enlarges cannot be told from its "
            "names: there is a convolution neither where the transposed one of CycleGAN would be nor where that of CUT "
            "would be. It was made by a changed program; Zorse cannot load it."
        )
    renamed = {
        name.replace("model.", "layers.", 1).replace(".conv_block.", ".body."): tensor for name, tensor in state.items()
    }
    expected = blank_generator(config).state_dict()
    return ForeignGenerator(config, _fitted(renamed, expected, config, file))


def _unet(state: State, file: str) -> ForeignGenerator:
    """Blocks in blocks: (LeakyReLU, convolution, norm, inner block, ReLU, transposed convolution, norm, Dropout)."""
    blocks = ["model.model.1"]  # Of the levels 1, 2, ...; level 0 is the outermost block, which has neither norm.
    while _is_convolution(state, f"{blocks[-1]}.model.5"):
        blocks.append(f"{blocks[-1]}.model.3")
    *middle, innermost = blocks
    depth = len(blocks) + 1
    ours = {"model.model.0": "downs.0.layers.0", "model.model.3": "to_image.1"}
    for level, block in enumerate(blocks, start=1):
        up = f"ups.{depth - 1 - level}"
        ours[f"{block}.model.1"] = f"downs.{level}.layers.1"
        if block in middle:
            ours[f"{block}.model.2"] = f"downs.{level}.layers.2"
            ours[f"{block}.model.5"], ours[f"{block}.model.6"] = f"{up}.layers.1", f"{up}.layers.2"
    ours[f"{innermost}.model.3"], ours[f"{innermost}.model.4"] = "ups.0.layers.1", "ups.0.layers.2"
    outermost = state["model.model.0.weight"]
    norm = _norm(state, f"{blocks[0]}.model.1", f"{blocks[0]}.model.2")
    config = UnetConfig(
        in_channels=outermost.shape[1],
        out_channels=state["model.model.3.weight"].shape[1],
        base_channels=outermost.shape[0],
        depth=depth,
        norm=norm,
        # Nothing shows it: dropout has no weights, and moves nothing here. The programs use it for pix2pix, whose norm
        # is BatchNorm, and not for CycleGAN and CUT, whose norm is InstanceNorm.
        dropout=norm == "batch",
    )
    renamed = {}
    for name, tensor in state.items():
        module, _, leaf = name.rpartition(".")
        renamed[f"{ours.get(module, module)}.{leaf}"] = tensor
    return ForeignGenerator(config, _fitted(renamed, blank_generator(config).state_dict(), config, file))


# Discriminators


def _patchgan(state: State, file: str) -> ForeignDiscriminator:
    """Convolution, LeakyReLU, then n_layers times convolution, norm, LeakyReLU, then a convolution."""
    convolutions = [index for index in range(_last_convolution(state) + 1) if _is_convolution(state, f"model.{index}")]
    first = state["model.0.weight"]
    _check_blurs(state, file)
    config = PatchGANConfig(
        base_channels=first.shape[0],
        n_layers=len(convolutions) - 2,
        norm=_norm(state, f"model.{convolutions[1]}", f"model.{convolutions[1] + 1}"),
        downsampling="strided" if convolutions[1] == 2 else "blur",
    )
    return _discriminator(state, config, first.shape[1], "model.", file)


def _pixel(state: State, file: str) -> ForeignDiscriminator:
    """1x1 convolution, LeakyReLU, 1x1 convolution, norm, LeakyReLU, 1x1 convolution."""
    first = state["net.0.weight"]
    config = PixelConfig(base_channels=first.shape[0], norm=_norm(state, "net.2", "net.3"))
    return _discriminator(state, config, first.shape[1], "net.", file)


def _discriminator(
    state: State, config: PatchGANConfig | PixelConfig, in_channels: int, root: str, file: str
) -> ForeignDiscriminator:
    renamed = {name.replace(root, "layers.", 1): tensor for name, tensor in state.items()}
    with torch.device("meta"):
        expected = build_discriminator([config], in_channels).state_dict()
    return ForeignDiscriminator(config, in_channels, _fitted(renamed, expected, config, file))


# What the kinds share


def _norm(state: State, convolution: str, norm: str) -> Norm:
    """The normalisation after a convolution.

    The programs give convolutions a bias before InstanceNorm only. InstanceNorm of 2018 kept running statistics, which
    it did not use.
    """
    has_bias = f"{convolution}.bias" in state
    has_statistics = f"{norm}.running_mean" in state
    if f"{norm}.weight" in state:
        return "batch" if has_statistics and not has_bias else "instance_affine"
    return "instance" if has_bias or has_statistics else "none"


def _is_convolution(state: State, module: str) -> bool:
    weight = state.get(f"{module}.weight")
    return weight is not None and weight.ndim == 4


def _last_convolution(state: State) -> int:
    """Its place in the outer nn.Sequential."""
    return max(int(name.split(".")[1]) for name in state if re.fullmatch(r"model\.\d+\.weight", name))


def _check_blurs(state: State, file: str) -> None:
    """CUT's filters have no weights, so that ours need none, but they must be the ones of 3 and 4 taps."""
    for name, tensor in state.items():
        if name.endswith(".filt") and tensor.shape[-1] not in (3, 4):
            raise IncompatibleWeights(
                f"{file} blurs with {tensor.shape[-1]} taps ({name}); Zorse knows the antialiasing of CUT, with 3 taps "
                "to shrink and 4 to enlarge. It was made by a changed program; Zorse cannot load it."
            )


def _fitted(renamed: State, expected: State, config: GeneratorConfig | DiscriminatorConfig, file: str) -> State:
    """The tensors that our network takes: without what it does not need, with zeros where it has more.

    Raises:
        IncompatibleWeights: a tensor is missing, surplus, or of another shape.
    """
    needless = {name for name in renamed if name.endswith(".filt")}
    if not any(name.endswith("running_mean") for name in expected):
        needless |= {name for name in renamed if name.endswith(_STATISTICS)}
    state = {name: tensor for name, tensor in renamed.items() if name not in needless}
    for name, wanted in expected.items():
        # Where they give no bias ours is zero; PyTorch before 0.4.1 did not count the batches of BatchNorm.
        if name not in state and name.endswith((".bias", ".num_batches_tracked")):
            state[name] = wanted.new_zeros(wanted.shape, device="cpu")
    difference = first_difference(expected, state)
    if difference is not None:
        raise IncompatibleWeights(
            f"{file} looks like a {config.kind} network of pytorch-CycleGAN-and-pix2pix or CUT, but {difference} (by "
            f"Zorse's names). It was made by a changed program; Zorse cannot load it."
        )
    return state


_KINDS = (
    _Kind("model.", "model.1.weight", 7, _resnet),
    _Kind("model.", "model.model.1.model.1.weight", 4, _unet),
    # A U-Net has such a convolution, too, but blocks where a PatchGAN has layers.
    _Kind("model.", "model.0.weight", 4, _patchgan, not_with="model.1.model.1.weight"),
    _Kind("net.", "net.0.weight", 1, _pixel),
)
