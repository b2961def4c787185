"""Memory and time of one translator for 200 pictures of 200 sizes, with each arena, each in a fresh process.

    python tests/benchmarks/sizes.py [--model horse2zebra] [--pictures 200] [--longest 768] [--threads N]

Linux only: it asks /proc for the memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import zorse

ARENAS = ("auto", "keep", "off")
SHORTEST = 64
MB = 10**6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="horse2zebra", help="a shipped model's name or a file")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--longest", type=int, default=768, help="longest side of the pictures, pixels")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--arena", choices=ARENAS, help="measure this one here, and print JSON")
    arguments = parser.parse_args()
    if arguments.arena is not None:
        json.dump(measured(arguments), sys.stdout)
        return
    print(
        f"{arguments.pictures} pictures, sides {SHORTEST} to {arguments.longest}, {arguments.threads} threads; MB held"
    )
    print("arena  opened  after a quarter  a half    all   peak  cpu seconds")
    for arena in ARENAS:
        command = [sys.executable, __file__, *sys.argv[1:], "--arena", arena]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        held = [result[name] for name in ("opened", "quarter", "half", "all", "peak")]
        print(f"{arena:5} {held[0]:7.0f} {held[1]:16.0f} {held[2]:7.0f} {held[3]:6.0f} {held[4]:6.0f}", end="")
        print(f"{result['cpu_seconds']:13.1f}")


def measured(arguments: argparse.Namespace) -> dict[str, float]:
    translate = zorse.load(arguments.model, "cpu", arguments.threads, arguments.arena)
    sides = np.random.default_rng(0).integers(SHORTEST, arguments.longest + 1, (arguments.pictures, 2))
    result = {"opened": resident()}
    marks = {arguments.pictures // 4: "quarter", arguments.pictures // 2: "half", arguments.pictures: "all"}
    start = time.process_time()
    for done, (height, width) in enumerate(sides, start=1):
        translate(np.full((height, width, 3), 128, np.uint8), size="keep")
        if done in marks:
            result[marks[done]] = resident()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
    return result | {"peak": peak, "cpu_seconds": time.process_time() - start}


def resident() -> float:
    """MB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MB


if __name__ == "__main__":
    main()
