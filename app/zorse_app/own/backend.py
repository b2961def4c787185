"""The backend that runs a stranger's network: each picture in a new process, within its confines."""

import json
import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from zorse.errors import WeightsError
from zorse.imaging.tensor import Tensor
from zorse.model.model_file import Network
from zorse.runtime.cost import FileCost
from zorse.runtime.devices import CPU
from zorse.runtime.streamed.kernels import Kernels
from zorse.runtime.streamed.plan import LARGE
from zorse_app import texts
from zorse_app.own.confined import Confines, Ended, TooSlow, run_confined
from zorse_app.own.network_process import OUT_OF_MEMORY, Task
from zorse_app.stops import check_stopped

_PROGRAM = Path(__file__).with_name("network_process.py")


class OwnBackend:
    """Callable (N, 3, H, W) float32 in [-1, 1] -> the same shape; its tiles are computed likewise.

    Args:
        network: what `checked_network` has let pass.
        file: where it is kept until it is needed; made here.
        name: what errors call it.
        confines: of each picture, or tile.
    """

    provider = CPU
    on_gpu = False

    def __init__(self, network: Network, file: Path, name: str, confines: Confines) -> None:
        self._file = file
        self._file.write_bytes(network.content)
        self._card, self._input, self._output = network.card, network.input, network.output
        self._name = name
        self._confines = confines
        self.one_pass = FileCost(self._network)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Runs the network.

        Raises:
            MemoryError: its memory does not suffice for pictures of this size.
            WeightsError: the network cannot compute pictures, or takes too long.
            Stopped: the visitor wanted no more of it.
        """
        confined = ConfinedModel(self._network().content, self._name, self._confines)
        (result,) = confined.run([self._output], {self._input: pictures})
        if result.shape != pictures.shape:
            raise WeightsError(texts.OWN_WRONG_SHAPE.format(name=self._name, given=pictures.shape, result=result.shape))
        return result

    def kernels(self) -> Kernels:
        """What computes the network in tiles.

        Raises:
            IncompatibleWeights: an operator cannot be computed in tiles.
            WeightsError: the network is gone.
        """
        from zorse.backends.onnx.kernels import OnnxKernels  # imports onnx, which takes a while
        from zorse.runtime.streamed.reader import read_tiled

        confined = partial(ConfinedModel, name=self._name, confines=self._confines)
        return OnnxKernels(read_tiled(self._network()), confined, LARGE)  # each tile takes the start of a process

    def _network(self) -> Network:
        try:
            return Network(self._card, self._file.read_bytes(), self._input, self._output)
        except OSError:
            raise WeightsError(texts.OWN_MISSING) from None


@dataclass(frozen=True)
class ConfinedModel:
    """A model, each of whose runs is a process of its own."""

    content: bytes
    name: str
    confines: Confines

    def run(self, outputs: list[str], inputs: dict[str, Tensor]) -> list[Tensor]:
        """Computes tensors of the model; raises what `OwnBackend` does."""
        task: Task = {
            "model_bytes": len(self.content),
            "inputs": {name: list(values.shape) for name, values in inputs.items()},
            "outputs": outputs,
        }
        values = (np.ascontiguousarray(each).tobytes() for each in inputs.values())
        given = b"".join((json.dumps(task).encode(), b"\n", self.content, *values))
        try:
            # -P: the folder of the program is not among those that modules are looked for in.
            ended = run_confined([sys.executable, "-P", str(_PROGRAM)], given, self.confines, check_stopped)
        except TooSlow:
            raise WeightsError(texts.OWN_TOO_SLOW.format(name=self.name, seconds=self.confines.seconds)) from None
        return self._results(ended)

    def _results(self, ended: Ended) -> list[Tensor]:
        if ended.status == OUT_OF_MEMORY:
            raise MemoryError(self.name)
        if ended.status:
            last = ended.errors.strip().splitlines()[-1:] or [texts.OWN_ENDED.format(status=ended.status)]
            raise WeightsError(texts.OWN_FAILED.format(name=self.name, reason=last[0]))
        line, _, content = ended.output.partition(b"\n")
        values, results = np.frombuffer(content, np.float32), []
        for shape in json.loads(line):
            results.append(values[: math.prod(shape)].reshape(shape))
            values = values[math.prod(shape) :]
        return results
