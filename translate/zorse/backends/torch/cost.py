"""What a network takes, found out by running it on tensors that have a shape and no content."""

import weakref
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from zorse.runtime.cost import PassCost

_COPIES = 2.0
"""Factor on the results that are alive at a time: convolutions hold copies of theirs in other orders. At 901x701 pixels
it is 1.03 (U-Net), 1.15 (ResNet-9) and 1.27 times (compact) what is measured."""


def pass_cost(network: nn.Module, picture: Tensor) -> PassCost:
    """What one pass costs.

    Args:
        network: on the device "meta", in evaluation mode.
        picture: (1, C, H, W), likewise.
    """
    with FlopCounterMode(display=False) as counter, _Alive() as alive:
        network(picture)
    return PassCost(int(_COPIES * alive.most), counter.get_total_flops() // 2)


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the results that are alive, in bytes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and (key := tensor.untyped_storage()._cdata) not in self._sizes:
                self._sizes[key] = tensor.untyped_storage().nbytes()
                weakref.finalize(tensor, self._sizes.pop, key, None)
        self.most = max(self.most, sum(self._sizes.values()))
        return result
