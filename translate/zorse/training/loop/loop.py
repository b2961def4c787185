"""The one training loop: it knows devices, precision, schedules and averages, and nothing of any method."""

import copy
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import AutocastKwargs, set_seed
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.errors import ConfigError, DeviceError, TrainingDivergedError
from zorse.recipes.recipe import Recipe, StepResult
from zorse.training.config import LoopConfig
from zorse.training.loop.distributed import agreed, average_over_processes, averaged_losses
from zorse.training.loop.interrupt import InterruptFlag
from zorse.training.loop.schedule import learning_rate_factor, update_average

TrainingDevice = Literal["auto", "cpu", "cuda"]


@dataclass
class TrainingState:
    """A run at one moment: everything that a checkpoint must hold to go on exactly here."""

    recipe: Recipe[Any]
    averages: Mapping[str, nn.Module]
    """The generators' exponential moving averages, by the generators' names."""
    base_rates: Mapping[str, float]
    """Learning rate of each optimizer before the schedule."""
    total: int
    """Iterations of the whole run."""
    iteration: int = 0
    """Iterations done."""
    samples: int = 0
    """Samples seen, in all processes."""
    seconds: float = 0.0
    """Time spent in the loop, over all resumed parts of the run."""
    waited: float = 0.0
    """Time that this part of the run waited for data."""
    rate_factor: float = 1.0
    """What the learning rates are multiplied with besides the schedule; a rollback lowers it."""
    rollbacks: int = 0
    """How often the run has been taken back after a collapse."""
    gradient_norms: dict[str, Tensor] = field(default_factory=dict)
    """Of the last step that moved parameters, by the optimizers' names."""
    interrupted: bool = False
    """Whether the user asked to stop before the end."""
    collapse: str | None = None
    """Set by an observer that saw the run fail, and wants it stopped: what it saw."""

    @classmethod
    def fresh(cls, recipe: Recipe[Any], total: int, config: LoopConfig, accelerator: Accelerator) -> Self:
        """The state before the first iteration, with all networks on the device and in the memory format."""
        state = cls(
            recipe=recipe,
            averages={name: _frozen_copy(network) for name, network in recipe.generators.items()},
            base_rates={name: optimizer.param_groups[0]["lr"] for name, optimizer in recipe.optimizers.items()},
            total=total,
        )
        for network in [*recipe.networks.values(), *state.averages.values()]:
            network.to(accelerator.device)
            network.to(memory_format=_memory_format(config))
        return state

    def is_due(self, every: int) -> bool:
        """Whether now is the time for what is done every so many iterations, and at the end of the run."""
        return self.iteration % every == 0 or self.iteration == self.total


def device_of(state: TrainingState) -> torch.device:
    """Where the networks are."""
    return next(parameter.device for network in state.averages.values() for parameter in network.parameters())


def _frozen_copy(network: nn.Module) -> nn.Module:
    return copy.deepcopy(network).eval().requires_grad_(False)


