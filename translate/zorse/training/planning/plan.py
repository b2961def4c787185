"""What a run would take, before it is started: time and memory are measured by a few steps on its own pictures."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn

from zorse.data.config import UnpairedConfig
from zorse.data.dataset import open_dataset
from zorse.data.layout import find_two_folders, list_pictures
from zorse.data.sample import Dataset
from zorse.errors import ConfigError
from zorse.model.architecture import Frozen
from zorse.system.memory import format_memory
from zorse.training.config import TrainConfig
from zorse.training.custom_code import own_code
from zorse.training.loop.loop import TrainingDevice, TrainingState, device_of, make_accelerator
from zorse.training.planning.trial import SAFE_SHARE, UPDATES, TrialBench
from zorse.training.run import fresh_state, total_iterations
from zorse.training.stages import spans

_TIMED_UPDATES = 9
"""Of a trial that decides on the length of a run: one alone may take a third more or less than the mean."""


class StagePlan(Frozen):
    """A part of the run with crops of one size."""

    crop_size: int
    iterations: int
    seconds_per_iteration: float
    peak_bytes: int
    """Most memory of the process: of the GPU or, without one, of the computer."""
    measured: bool
    """Otherwise it is computed from smaller crops, since it would not fit."""
    fits: bool


class Plan(Frozen):
    """What a run would take."""

    name: str
    device: str
    pictures: Mapping[str, int]
    """Of the training set, by domain, or pairs."""
    batch_size: int
    iterations: int
    epochs: float
    parameters: Mapping[str, int]
    """Of each network, by its name."""
    checkpoint_bytes: int
    disk_bytes: int
    """Most that checkpoints and generators will take."""
    memory_bytes: int
    """What the process can take on the device, including what it holds already."""
    stages: tuple[StagePlan, ...]
    seconds: float
    """Expected of the whole run, without evaluations and grids of samples."""
    largest_crop: int | None
    """Computed: the largest crop with which these settings would fit; None if that cannot be told."""
    fits: bool
    """Whether there is enough memory, and space on the disk."""
    advice: tuple[str, ...]


def make_plan(
    config: TrainConfig, data: Path, out: Path, device: TrainingDevice = "auto", *, updates: int = UPDATES
) -> Plan:
    """Try each stage of a run with a few updates of fresh networks, and expect the rest to be like them.

    Nothing is written. Crops that, as far as smaller ones tell, do not fit into the memory are not tried but computed.

    Args:
        config: settings of the run.
        data: folder of the pictures.
        out: the run folder to be, on whose disk there has to be space.
        device: where to compute.
        updates: of each stage, at least 2: the first one is not timed.

    Raises:
        ConfigError, DatasetError, DeviceError, TrainingDivergedError: as in `train`.
    """
    with own_code(config):
        return _planned(config, data, out, device, updates)


def _planned(config: TrainConfig, data: Path, out: Path, device: TrainingDevice, updates: int) -> Plan:
    settings = config.training
    accelerator = make_accelerator(settings, device)
    dataset = open_dataset(config.data, data, seed=settings.seed)
    state = fresh_state(config, accelerator, Console(quiet=True), start=True)
    bench = TrialBench(config, data, state, accelerator, updates)
    per_step = settings.batch_size * accelerator.num_processes
    iterations = total_iterations(config, dataset, world=accelerator.num_processes)
    stages = []
    for span in spans(config.data, 0, iterations, per_step):
        trial = bench.trial(span.data)
        stages.append(
            StagePlan(
                crop_size=trial.crop,
                iterations=span.n_batches,
                seconds_per_iteration=trial.seconds,
                peak_bytes=trial.peak,
                measured=trial.measured,
                fits=trial.peak <= SAFE_SHARE * bench.memory,
            )
        )
    checkpoint = _checkpoint_bytes(config, state)
    disk = _disk_bytes(config, state, checkpoint, iterations)
    largest = bench.largest_crop()
    advice = [*_about_memory(config, stages, largest, bench.memory), *_about_disk(disk, out)]
    return Plan(
        name=config.name,
        device=torch.cuda.get_device_name() if device_of(state).type == "cuda" else "CPU",
        pictures=_pictures(config, data, dataset),
        batch_size=settings.batch_size,
        iterations=iterations,
        epochs=iterations * per_step / len(dataset),
        parameters={name: _n_parameters(network) for name, network in state.recipe.networks.items()},
        checkpoint_bytes=checkpoint,
        disk_bytes=disk,
        memory_bytes=bench.memory,
        stages=tuple(stages),
        seconds=sum(stage.iterations * stage.seconds_per_iteration for stage in stages),
        largest_crop=largest,
        fits=not advice,
        advice=tuple(advice),
    )


def iterations_within(
    minutes: float, config: TrainConfig, data: Path, out: Path, device: TrainingDevice = "auto"
) -> int:
    """How many iterations fit into a time, as far as a trial tells; evaluations and grids of samples come on top.

    What is a share of the run, such as `training.decay_from` and the stages of the crops, stays that share.

    Args:
        minutes: to train for.
        config, data, out, device: as in `make_plan`.

    Raises:
        ConfigError: there is too little memory or disk; or as in `make_plan`.
    """
    plan = make_plan(config, data, out, device, updates=_TIMED_UPDATES)
    if not plan.fits:
        raise ConfigError("This training does not fit. " + " ".join(plan.advice))
    return max(1, round(60 * minutes * plan.iterations / plan.seconds))


def _pictures(config: TrainConfig, data: Path, dataset: Dataset) -> dict[str, int]:
    if not isinstance(config.data, UnpairedConfig):
        return {f"pairs of {config.domain_a} and {config.domain_b}": len(dataset)}
    folders = find_two_folders(config.data, data, "train")
    domains = (config.domain_a, config.domain_b)
    return {domain: len(list_pictures(folder)) for domain, folder in zip(domains, folders, strict=True)}


def _n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _n_bytes(content: object) -> int:
    """Of all tensors in nested dicts and lists."""
    if isinstance(content, Tensor):
        return content.nbytes
    if isinstance(content, Mapping):
        return sum(map(_n_bytes, content.values()))
    return sum(map(_n_bytes, content)) if isinstance(content, list | tuple) else 0


def _checkpoint_bytes(config: TrainConfig, state: TrainingState) -> int:
    """Size of a checkpoint, after the optimizers have set up what they remember, with full image pools."""
    recipe = state.recipe
    networks = [network.state_dict() for network in (*recipe.networks.values(), *state.averages.values())]
    optimizers = [optimizer.state_dict() for optimizer in recipe.optimizers.values()]
    picture = 3 * 4 * config.data.at(1.0).crop_size ** 2
    return _n_bytes([*networks, *optimizers]) + config.recipe.pictures_kept * picture


def _disk_bytes(config: TrainConfig, state: TrainingState, checkpoint: int, iterations: int) -> int:
    settings = config.training
    keeps_best = settings.evaluate_every > 0
    # The last one, one being written, the last healthy one, the best.
    checkpoints = 2 + int(settings.recorder) + int(keeps_best)
    generators = sum(_n_bytes(average.state_dict()) for average in state.averages.values())
    kept = iterations // settings.keep_every if settings.keep_every else 0
    return checkpoints * checkpoint + (1 + int(keeps_best) + kept) * generators


def _about_memory(config: TrainConfig, stages: Sequence[StagePlan], largest: int | None, memory: int) -> Iterator[str]:
    settings, too_large = config.training, [stage for stage in stages if not stage.fits]
    if not too_large:
        return
    worst = max(too_large, key=lambda stage: stage.peak_bytes)
    yield (
        f"Crops of {worst.crop_size} pixels take {format_memory(worst.peak_bytes)} of memory, and there are "
        f"{format_memory(memory)}."
    )
    if not settings.checkpoint_blocks and not settings.compile:
        yield "--set training.checkpoint_blocks=true takes far less, and about a third more time."
    if settings.batch_size > 1:
        yield f"--set training.batch_size={settings.batch_size // 2} takes about half."
    if largest:
        ratio = config.data.load_size / config.data.crop_size
        yield (
            f"Crops of {largest} pixels would fit: --set data.crop_size={largest} "
            f"--set data.load_size={round(largest * ratio)}" + (" --set data.stages=[]." if config.data.stages else ".")
        )


def _about_disk(needed: int, out: Path) -> Iterator[str]:
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        yield (
            f"Checkpoints and generators will take {format_memory(needed)}, and the disk of {out} has "
            f"{format_memory(free)} left: free some space, or choose another place with --out."
        )
