"""The torch backend of the Translator: a .safetensors file, run by PyTorch."""

import copy
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from zorse.backends.torch.cost import pass_cost
from zorse.backends.torch.safetensors_file import load_generator
from zorse.errors import ConfigError, DeviceError
from zorse.imaging.tensor import Tensor
from zorse.model.card import ModelCard
from zorse.model.model_file import INPUT_NAME, OUTPUT_NAME, Network
from zorse.runtime.cost import PassCost
from zorse.runtime.devices import CPU, Device, Setting
from zorse.runtime.streamed.kernels import Kernels
from zorse.runtime.streamed.plan import COMFORTABLE, LARGE
from zorse.runtime.translator import Translator
from zorse.system.extras import require

if TYPE_CHECKING:
    from zorse.runtime.streamed.reader import TiledNetwork

_SIGNS_OF_TOO_LITTLE_MEMORY = ("out of memory", "allocate memory", "ALLOC_FAILED")
"""In the messages of PyTorch's allocators, of the CUDA driver, and of cuDNN and cuBLAS."""


class TorchBackend:
    """Callable (N, 3, H, W) float32 in [-1, 1] -> the same shape, on arrays in main memory.

    Args:
        network: of the card's architecture; it is copied, so that the caller may go on training it.
        card: says how normalisation and dropout work at test time.
        device: "cpu", "cuda" or "auto": CUDA where it runs, else the CPU.
        threads: of the CPU for one picture; None for what PyTorch is set to.

    Raises:
        DeviceError: CUDA was asked for and does not run here.
    """

    device: torch.device
    """Where the network really runs."""

    def __init__(
        self, network: nn.Module, card: ModelCard, device: Device = "auto", threads: int | None = None
    ) -> None:
        self.card = card
        self._threads = threads
        self.device = usable_device(device)
        self._network = as_tested(network, card).to(self.device)
        self._exporting = threading.Lock()

    def __call__(self, pictures: Tensor) -> Tensor:
        """Runs the network.

        Raises:
            MemoryError: the memory does not suffice for pictures of this size.
        """
        with self._computing():
            result: Tensor = self._network(torch.tensor(pictures, device=self.device)).cpu().numpy()
        return result

    @property
    def on_gpu(self) -> bool:
        """Whether the network runs on a GPU."""
        return self.device.type == "cuda"

    def kernels(self) -> Kernels:
        """What computes the network in tiles: ONNX Runtime, with the graph that is exported when this is asked first.

        A network on a GPU is computed there in tiles, too, where ONNX Runtime finds CUDA; else on the CPU.

        Raises:
            ConfigError: the model has dropout at test time; its pieces would not fit together.
            ExportError: PyTorch cannot express the network as ONNX.
            IncompatibleWeights: an operator cannot be computed in tiles.
            MissingExtraError: what exports is not installed.
        """
        if self.card.dropout_at_test:
            raise ConfigError(
                f"The model {self.card.name!r} keeps dropout active at test time, and what is left to chance cannot be "
                "computed piece by piece. Export it with 'zorse export', which switches dropout off; or work at a "
                "smaller size (--size), in one piece (--tiling whole)."
            )
        from zorse.backends.onnx.backend import open_piece  # ONNX Runtime, which not every network needs
        from zorse.backends.onnx.kernels import OnnxKernels
        from zorse.backends.onnx.sessions import choose_provider

        setting = Setting("auto", self._threads)
        provider = choose_provider("auto") if self.on_gpu else CPU
        session = partial(open_piece, Path(self.card.name), provider=provider, setting=setting)
        with self._exporting:
            return OnnxKernels(self._tiled, session, LARGE if self.on_gpu else COMFORTABLE)

    def one_pass(self, height: int, width: int) -> PassCost:
        """What a pass over a whole picture costs, see `zorse.runtime.cost.Estimating`."""
        with torch.inference_mode():
            return pass_cost(
                self._blank, torch.empty(1, self.card.architecture.in_channels, height, width, device="meta")
            )

    @cached_property
    def _blank(self) -> nn.Module:
        """The network without its weights."""
        return copy.deepcopy(self._network).to("meta")

    @cached_property
    def _tiled(self) -> "TiledNetwork":
        """The exported network. Exporting takes some seconds."""
        from zorse.backends.torch.graph import generator_graph
        from zorse.runtime.streamed.reader import read_tiled

        require("Computing a PyTorch model in tiles", "export", "onnxscript")
        with torch.no_grad():
            traced = generator_graph(copy.deepcopy(self._network).cpu(), self.card, INPUT_NAME, OUTPUT_NAME)
        return read_tiled(Network(self.card, traced.model.SerializeToString(), INPUT_NAME, OUTPUT_NAME))

    @contextmanager
    def _computing(self) -> Iterator[None]:
        try:
            with torch.inference_mode(), exact_convolutions(self.device), using_threads(self._threads):
                yield
        except RuntimeError as error:
            if any(sign in str(error) for sign in _SIGNS_OF_TOO_LITTLE_MEMORY):
                raise MemoryError(str(error)) from error
            raise


