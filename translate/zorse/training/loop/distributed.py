"""What processes that train together have to agree on: gradients, losses, and when to stop.

Recipes call their networks several times in a step and freeze them in between, which PyTorch's DistributedDataParallel
does not allow in general. Averaging gradients between backward and step needs no wrapper around any network.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor


def give_processes_their_own_chance(seed: int, iteration: int, accelerator: Accelerator) -> None:
    """Dropout and augmentation must differ between processes; the first keeps the chance that it has.

    To be called when networks are built: their weights have to come out the same in all processes.
    """
    if not accelerator.is_main_process:
        torch.manual_seed(hash((seed, iteration, accelerator.process_index)))


def average_over_processes(tensors: Sequence[Tensor], accelerator: Accelerator) -> None:
    """Replace each tensor by its mean over all processes, in place; all are sent in one piece for each dtype."""
    if accelerator.num_processes == 1:
        return
    for dtype in {tensor.dtype for tensor in tensors}:
        members = [tensor for tensor in tensors if tensor.dtype == dtype]
        joint = torch.cat([tensor.reshape(-1) for tensor in members])
        dist.all_reduce(joint)
        parts = (joint / accelerator.num_processes).split([tensor.numel() for tensor in members])
        for tensor, part in zip(members, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def averaged_losses(losses: Mapping[str, Tensor], accelerator: Accelerator) -> Mapping[str, Tensor]:
    """The losses of the joint batch; a loss that is not finite in one process is not finite in any."""
    if accelerator.num_processes == 1:
        return losses
    joint = torch.stack([loss.detach().float() for loss in losses.values()])
    average_over_processes([joint], accelerator)
    return dict(zip(losses, joint, strict=True))


def agreed(wanted: bool, accelerator: Accelerator) -> bool:
    """Whether any process wants it; the answer is the same in all of them."""
    if accelerator.num_processes == 1:
        return wanted
    votes = torch.tensor([int(wanted)], device=accelerator.device)
    dist.all_reduce(votes)
    return bool(votes.item() > 0)
