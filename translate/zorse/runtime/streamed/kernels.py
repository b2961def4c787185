"""What computes the tile of a stage: see `zorse.backends.onnx.kernels`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from zorse.imaging.tensor import Tensor
from zorse.runtime.streamed.moments import Normalisation
from zorse.runtime.streamed.program import Program
from zorse.runtime.streamed.stages import Piece

Compute = Callable[[Sequence[Tensor]], list[Tensor]]
"""The windows of a piece's sources, each (1, C, h, w), -> its results. Raises MemoryError where memory is short."""


class Kernels(Protocol):
    """The weights of a generator, and the means to compute with them."""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The network's constants, by the names that the program uses; those of normalisations are float32."""

    @property
    def program(self) -> Program:
        """The generator's operations."""

    @property
    def held(self) -> int:
        """Bytes that the weights take here beside the network itself."""

    @property
    def comfortable(self) -> int:
        """Bytes for a tile beyond which it gains nothing."""

    def compile(self, piece: Piece, norms: Mapping[int, Normalisation]) -> Compute:
        """Prepares the computation of a piece, with the normalisations as they were measured, by their operation."""
