"""`zorse benchmark gans`: trains presets with some seeds on the CPU, without files, and measures what came of it."""

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from zorse.errors import ConfigError, did_you_mean
from zorse.gans.data.batch import SampleSet
from zorse.gans.data.config import MixtureConfig
from zorse.gans.data.dataset import open_samples, sample_batches
from zorse.gans.data.mixtures import centres, spread
from zorse.gans.metrics.modes import N_POINTS, measure_modes
from zorse.gans.metrics.seeds import mean_interval
from zorse.gans.sampling.sampler import Sampler
from zorse.gans.training.build import check_samples
from zorse.gans.training.cards import GENERATOR, sample_card
from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.presets import BASELINE_PRESETS, DIGIT_BENCHMARKS, POINT_BENCHMARKS
from zorse.gans.training.run import fresh_baseline
from zorse.gans.training.tricks import with_tricks
from zorse.model.architecture import Frozen
from zorse.training.config import with_overrides
from zorse.training.loop.loop import TrainingState, fit, make_accelerator

MEASURED_SEED = 1
"""Of the latents that are measured."""
TRICK_BENCHMARK = "gan_ring"
"""What tricks are measured on where no preset is named."""


class BenchmarkFigure(Frozen):
    """One figure of one preset."""

    name: str
    values: tuple[float, ...]
    """For each seed."""
    mean: float
    interval: tuple[float, float] | None
    """95 %, over the seeds; None for a single one."""
    change: float | None = None
    """What a trick adds to the figure of its preset, the mean over the seeds; None where no trick is measured."""
    change_interval: tuple[float, float] | None = None
    """95 %, of the change of each seed."""


class BenchmarkRow(Frozen):
    """What was measured of one preset, or of one preset with one trick."""

    preset: str
    trick: str | None = None
    settings: tuple[str, ...] = ()
    """That differ from those of the preset."""
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
    processor: str
    remarks: tuple[str, ...]
    """How the figures were measured."""


Figures = Mapping[str, float]
Measure = Callable[[TrainingState, Sampler], Figures]


def benchmark_gans(
    presets: Sequence[str],
    data: Path | None,
    seeds: int,
    iterations: int | None,
    console: Console,
    *,
    settings: Sequence[str] = (),
    tricks: bool = False,
) -> GanBenchmark:
    """Train and measure.

    Args:
        presets: names; none: those for points, and with `data` those for digits, or one for tricks.
        data: folder with MNIST's idx files.
        seeds: runs of each preset, with the seeds 0, 1, ... or from `training.seed` on.
        iterations: of each run; None: those of the preset.
        console: for a line after each run.
        settings: `key=value`, of all runs.
        tricks: measure each preset also with each trick that fits it.

    Raises:
        ConfigError: no such preset or setting, or a preset that needs data.
        DatasetError: data that cannot be used.
    """
    names = presets or ((TRICK_BENCHMARK,) if tricks else (*POINT_BENCHMARKS, *(DIGIT_BENCHMARKS if data else ())))
    if iterations is not None:
        if any(setting.partition("=")[0].strip() == "training.iterations" for setting in settings):
            raise ConfigError("The iterations were given twice: with --iterations and with --set. Leave one out.")
        settings = [*settings, f"training.iterations={iterations}"]
    configs = [_config(name, data, settings) for name in names]  # All are checked before the first one is trained.
    first = configs[0].training.seed
    chosen = tuple(range(first, first + seeds))
    rows: list[BenchmarkRow] = []
    remarks: dict[str, None] = {}
    for config in configs:
        bench = _Bench(data, chosen, console, *_measure_for(config, data, console))
        remarks[bench.remark] = None
        plain = bench.row(config, settings)
        rows.append(plain)
        for trick, (changed, set_for_it) in with_tricks(config).items() if tricks else ():
            rows.append(_compared(bench.row(changed, (*settings, *set_for_it), trick), plain))
    return GanBenchmark(
        rows=tuple(rows),
        seeds=chosen,
        threads=torch.get_num_threads(),
        processor=platform.machine(),
        remarks=tuple(remarks),
    )


@dataclass(frozen=True)
class _Bench:
    """What all runs of a preset have in common."""

    data: Path | None
    seeds: tuple[int, ...]
    console: Console
    measure: Measure
    remark: str
    """How it is measured, in words."""

    def row(self, config: BaselineConfig, settings: Sequence[str], trick: str | None = None) -> BenchmarkRow:
        """Train with each seed, and measure."""
        samples = open_samples(config.data, self.data)
        check_samples(config, samples)
        runs, times = [], []
        for seed in self.seeds:
            started = time.perf_counter()
            state = _trained(config, self.data, seed)
            times.append(time.perf_counter() - started)
            sampler = Sampler(state.averages[GENERATOR], sample_card(config, samples, state))
            runs.append(self.measure(state, sampler))
            told = ", ".join(f"{figure} {value:.4g}" for figure, value in runs[-1].items())
            what = f"{config.name}, {trick}" if trick else config.name
            self.console.print(f"{what}, seed {seed}: {told} ({times[-1]:.0f} s)")
        return BenchmarkRow(
            preset=config.name,
            trick=trick,
            settings=tuple(settings),
            iterations=state.total,
            figures=tuple(_figure(figure, [run[figure] for run in runs]) for figure in runs[0]),
            seconds=sum(times) / len(times),
        )


def _config(name: str, data: Path | None, settings: Sequence[str]) -> BaselineConfig:
    if name not in BASELINE_PRESETS:
        guess = did_you_mean(name, BASELINE_PRESETS)
        raise ConfigError(
            f"There is no preset {name!r}.{guess} Those of the baselines are: {', '.join(BASELINE_PRESETS)}."
        )
    config = BASELINE_PRESETS[name]()
    if config.data.kind == "pictures":
        raise ConfigError(f"The benchmark knows how to measure points and digits, but {name} draws pictures.")
    if config.data.kind == "digits" and data is None:
        raise ConfigError(f"{name} learns from MNIST's idx files. Say where they are with --data.")
    return with_overrides(config, settings)


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
    from zorse.gans.training.digits import digit_measure

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


def _compared(row: BenchmarkRow, plain: BenchmarkRow) -> BenchmarkRow:
    """The row with what its trick changed: the same seeds with it and without it, one by one."""
    figures = []
    for figure, without in zip(row.figures, plain.figures, strict=True):
        change, interval = mean_interval([a - b for a, b in zip(figure.values, without.values, strict=True)])
        figures.append(figure.model_copy(update={"change": change, "change_interval": interval}))
    return row.model_copy(update={"figures": tuple(figures)})
