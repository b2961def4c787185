"""Measures one case in this process, which should be fresh, and prints the result as JSON.

python measure.py --case "forward compact eager 256" --threads 2
python measure.py --case "forward compact zorse 256" --model compact.onnx --threads 2
python measure.py --export compact --model compact.onnx --threads 2
"""

import argparse
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cases import GENERATORS, PRESETS, Case, Forward, Step, all_cases

from zorse.imaging.tensor import Tensor

SLOW = 5.0
"""Seconds."""
LEAST_RUNS, MOST_RUNS = 2, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--case")
    what.add_argument("--export", metavar="NETWORK", choices=GENERATORS)
    parser.add_argument("--model", help="ONNX file to run, or to write")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=2.0, help="go on measuring for this long")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.export is not None:
        export(arguments.export, Path(arguments.model))
        return
    case = next(case for case in all_cases() if case.name == arguments.case)
    run = prepare(case, arguments.model, arguments.threads)
    before = peak_mb()
    seconds, cpu_seconds = shortest(run, arguments.seconds)
    result = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb(), "before_mb": before}
    json.dump(result, sys.stdout)


def prepare(case: Case, model: str, threads: int) -> Callable[[], object]:
    """What to call again and again."""
    match case:
        case Forward(_, "onnxruntime" | "zorse", size):
            picture = np.random.default_rng(0).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)
            run = plain_session(Path(model), threads) if case.runtime == "onnxruntime" else backend(model, threads)
            return lambda: run(picture)
        case Forward(network, runtime, size):
            return torch_forward(network, size, threads, compiled=runtime == "compile")
        case Step(recipe, size):
            return training_step(recipe, size, threads)


def backend(model: str, threads: int) -> Callable[[Tensor], object]:
    from zorse.backends.onnx.backend import OnnxBackend

    return OnnxBackend(model, "cpu", threads)


def plain_session(model: Path, threads: int) -> Callable[[Tensor], object]:
    """ONNX Runtime with its own defaults, on the float core of a model file."""
    import onnxruntime

    from zorse.model.model_file import read_network

    network = read_network(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(network.content, options, providers=["CPUExecutionProvider"])
    return lambda picture: session.run([network.output], {network.input: picture})


def torch_forward(name: str, size: int, threads: int, *, compiled: bool) -> Callable[[], object]:
    import torch

    from zorse.networks.build import build_generator

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = build_generator(GENERATORS[name]).eval()
    if compiled:
        network.compile()
    picture = torch.rand(1, 3, size, size) * 2 - 1

    def run() -> object:
        with torch.inference_mode():
            return network(picture)

    return run


def training_step(name: str, size: int, threads: int) -> Callable[[], object]:
    import torch

    from zorse.recipes.recipe import plain_update
    from zorse.training import presets
    from zorse.training.run import build_recipe

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    recipe = build_recipe(presets.PRESETS[PRESETS[name]]().recipe, seed=0)
    for network in recipe.networks.values():
        network.train()
    batch = {side: torch.rand(1, 3, size, size) * 2 - 1 for side in ("A", "B")} | {"path_A": ["a"], "path_B": ["b"]}
    return lambda: recipe.step(batch, 0, plain_update)


def export(name: str, file: Path) -> None:
    """The fresh network as an ONNX file."""
    import torch

    from zorse.model.card import ModelCard
    from zorse.networks.build import build_generator
    from zorse_export import export_onnx

    torch.manual_seed(0)
    architecture = GENERATORS[name]
    card = ModelCard(name=name, task="benchmark", domain_a="noise", domain_b="noise", architecture=architecture)
    export_onnx(build_generator(architecture), card, file)


def shortest(run: Callable[[], object], at_least: float) -> tuple[float, float]:
    """Seconds, and processor seconds of all threads, of the fastest run: whatever took longer was disturbed."""
    start = time.perf_counter()
    run()
    if time.perf_counter() - start < SLOW:  # else the first run has warmed up everything
        run()
    times: list[float] = []
    cpu_times: list[float] = []
    while len(times) < LEAST_RUNS or (sum(times) < at_least and len(times) < MOST_RUNS):
        start, cpu_start = time.perf_counter(), time.process_time()
        run()
        times.append(time.perf_counter() - start)
        cpu_times.append(time.process_time() - cpu_start)
    return min(times), min(cpu_times)


def peak_mb() -> float:
    """Most memory that this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    main()
