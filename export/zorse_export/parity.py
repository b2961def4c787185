"""Comparing what an ONNX file computes with what the network computes."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from zorse.architecture import Frozen
from zorse.card import ModelCard
from zorse.errors import ExportError
from zorse.generator_file import Precision
from zorse.imaging.tensor import Tensor
from zorse.runtime.onnx import CPU, INPUT_NAME, OUTPUT_NAME
from zorse.runtime.passes import MIN_SIDE
from zorse_export.graph import OPSET

TOLERANCE = 1e-4
"""Largest difference allowed, in units of the value range [-1, 1]; one level of an 8-bit picture is 7.8e-3."""

_ONLY_FATAL = 4


class ParityCheck(Frozen):
    """The largest absolute differences at one size, in units of the value range [-1, 1]."""

    batch: int
    height: int
    width: int
    pictures: float
    """On drawn pictures: areas, edges and gradients."""
    noise: float
    """On uniform noise over the whole range."""
    pictures_from_fp32: float
    """On the pictures, from the network with its weights in 32 bits; the price of "fp16"."""


class ParityReport(Frozen):
    """What was written, and how close it is to the network it was made from."""

    file: Path
    card: ModelCard
    precision: Precision
    opset: int = OPSET
    tolerance: float = TOLERANCE
    checks: tuple[ParityCheck, ...]
    size: int
    """Bytes of the file."""
    sha256: str
    """Of the file."""


def compare(model: bytes, network: nn.Module, original: nn.Module, card: ModelCard) -> tuple[ParityCheck, ...]:
    """Runs the ONNX model on the CPU and the network on the same pictures, at three sizes.

    Args:
        model: the content of the ONNX file.
        network: what the file must compute.
        original: the network with its weights in 32 bits.
        card: gives size multiple, native size and channels.

    Raises:
        ExportError: ONNX Runtime does not take the file, or a difference is over `TOLERANCE`.
    """
    session = _session(model, card)
    checks = []
    for batch, height, width in check_sizes(card):
        shape = (batch, card.architecture.in_channels, height, width)
        random = np.random.default_rng(0)
        pictures = drawn_pictures(random, shape)
        translated = _run(session, pictures)
        noise = random.uniform(-1, 1, shape).astype(np.float32)
        check = ParityCheck(
            batch=batch,
            height=height,
            width=width,
            pictures=_difference(translated, _expected(network, pictures)),
            noise=_difference(_run(session, noise), _expected(network, noise)),
            pictures_from_fp32=_difference(translated, _expected(original, pictures)),
        )
        _judge(check, card)
        checks.append(check)
    return tuple(checks)


def check_sizes(card: ModelCard) -> Iterator[tuple[int, int, int]]:
    """(batch, height, width): the native square; a wide picture that is smaller; two pictures, tall and larger."""

    def side(share: float) -> int:
        return math.ceil(max(MIN_SIDE, share * card.native_size) / card.size_multiple) * card.size_multiple

    yield 1, side(1), side(1)
    yield 1, side(0.5), side(0.75) + card.size_multiple
    yield 2, side(1.25), side(0.75)


def drawn_pictures(random: np.random.Generator, shape: tuple[int, int, int, int]) -> Tensor:
    """(N, C, H, W) float32 in [-1, 1]: overlapping rectangles of one colour or a gradient, on a gradient."""
    height, width = shape[2:]
    pictures = np.empty(shape, np.float32)
    for picture in pictures:
        _paint(picture, random)
        for _ in range(12):
            top, left = random.integers(height), random.integers(width)
            bottom, right = top + 1 + random.integers(height), left + 1 + random.integers(width)
            _paint(picture[:, top:bottom, left:right], random)
    return pictures


def _paint(area: Tensor, random: np.random.Generator) -> None:
    """Fills (C, h, w) with a gradient between two colours, from left to right; half of the time they are one."""
    channels, _, width = area.shape
    start = random.uniform(-1, 1, (channels, 1, 1))
    end = random.choice([start, random.uniform(-1, 1, (channels, 1, 1))])
    area[:] = start + (end - start) * np.linspace(0, 1, width)


def _session(model: bytes, card: ModelCard) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    try:
        return onnxruntime.InferenceSession(model, options, providers=[CPU])
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise ExportError(f"ONNX Runtime does not take the graph of {card.name!r}: {error}") from error


def _run(session: onnxruntime.InferenceSession, pictures: Tensor) -> Tensor:
    result: Tensor = session.run([OUTPUT_NAME], {INPUT_NAME: pictures})[0]
    return result


def _expected(network: nn.Module, pictures: Tensor) -> Tensor:
    with torch.inference_mode():
        result: Tensor = network(torch.from_numpy(pictures)).numpy()
    return result


def _difference(found: Tensor, expected: Tensor) -> float:
    """Largest absolute difference; infinite where the shapes differ, NaN where a value is not a number."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max())


def _judge(check: ParityCheck, card: ModelCard) -> None:
    for kind, difference in (("pictures", check.pictures), ("noise", check.noise)):
        if not difference <= TOLERANCE:  # NaN is not smaller than anything
            raise ExportError(
                f"The ONNX file of {card.name!r} does not compute what the network computes: at {check.width}x"
                f"{check.height} pixels (batch of {check.batch}, {kind}) they differ by {difference:.2g}, more than "
                f"the {TOLERANCE:g} allowed. No file was written."
            )
