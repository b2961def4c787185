"""How busy the cores are while `zorse translate` works on a folder of small pictures.

    python tests/benchmarks/folder.py MODEL [--pictures 1000] [--side 256] [--workers 1 2 auto]

Prints for each number of workers, from the command's start to its end: pictures in a second; how many cores it kept
busy on average; and how many of its threads were at work or ready to, which tells the same on a machine that others
keep busy. Reading, network and writing overlap where that is close to the number of cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--workers", nargs="+", default=["1", "2", "auto"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder, "in"), arguments.pictures, arguments.side)
        for workers in arguments.workers:
            measure(arguments.model, Path(folder), workers, arguments.pictures)


def write_pictures(folder: Path, count: int, side: int) -> None:
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        small = Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        small.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=92)


def measure(model: str, folder: Path, workers: str, pictures: int) -> None:
    command = [sys.executable, "-m", "zorse", "translate", folder / "in", "-m", model, "-o", folder / workers]
    if workers != "auto":
        command += ["--workers", workers]
    times: dict[str, tuple[float, float]] = {}
    start = time.perf_counter()
    with subprocess.Popen([*command, "--device", "cpu"], stderr=subprocess.DEVNULL) as run:
        while run.poll() is None:
            times |= thread_times(run.pid)
            time.sleep(0.1)
    seconds = time.perf_counter() - start
    if run.returncode:
        raise SystemExit(f"the command failed with {run.returncode}")
    worked, waited = (sum(column) for column in zip(*times.values(), strict=True))
    print(
        f"workers {workers:4}  {pictures / seconds:6.1f} pictures/s  {worked / seconds:5.2f} of {os.cpu_count()} cores "
        f"busy, {(worked + waited) / seconds:5.2f} threads ready  {worked / pictures * 1000:6.1f} ms of a core for "
        "each picture",
        flush=True,
    )


def thread_times(process: int) -> dict[str, tuple[float, float]]:
    """Seconds on a core, and ready without a core, of each thread of a process so far."""
    times = {}
    for file in Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            worked, waited, _ = file.read_text().split()
        except (OSError, ValueError):  # the thread has just ended
            continue
        times[file.parent.name] = int(worked) / 1e9, int(waited) / 1e9
    return times


if __name__ == "__main__":
    main()
