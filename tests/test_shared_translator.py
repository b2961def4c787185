"""One translator for many threads and sizes: the same results as alone, and memory that stays bounded."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import tiny_onnx
from zorse.backends.onnx import sessions
from zorse.loading import load
from zorse.system import memory

on_linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system tells no process's memory")
MB = 10**6


@pytest.fixture
def model(tmp_path):
    return tiny_onnx.write_uint8(tmp_path / "m.onnx", tiny_onnx.generator)


def pictures(count, largest):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*random.integers(16, largest, 2), 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_that_share_a_translator_get_what_each_would_get_alone(model, threads):
    translator = load(model, "cpu", threads)
    translate = partial(translator, size="keep")
    sizes = pictures(24, 90)
    alone = [translate(pixels) for pixels in sizes]
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as pool:
            together = list(pool.map(translate, [*sizes, *reversed(sizes)]))
    finally:
        sys.setswitchinterval(switching)
    for wanted, found in zip([*alone, *reversed(alone)], together, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_arena_and_threads_change_nothing_of_the_result(model):
    pixels = pictures(1, 60)[0]
    results = [load(model, "cpu", n, arena)(pixels) for n, arena in ((1, "auto"), (1, "keep"), (1, "off"), (2, "auto"))]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@on_linux
def test_memory_does_not_grow_with_the_number_of_sizes(model):
    translate = partial(load(model, "cpu", 1), size="keep")
    for pixels in [*pictures(10, 160), np.zeros((160, 160, 3), np.uint8)]:
        translate(pixels)
    before = memory._resident()
    for pixels in pictures(80, 160):
        translate(pixels)
    assert memory._resident() < before + 12 * MB


@on_linux
@pytest.mark.parametrize(("arena", "is_kept"), [("auto", False), ("off", False), ("keep", True)])
def test_the_memory_of_a_large_picture_goes_back(model, monkeypatch, arena, is_kept):
    monkeypatch.setattr(sessions, "LARGE", 300 * 400)
    translate = partial(load(model, "cpu", 1, arena), size="keep", tiling="whole")
    translate(np.zeros((32, 32, 3), np.uint8))
    memory.give_back()
    before = memory._resident()
    held = []
    for _ in range(3):  # other threads of this process take and give memory, too
        translate(np.zeros((300, 400, 3), np.uint8))  # a map of it takes 31 MB
        memory.give_back()
        held.append(memory._resident() - before)
    assert min(held) > 60 * MB if is_kept else min(held) < 25 * MB
