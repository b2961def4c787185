"""Steps of CycleGAN in this process, which should be fresh; prints what they took as JSON. See against_reference.py.

python one_side.py reference|zorse|zorse-checkpoint|fp32|bf16 --size 256 --threads 2 --steps 3
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from measure import peak_mb
from reference_cyclegan import ReferenceCycleGAN
from torch import Tensor, nn

Pictures = tuple[Tensor, Tensor]
Step = Callable[[Pictures], dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=["reference", "zorse", "zorse-checkpoint", "fp32", "bf16"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    batches = pictures(arguments.size, arguments.steps)
    match arguments.side:
        case "reference":
            result = taken(reference(), batches)
        case "zorse" | "zorse-checkpoint":
            result = taken(zorse(recompute=arguments.side == "zorse-checkpoint"), batches)
        case loop:
            result = on_gpu(loop, arguments.size)
    json.dump(result, sys.stdout)


def pictures(size: int, count: int) -> list[Pictures]:
    """Pairs of random pictures, the same for all sides."""
    chance = torch.Generator().manual_seed(0)
    return [tuple(torch.rand(1, 3, size, size, generator=chance) * 2 - 1 for _ in range(2)) for _ in range(count)]


def same_weights(networks: Iterable[nn.Module]) -> None:
    """The same initial weights on all sides: their layers come in the same order."""
    chance = torch.Generator().manual_seed(1)
    for network in networks:
        for parameter in network.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, 0.0, 0.02, generator=chance)


def reference() -> Step:
    method = ReferenceCycleGAN()
    same_weights([method.G_AB, method.G_BA, method.judge_A, method.judge_B])
    return lambda pair: method.optimize_parameters(*pair)


def zorse(*, recompute: bool) -> Step:
    from zorse.networks.recompute import recompute_blocks
    from zorse.recipes.cyclegan import CycleGAN, CycleGANConfig
    from zorse.recipes.recipe import plain_update

    method = CycleGAN(CycleGANConfig())
    same_weights([method.G_AB, method.G_BA, method.D_A, method.D_B])
    for network in method.networks.values():
        network.train()
        if recompute:
            recompute_blocks(network)

    def step(pair: Pictures) -> dict[str, float]:
        batch = {"A": pair[0], "B": pair[1], "path_A": ["a"], "path_B": ["b"]}
        return {name: loss.item() for name, loss in method.step(batch, 0, plain_update).losses.items()}

    return step


def taken(step: Step, batches: list[Pictures]) -> dict[str, object]:
    """The fastest step but the first, and the losses of the first."""
    before = peak_mb()
    losses = step(batches[0])
    times = []
    for pair in batches[1:]:
        start, cpu_start = time.perf_counter(), time.process_time()
        step(pair)
        times.append((time.perf_counter() - start, time.process_time() - cpu_start))
    seconds, cpu_seconds = (min(column) for column in zip(*times, strict=True))
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_mb": peak_mb(),
        "before_mb": before,
        "losses": losses,
    }


def on_gpu(precision: str, size: int, steps: int = 60, warm_up: int = 20) -> dict[str, object]:
    """Zorse's own loop: fp32 and eager, or bf16 with channels_last and compile."""
    if not torch.cuda.is_available():
        sys.exit("skipped: PyTorch finds no CUDA device here")
    from zorse.recipes.cyclegan import CycleGAN, CycleGANConfig
    from zorse.training.config import LoopConfig
    from zorse.training.loop.loop import TrainingState, fit, make_accelerator

    fast = precision == "bf16"
    config = LoopConfig(precision=precision, channels_last=fast, compile=fast, iterations=steps)
    accelerator = make_accelerator(config, "cuda")
    method = CycleGAN(CycleGANConfig())
    same_weights([method.G_AB, method.G_BA, method.D_A, method.D_B])
    state = TrainingState.fresh(method, steps, config, accelerator)
    clock = _Clock()
    ((a, b),) = pictures(size, 1)
    batch = {"A": a, "B": b, "path_A": ["a"], "path_B": ["b"]}
    fit(state, (batch for _ in range(steps)), config, accelerator, [clock])
    seconds = (clock.times[-1] - clock.times[warm_up]) / (steps - 1 - warm_up)
    return {
        "seconds": seconds,
        "cpu_seconds": seconds,
        "peak_mb": torch.cuda.max_memory_allocated() / 1e6,
        "before_mb": 0.0,
        "losses": clock.first_losses,
    }


class _Clock:
    """Reads the time after each step, when the GPU has done it."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.first_losses: dict[str, float] = {}

    def after_step(self, state: Any, result: Any, batch: Any) -> None:
        torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        if not self.first_losses:
            self.first_losses = {name: float(loss) for name, loss in result.losses.items()}

    def at_end(self, state: Any) -> None:
        pass


if __name__ == "__main__":
    main()
