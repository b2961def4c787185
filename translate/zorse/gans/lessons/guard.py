"""A guard against mode collapse: back to the last healthy checkpoint, and on with smaller steps.

A healthy run on the ring of eight Gaussians goes on with a learning rate that is far too high, once without and once
with `training.rollback`. The guard watches the share of real points that have a generated one in their neighbourhood.
When that stays below half of what it was, the run goes back to the last checkpoint that was saved while all was well,
and learns half as fast from there on.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from zorse.gans.data.config import MixtureConfig
from zorse.gans.data.mixtures import Mixture, centres, spread
from zorse.gans.lessons.lesson import BLUE, GREY, ORANGE, Lesson, panels, scatter
from zorse.gans.metrics.modes import N_POINTS, measure_modes
from zorse.gans.networks.latents import draw_latents
from zorse.gans.sheets import Points
from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.presets import points
from zorse.gans.training.run import train_baseline
from zorse.training.config import with_overrides
from zorse.training.files import RunFolder
from zorse.training.loop.loop import TrainingState
from zorse.training.observers.recorder.log import read_log

TITLE = "A guard against mode collapse"

RING = MixtureConfig(distribution="ring")
HEALTHY, STEPS, RATE, EVERY = 1000, 800, 2e-2, 50
"""Steps before and with the high learning rate, which is twenty times that of the preset; steps between readings."""
REACH, SHOWN = 2.8, 512


@dataclass(frozen=True)
class _Course:
    """What became of a run."""

    points: Points
    coverage: tuple[tuple[int, float], ...]
    """Iterations, and the share of real points that were covered then."""
    rollbacks: tuple[tuple[int, int], ...]
    """From which iteration to which."""


def teach() -> Lesson:
    """Train without and with the guard, and compare."""
    real = Mixture(RING, seed=1).batch(0, SHOWN)["x"].numpy()
    names = ("without the guard", "with it")
    figure, (reading, *planes) = panels(["Share of real points that are covered", *names])
    rows = []
    for name, course, colour, axis in zip(names, _courses(), (ORANGE, BLUE), planes, strict=True):
        figures = measure_modes(course.points, centres(RING.distribution), spread(RING))
        reading.plot(*zip(*course.coverage, strict=True), color=colour, label=name)
        scatter(axis, real, course.points[:SHOWN], REACH)
        axis.set_title(f"{name}: {figures.covered} of {figures.modes}, KL {figures.reverse_kl:.2f}", fontsize="medium")
        rollbacks = ", ".join(f"{start} to {end}" for start, end in course.rollbacks) or "none"
        rows.append((name, f"{figures.covered} of {figures.modes}", f"{figures.reverse_kl:.2f}", rollbacks))
    reading.axvline(HEALTHY, color=GREY, linestyle=":", label=f"learning rate {RATE:g}")
    reading.set(xlabel="iterations", ylim=(0, 1.05))
    reading.legend(fontsize="small", loc="lower left")
    return Lesson(
        (("run", "modes covered", "reverse KL", "rollbacks"), *rows),
        f"Both are the same healthy run up to iteration {HEALTHY}, where somebody raises the learning rate twentyfold. "
        "The guard (training.rollback=true) sees the coverage fall below half of its best, throws away what came after "
        "the last healthy checkpoint, and halves the learning rate, as often as it takes and training.rollback_limit "
        "allows. Readings of iterations that it has undone are gone.",
        figure,
    )


def _courses() -> tuple[_Course, _Course]:
    """Without and with the guard, from the same healthy beginning."""
    with TemporaryDirectory() as folder:
        healthy = Path(folder) / "healthy"
        train_baseline(_config(f"training.iterations={HEALTHY}"), None, healthy, device="cpu")
        return _gone_on(healthy, "false"), _gone_on(healthy, "true")


def _gone_on(healthy: Path, guarded: str) -> _Course:
    run = healthy.with_name(guarded)
    shutil.copytree(healthy, run)
    rates = (f"recipe.learning_rate={RATE}", f"recipe.discriminator_learning_rate={RATE}")
    config = _config(
        f"training.iterations={HEALTHY + STEPS}",
        *rates,
        f"training.rollback={guarded}",
        "training.rollback_limit=6",
    )
    state = train_baseline(config, None, run, resume=True, device="cpu")
    log = read_log(RunFolder(run).metrics)
    return _Course(_drawn(state, config), tuple(_coverage(log)), tuple(_rollbacks(log)))


def _config(*settings: str) -> BaselineConfig:
    always = ("training.schedule=constant", f"training.log_every={EVERY}", f"training.save_every={2 * EVERY}")
    quiet = ("training.evaluate_every=0", f"training.sample_every={HEALTHY + STEPS}")
    return with_overrides(points("gan", RING.distribution), [*always, *quiet, *settings])


def _drawn(state: TrainingState, config: BaselineConfig) -> Points:
    with torch.inference_mode():
        latents = draw_latents(config.recipe.generator.latent, N_POINTS, chance=torch.Generator().manual_seed(0))
        drawn: Points = state.averages["G"](latents).numpy()
    return drawn


def _coverage(log: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(line["iteration"], line["signals"]["coverage_fake"]) for line in log if "signals" in line]


def _rollbacks(log: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(line["rollback"]["from"], line["iteration"]) for line in log if "rollback" in line]
