"""Memory and time of large pictures: one pass, streamed exactly, streamed with a thumbnail's statistics.

    python tests/benchmarks/streamed.py memory [resnet-9 2048 1GB]... [--runtime onnxruntime]
    python tests/benchmarks/streamed.py time compact 1024 [--runtime torch] [--rounds 2]
    python tests/benchmarks/streamed.py fast MODEL PICTURE

`memory` prints by how much a fresh process grew at most, the picture and its translation included. `time` runs the ways
in turn and prints the fastest of each, in seconds and in processor seconds, which others on the machine disturb less;
`windows` are windows that overlap by all that ResNet-9 sees around a pixel (84 px). `fast` prints how far `--tiling
fast` is from the exact result, in levels of 255.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from resident import resident_mb

OVERLAP, CORE = 84, 512
"""Pixels around a window of so many pixels a side."""
MEMORY_CASES = ["resnet-9", "2048", "1GB", "compact", "2048", "300MB", "unet-256", "2048", "500MB"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=("onnxruntime", "torch"), default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("what", choices=("memory", "time", "fast", "grow"))
    parser.add_argument("settings", nargs="*")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    match arguments.what, arguments.settings:
        case "memory", settings:
            cases = iter(settings or MEMORY_CASES)
            for network, size, limit in zip(cases, cases, cases, strict=True):
                memory(network, size, limit, arguments.runtime, arguments.threads)
        case "grow", [model, height, width, limit]:
            grow(Path(model), int(height), int(width), limit, arguments.threads)
        case "time", [network, size]:
            times(network, int(size), arguments.runtime, arguments.threads, arguments.rounds)
        case "fast", [model, picture]:
            fast(model, Path(picture))
        case _:
            parser.error("see the examples above")


def memory(network: str, size: str, limit: str, runtime: str, threads: int) -> None:
    """A fresh process for each way; `size` is 2048 or 10000x8000 (height x width)."""
    height, _, width = size.partition("x")
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(network, runtime, Path(folder))
        command = [sys.executable, __file__, "--threads", str(threads), "grow", str(model), height, width or height]
        result = subprocess.run([*command, limit], capture_output=True, text=True, check=True)
    print(f"{network} {size} {runtime}, {limit} allowed:", result.stdout.strip(), flush=True)


def grow(model: Path, height: int, width: int, limit: str, threads: int) -> None:
    """In this process: how much memory one translation takes, and how long."""
    from zorse.loading import load

    translator = load(model, "cpu", threads)
    use_threads(model, threads)
    random = np.random.default_rng(0)
    before = resident_mb("VmRSS")
    picture = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    start, cpu_start = time.perf_counter(), time.process_time()
    tiling = limit if limit in ("whole", "fast") else "auto"
    translator(picture, size="keep", tiling=tiling, max_memory=None if tiling == limit else limit)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    grown = resident_mb("VmHWM") - before
    print(json.dumps({"grown_mb": round(grown), "seconds": round(seconds, 1), "cpu_seconds": round(cpu_seconds, 1)}))


def times(network: str, size: int, runtime: str, threads: int, rounds: int) -> None:
    """All ways in one process, in turn."""
    from zorse.loading import load

    with tempfile.TemporaryDirectory() as folder:
        model = write_model(network, runtime, Path(folder))
        translator = load(model, "cpu", threads)
        use_threads(model, threads)
        picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
        ways: dict[str, Callable[[], object]] = {
            "whole": lambda: translator(picture, size="keep", tiling="whole"),
            "exact": lambda: translator(picture, size="keep", tiling="exact"),
            "fast": lambda: translator(picture, size="keep", tiling="fast"),
        }
        if not network.startswith("unet"):  # which sees all of a picture around each pixel
            ways["windows"] = lambda: windows(translator.backend, picture)
        fastest = dict.fromkeys(ways, (np.inf, np.inf))
        for _ in range(rounds):
            for name, way in ways.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                way()
                taken = time.perf_counter() - start, time.process_time() - cpu_start
                fastest[name] = tuple(np.minimum(fastest[name], taken))
    whole_cpu = fastest["whole"][1]
    for name, (seconds, cpu_seconds) in fastest.items():
        ratio = cpu_seconds / whole_cpu
        print(f"{network} {size} {runtime} {name:8s} {seconds:7.2f} s {cpu_seconds:7.2f} cpu s, {ratio:.2f} x whole")


def windows(backend: Callable[[np.ndarray], np.ndarray], picture: np.ndarray) -> np.ndarray:
    """Overlapping windows: what tiling costs that knows nothing of the network's insides."""
    from zorse.imaging.tensor import to_pixels, to_tensor

    height, width = picture.shape[:2]
    translation = np.empty_like(picture)
    for top in range(0, height, CORE):
        for left in range(0, width, CORE):
            first_row, first_column = max(0, top - OVERLAP), max(0, left - OVERLAP)
            window = picture[first_row : top + CORE + OVERLAP, first_column : left + CORE + OVERLAP]
            inside = backend(to_tensor(window))[:, :, top - first_row :, left - first_column :][:, :, :CORE, :CORE]
            translation[top : top + CORE, left : left + CORE] = to_pixels(inside)
    return translation


def fast(model: str, picture: Path) -> None:
    """How far the approximation is from the exact result."""
    from PIL import Image

    import zorse

    translator = zorse.load(model)
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    exact, near = (translator(pixels, size="keep", tiling=tiling).astype(int) for tiling in ("exact", "fast"))
    difference = np.abs(exact - near)
    print(
        f"{model} {pixels.shape[1]}x{pixels.shape[0]}: mean {difference.mean():.2f}, 99 % below "
        f"{np.percentile(difference, 99):.0f}, largest {difference.max()} of 255"
    )


def write_model(name: str, runtime: str, folder: Path) -> Path:
    """A fresh network; only its speed and memory matter."""
    import torch
    from cases import GENERATORS

    from zorse.backends.torch.safetensors_file import save_generator
    from zorse.model.card import ModelCard
    from zorse.networks.build import build_generator

    torch.manual_seed(0)
    architecture = GENERATORS[name]
    if architecture.kind == "unet":
        architecture = architecture.model_copy(update={"dropout": False})
    card = ModelCard(name=name, task="benchmark", domain_a="noise", domain_b="noise", architecture=architecture)
    network = build_generator(architecture)
    if runtime == "torch":
        save_generator(folder / "model.safetensors", network, card)
        return folder / "model.safetensors"
    from zorse_export import export_onnx

    export_onnx(network, card, folder / "model.onnx")
    return folder / "model.onnx"


def use_threads(model: Path, threads: int) -> None:
    if model.suffix == ".safetensors":
        import torch

        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
