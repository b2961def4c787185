"""Seconds from the start of `zorse translate` until the translated picture is written, in fresh processes.

    python tests/benchmarks/start.py [--model horse2zebra] [--sides 256 500 1000] [--rounds 5]

Processor seconds tell it even on a busy machine: with two free cores it takes less than them.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="horse2zebra", help="a shipped model's name or a file")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 500, 1000], help="short sides, pixels")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("side  seconds  cpu seconds   (the fastest of the rounds)")
    with tempfile.TemporaryDirectory() as folder:
        for side in arguments.sides:
            photo = Path(folder) / f"{side}.jpg"
            smooth = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
            Image.fromarray(smooth).resize((side * 4 // 3, side), Image.Resampling.BICUBIC).save(photo)
            runs = [run(photo, arguments.model) for _ in range(arguments.rounds)]
            seconds, cpu_seconds = (min(times) for times in zip(*runs, strict=True))
            print(f"{side:4} {seconds:8.2f} {cpu_seconds:12.2f}")


def run(photo: Path, model: str) -> tuple[float, float]:
    """Seconds, and processor seconds, of one translation."""
    out = photo.with_name("translated.jpg")
    start, cpu_start = time.perf_counter(), cpu_of_children()
    command = [sys.executable, "-m", "zorse", "translate", str(photo), "-m", model, "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start, cpu_of_children() - cpu_start


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
