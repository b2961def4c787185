"""`zorse benchmark gans`: trains presets with some seeds on the CPU, without files, and measures what came of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console

from zorse.architecture import Frozen
from zorse.data.samples.config import MixtureConfig
from zorse.data.samples.dataset import SampleSet, open_samples, sample_batches
from zorse.data.samples.mixtures import centres, spread
from zorse.errors import ConfigError
from zorse.metrics.modes import N_POINTS, measure_modes
from zorse.metrics.seeds import mean_interval
from zorse.samples.sampler import Sampler
from zorse.training.baselines.build import check_samples
from zorse.training.baselines.cards import GENERATOR, sample_card
from zorse.training.baselines.config import BaselineConfig
from zorse.training.baselines.presets import BASELINE_PRESETS, DIGIT_BENCHMARKS, POINT_BENCHMARKS
from zorse.training.baselines.run import fresh_baseline
from zorse.training.config import with_overrides
from zorse.training.loop import TrainingState, fit, make_accelerator

MEASURED_SEED = 1
"""Of the latents that are measured."""


class BenchmarkFigure(Frozen):
    """One figure of one preset."""

    name: str
    values: tuple[float, ...]
    """For each seed."""
    mean: float
    interval: tuple[float, float] | None
    """95 %, over the seeds; None for a single one."""


class BenchmarkRow(Frozen):
    """What was measured of one preset."""

    preset: str
    iterations: int
    figures: tuple[BenchmarkFigure, ...]
    seconds: float
    """Of training, the mean over the seeds."""


class GanBenchmark(Frozen):
    """The whole table."""

    rows: tuple[BenchmarkRow, ...]
    seeds: tuple[int, ...]
    threads: int
    """Of the CPU, that PyTorch computes with."""
    remarks: tuple[str, ...]
    """How the figures were measured."""


Figures = Mapping[str, float]
Measure = Callable[[TrainingState, Sampler], Figures]


def benchmark_gans(
    presets: Sequence[str], data: Path | None, seeds: int, iterations: int | None, console: Console
) -> GanBenchmark:
    """Train and measure.

    Args:
        presets: names; none: those for points, and with `data` those for digits.
        data: folder with MNIST's idx files.
        seeds: runs of each preset, with the seeds 0, 1, ...
        iterations: of each run; None: those of the preset.
        console: for a line after each run.

    Raises:
        ConfigError: no such preset, or one that needs data.
        DatasetError: data that cannot be used.
    """
    names = list(presets) or [*POINT_BENCHMARKS, *(DIGIT_BENCHMARKS if data else ())]
    rows: list[BenchmarkRow] = []
    remarks: list[str] = []
    for name in names:
        config = _config(name, data, iterations)
        samples = open_samples(config.data, data)
        check_samples(config, samples)
        measure, remark = _measure_for(config, data, console)
        remarks += [remark] if remark not in remarks else []
        runs, times = [], []
        for seed in range(seeds):
            started = time.perf_counter()
            state = _trained(config, data, seed)
            times.append(time.perf_counter() - started)
            sampler = Sampler(state.averages[GENERATOR], sample_card(config, samples, state))
            runs.append(measure(state, sampler))
            told = ", ".join(f"{figure} {value:.4g}" for figure, value in runs[-1].items())
            console.print(f"{name}, seed {seed}: {told} ({times[-1]:.0f} s)")
        total = state.total
        figures = tuple(_figure(figure, [run[figure] for run in runs]) for figure in runs[0])
        rows.append(BenchmarkRow(preset=name, iterations=total, figures=figures, seconds=sum(times) / len(times)))
    return GanBenchmark(
        rows=tuple(rows), seeds=tuple(range(seeds)), threads=torch.get_num_threads(), remarks=tuple(remarks)
    )


def _config(name: str, data: Path | None, iterations: int | None) -> BaselineConfig:
    if name not in BASELINE_PRESETS:
        raise ConfigError(f"There is no preset {name!r}. Those of the baselines are: {', '.join(BASELINE_PRESETS)}.")
    config = BASELINE_PRESETS[name]()
    if config.data.kind == "pictures":
        raise ConfigError(f"The benchmark knows how to measure points and digits, but {name} draws pictures.")
    if config.data.kind == "digits" and data is None:
        raise ConfigError(f"{name} learns from MNIST's idx files. Say where they are with --data.")
    return with_overrides(config, [] if iterations is None else [f"training.iterations={iterations}"])


def _trained(config: BaselineConfig, data: Path | None, seed: int) -> TrainingState:
    """The run with another seed, without observers and files."""
    config = with_overrides(config, [f"training.seed={seed}"])
    samples: SampleSet = open_samples(config.data, data, seed=seed)
    accelerator = make_accelerator(config.training, "cpu")
    state = fresh_baseline(config, samples, accelerator)
    fit(state, sample_batches(samples, config.training.batch_size, 0, state.total), config.training, accelerator)
    if state.interrupted:
        raise KeyboardInterrupt
    return state


def _measure_for(config: BaselineConfig, data: Path | None, console: Console) -> tuple[Measure, str]:
    """What measures a preset, and how it does that in words."""
    if isinstance(config.data, MixtureConfig):
        return _modes_measure(config.data), (
            f"Points: {N_POINTS} of each run; good ones lie within 3 standard deviations of a mode, a mode is covered "
            "by one good point, reverse KL is that of the modes that points are nearest to, in nats."
        )
    from zorse.training.baselines.digits import digit_measure

    return digit_measure(config, data, console)


def _modes_measure(data: MixtureConfig) -> Measure:
    means, std = centres(data.distribution), spread(data)

    def measure(state: TrainingState, sampler: Sampler) -> Figures:
        points = sampler.draw(sampler.latents(N_POINTS, seed=MEASURED_SEED)).numpy()
        figures = measure_modes(points, means, std)
        return {
            f"modes covered, of {figures.modes}": figures.covered,
            "good points": figures.good,
            "reverse KL": figures.reverse_kl,
        }

    return measure


def _figure(name: str, values: Sequence[float]) -> BenchmarkFigure:
    mean, interval = mean_interval(values)
    return BenchmarkFigure(name=name, values=tuple(values), mean=mean, interval=interval)
