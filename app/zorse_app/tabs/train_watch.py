"""The visitor's trainings: where each is, what it shows, and what can be done with what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

import gradio as gr
import pandas as pd  # type: ignore[import-untyped]
from PIL import Image

from zorse_app import texts
from zorse_app.endpoints import add_endpoint
from zorse_app.parts import told
from zorse_app.service import Service
from zorse_app.tabs.train_results import moment_title, take_results, try_results
from zorse_app.training_desk import Desk, State, Training
from zorse_app.training_desk.models import directions, moments
from zorse_app.training_desk.progress import Progress, failure, read_progress, revision
from zorse_app.training_report import alarms, duration, size

_EVERY = 2.0
"""Seconds between two looks of an open page."""
_COLOURS = ("#0d9488", "#d97706", "#7c3aed")


@dataclass(frozen=True)
class _Open:
    """What an open page shows."""

    key: str
    seen: str
    """Changes with everything that is shown."""
    n_samples: int


_NOTHING = _Open("", "", 0)


@dataclass(frozen=True)
class Watch:
    """What the rest of the tab needs to know."""

    show: Any
    """Gives the values of `outputs` for a training's key."""
    chosen: gr.Radio
    outputs: Sequence[gr.blocks.Block]


def watch_trainings(service: Service, desk: Desk) -> Watch:
    """Fills the part of the tab."""
    opened = gr.State(_NOTHING)
    empty = gr.Markdown(texts.TRAIN_NONE_YET)
    with gr.Column(visible=False) as all_of_it:
        chosen = gr.Radio(label=texts.TRAIN_CHOOSE, choices=[], elem_id="trainings")
        status = gr.HTML(elem_id="training-status")
        with gr.Row():
            pause = gr.Button(texts.TRAIN_PAUSE, visible=False, min_width=120)
            resume = gr.Button(texts.TRAIN_RESUME, variant="primary", visible=False, min_width=120)
            stop = gr.Button(texts.TRAIN_STOP, visible=False, min_width=120)
            cancel = gr.Button(texts.TRAIN_CANCEL, visible=False, min_width=120)
            delete = gr.Button(texts.TRAIN_DELETE, visible=False, min_width=120)
        with gr.Column(visible=False) as sure:
            gr.Markdown(texts.TRAIN_DELETE_SURE)
            with gr.Row():
                yes = gr.Button(texts.TRAIN_DELETE_YES, variant="stop")
                no = gr.Button(texts.TRAIN_DELETE_NO)
        told_alarms = gr.HTML(elem_id="alarms", elem_classes="doctor")
        with gr.Column(visible=False) as pictures:
            gr.Markdown(f"### {texts.TRAIN_SAMPLES}")
            samples = gr.Image(show_label=False, interactive=False, buttons=["fullscreen"], elem_id="samples")
            samples_caption = gr.Markdown(elem_classes="caption")
            when = gr.Slider(1, 2, 2, step=1, label=texts.TRAIN_THEN_AND_NOW, visible=False)
        with gr.Column(visible=False) as charts:
            gr.Markdown(f"### {texts.TRAIN_CHART}")
            chart = gr.LinePlot(
                x=texts.TRAIN_CHART_X,
                y=texts.TRAIN_CHART_Y,
                color=texts.TRAIN_CHART_WHO,
                color_map=dict(zip(texts.TRAIN_LOSS_NAMES.values(), _COLOURS, strict=True)),
                show_label=False,
                height=240,
                elem_id="losses",
            )
            gr.Markdown(texts.TRAIN_CHART_HINT, elem_classes="caption")
        with gr.Column(visible=False) as results:
            trying = try_results(service, desk, chosen)
            take_results(service, desk, chosen, trying.moment, trying.way)

    outputs = [
        *(empty, all_of_it, chosen, status, pause, resume, stop, cancel, delete, sure, told_alarms),
        *(pictures, samples, samples_caption, when, charts, chart, results, trying.moment, trying.way, opened),
    ]

    def show(
        key: str | None, moment: str | None = None, way: str | None = None, number: float = 0, before: _Open = _NOTHING
    ) -> tuple[Any, ...]:
        """Everything of a training; what was chosen of the one that is open already stays chosen."""
        everything = desk.trainings()
        if not everything:
            hidden = (gr.Markdown(visible=True), gr.Column(visible=False), gr.Radio(choices=[], value=None))
            return (*hidden, *[gr.skip()] * (len(outputs) - len(hidden) - 1), _NOTHING)
        training = next((t for t in everything if t.key == key), None) or desk.running() or everything[0]
        progress = read_progress(training)
        is_open = training.key == before.key
        looks_back = is_open and 0 < number < before.n_samples
        return (
            gr.Markdown(visible=False),
            gr.Column(visible=True),
            gr.Radio(choices=[(_choice(t), t.key) for t in everything], value=training.key),
            _status(desk, training, progress),
            *_buttons(training),
            gr.skip() if is_open else gr.Column(visible=False),
            f"<ul>{alarms(progress.alarms)}</ul>" if progress.alarms else "",
            *_samples(training, progress, int(number) if looks_back else None),
            *_charts(progress),
            gr.Column(visible=training.has_models),
            *_choices(training, *((moment, way) if is_open else (None, None))),
            _Open(training.key, _seen(training, everything), len(progress.samples)),
        )

    def look(key: str | None, moment: str | None, way: str | None, number: float, before: _Open) -> tuple[Any, ...]:
        """Everything anew if something has changed; nothing otherwise."""
        everything = desk.trainings()
        training = next((t for t in everything if t.key == key), None)
        seen = _seen(training, everything) if training or not everything else None
        return tuple([gr.skip()] * len(outputs)) if seen == before.seen else show(key, moment, way, number, before)

    def turn_to(key: str, number: float) -> tuple[Any, str]:
        """An earlier grid of samples."""
        training = desk.training(key)
        progress = read_progress(training)
        return _sample(training, progress, int(number))

    timer = gr.Timer(_EVERY)
    timer.tick(
        look,
        [chosen, trying.moment, trying.way, when, opened],
        outputs,
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )
    chosen.input(show, chosen, outputs, api_visibility="private", queue=False, show_progress="hidden")
    when.input(turn_to, [chosen, when], [samples, samples_caption], api_visibility="private", show_progress="hidden")

    def act(name: str, button: gr.Button, action: Any, description: str) -> None:
        @told
        def acted(key: str) -> str:
            action(key)
            return key

        button.click(
            acted,
            chosen,
            chosen,
            preprocess=False,  # The choices that are shown are not those that the tab was built with.
            api_visibility="private",
            show_progress="hidden",
        ).success(show, chosen, outputs, api_visibility="private", show_progress="hidden")
        add_endpoint(acted, name, description, {"key": texts.API_TRAIN_KEY}, texts.API_TRAIN_KEY)

    act("train_pause", pause, desk.pause, texts.API_TRAIN_PAUSE)
    act("train_resume", resume, desk.resume, texts.API_TRAIN_RESUME)
    act("train_stop", stop, desk.stop, texts.API_TRAIN_STOP)
    act("train_cancel", cancel, desk.cancel, texts.API_TRAIN_CANCEL)
    act("train_delete", yes, desk.delete, texts.API_TRAIN_DELETE)
    delete.click(lambda: gr.Column(visible=True), None, sure, api_visibility="private", show_progress="hidden")
    no.click(lambda: gr.Column(visible=False), None, sure, api_visibility="private", show_progress="hidden")

    @told
    def status_of(key: str) -> dict[str, Any]:
        training = desk.training(key)
        progress = read_progress(training)
        return {
            "state": training.state.value,
            "iteration": progress.iteration,
            "total": progress.total,
            "seconds_left": progress.seconds_left,
            "losses": progress.losses[-1][1] if progress.losses else {},
            "alarms": [alarm.name for alarm in progress.alarms if not alarm.cleared],
            "moments": [moment.key for moment in moments(training)],
            "directions": directions(training),
        }

    key = {"key": texts.API_TRAIN_KEY}
    add_endpoint(status_of, "train_status", texts.API_TRAIN_STATUS, key, texts.API_TRAIN_STATUS_IS)
    return Watch(show, chosen, outputs)


