"""Comparing what a file computes with what the network computes."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from zorse.errors import ExportError
from zorse.imaging.tensor import Tensor, crop, from_range, to_pixels
from zorse.model.architecture import Frozen
from zorse.model.card import ModelCard
from zorse.model.parity import Bounds, Compared, ExportPrecision, Io
from zorse.runtime.devices import CPU
from zorse.runtime.passes import MIN_SIDE
from zorse_export.cases import Batch, Case, cases, padded

TOLERANCE = 1e-4
"""Largest difference allowed where nothing is rounded, in units of the value range [-1, 1]."""
PEAK = 2.0
"""Width of the value range, to which PSNR refers."""

BOUNDS: dict[ExportPrecision, Bounds] = {
    "fp32": Bounds(difference=TOLERANCE, levels=1),
    "fp16": Bounds(difference=TOLERANCE, levels=1, psnr=50),
    "fp16-compute": Bounds(psnr=50),
    "int8": Bounds(psnr=35),
}

LEAST_DIFFERENCE = 1e-5
MOST_PSNR = 100
"""What is below, or above, is rounding error, which varies from one number of threads to another."""

_AROUND = 1
"""Levels by which a uint8 file may differ from its own core, scaled, padded and rounded by our runtime."""

_ONLY_FATAL = 4


class ParityCheck(Frozen):
    """What the comparison with some pictures showed."""

    compared: Compared
    difference: float
    """Largest absolute one, on [-1, 1], from the network with the weights as the file stores them ("int8" and
    "fp16-compute": in 32 bits)."""
    levels: int
    """Largest difference of the 8-bit pictures."""
    psnr: float | None
    """In dB, from the network with its weights in 32 bits; None where nothing differs."""


@dataclass(frozen=True)
class Candidate:
    """What may be written."""

    content: bytes
    """Of the file."""
    core: bytes
    """Of the float graph in it, as a model of its own; the file itself if it is a float file."""
    judged: bytes
    """What is held against the network: `core`, or for "fp16-compute" what GPUs make of it."""
    io: Io
    card: ModelCard
    precision: ExportPrecision


@dataclass(frozen=True)
class Judges:
    """The networks that a candidate is held against, on the CPU, in evaluation mode.

    They compute in 64 bits: deep networks with learned scales amplify PyTorch's own rounding in 32 bits to more than
    the bounds on pictures of one pixel, where ONNX Runtime's is a hundredth of that.
    """

    same_weights: nn.Module
    """With the weights as the file stores them, as far as these are in floating point."""
    original: nn.Module
    """With the weights as they came."""

    @classmethod
    def of(cls, same_weights: nn.Module, original: nn.Module) -> Self:
        """Judges by copies of two networks, or of one."""
        exact = deepcopy(original).double()
        return cls(exact if same_weights is original else deepcopy(same_weights).double(), exact)


Blame = Callable[[Tensor], str]
"""Says in which layer a candidate begins to differ, for an input (N, C, H, W) of the network."""


def compare(candidate: Candidate, judges: Judges, real: Sequence[Batch], blame: Blame) -> tuple[ParityCheck, ...]:
    """Runs a candidate on the CPU and its network on the same pictures, at seven sizes.

    A picture of a few pixels is left out if the network's result hangs on the last digits of its 32-bit numbers: no
    two programs agree there. (A constant picture is nothing but rounding after a normalisation, which widens that by
    300, and the next one again.)

    Args:
        candidate: what may be written.
        judges: what it must compute.
        real: (1, H, W, C) pictures of the source domain; may be empty.
        blame: is asked where a difference is too large.

    Raises:
        ExportError: ONNX Runtime does not take the file, or a difference is over the bounds of its precision.
    """
    judged_session = open_session(candidate.judged, candidate.card)
    core_session = open_session(candidate.core, candidate.card) if candidate.core != candidate.judged else None
    session = open_session(candidate.content, candidate.card) if candidate.io == "uint8" else None
    checks = []
    for case in cases(candidate.card, real):
        picture = padded(case.pixels, candidate.card)
        card = candidate.card
        found = _computed_by_graph(judged_session, picture, card)
        expected = _computed(judges.same_weights, picture, card)
        original = expected if judges.original is judges.same_weights else _computed(judges.original, picture, card)
        measured = _Measured(largest_difference(found, expected), psnr(found, original))
        if math.isfinite(measured.difference):
            own = _rounded(
                found if core_session is None else _computed_by_graph(core_session, picture, card), case.pixels
            )
            pixels = own if session is None else run_graph(session, case.pixels)
            levels = _level_difference(pixels, _rounded(expected, case.pixels))
            measured = replace(measured, levels=levels, around=_level_difference(pixels, own))
        problem = measured.problem(BOUNDS[candidate.precision])
        if (
            problem
            and min(case.pixels.shape[1:3]) < MIN_SIDE
            and _undetermined(judges.original, picture, original, card)
        ):
            continue
        if problem:
            raise ExportError(_complaint(candidate, case, problem, blame(picture)))
        checks.append(measured.check(case))
    return tuple(checks)


@dataclass(frozen=True)
class _Measured:
    difference: float
    psnr: float
    levels: float = math.inf
    """Infinite where the shapes differ, or values are no numbers."""
    around: float = math.inf
    """Levels between the file and its own core. Infinite likewise."""

    def problem(self, bounds: Bounds) -> str:
        """What is over the bounds, in words; empty if nothing is. What is not a number is over every bound."""
        if bounds.difference is not None and not self.difference <= bounds.difference:
            return f"they differ by {self.difference:.2g}, more than the {bounds.difference:g} allowed"
        if bounds.psnr is not None and not self.psnr >= bounds.psnr:
            return f"its PSNR is {self.psnr:.1f} dB, less than the {bounds.psnr:g} dB wanted"
        if not self.around <= _AROUND:
            return f"pictures differ by {self.around:g} of 255 levels from what its own network gives"
        if bounds.levels is not None and not self.levels <= bounds.levels:
            return f"pictures differ by {self.levels:g} of 255 levels, more than the {bounds.levels} allowed"
        return ""

    def check(self, case: Case) -> ParityCheck:
        batch, height, width = case.pixels.shape[:3]
        return ParityCheck(
            compared=Compared(pictures=case.kind, batch=batch, height=height, width=width),
            difference=self.difference,
            levels=int(self.levels),
            psnr=self.psnr if math.isfinite(self.psnr) else None,
        )


def largest(checks: Sequence[ParityCheck], bounds: Bounds) -> float | None:
    """The largest difference, rounded; None where the bounds name none."""
    return None if bounds.difference is None else rounded_up(max(check.difference for check in checks))


def rounded_up(difference: float) -> float:
    """To a power of ten, at least `LEAST_DIFFERENCE`."""
    return float(f"1e{math.ceil(math.log10(max(difference, LEAST_DIFFERENCE)))}")


def least_psnr(checks: Sequence[ParityCheck], bounds: Bounds) -> int | None:
    """The least PSNR in whole dB, at most `MOST_PSNR`; None where the bounds name none."""
    found = (MOST_PSNR if check.psnr is None else check.psnr for check in checks)
    return None if bounds.psnr is None else math.floor(min(MOST_PSNR, *found))


def open_session(model: bytes, card: ModelCard) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the CPU.

    Raises:
        ExportError: it does not take the graph.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    try:
        return onnxruntime.InferenceSession(model, options, providers=[CPU])
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise ExportError(f"ONNX Runtime does not take the graph of {card.name!r}: {error}") from error


def run_graph(session: onnxruntime.InferenceSession, pictures: NDArray[Any]) -> NDArray[Any]:
    """(N, C, H, W) in its range through a float graph, or (N, H, W, 3) uint8 through one that takes pixels.

    Raises:
        ExportError: ONNX Runtime cannot compute it.
    """
    try:
        result: NDArray[Any] = session.run(None, {session.get_inputs()[0].name: pictures})[0]
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise ExportError(
            f"ONNX Runtime cannot compute pictures of shape {pictures.shape} with the graph that was made: {error}. "
            "No file was written. If it is the memory, close other programs."
        ) from error
    return result


def _computed_by_graph(session: onnxruntime.InferenceSession, picture: Tensor, card: ModelCard) -> Tensor:
    """(N, C, H, W) in the card's range -> (N, out, H, W) in [-1, 1] through ONNX Runtime."""
    return from_range(run_graph(session, picture), card.value_range)


