"""Zorse's CycleGAN step beside the published algorithm's (reference_cyclegan.py): time, memory and losses.

    python tests/benchmarks/against_reference.py [--sizes 256] [--rounds 3] [--threads 2]
    python tests/benchmarks/against_reference.py --sides zorse zorse-checkpoint --sizes 256 512 --rounds 1
    python tests/benchmarks/against_reference.py --device cuda [--sizes 256]

On a CPU each side takes its steps in a fresh process, the two in turns, with the same pictures and the same first
weights, and the fastest step of each counts. On a GPU Zorse's loop with bf16, channels_last and compile stands beside
the same loop in fp32, eager.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

SIDE = Path(__file__).with_name("one_side.py")
LONGEST = 3600
"""Seconds after which a process is given up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="sides of the pictures, in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3, help="in each process; the first one is not timed")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--sides", nargs="+", help="what to measure, the first one being what others are compared with")
    parser.add_argument("--out", "-o", type=Path, help="write the results to this JSON file")
    arguments = parser.parse_args()
    sides = arguments.sides or (["reference", "zorse"] if arguments.device == "cpu" else ["fp32", "bf16"])
    results = []
    for size in arguments.sizes:
        rounds = [{side: measured(side, size, arguments) for side in sides} for _ in range(arguments.rounds)]
        results.append(compared(size, sides, rounds))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def measured(side: str, size: int, arguments: argparse.Namespace) -> dict[str, object]:
    """What one side measures in a fresh process."""
    threads = str(arguments.threads)
    command = [sys.executable, str(SIDE), side, "--size", str(size), "--threads", threads]
    run = subprocess.run(
        [*command, "--steps", str(arguments.steps)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": threads},
        timeout=LONGEST,
        check=False,
    )
    if run.returncode:
        sys.exit(f"{side}: {(run.stderr.strip() or run.stdout.strip() or 'no result').splitlines()[-1]}")
    result: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    print(f"  {size} px {side}: " + ", ".join(f"{key} {result[key]:.5g}" for key in FIGURES), flush=True)
    return result


FIGURES = ("seconds", "cpu_seconds", "peak_mb", "before_mb")


def compared(size: int, sides: list[str], rounds: list[dict[str, dict[str, object]]]) -> dict[str, object]:
    """The best of the rounds, the ratios to the first side, and how far the losses differ."""
    best = {side: {key: min(each[side][key] for each in rounds) for key in FIGURES} for side in sides}
    first = sides[0]
    print(f"{size} px, batch 1, best of {len(rounds)} rounds:")
    for side in sides:
        ratios = {key: best[side][key] / best[first][key] for key in ("seconds", "cpu_seconds", "peak_mb")}
        wanted, found = rounds[0][first]["losses"], rounds[0][side]["losses"]
        difference = max(abs(found[name] - wanted[name]) / max(1e-9, abs(wanted[name])) for name in wanted)
        best[side] |= {"ratios": ratios, "loss_difference": difference}
        print(
            f"  {side}: {best[side]['seconds']:.2f} s ({ratios['seconds']:.3f} of {first}), "
            f"{best[side]['cpu_seconds']:.2f} s of processor time ({ratios['cpu_seconds']:.3f}), "
            f"peak {best[side]['peak_mb']:.0f} MB ({ratios['peak_mb']:.3f}); "
            f"losses of the first step differ by {difference:.1e}"
        )
    return {"size": size, "sides": best}


if __name__ == "__main__":
    main()