def _seen(training: Training | None, everything: Sequence[Training]) -> str:
    """What an open page shows: a training, and all of them in the list."""
    return " ".join([revision(training) if training else "", *(f"{t.key} {t.state}" for t in everything)])


def _buttons(training: Training) -> tuple[gr.Button, ...]:
    """Pause, resume, stop, cancel and delete, each where it makes sense."""
    state = training.state
    sensible = (
        state is State.RUNNING,
        training.can_resume,
        state is State.RUNNING,
        state is State.QUEUED,
        not training.alive,
    )
    return tuple(gr.Button(visible=visible) for visible in sensible)


def _samples(training: Training, progress: Progress, number: int | None) -> tuple[Any, ...]:
    """A grid of samples, the newest unless an earlier one is looked at."""
    newest = len(progress.samples)
    if number is not None:
        return gr.skip(), gr.skip(), gr.skip(), gr.Slider(maximum=newest)
    slider = gr.Slider(maximum=max(2, newest), value=max(2, newest), visible=newest > 1)
    return gr.Column(visible=newest > 0), *_sample(training, progress, newest), slider


def _charts(progress: Progress) -> tuple[Any, Any]:
    has_chart = len(progress.losses) > 1
    return gr.Column(visible=has_chart), _chart(progress) if has_chart else None


