"""Batches are the same however they are loaded."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
import torch

from zorse.data import loader
from zorse.data.config import EdgesConfig, UnpairedConfig
from zorse.data.dataset import open_dataset
from zorse.data.loader import batches
from zorse.data.sample import Sample
from zorse.data.synthetic import synthesize
from zorse.errors import DatasetError

# Python >= 3.12 warns when a process with threads forks; torch's loader does so by default on Linux.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "blobs"
    synthesize("blobs", root, 5, 32, seed=0)
    return root


@pytest.fixture
def dataset(blobs):
    return open_dataset(UnpairedConfig(load_size=36, crop_size=24, scale=(0.9, 1.2)), blobs, seed=3)


def equal(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert torch.equal(one["A"], other["A"])
        assert torch.equal(one["B"], other["B"])
        assert one["path_A"] == other["path_A"]
        assert one["path_B"] == other["path_B"]
    return True


def test_neither_workers_nor_the_start_change_a_batch(dataset):
    whole = list(batches(dataset, 2, 0, 7, num_workers=0))
    assert whole[0]["A"].shape == (2, 3, 24, 24)
    assert equal(whole, list(batches(dataset, 2, 0, 7, num_workers=2)))
    assert equal(whole[4:], list(batches(dataset, 2, 8, 3, num_workers=1)))
    assert equal(whole[5:], list(batches(dataset, 2, 10, 2, num_workers=0)))


def test_varied_edges_do_not_depend_on_workers_either(blobs):
    dataset = open_dataset(EdgesConfig(load_size=36, crop_size=32), blobs / "trainA")
    assert equal(list(batches(dataset, 1, 2, 4, num_workers=0)), list(batches(dataset, 1, 2, 4, num_workers=2)))


def test_processes_share_out_each_batch(dataset):
    whole = list(batches(dataset, 4, 4, 3, num_workers=0))
    ranks = [list(batches(dataset, 2, 4, 3, num_workers=0, rank=rank, world=2)) for rank in (0, 1)]
    for batch, first, second in zip(whole, *ranks, strict=True):
        assert torch.equal(batch["A"], torch.cat([first["A"], second["A"]]))
        assert batch["path_B"] == first["path_B"] + second["path_B"]


def test_no_batches_are_none(dataset):
    assert list(batches(dataset, 2, 5, 0, num_workers=0)) == []


def test_loading_leaves_the_training_s_own_chance_alone(dataset):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(batches(dataset, 1, 0, 2, num_workers=1))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_broken_picture_is_reported_in_one_paragraph(tmp_path, num_workers):
    (tmp_path / "broken.png").write_bytes(b"")
    dataset = open_dataset(EdgesConfig(), tmp_path)
    with pytest.raises(DatasetError, match=r"broken\.png") as error:
        list(batches(dataset, 1, 0, 1, num_workers=num_workers))
    assert "Traceback" not in str(error.value)
    assert "\n" not in str(error.value)


class Misbehaving:
    """A set whose second sample does what `act` does."""

    n_pictures = 4

    def __init__(self, act):
        self._act = act

    def __len__(self):
        return 4

    def sample(self, number):
        if number == 1:
            self._act()
        blank = np.zeros((256, 256, 3), np.uint8)
        return Sample(A=blank, B=blank, path_A="", path_B="")


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


def hang():
    time.sleep(3600)


@pytest.mark.parametrize(
    ("act", "words"), [(kill_this_process, "was ended from outside"), (hang, "have given none for 2 seconds")]
)
def test_loaders_that_are_gone_or_hang_end_the_run_with_words(monkeypatch, act, words):
    monkeypatch.setattr(loader, "LONGEST_WAIT", 2)
    with pytest.raises(DatasetError, match=words):
        list(batches(Misbehaving(act), 1, 0, 4, num_workers=1))
    assert multiprocessing.active_children() == []


def full_disk(batch):
    raise OSError("disk full")


def test_an_error_of_the_run_leaves_no_loader_behind():
    with pytest.raises(OSError, match="disk full"), closing(batches(Misbehaving(hang), 1, 0, 4, 1)) as source:
        full_disk(next(source))
    assert multiprocessing.active_children() == []


def test_pictures_do_not_come_through_shared_memory(monkeypatch):
    def refuse(*args):
        raise AssertionError("a tensor was moved to /dev/shm, which is small in containers")

    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", refuse)
    monkeypatch.setattr(torch.UntypedStorage, "_share_filename_cpu_", refuse)
    (batch,) = batches(Misbehaving(hang), 1, 0, 1, num_workers=1)
    assert batch["A"].shape == (1, 3, 256, 256)


def test_settings_and_loader_are_quick_to_import():
    code = (
        "import sys, zorse.data.config, zorse.data.prepare, zorse.data.synthetic; assert 'torch' not in sys.modules;"
        "import zorse.data.dataset, zorse.data.loader; assert 'albumentations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