def load_torch(path: Path, setting: Setting | None = None) -> Translator:
    """Opens a .safetensors generator for translating with PyTorch.

    Args:
        path: the file.
        setting: device and threads; PyTorch keeps its memory by itself, whatever the arena.

    Raises:
        WeightsError: the file is missing, damaged, or not a model.
        DeviceError: CUDA was asked for and does not run here.
    """
    setting = setting or Setting()
    network, card = load_generator(path)
    backend = TorchBackend(network, card, setting.device, setting.threads)
    return Translator(card, backend, f"torch on {backend.device.type}")


def as_tested(network: nn.Module, card: ModelCard) -> nn.Module:
    """A copy of a generator in the mode in which its card wants it used.

    - `norm_at_test` "picture": BatchNorm normalises with the statistics of each picture, whatever else is in the batch.
    - `dropout_at_test`: dropout stays active; each call gives another result.

    Source: Isola et al. 2017, section 3.4: both are so in pix2pix.
    """
    network = copy.deepcopy(network).eval()
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and card.norm_at_test == "picture":
            network.set_submodule(name, picture_norm(module))
        elif isinstance(module, nn.Dropout):
            module.train(card.dropout_at_test)
    return network


def picture_norm(norm: nn.BatchNorm2d) -> nn.GroupNorm:
    """What a BatchNorm layer computes in training from a batch of one picture, for each picture of any batch."""
    layer = nn.GroupNorm(norm.num_features, norm.num_features, eps=norm.eps, affine=False)
    layer.weight, layer.bias = norm.weight, norm.bias
    return layer


def usable_device(device: Device) -> torch.device:
    """The device that is meant.

    Raises:
        DeviceError: CUDA was asked for and does not run here, or a device that PyTorch does not have.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(
            f"The device {device!r} was asked for, but that is one of ONNX Runtime, and PyTorch runs this network. Use "
            "--device cpu or cuda, or export the model with 'zorse export'."
        )
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        reason = "shows no GPU that it can use" if torch.version.cuda else "is a version without CUDA"
        raise DeviceError(
            f"CUDA was asked for, but the installed PyTorch {torch.__version__} {reason}. Check that 'nvidia-smi' "
            "lists a GPU and that PyTorch was installed for CUDA, or use --device cpu."
        )
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


@contextmanager
def using_threads(threads: int | None) -> Iterator[None]:
    """Inside, PyTorch computes with so many threads of the CPU; None: with as many as it is set to."""
    if threads is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def exact_convolutions(device: torch.device) -> AbstractContextManager[None]:
    """Inside, no TF32: with its 10 bits a GPU would not give the pixels, or features, that the CPU gives."""
    if device.type != "cuda":
        return nullcontext()
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return flags
