"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.errors import ChecksumMismatch, IncompatibleWeights, WeightsError
from zorse.legacy.reading import load_data
from zorse.training.files import RunFolder, save_atomically
from zorse.training.loop.loop import TrainingState

FORMAT = 2
"""Raised when the layout of checkpoints changes."""


def save_checkpoint(path: Path, state: TrainingState, accelerator: Accelerator, config: str) -> None:
    """Write networks, averages, optimizers, loss scaler, the recipe's memory, all states of chance, and the config.

    So are gradients that are still being gathered (`accumulate` > 1). The order of the data and the learning rates are
    functions of the iteration, which is saved.

    Raises:
        ZorseError: the file could not be written; the previous checkpoint is untouched.
    """
    recipe = state.recipe
    content = {
        "format": FORMAT,
        "config": config,
        "iteration": state.iteration,
        "samples": state.samples,
        "total": state.total,
        "seconds": state.seconds,
        "rate_factor": state.rate_factor,
        "rollbacks": state.rollbacks,
        "networks": {name: network.state_dict() for name, network in recipe.networks.items()},
        "averages": {name: network.state_dict() for name, network in state.averages.items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in recipe.optimizers.items()},
        "gradients": {name: _gradients(network) for name, network in recipe.networks.items()},
        "scaler": accelerator.scaler.state_dict() if accelerator.scaler is not None else {},
        "recipe": recipe.state_dict(),
        "chance": _chance_state(),
    }
    save_atomically(path, lambda file: torch.save(content, file))


def keep_checkpoint(path: Path, copy: Path) -> None:
    """Give a checkpoint a second name, under which it outlives the next one; it takes no space of its own until then.

    Raises:
        OSError: the name could not be given; what stood there before is untouched.
    """
    part = copy.with_name(f".{copy.name}.part")
    part.unlink(missing_ok=True)
    try:
        try:
            os.link(path, part)
        except OSError:  # Not every file system has hard links.
            shutil.copyfile(path, part)
        part.replace(copy)
    finally:
        part.unlink(missing_ok=True)


def save_newest(run: RunFolder, state: TrainingState, accelerator: Accelerator, config: str) -> None:
    """Write the checkpoint from which the run resumes, and keep the one before it, as a file of its own.

    Raises:
        ZorseError: as `save_checkpoint`.
        OSError: as `keep_checkpoint`.
    """
    if run.last_checkpoint.exists():
        keep_checkpoint(run.last_checkpoint, run.previous_checkpoint)
    save_checkpoint(run.last_checkpoint, state, accelerator, config)


def restore_newest(run: RunFolder, state: TrainingState, accelerator: Accelerator, console: Console) -> None:
    """Bring a fresh state to where the newest sound checkpoint of a run was taken, and say so where it is not the last.

    Raises:
        WeightsError: there is none, or all are damaged.
        IncompatibleWeights: it was taken from other networks.
    """
    path, content = _newest_sound(run)
    _restore(path, content, state, accelerator)
    if path != run.last_checkpoint and accelerator.is_main_process:
        console.print(
            f"{run.last_checkpoint} is missing or damaged: the run goes on from {path.name}, iteration "
            f"{state.iteration}.",
            style="bold yellow",
            markup=False,
        )
        keep_checkpoint(path, run.last_checkpoint)


def _newest_sound(run: RunFolder) -> tuple[Path, dict[str, Any]]:
    """The first of a run's checkpoints that is not damaged, and what is in it."""
    generations = (run.last_checkpoint, run.previous_checkpoint, run.healthy_checkpoint)
    *newer, oldest = [path for path in generations if path.exists()] or [run.last_checkpoint]
    for path in newer:
        with suppress(ChecksumMismatch):
            return path, read_checkpoint(path)
    return oldest, read_checkpoint(oldest)


def restore_checkpoint(path: Path, state: TrainingState, accelerator: Accelerator) -> None:
    """Bring a fresh state to where the checkpoint was taken.

    Raises:
        WeightsError: the file is missing or damaged.
        IncompatibleWeights: it was taken from other networks.
    """
    _restore(path, read_checkpoint(path), state, accelerator)


def _restore(path: Path, content: dict[str, Any], state: TrainingState, accelerator: Accelerator) -> None:
    recipe = state.recipe
    try:
        for name, network in recipe.networks.items():
            network.load_state_dict(content["networks"][name])
            _restore_gradients(network, content.get("gradients", {}).get(name, {}))
        for name, network in state.averages.items():
            network.load_state_dict(content["averages"][name])
        for name, optimizer in recipe.optimizers.items():
            _restore_optimizer(optimizer, content["optimizers"][name])
        if accelerator.scaler is not None and content["scaler"]:
            accelerator.scaler.load_state_dict(content["scaler"])
        recipe.load_state_dict(content["recipe"])
        state.iteration, state.samples = content["iteration"], content["samples"]
        state.seconds, state.rate_factor = content["seconds"], content["rate_factor"]
        state.rollbacks = content.get("rollbacks", 0)
        if accelerator.is_main_process:
            _restore_chance(content["chance"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise IncompatibleWeights(
            f"{path} was saved from other networks than this run's ({_first_problem(error)}). Resume with the settings "
            "that the run was started with (its config.toml), or start a new run in another folder."
        ) from error


def _restore_optimizer(optimizer: Optimizer, content: dict[str, Any]) -> None:
    """What it remembers of the gradients; its settings stay those of the run that goes on, which may have new ones."""
    settings = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(content)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What is in a checkpoint. Nothing but tensors and plain data is ever unpickled.

    Raises:
        ChecksumMismatch: the file is damaged, if only by a bit, or not a checkpoint.
        WeightsError: it is missing, or of another version.
    """
    try:
        content = load_data(path)
    except FileNotFoundError as error:
        raise WeightsError(
            f"There is no checkpoint {path} to resume from: this is not the folder of a run, or the run was stopped "
            "before its first checkpoint. Check --out, or start anew in another folder without --resume."
        ) from error
    except Exception as error:  # It raises whatever the damage leads to.
        raise ChecksumMismatch(
            f"{path} is damaged or not a checkpoint of Zorse: it cannot be read as tensors and plain data, or its "
            "checksums differ, and nothing in it was run. Put a copy of the checkpoint there, or start anew in another "
            "folder."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is not a checkpoint that this version of Zorse can resume (format {FORMAT} was wanted, it says "
            f"{content.get('format') if isinstance(content, dict) else 'nothing'}). Start a new run in another folder."
        )
    return content


def _first_problem(error: Exception) -> str:
    """One line of what `load_state_dict` has to say, which can be hundreds of lines."""
    if isinstance(error, KeyError):
        return f"it holds no {error.args[0]}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)].rstrip(".")


def _gradients(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def _restore_gradients(network: nn.Module, saved: dict[str, Tensor]) -> None:
    for name, parameter in network.named_parameters():
        parameter.grad = saved[name].to(parameter.device) if name in saved else None


def _chance_state() -> dict[str, Any]:
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _restore_chance(saved: dict[str, Any]) -> None:
    random.setstate(saved["python"])
    kind, keys, position, has_gauss, gauss = saved["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(saved["torch"])
    if torch.cuda.is_available():
        for device, state in enumerate(saved["cuda"][: torch.cuda.device_count()]):  # There may be fewer now.
            torch.cuda.set_rng_state(state, device)
