"""Memory of one pass over a whole picture, measured and estimated (`zorse.runtime.cost.one_pass`).

    python tests/benchmarks/one_pass.py [MODEL.onnx or resnet-9, ...] [--sizes 256x256 901x701 ...] [--threads 2]

A fresh process for each; without models those that are shipped and the usual networks. Both numbers are without what
the process holds once the model is open, and with the picture and its translation. The estimate decides what goes in
one pass under `--max-memory`: it should be above what is measured, and at most a third above. Of the U-Net it is up to
a half above: ONNX Runtime takes memory in steps there, 540 or 670 bytes for each pixel.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from resident import reset_peak, resident_mb

NETWORKS = ("resnet-9", "resnet-6", "unet-256")
SIZES = ("256x256", "480x640", "901x701", "1024x1024", "1x18750")
WEIGHTS = Path(__file__).parents[2] / "weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="HEIGHTxWIDTH")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(*measured(Path(arguments.models[0]), *sides(arguments.sizes[0]), arguments.threads))
        return
    for name in arguments.models or (*map(str, sorted(WEIGHTS.glob("*2*.onnx"))), *NETWORKS):
        with tempfile.TemporaryDirectory() as folder:
            model = written(name, Path(folder)) if name in NETWORKS else Path(name)
            for size in arguments.sizes:
                command = [sys.executable, __file__, "--one", str(model), "--threads", str(arguments.threads)]
                result = subprocess.run([*command, "--sizes", size], capture_output=True, text=True, check=True)
                taken, estimated = map(float, result.stdout.split())
                line = f"{Path(name).stem:12s} {size:10s} {taken:6.0f} MB measured, {estimated:6.0f} MB estimated"
                print(f"{line}, {estimated / taken:.2f} x", flush=True)


def sides(size: str) -> tuple[int, int]:
    height, _, width = size.partition("x")
    return int(height), int(width)


def written(name: str, folder: Path) -> Path:
    from streamed import write_model

    return write_model(name, "onnxruntime", folder)


def measured(model: Path, height: int, width: int, threads: int) -> tuple[float, float]:
    """In this process: MB that one pass takes, and is estimated to take."""
    from zorse.loading import load
    from zorse.runtime.cost import one_pass
    from zorse.runtime.passes import padded_side

    translator = load(model, "cpu", threads)
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    reset_peak()
    before = resident_mb("VmRSS") - picture.nbytes / 1e6
    translator(picture, size="keep", tiling="whole")
    taken = resident_mb("VmHWM") - before
    rows, columns = (padded_side(side, translator.card.size_multiple) for side in (height, width))
    return taken, (one_pass(translator.backend, rows, columns).memory + 2 * picture.nbytes) / 1e6


if __name__ == "__main__":
    main()
