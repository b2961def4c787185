"""A CUDA device for machines that have none: it computes on the CPU, but its tensors do not mix with those of the CPU.

What would fail on a GPU fails here: a tensor made on the wrong device, a `.numpy()` without `.cpu()`, the chance of a
generator of the CPU. What a GPU computes, and how fast, it cannot tell. (PyTorch's own fake tensors have no values to
decide by, and where PyTorch is built for CUDA but finds no driver they know no gradients.)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import PartialState
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from zorse.training.config import LoopConfig
from zorse.training.loop.loop import make_accelerator

CUDA = torch.device("cuda", 0)
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
"""What may take numbers from one device to the other."""


class OnCuda(Tensor):
    """A tensor that says it were on the GPU; `inner` holds its numbers."""

    def __new__(cls, inner: Tensor) -> "OnCuda":
        return Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), dtype=inner.dtype, device=inner.device
        )

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        device, dtype, _, memory_format = torch._C._nn._parse_to(*args, **kwargs)
        if device is None or device.type == "cuda":
            return super().to(dtype or self.dtype, memory_format=memory_format or torch.preserve_format)
        return torch.ops.aten._to_copy.default(self, dtype=dtype, device=device, memory_format=memory_format)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.inner.detach().__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError("the device has been switched off")


class Device(TorchDispatchMode):
    """Computes all operations, and sees that their tensors are where they belong."""

    def __init__(self) -> None:
        super().__init__()
        self.follows = False
        """Whether what PyTorch makes inside of an operation goes where the operation's tensors are."""
        self.waits = 0
        """How often the CPU waited for a number from the GPU."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in _leaves([args, kwargs]) if isinstance(leaf, Tensor)]
        mine = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, OnCuda)}
        if mine and function not in COPIES and any(t.ndim and not isinstance(t, OnCuda) for t in tensors):
            raise RuntimeError(f"Expected all tensors to be on the same device, but {function} got both.")
        here = self._lands_here(function, args, kwargs.get("device"), bool(mine))
        if here and kwargs.get("generator") is not None:
            raise RuntimeError(f"Expected a 'cuda' device type for generator, but {function} got one of the CPU.")
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")
        result = function(*_changed(args, _inner), **_changed(kwargs, _inner))
        if mine and (function is torch.ops.aten._local_scalar_dense.default or not here):
            self.waits += 1

        def placed(value: Any) -> Any:
            if id(value) in mine:
                return mine[id(value)]
            return OnCuda(value) if here and isinstance(value, Tensor) else value

        return _changed(result, placed)

    def _lands_here(self, function: Any, args: Any, device: torch.device | None, mine: bool) -> bool:
        if function is torch.ops.aten.copy_.default:
            return isinstance(args[0], OnCuda)
        if device is None or self.follows:
            return mine or (device is not None and self.follows)
        return device.type == "cuda"


class Calls(TorchFunctionMode):
    """What has to be known of the calls from Python, which the operations below do not show."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.tensor and kwargs.get("device") is not None:
            return function(*args, **kwargs | {"device": None}).to(kwargs["device"])
        before = self._device.follows
        moves = function is Tensor.to or "device" in kwargs
        self._device.follows = not moves and any(isinstance(leaf, OnCuda) for leaf in _leaves([args, kwargs]))
        try:
            result = function(*args, **kwargs)
        finally:
            self._device.follows = before
        made = function is Tensor.new_tensor and isinstance(args[0], OnCuda) and not isinstance(result, OnCuda)
        return OnCuda(result) if made else result


@contextmanager
def pretended_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """Inside, there is a device cuda:0."""
    cpu_autocast = torch.autocast
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "a pretended GPU")
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device=None: torch.zeros(16, dtype=torch.uint8))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device=None: None)
    monkeypatch.setattr(torch, "autocast", lambda device_type, *args, **kwargs: cpu_autocast("cpu", *args, **kwargs))
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)  # Wrapped tensors cannot leave it.
    torch.__future__.set_swap_module_params_on_conversion(True)
    device = Device()
    try:
        with device, Calls(device):
            yield device
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


def cuda_accelerator(config: LoopConfig, device: str = "cuda") -> Accelerator:
    """As `make_accelerator` gives it on a machine with a GPU."""
    accelerator = make_accelerator(config, "cpu")
    PartialState._shared_state["device"] = accelerator.state.device = CUDA
    return accelerator


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    else:
        yield value


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _changed(entry, change) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_changed(entry, change) for entry in value)
    return change(value)


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, OnCuda) else value
