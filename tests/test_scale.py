"""Several processes train as one: real processes, talking over gloo."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from tiny_training import draw_unpaired, tiny_cyclegan
from zorse.data import loader
from zorse.training.config import to_toml
from zorse.training.run import train

IN_64_BITS = """
import torch
from zorse.cli import main
from zorse.data import loader
torch.set_default_dtype(torch.float64)
as_published = loader._tensor
loader._tensor = lambda pictures: as_published(pictures).double()
main()
"""
"""So many digits that only a mistake makes a difference: Adam turns the noise of 32 bits into steps of full length."""


@pytest.fixture
def in_64_bits(monkeypatch):
    """The same for this process."""
    as_published = loader._tensor
    monkeypatch.setattr(loader, "_tensor", lambda pictures: as_published(pictures).double())
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def in_processes(world, code, *arguments):
    """Start a command once per process, as torchrun does; fail when one fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
    }
    command = [sys.executable, "-c", code, *map(str, arguments)]
    running = [
        subprocess.Popen(
            command,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    try:
        said = [process.communicate(timeout=120) for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * world, said
    return [out for out, _ in said]


def two_processes(config, data, out):
    file = out.parent / f"{out.name}.toml"
    file.write_text(to_toml(config))
    return in_processes(2, IN_64_BITS, "train", file, "--data", data, "--out", out, "--device", "cpu")


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def losses(run):
    return [list(line["losses"].values()) for line in lines(run) if "losses" in line]


def saved(run):
    return torch.load(run / "checkpoints" / "last.pt", weights_only=True)


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


def quiet_cyclegan(*overrides):
    """Nothing by chance: no pool, no dropout, no augmentation; InstanceNorm judges each picture alone."""
    return tiny_cyclegan("recipe.pool_size=0", "training.log_every=1", *overrides)


@pytest.mark.usefixtures("in_64_bits")
def test_two_processes_compute_what_one_does_with_the_joint_batch(unpaired, tmp_path):
    outputs = two_processes(quiet_cyclegan("training.accumulate=2"), unpaired, tmp_path / "two")
    joint = quiet_cyclegan("training.accumulate=2", "training.batch_size=2")
    train(joint, unpaired, tmp_path / "one", device="cpu")
    one, two = saved(tmp_path / "one"), saved(tmp_path / "two")
    assert len(losses(tmp_path / "two")) == 6
    torch.testing.assert_close(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=0, atol=1e-5)
    for name, network in one["networks"].items():
        torch.testing.assert_close(two["networks"][name], network, rtol=0, atol=1e-5)
    assert two["samples"] == one["samples"] == 12
    # One writer: the other process says nothing at all.
    assert "6/6" in outputs[0]
    assert outputs[1] == ""


@pytest.mark.usefixtures("in_64_bits")
def test_a_run_goes_on_with_another_number_of_processes(unpaired, tmp_path):
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    steady = ("training.schedule=constant", "training.epochs=2")
    two_processes(quiet_cyclegan(*steady, "training.iterations=3"), unpaired, parts)
    train(quiet_cyclegan(*steady, "training.iterations=3", "training.batch_size=2"), unpaired, whole, device="cpu")
    assert saved(parts)["samples"] == 6
    # Of the twelve samples of two epochs, two processes saw six in three steps; one process needs six steps for six.
    rest = quiet_cyclegan(*steady)
    rest = rest.model_copy(update={"training": rest.training.model_copy(update={"iterations": None})})
    for run in (parts, whole):
        train(rest, unpaired, run, resume=True, device="cpu")
    assert saved(parts)["samples"] == 12
    assert [line["iteration"] for line in lines(parts) if "losses" in line] == list(range(1, 10))
    torch.testing.assert_close(losses(parts), losses(whole), rtol=0, atol=1e-5)


def test_processes_do_not_share_their_chance():
    """Dropout and augmentation would otherwise be the same for every picture of the joint batch."""
    code = """
import torch
from zorse.training.config import LoopConfig
from zorse.training.loop.loop import make_accelerator, seed_everything
from zorse.training.loop.distributed import give_processes_their_own_chance
accelerator = make_accelerator(LoopConfig(), "cpu")
seed_everything(5)
weights = torch.rand(1).item()
give_processes_their_own_chance(5, 0, accelerator)
print(weights, torch.rand(1).item())
"""
    (weights, chance), (other_weights, other_chance) = (out.split() for out in in_processes(2, code))
    assert weights == other_weights
    assert chance != other_chance
