"""One translator for many threads and sizes: the same results as alone, and memory that stays bounded."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import tiny_onnx
from zorse.loading import load

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
    grown = in_a_process_of_its_own(
        """
        random = np.random.default_rng(0)
        translate = partial(load(model, "cpu", 1), size="keep")
        def translate_sizes(count):
            for height, width in random.integers(16, 160, (count, 2)):
                translate(np.zeros((height, width, 3), np.uint8))
        translate_sizes(10)
        translate(np.zeros((160, 160, 3), np.uint8))
        before = memory._resident()
        translate_sizes(80)
        print(memory._resident() - before)
        """,
        model,
    )
    assert grown < 12 * MB


@on_linux
@pytest.mark.parametrize(("arena", "is_kept"), [("auto", False), ("off", False), ("keep", True)])
def test_the_memory_of_a_large_picture_goes_back(model, arena, is_kept):
    held = in_a_process_of_its_own(
        """
        sessions.LARGE = 300 * 400
        translate = partial(load(model, "cpu", 1, arena), size="keep", tiling="whole")
        translate(np.zeros((32, 32, 3), np.uint8))
        memory.give_back()
        before = memory._resident()
        translate(np.zeros((300, 400, 3), np.uint8))  # a map of it takes 31 MB
        memory.give_back()
        print(memory._resident() - before)
        """,
        model,
        arena,
    )
    assert held > 60 * MB if is_kept else held < 25 * MB


def in_a_process_of_its_own(program, model, arena="auto"):
    """The number that a program prints: threads of other tests take and give memory of this process, too."""
    head = """
        import sys
        from functools import partial
        from pathlib import Path
        import numpy as np
        from zorse.backends.onnx import sessions
        from zorse.loading import load
        from zorse.system import memory
        model, arena = Path(sys.argv[1]), sys.argv[2]
        """
    command = [sys.executable, "-c", dedent(head) + dedent(program), str(model), arena]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
