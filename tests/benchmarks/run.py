"""Time and memory of generators and training steps on this machine's CPU, as a table and as JSON.

    python tests/benchmarks/run.py [--only compact] [--rounds 3] [--threads N] [-o result.json]

Each case runs in a fresh process, so that its peak memory is its own. The rounds go through all cases in turn, and the
fastest round counts: what disturbs the machine for a while then does not fall on one case alone.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import inf
from pathlib import Path

from cases import REFERENCE_MB, REFERENCE_SECONDS, Case, Forward, all_cases
from rich.console import Console
from rich.progress import track

MEASURE = Path(__file__).with_name("measure.py")
LONGEST = 1800
"""Seconds after which a case is given up."""


@dataclass
class Result:
    """The best that the rounds of one case gave."""

    case: str
    seconds: float | None = None
    """Of one picture or step."""
    cpu_seconds: float | None = None
    """Processor time of all threads. With one thread it tells the speed even of a busy machine."""
    peak_mb: float | None = None
    """Most memory of the process, its imports included."""
    before_mb: float | None = None
    """Of that, what it held when everything was loaded but nothing computed yet."""
    error: str | None = None

    def add(self, measured: dict[str, float]) -> None:
        """Keeps the better of what is there and another round."""
        self.seconds = min(measured["seconds"], self.seconds or inf)
        self.cpu_seconds = min(measured["cpu_seconds"], self.cpu_seconds or inf)
        self.peak_mb = min(measured["peak_mb"], self.peak_mb or inf)
        self.before_mb = min(measured["before_mb"], self.before_mb or inf)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run the cases whose name holds all these words")
    parser.add_argument("--without", default="", help="leave out the cases whose name holds one of these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", "-o", type=Path, help="write the results to this JSON file")
    parser.add_argument("--list", action="store_true", help="only list the cases")
    arguments = parser.parse_args()
    wanted, unwanted = set(arguments.only.split()), set(arguments.without.split())
    cases = [case for case in all_cases() if wanted <= set(words := case.name.split()) and unwanted.isdisjoint(words)]
    if not cases:
        parser.error(f"no case is left with --only {arguments.only!r}; --list shows them all")
    if arguments.list:
        print("\n".join(case.name for case in cases))
        return
    busy_before = os.getloadavg()[0]
    results = measure_all(cases, arguments.rounds, arguments.threads)
    machine = {**describe_machine(arguments.threads), "load_before": round(busy_before, 2)}
    show(machine, results)
    if arguments.out is not None:
        report = {"machine": machine, "rounds": arguments.rounds, "results": [asdict(result) for result in results]}
        arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure_all(cases: list[Case], rounds: int, threads: int) -> list[Result]:
    results = {case: Result(case.name) for case in cases}
    console = Console(stderr=True, highlight=False)
    turns = [case for _ in range(rounds) for case in cases]
    with tempfile.TemporaryDirectory() as folder:
        for case in track(turns, "Measuring", console=console, disable=not console.is_terminal):
            result = results[case]
            if result.error is not None:
                continue
            try:
                model = exported(case, Path(folder), threads)
                result.add(json.loads(in_fresh_process("--case", case.name, "--model", model, threads=threads)))
                console.print(f"{case.name}: {result.seconds:.4f} s")
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                said = str(error.stderr or error).strip().splitlines()
                result.error = said[-1] if said else str(error)
                console.print(f"{case.name}: {result.error}", style="red", markup=False)
    return list(results.values())


def exported(case: Case, folder: Path, threads: int) -> str:
    """The ONNX file that the case runs; empty when it runs none."""
    if not isinstance(case, Forward) or case.runtime not in ("onnxruntime", "zorse"):
        return ""
    model = folder / f"{case.network}.onnx"
    if not model.exists():
        in_fresh_process("--export", case.network, "--model", str(model), threads=threads)
    return str(model)


def in_fresh_process(*arguments: str, threads: int) -> str:
    """Standard output of measure.py."""
    command = [sys.executable, str(MEASURE), *arguments, "--threads", str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=LONGEST)
    return run.stdout


def describe_machine(threads: int) -> dict[str, str | int]:
    packages = {name: installed(name) for name in ("zorse", "torch", "onnxruntime", "onnxruntime-gpu")}
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": cpu_name(),
        "cores": os.cpu_count() or 1,
        "threads": threads,
        "python": platform.python_version(),
        **{name: number for name, number in packages.items() if number},
    }


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def show(machine: dict[str, str | int | float], results: list[Result]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()))
    header = ("case", "seconds", "reference", "cpu seconds", "peak MB", "of it loaded", "reference MB")
    rows = [header, *(row(result) for result in results if result.error is None)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(header))]
    for name, *figures in rows:
        console.print(
            "  ".join([name.ljust(widths[0]), *(f.rjust(w) for f, w in zip(figures, widths[1:], strict=True))])
        )
    for result in results:
        if result.error is not None:
            console.print(f"{result.case}: failed: {result.error}", style="red", markup=False)
    console.print("reference: the reference implementation of CycleGAN on another machine with 2 cores")


def row(result: Result) -> tuple[str, ...]:
    figures = (result.seconds, result.cpu_seconds, result.peak_mb, result.before_mb)
    seconds, cpu, peak, before = (0.0 if figure is None else figure for figure in figures)
    reference, reference_mb = REFERENCE_SECONDS.get(result.case, ""), REFERENCE_MB.get(result.case, "")
    return result.case, f"{seconds:.4f}", reference, f"{cpu:.4f}", f"{peak:.0f}", f"{before:.0f}", reference_mb


if __name__ == "__main__":
    main()