class Observer(Protocol):
    """Watches a run: prints, logs, samples, saves. Observers never change the training; they may ask it to stop."""

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Called after each iteration."""

    def at_end(self, state: TrainingState) -> None:
        """Called once when the run ends or is interrupted, not when it fails or collapses."""


def make_accelerator(config: LoopConfig, device: TrainingDevice = "auto") -> Accelerator:
    """Set up device and precision.

    Raises:
        DeviceError: CUDA was asked for and is not there.
        ConfigError: fp16 on a CPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "Training on CUDA was asked for, but this PyTorch finds no CUDA device. Check the driver with nvidia-smi, "
            "or train with --device cpu."
        )
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if on_cpu and config.precision == "fp16":
        raise ConfigError(
            'training.precision = "fp16" needs a GPU; on a CPU take "fp32", or "bf16" where the CPU supports it.'
        )
    precision = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}[config.precision]
    # Accelerate keeps the first device and precision for the whole process: forget them, a notebook may train twice.
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    # A step moves weights and then looks through them again: copies in 16 bits, kept from before, would be outdated.
    fresh_copies = AutocastKwargs(cache_enabled=False)
    return Accelerator(
        mixed_precision=precision,
        gradient_accumulation_steps=config.accumulate,
        cpu=on_cpu,
        kwargs_handlers=[fresh_copies],
    )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch. To be called before networks are built, so that their weights repeat."""
    set_seed(seed)


def untouched_chance(device: torch.device) -> AbstractContextManager[None]:
    """Inside, random numbers may be drawn that the training does not miss."""
    forked: AbstractContextManager[None] = torch.random.fork_rng([device] if device.type == "cuda" else [])
    return forked


def fit(
    state: TrainingState,
    batches: Iterable[Mapping[str, Any]],
    config: LoopConfig,
    accelerator: Accelerator,
    observers: Sequence[Observer] = (),
) -> None:
    """Train from `state.iteration` to `state.total`, or until the batches or the user's patience end.

    Several processes train as one with the joint batch: each takes batches of its own, and their gradients are
    averaged before the parameters move. (BatchNorm's statistics stay each process's own.)

    Args:
        state: fresh or restored, the same in all processes; it is moved on in place.
        batches: the batches from `state.iteration` on, for this process.
        config: settings of the loop.
        accelerator: from `make_accelerator`.
        observers: called after each iteration, in this order.

    Raises:
        TrainingDivergedError: a loss is not finite; the message names the pictures.
    """
    update = _Update(state, accelerator)
    per_step = config.batch_size * accelerator.num_processes
    accelerator.step = state.iteration  # It counts steps to know when enough gradients are gathered.
    for network in state.recipe.networks.values():
        network.train()
        if config.compile:
            network.compile()
    with InterruptFlag() as interrupt:
        source = iter(batches)
        stop = interrupt.raised
        while state.iteration < state.total and not stop:
            started = time.perf_counter()
            loaded = next(source, None)
            if loaded is None:
                break
            state.waited += time.perf_counter() - started
            batch = _to_device(loaded, config, accelerator)
            _set_learning_rates(state, config, per_step)
            with accelerator.accumulate(), accelerator.autocast():
                result = state.recipe.step(batch, state.iteration, update)
            result = replace(result, losses=averaged_losses(result.losses, accelerator))
            _check_finite(result, batch, state.iteration)
            for name, average in state.averages.items():
                update_average(average, state.recipe.generators[name], state.iteration, config.ema_decay)
            state.iteration += 1
            state.samples += per_step
            state.seconds += time.perf_counter() - started
            try:
                for observer in observers:
                    observer.after_step(state, result, batch)
            except TrainingDivergedError:
                agreed(True, accelerator)  # The other processes have to stop, too.
                raise
            stop = agreed(interrupt.raised or state.collapse is not None, accelerator)
        state.interrupted = stop and state.collapse is None and state.iteration < state.total
    if state.collapse is None:
        for observer in observers:
            observer.at_end(state)


class _Update:
    """The recipes' `Update`: backward with loss scaling, and a step unless gradients are still being gathered."""

    def __init__(self, state: TrainingState, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._norms = state.gradient_norms
        self._prepared = {
            id(optimizer): (name, accelerator.prepare_optimizer(optimizer, device_placement=False))
            for name, optimizer in state.recipe.optimizers.items()
        }

    def __call__(self, loss: Tensor, optimizer: Optimizer) -> None:
        name, prepared = self._prepared[id(optimizer)]
        self._accelerator.backward(loss)
        if self._accelerator.sync_gradients:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            average_over_processes(gradients, self._accelerator)
            scaler = self._accelerator.scaler
            scale = 1.0 if scaler is None else scaler.get_scale()
            self._norms[name] = nn.utils.get_total_norm(gradients) / scale
        prepared.step()
        prepared.zero_grad()


def _memory_format(config: LoopConfig) -> torch.memory_format:
    return torch.channels_last if config.channels_last else torch.preserve_format


def _to_device(batch: Mapping[str, Any], config: LoopConfig, accelerator: Accelerator) -> Any:
    memory_format = _memory_format(config)

    def moved(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        shaped = memory_format if value.ndim == 4 else torch.preserve_format
        return value.to(accelerator.device, non_blocking=True, memory_format=shaped)

    return {key: moved(value) for key, value in batch.items()}


def _set_learning_rates(state: TrainingState, config: LoopConfig, per_step: int) -> None:
    # Counted in samples: the schedule stays where it was when a run goes on with another number of processes.
    to_come = (state.total - state.iteration) * per_step
    factor = learning_rate_factor(state.samples, state.samples + to_come, config.schedule, config.decay_from)
    # A rate of 0 keeps weights and their averages bit for bit, while Adam gets to know the sizes of the gradients.
    waiting = _generator_parameters(state.recipe) if state.iteration < (config.warm_up or 0) else frozenset()
    for name, optimizer in state.recipe.optimizers.items():
        for group in optimizer.param_groups:
            waits = any(id(parameter) in waiting for parameter in group["params"])
            group["lr"] = 0.0 if waits else state.base_rates[name] * factor * state.rate_factor


def _generator_parameters(recipe: Recipe[Any]) -> frozenset[int]:
    return frozenset(id(parameter) for network in recipe.generators.values() for parameter in network.parameters())


def check_weights(state: TrainingState) -> None:
    """See that all weights are finite: a gradient that is not ruins them before any loss shows it.

    Raises:
        TrainingDivergedError: they are not.
    """
    for name, network in state.recipe.networks.items():
        if not all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters()):
            raise TrainingDivergedError(
                f"After iteration {state.iteration} the weights of {name} are not finite numbers any more, so they are "
                'not saved. Lower recipe.learning_rate or use training.precision = "fp32", and go on from the last '
                "checkpoint with --resume."
            )


def _check_finite(result: StepResult, batch: Mapping[str, Any], iteration: int) -> None:
    if bool(torch.isfinite(torch.stack(list(result.losses.values()))).all()):
        return
    wrong = [name for name, loss in result.losses.items() if not bool(torch.isfinite(loss))]
    pictures = [str(path) for key, paths in batch.items() if key.startswith("path") for path in paths]
    raise TrainingDivergedError(
        f"In iteration {iteration} the loss {', '.join(wrong)} is not a finite number any more. The pictures of that "
        f"step were {', '.join(pictures) or 'not named by the batch'}: look at them (a picture of a single colour "
        'breaks InstanceNorm). Otherwise lower recipe.learning_rate or use training.precision = "fp32", and go on '
        "from the last checkpoint with --resume."
    )
