"""What a picture costs a network, known before a pixel of it is decoded."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

from zorse.errors import IncompatibleWeights
from zorse.model.model_file import Network
from zorse.runtime.streamed.plan import whole_pass_size
from zorse.runtime.streamed.program import Program, is_transposed, products
from zorse.runtime.streamed.stages import map_sizes
from zorse.system.memory import give_back


class PassCost(NamedTuple):
    """Of one pass of a network over a whole picture."""

    memory: int
    """Bytes, estimated rather too high."""
    products: int
    """Multiplications. Faster algorithms take fewer and tiles take more, both in proportion: the number compares work,
    it is not time. A ResNet-9 takes 760,000 for each pixel, the compact network 69,000."""


_UNKNOWN = PassCost(memory=400, products=760_000)
"""For each pixel, where nothing is known of a network: memory as the compact network takes, work as ResNet-9 does."""


@runtime_checkable
class Estimating(Protocol):
    """A backend that knows what a pass costs."""

    def one_pass(self, height: int, width: int) -> PassCost:
        """What a pass costs.

        Args:
            height: of the picture as the network gets it, in pixels.
            width: likewise.
        """


def one_pass(backend: object, height: int, width: int) -> PassCost:
    """What a pass of a backend costs, or may cost where it does not say.

    Args:
        backend: runs the network.
        height: of the picture as the network gets it, in pixels.
        width: likewise.
    """
    return backend.one_pass(height, width) if isinstance(backend, Estimating) else _unknown(height, width)


class FileCost:
    """What a pass of a model file costs. The file is read when that is asked for the first time.

    Args:
        read: gives the network in the file.
    """

    def __init__(self, read: Callable[[], Network]) -> None:
        self._read = read

    def __call__(self, height: int, width: int) -> PassCost:
        """See `Estimating.one_pass`."""
        if self._program is None:
            return _unknown(height, width)
        sizes = map_sizes(self._program, height, width)
        total = 0
        for index, op in enumerate(self._program):
            if op.inputs:
                high, wide = sizes[op.inputs[0] if is_transposed(op) else index]
                total += products(op) * high * wide
        return PassCost(whole_pass_size(self._program, height, width), total)

    @cached_property
    def _program(self) -> Program | None:
        from zorse.runtime.streamed.reader import read_tiled  # imports onnx, which takes a while

        try:
            return read_tiled(self._read()).program
        except IncompatibleWeights:
            return None
        finally:
            give_back()  # the weights, which are not needed for this


def _unknown(height: int, width: int) -> PassCost:
    return PassCost(_UNKNOWN.memory * height * width, _UNKNOWN.products * height * width)
