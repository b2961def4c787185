"""The backend that runs a stranger's network: each picture in a new process, within its confines."""

import json
import math
import sys
from pathlib import Path

import numpy as np

from zorse.errors import WeightsError
from zorse.imaging.tensor import Tensor
from zorse.model.model_file import Network
from zorse.runtime.devices import CPU
from zorse.system.stopping import check_stopped
from zorse_app import texts
from zorse_app.own.confined import Confines, Ended, TooSlow, run_confined
from zorse_app.own.network_process import OUT_OF_MEMORY, Task

_PROGRAM = Path(__file__).with_name("network_process.py")


class OwnBackend:
    """Callable (N, 3, H, W) float32 in [-1, 1] -> the same shape.

    Args:
        network: what `checked_network` has let pass.
        file: where it is kept until it is needed; made here.
        name: what errors call it.
        confines: of each picture.
    """

    provider = CPU

    def __init__(self, network: Network, file: Path, name: str, confines: Confines) -> None:
        self._input, self._output = network.input, network.output
        self._file = file
        self._file.write_bytes(network.content)
        self._name = name
        self._confines = confines

    def __call__(self, pictures: Tensor) -> Tensor:
        """Runs the network.

        Raises:
            MemoryError: its memory does not suffice for pictures of this size.
            WeightsError: the network cannot compute pictures, or takes too long.
            Stopped: the visitor wanted no more of it.
        """
        try:
            model = self._file.read_bytes()
        except OSError:
            raise WeightsError(texts.OWN_MISSING) from None
        task: Task = {
            "input": self._input,
            "output": self._output,
            "model_bytes": len(model),
            "shape": list(pictures.shape),
        }
        given = b"".join((json.dumps(task).encode(), b"\n", model, pictures.tobytes()))
        try:
            # -P: the folder of the program is not among those that modules are looked for in.
            ended = run_confined([sys.executable, "-P", str(_PROGRAM)], given, self._confines, check_stopped)
        except TooSlow:
            seconds = self._confines.seconds
            raise WeightsError(texts.OWN_TOO_SLOW.format(name=self._name, seconds=seconds)) from None
        return self._result(ended, pictures)

    def _result(self, ended: Ended, pictures: Tensor) -> Tensor:
        if ended.status == OUT_OF_MEMORY:
            raise MemoryError(self._name)
        if ended.status:
            last = ended.errors.strip().splitlines()[-1:] or [texts.OWN_ENDED.format(status=ended.status)]
            raise WeightsError(texts.OWN_FAILED.format(name=self._name, reason=last[0]))
        line, _, content = ended.output.partition(b"\n")
        shape = json.loads(line)
        if list(pictures.shape) != shape or len(content) != 4 * math.prod(shape):
            raise WeightsError(texts.OWN_WRONG_SHAPE.format(name=self._name, given=pictures.shape, result=tuple(shape)))
        return np.frombuffer(content, np.float32).reshape(shape)
