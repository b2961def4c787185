"""The ONNX backend: a model file, run by ONNX Runtime on the CPU or on a GPU."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from zorse.backends.onnx.rewrite import faster
from zorse.backends.onnx.sessions import Session, choose_provider, is_large, open_session
from zorse.errors import ConfigError, WeightsError
from zorse.imaging.tensor import Tensor
from zorse.model.card import ModelCard
from zorse.model.model_file import read_network
from zorse.runtime.cost import FileCost
from zorse.runtime.devices import CPU, CUDA, Arena, Device, Setting
from zorse.runtime.streamed.kernels import Kernels
from zorse.runtime.streamed.plan import COMFORTABLE, LARGE
from zorse.system.memory import give_back


class OnnxBackend:
    """Callable (N, 3, H, W) float32 in [-1, 1] -> the same shape; safe to share among threads.

    On the CPU, convolutions are computed by faster algorithms where there are some, see `zorse.backends.onnx.rewrite`.

    Args:
        file: the .onnx file.
        device: "auto" (CUDA where it runs, else the CPU), or one of `Device`, an error where it does not run.
        threads: CPU threads for one picture; None for one per core.
        arena: what becomes of the memory when a picture is done, see `Arena`.

    Raises:
        WeightsError: missing, damaged, not a Zorse model.
        DeviceError: a device was asked for and does not run here.
        ConfigError: an option makes no sense.
    """

    card: ModelCard
    provider: str
    """The execution provider that really runs the network, asked from the session after its creation."""

    def __init__(
        self, file: str | Path, device: Device = "auto", threads: int | None = None, arena: Arena = "auto"
    ) -> None:
        self.file = Path(file)
        self._setting = Setting(device, threads, arena)
        network = read_network(self.file)
        self.card = network.card
        self.one_pass = FileCost(lambda: read_network(self.file))
        self._input, self._output = network.input, network.output
        self._session, self._one_at_a_time = _opened(self.file, network.content, self._setting)
        self.provider = self._session.provider

    def __call__(self, pictures: Tensor) -> Tensor:
        """Runs the network.

        Raises:
            MemoryError: the memory does not suffice for pictures of this size.
            WeightsError: the network cannot compute pictures of this size.
        """
        if self._one_at_a_time and len(pictures) > 1:
            return np.concatenate([self(picture[None]) for picture in pictures])
        (result,) = self._session.run([self._output], {self._input: pictures})
        arena = self._setting.arena
        if arena == "off" or (arena == "auto" and is_large(pictures)):
            give_back()  # what ONNX Runtime has freed
        return result

    @property
    def on_gpu(self) -> bool:
        """Whether the network runs on a GPU."""
        return self.provider == CUDA

    def kernels(self) -> Kernels:
        """What computes the network piece by piece, for pictures that are streamed.

        Raises:
            IncompatibleWeights: the network has an operator that cannot be computed in tiles.
            ConfigError: the model has dropout at test time; its pieces would be computed without.
        """
        if self.card.dropout_at_test:
            raise ConfigError(
                f"{self.file} keeps dropout active at test time, and is not computed piece by piece. Export the model "
                "without dropout, or work at a smaller size (--size), in one piece (--tiling whole)."
            )
        from zorse.backends.onnx.kernels import OnnxKernels  # imports onnx, which takes a while
        from zorse.runtime.streamed.reader import read_tiled

        tiled = read_tiled(read_network(self.file))
        give_back()  # the file, of which the weights are a copy
        return OnnxKernels(tiled, self._open, LARGE if self.on_gpu else COMFORTABLE)

    def _open(self, content: bytes) -> Session:
        """A session for a part of the network, where the whole network runs."""
        return open_piece(self.file, content, self.provider, self._setting)


def open_piece(file: Path, content: bytes, provider: str, setting: Setting) -> Session:
    """A session for a part of a network, which keeps no memory between its runs; see `Session`."""
    if provider == CPU:
        content = faster(content) or content
    return Session(file, content, provider, replace(setting, arena="off"))


def _opened(file: Path, content: bytes, setting: Setting) -> tuple[Session, bool]:
    """The session, and whether it takes one picture at a time."""
    provider = choose_provider(setting.device)
    if provider != CPU:
        session = open_session(file, content, provider, setting)
        if session.provider == provider:
            return session, False
    try:
        rewritten = faster(content)
    except ValueError as error:
        raise WeightsError(f"{file} is damaged or not an ONNX model: {error}. Get or export it again.") from error
    session = Session(file, rewritten or content, CPU, setting)
    give_back()  # opening a model takes several times its size
    return session, rewritten is not None