def _computed(network: nn.Module, picture: Tensor, card: ModelCard) -> Tensor:
    """The same through PyTorch, in 64 bits, rounded to 32."""
    with torch.inference_mode():
        result: Tensor = network(torch.from_numpy(picture).double()).float().numpy()
    return from_range(result, card.value_range)


def _undetermined(network: nn.Module, picture: Tensor, result: Tensor, card: ModelCard) -> bool:
    """Whether changes of the picture's last digits change the result by more than `TOLERANCE`."""
    last_digits = np.random.default_rng(0).uniform(-1, 1, picture.shape) * np.finfo(np.float32).eps
    changed = _computed(network, (picture * (1 + last_digits)).astype(np.float32), card)
    return largest_difference(changed, result) > TOLERANCE


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Infinite where the shapes differ, NaN where a value is not a number."""
    if found.shape != expected.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        return float(np.abs(found - expected).max())


def psnr(found: Tensor, expected: Tensor) -> float:
    """In dB; infinite where nothing differs, minus infinity where the shapes do or values are no numbers."""
    if found.shape != expected.shape:
        return float("-inf")
    with np.errstate(invalid="ignore", over="ignore"):
        error = float(np.mean(np.square(found - expected, dtype=np.float64)))
    if not math.isfinite(error):
        return float("-inf")
    return 10 * math.log10(PEAK**2 / error) if error else float("inf")


def _rounded(after: Tensor, pixels: Batch) -> Batch:
    """What Zorse's own runtime makes of a network's result for pictures of this size."""
    height, width = pixels.shape[1:3]
    return np.stack([to_pixels(each[None]) for each in crop(after, height, width)])


def _level_difference(found: Batch, expected: Batch) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found.astype(int) - expected).max())


def _complaint(candidate: Candidate, case: Case, problem: str, place: str) -> str:
    batch, height, width = case.pixels.shape[:3]
    return (
        f"The ONNX file of {candidate.card.name!r} ({candidate.precision}) does not compute what the network computes: "
        f"at {width}x{height} pixels (batch of {batch}, {case.kind} pictures) {problem}. {place} No file was written."
    )