def _choice(training: Training) -> str:
    day = datetime.fromtimestamp(training.record.created).strftime(texts.TRAIN_DAY)
    return texts.TRAIN_CHOICE.format(title=training.title, state=texts.TRAIN_STATES[training.state.value], day=day)


def _status(desk: Desk, training: Training, progress: Progress) -> str:
    state, wish = training.state, training.wish
    explanation = state.value
    if state is State.RUNNING and progress.iteration == 0:
        explanation = "preparing"
    elif state is State.RUNNING and progress.iteration == progress.total:
        explanation = "measuring"
    elif state is State.PAUSED and not training.has_begun:
        explanation = "not_begun"
    known = state is State.RUNNING and progress.seconds_left is not None
    left = texts.TRAIN_LEFT.format(time=duration(progress.seconds_left or 0)) if known else ""
    place = next((n for n, queued in enumerate(desk.queue(), start=1) if queued.key == training.key), 0)
    explained = texts.TRAIN_EXPLAINED[explanation].format(
        iteration=f"{progress.iteration:,}",
        total=f"{progress.total:,}",
        left=left,
        place=place,
        reason=failure(training),
    )
    start = texts.TRAIN_STARTS.get(wish.start[0], wish.start[0]) if wish.start else texts.TRAIN_SCRATCH
    facts = texts.TRAIN_FACTS.format(
        speed=texts.TRAIN_SPEED_NAMES[wish.speed],
        start=start,
        n=wish.n_pictures,
        disk=size(desk.n_bytes(training.key)),
        free=size(desk.free_bytes()),
    )
    share = 100 * progress.iteration / max(1, progress.total)
    return (
        f'<div class="training {state.value}"><h3>{escape(training.title)} <span class="chip">'
        f"{escape(texts.TRAIN_STATES[state.value])}</span></h3>"
        f'<div class="bar" role="progressbar" aria-valuenow="{share:.0f}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-label="{escape(training.title)}"><div style="width:{share:.1f}%"></div></div>'
        f"<p>{escape(explained)}</p><p class='facts'>{escape(facts)}</p></div>"
    )


def _sample(training: Training, progress: Progress, number: int) -> tuple[Any, str]:
    """A grid of samples, counted from 1, and what is to be seen on it."""
    if not progress.samples:
        return None, ""
    file = progress.samples[min(max(number, 1), len(progress.samples)) - 1]
    wish = training.wish
    caption = texts.TRAIN_SAMPLES_CAPTIONS[wish.kind].format(a=wish.name_a, b=wish.name_b, step=f"{int(file.stem):,}")
    with Image.open(file) as grid:
        return grid.convert("RGB"), caption


def _chart(progress: Progress) -> pd.DataFrame:
    rows: list[tuple[int, float, str]] = []
    for iteration, losses in progress.losses:
        groups: dict[str, list[float]] = {"G": [], "D": [], "other": []}
        for name, value in losses.items():
            groups[name[0] if name.split("_")[0] in ("G", "D") else "other"].append(value)
        means = {group: sum(values) / len(values) for group, values in groups.items() if values}
        rows += [(iteration, mean, texts.TRAIN_LOSS_NAMES[group]) for group, mean in means.items()]
    return pd.DataFrame(rows, columns=[texts.TRAIN_CHART_X, texts.TRAIN_CHART_Y, texts.TRAIN_CHART_WHO])


def _choices(training: Training, moment: str | None, way: str | None) -> tuple[Any, Any]:
    """States and ways to choose from; what was chosen stays if it is still there."""
    keys = [found.key for found in moments(training)]
    ways = directions(training)
    names = {"AtoB": (training.wish.name_a, training.wish.name_b), "BtoA": (training.wish.name_b, training.wish.name_a)}
    if moment not in keys:
        moment = "best" if "best" in keys else "last" if keys else None
    if way not in ways:
        way = ways[0] if ways else None
    return (
        gr.Radio(choices=[(moment_title(key), key) for key in reversed(keys)], value=moment),
        gr.Radio(
            choices=[(texts.TRAIN_ONE_WAY.format(a=names[way][0], b=names[way][1]), way) for way in ways],
            value=way,
            visible=len(ways) > 1,
        ),
    )
