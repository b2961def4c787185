"""What a visitor wants, as a command line of `zorse train`."""

import json
import re
from dataclasses import dataclass

from zorse.imaging.strokes import USUAL_SHARE
from zorse_app import texts
from zorse_app.training_desk.processes import zorse_command
from zorse_app.training_desk.record import Kind, Speed, TrainingFolder, Wish

SPEEDS: dict[Speed, float] = {"quick": 1 / 10, "normal": 1.0, "long": 3.0}
"""Share of the normal number of iterations."""

_SHOWN = 20
"""Sample grids of a run."""
_READINGS = 300
"""Points of the chart of losses."""
_KEPT = 4
"""The run is measured, and a state of it kept for good, after each such part."""
_SECONDS_BETWEEN_CHECKPOINTS = 120
"""Most that is lost when a computer is switched off."""


@dataclass(frozen=True)
class Method:
    """How a kind of pictures is learned from on any computer."""

    preset: str
    iterations: int
    """Of the speed `normal`."""
    load_size: int
    crop_size: int
    scale: tuple[float, float] = (1.0, 1.0)
    strokes: float = 0.0
    """Share of drawings with strokes of colour, where lines are drawn from photos."""


METHODS: dict[Kind, Method] = {
    "unpaired": Method("compact_horse2zebra", 4000, load_size=160, crop_size=128, scale=(0.85, 1.2)),
    "paired": Method("compact_edges2shoes", 3000, load_size=208, crop_size=192),
    "edges": Method("compact_edges2clothes", 4000, load_size=208, crop_size=192, strokes=USUAL_SHARE),
}


def iterations(kind: Kind, speed: Speed) -> int:
    """Steps of the whole training."""
    return round(METHODS[kind].iterations * SPEEDS[speed])


def train_command(folder: TrainingFolder, wish: Wish, *, resume: bool) -> list[str]:
    """Trains, or goes on from the last checkpoint with the run's own settings."""
    places = ["--data", str(folder.pictures), "--out", str(folder.run.root)]
    if resume:
        return zorse_command("train", str(folder.run.config), *places, "--resume")
    return zorse_command("train", METHODS[wish.kind].preset, *places, "--no-check", *_settings(wish), *_start(wish))


def trial_command(folder: TrainingFolder, wish: Wish) -> list[str]:
    """Measures what a step takes."""
    places = ["--data", str(folder.pictures), "--out", str(folder.run.root)]
    return zorse_command("train", METHODS[wish.kind].preset, *places, "--plan", "--json", *_settings(wish))


def model_names(wish: Wish) -> tuple[str, str]:
    """Names for the models of both directions."""
    a, b = _word(wish.name_a), _word(wish.name_b)
    return f"{a}2{b}", f"{b}2{a}"


def _settings(wish: Wish) -> list[str]:
    """The preset's settings are for known pictures; what is about them is replaced."""
    name, reverse = model_names(wish)
    title = texts.TRAIN_SET.format(a=wish.name_a, b=wish.name_b)
    method, n = METHODS[wish.kind], wish.iterations
    seconds = wish.seconds_per_iteration or 1.0
    settings = {
        "name": _text(name),
        "domain_a": _text(wish.name_a),
        "domain_b": _text(wish.name_b),
        "training_data": (
            f"{{name={_text(title)}, origin={_text(texts.TRAIN_ORIGIN)}, "
            f'licence="unknown", n_pictures={wish.n_pictures}}}'
        ),
        "data.load_size": str(method.load_size),
        "data.crop_size": str(method.crop_size),
        "data.scale": f"[{method.scale[0]}, {method.scale[1]}]",
        "training.iterations": str(n),
        "training.log_every": str(max(5, n // _READINGS)),
        "training.sample_every": str(max(5, n // _SHOWN)),
        "training.save_every": str(int(min(max(10, _SECONDS_BETWEEN_CHECKPOINTS / seconds), max(10, n // 4)))),
        "training.keep_every": str(max(5, n // _KEPT)),
        "training.evaluate_every": str(max(5, n // _KEPT)),
        "training.evaluation_pictures": "50",
        "training.rollback": "true",
    }
    if wish.kind == "unpaired":
        settings["name_reverse"] = _text(reverse)
    if wish.kind == "edges":
        settings["data.strokes"] = str(method.strokes)
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def _start(wish: Wish) -> list[str]:
    return [part for model in wish.start for part in ("--from", model)]


def _text(value: str) -> str:
    """A string of TOML."""
    return json.dumps(value, ensure_ascii=False)


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30] or "pictures"
