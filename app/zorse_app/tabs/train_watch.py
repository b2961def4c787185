"""The visitor's trainings: where each is, what it shows, and what can be done with what came of it."""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd  # type: ignore[import-untyped]
from gradio.events import api as gradio_api
from PIL import Image

from zorse.errors import ConfigError
from zorse.imaging.io import Picture
from zorse_app import training_texts as texts
from zorse_app.gate import GatedTranslator
from zorse_app.parts import (
    ONE_AT_A_TIME,
    nothing,
    picture_input,
    progress_of,
    result_view,
    shown,
    told,
    upload,
    visitor,
)
from zorse_app.service import Service
from zorse_app.training_desk import Desk, State, Training
from zorse_app.training_desk.models import (
    Direction,
    TrainedModels,
    directions,
    export,
    moments,
    sample_pictures,
)
from zorse_app.training_desk.progress import Progress, failure, read_progress, revision
from zorse_app.training_report import alarms, duration, size

_EVERY = 2.0
"""Seconds between two looks of an open page."""
_COMPARED = 3
"""Pictures of the set that states are compared on."""
_SHOWN_SIDE = 512


@dataclass(frozen=True)
class Watch:
    """What the rest of the tab needs to know."""

    show: Any
    """Gives the values of `outputs` for a training's key."""
    chosen: gr.Radio
    outputs: Sequence[gr.blocks.Block]


def watch_trainings(service: Service, desk: Desk) -> Watch:
    """Fills the part of the tab."""
    seen = gr.State("")
    empty = gr.Markdown(texts.NONE_YET)
    with gr.Column(visible=False) as all_of_it:
        chosen = gr.Radio(label=texts.CHOOSE, choices=[], elem_id="trainings")
        status = gr.HTML(elem_id="training-status")
        with gr.Row():
            pause = gr.Button(texts.PAUSE, visible=False)
            resume = gr.Button(texts.RESUME, variant="primary", visible=False)
            stop = gr.Button(texts.STOP, visible=False)
            cancel = gr.Button(texts.CANCEL, visible=False)
            delete = gr.Button(texts.DELETE, visible=False)
        with gr.Column(visible=False) as sure:
            gr.Markdown(texts.DELETE_SURE)
            with gr.Row():
                yes = gr.Button(texts.DELETE_YES, variant="stop")
                no = gr.Button(texts.DELETE_NO)
        told_alarms = gr.HTML(elem_id="alarms", elem_classes="doctor")
        with gr.Column(visible=False) as pictures:
            gr.Markdown(f"### {texts.SAMPLES}")
            samples = gr.Image(show_label=False, interactive=False, buttons=["fullscreen"], elem_id="samples")
            samples_caption = gr.Markdown(elem_classes="caption")
            when = gr.Slider(1, 2, 2, step=1, label=texts.THEN_AND_NOW, visible=False)
        with gr.Column(visible=False) as charts:
            gr.Markdown(f"### {texts.CHART}")
            chart = gr.LinePlot(
                x=texts.CHART_X, y=texts.CHART_Y, color="who", show_label=False, height=240, elem_id="losses"
            )
            gr.Markdown(texts.CHART_HINT, elem_classes="caption")
        with gr.Column(visible=False) as results:
            trying = _trying(service, desk, chosen)
            _taking(service, desk, chosen, trying.moment, trying.way)

    outputs = [
        *(empty, all_of_it, chosen, status, pause, resume, stop, cancel, delete, sure, told_alarms),
        *(pictures, samples, samples_caption, when, charts, chart, results, trying.moment, trying.way, seen),
    ]

    def show(key: str | None) -> tuple[Any, ...]:
        everything = desk.trainings()
        if not everything:
            return (gr.Markdown(visible=True), gr.Column(visible=False), *[gr.skip()] * (len(outputs) - 3), "")
        training = next((t for t in everything if t.key == key), None) or desk.running() or everything[0]
        return (
            gr.Markdown(visible=False),
            gr.Column(visible=True),
            gr.Radio(choices=[(_choice(t), t.key) for t in everything], value=training.key),
            *_shown(desk, training),
            _seen(desk, training),
        )

    def look(key: str | None, seen: str) -> tuple[Any, ...]:
        """Everything anew if something has changed; nothing otherwise."""
        everything = desk.trainings()
        training = next((t for t in everything if t.key == key), None)
        unchanged = seen == (_seen(desk, training) if training else "") and bool(everything) == bool(key)
        return tuple([gr.skip()] * len(outputs)) if unchanged else show(key)

    def turn_to(key: str, number: float) -> tuple[Any, str]:
        """An earlier grid of samples."""
        training = desk.training(key)
        progress = read_progress(training)
        return _sample(training, progress, int(number))

    timer = gr.Timer(_EVERY)
    timer.tick(look, [chosen, seen], outputs, api_visibility="private", queue=False, show_progress="hidden")
    chosen.input(show, chosen, outputs, api_visibility="private", queue=False, show_progress="hidden")
    when.release(turn_to, [chosen, when], [samples, samples_caption], api_visibility="private", show_progress="hidden")

    def act(name: str, button: gr.Button, action: Any, description: str) -> None:
        @told
        def acted(key: str) -> str:
            action(key)
            return key

        acted.__doc__ = description
        button.click(acted, chosen, chosen, api_name=name, api_description=description, show_progress="hidden").success(
            show, chosen, outputs, api_visibility="private", show_progress="hidden"
        )

    act("train_pause", pause, desk.pause, "Save a training and end it for now; takes and gives its key.")
    act("train_resume", resume, desk.resume, "Let a training go on from its last save; takes and gives its key.")
    act("train_stop", stop, desk.stop, "Save a training and end it; takes and gives its key.")
    act("train_cancel", cancel, desk.cancel, "Take a training out of the queue; takes and gives its key.")
    act("train_delete", yes, desk.delete, "Delete a training with all its files; takes and gives its key.")
    delete.click(lambda: gr.Column(visible=True), None, sure, api_visibility="private", show_progress="hidden")
    no.click(lambda: gr.Column(visible=False), None, sure, api_visibility="private", show_progress="hidden")

    def status_of(key: str) -> dict[str, Any]:
        """Where a training is: state, step, steps in all, seconds left, losses of the last step, names of alarms."""
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

    gradio_api(told(status_of), api_name="train_status")
    return Watch(show, chosen, outputs)


@dataclass(frozen=True)
class _Trying:
    moment: gr.Radio
    way: gr.Radio


def _trying(service: Service, desk: Desk, chosen: gr.Radio) -> _Trying:
    """Translates with a state, and compares all of them."""
    warm = TrainedModels()
    gr.Markdown(texts.STEP_TRY)
    with gr.Row():
        with gr.Column():
            picture = picture_input(texts.TRY_PICTURE, texts.TRY_PICTURE_HINT)
            moment = gr.Radio(label=texts.MOMENT, choices=[], info=texts.MOMENT_HINT)
            way = gr.Radio(label=texts.WAY, choices=[])
        with gr.Column():
            result = result_view(service)
    compare = gr.Button(texts.COMPARE)
    gr.Markdown(texts.COMPARE_HINT, elem_classes="caption")
    gallery = gr.Gallery(
        label=texts.COMPARED, columns=3, object_fit="contain", height="auto", interactive=False, visible=False,
        buttons=["fullscreen"], elem_id="compared",
    )  # fmt: skip

    @told
    def translate(
        key: str | None,
        moment: str | None,
        way: str | None,
        picture: dict[str, Any] | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[Any, ...]:
        """Translate a picture with a state of a training: its key, "last", "best" or a step, AtoB or BtoA."""
        if picture is None or not key or not moment or not way:
            return nothing()
        training = desk.training(key)
        with service.stops.watch(visitor(request)) as check, _lent(service, warm, training, moment, way) as name:
            outcome = service.translate_photo(upload(picture), name, tell=progress_of(progress, check))
        plain = outcome.download.with_name(outcome.download.name.replace(name, moment))
        outcome.download.rename(plain)
        return shown(replace(outcome, download=plain))

    gr.on(
        [picture.change, moment.input, way.input],
        translate,
        [chosen, moment, way, picture],
        result.components,
        preprocess=False,
        api_name="train_try",
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )

    @told
    def compare_all(
        key: str | None,
        way: str | None,
        picture: dict[str, Any] | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> Any:
        """All states of a training on the same pictures: a given one, or some of its own."""
        if not key or not way:
            raise ConfigError(texts.NOTHING_TO_COMPARE)
        training = desk.training(key)
        found = moments(training)
        own = None if picture is None else upload(picture)
        samples = [] if own else sample_pictures(training, _direction(way), _COMPARED)
        rows: list[list[tuple[Any, str]]] = [[] for _ in range(1 if own else len(samples))]
        with service.stops.watch(visitor(request)) as check:
            for number, moment in enumerate(found):
                check()
                progress(number / len(found))
                title = _moment_title(moment.key)
                with _lent(service, warm, training, moment.key, way) as name:
                    if own:
                        outcome = service.translate_photo(own, name)
                        rows[0] += [] if rows[0] else [(str(outcome.before), texts.ORIGINAL)]
                        rows[0].append((str(outcome.after), title))
                    for row, rgb in zip(rows, samples, strict=False):
                        translated = service.shelf.translator(name).translate(Picture(rgb))
                        row += [] if row else [(_small(Image.fromarray(rgb)), texts.ORIGINAL)]
                        row.append((_small(Image.fromarray(translated.rgb)), title))
        return gr.Gallery(value=[entry for row in rows for entry in row], columns=len(found) + 1, visible=True)

    compare.click(
        compare_all,
        [chosen, way, picture],
        gallery,
        preprocess=False,
        api_name="train_compare",
        show_progress_on=gallery,
        **ONE_AT_A_TIME,
    )
    chosen.change(
        lambda: (None, gr.Gallery(value=None, visible=False)),
        None,
        [picture, gallery],
        api_visibility="private",
        show_progress="hidden",
    )
    return _Trying(moment, way)


def _taking(service: Service, desk: Desk, chosen: gr.Radio, moment: gr.Radio, way: gr.Radio) -> None:
    """Exports a state as one file."""
    gr.Markdown(texts.STEP_TAKE)
    if not all(find_spec(package) for package in ("onnx", "onnxscript")):
        gr.Markdown(texts.EXPORT_MISSING)
        return
    gr.Markdown(texts.TAKE_HINT)
    with gr.Row():
        make = gr.Button(texts.EXPORT)
        download = gr.DownloadButton(texts.EXPORT_EMPTY, interactive=False, variant="primary")
    made = gr.Markdown(elem_classes="caption")

    @told
    def take(
        key: str | None,
        moment: str | None,
        way: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[Any, str]:
        """Make one ONNX file of a state of a training: its key, "last", "best" or a step, AtoB or BtoA."""
        if not key or not moment or not way:
            raise ConfigError(texts.NOTHING_TO_EXPORT)
        progress(None, desc=texts.EXPORTING)
        file = export(desk.training(key), moment, way)
        # Gradio hands out nothing but what lies in the visitors' folder.
        folder = service.folder / secrets.token_hex(16)
        folder.mkdir(parents=True)
        copy = Path(shutil.copy(file, folder / file.name))
        note = texts.EXPORTED.format(name=file.name, size=size(file.stat().st_size))
        label = texts.EXPORT_DOWNLOAD.format(name=file.name)
        return gr.DownloadButton(label, value=str(copy), interactive=True), note

    make.click(
        take,
        [chosen, moment, way],
        [download, made],
        api_name="train_export",
        show_progress_on=made,
        concurrency_id="train_export",
        concurrency_limit=1,
    )
    gr.on(
        [chosen.change, moment.change, way.change],
        lambda: (gr.DownloadButton(texts.EXPORT_EMPTY, value=None, interactive=False), ""),
        None,
        [download, made],
        api_visibility="private",
        show_progress="hidden",
    )


@contextmanager
def _lent(service: Service, warm: TrainedModels, training: Training, moment: str, way: str) -> Iterator[str]:
    """Inside, the service knows a state of a training by the name that is given."""
    name = f"{training.key}-{moment}-{way}-{secrets.token_hex(4)}"
    service.shelf.lend(name, GatedTranslator(warm.translator(training, moment, way), service.shelf.gate))
    try:
        yield name
    finally:
        service.shelf.take_back(name)


def _direction(way: str) -> Direction:
    if way not in ("AtoB", "BtoA"):
        raise ConfigError(f"The way {way!r} is neither AtoB nor BtoA.")
    return "AtoB" if way == "AtoB" else "BtoA"


def _seen(desk: Desk, training: Training) -> str:
    """What an open page shows: a training, and all of them in the list."""
    return " ".join([revision(training), *(f"{t.key} {t.state}" for t in desk.trainings())])


def _shown(desk: Desk, training: Training) -> tuple[Any, ...]:
    state, progress = training.state, read_progress(training)
    has_samples, has_chart = bool(progress.samples), len(progress.losses) > 1
    newest = len(progress.samples)
    sample, caption = _sample(training, progress, newest)
    return (
        _status(desk, training, progress),
        gr.Button(visible=state is State.RUNNING),
        gr.Button(visible=training.can_resume),
        gr.Button(visible=state in (State.RUNNING, State.PAUSED, State.INTERRUPTED) and training.alive),
        gr.Button(visible=state is State.QUEUED),
        gr.Button(visible=not training.alive),
        gr.Column(visible=False),
        f"<ul>{alarms(progress.alarms)}</ul>" if progress.alarms else "",
        gr.Column(visible=has_samples),
        sample,
        caption,
        gr.Slider(maximum=max(2, newest), value=max(2, newest), visible=newest > 1),
        gr.Column(visible=has_chart),
        _chart(progress) if has_chart else None,
        gr.Column(visible=training.has_models),
        *_choices(training),
    )


def _choice(training: Training) -> str:
    day = datetime.fromtimestamp(training.record.created).strftime("%d %b, %H:%M")
    return texts.CHOICE.format(title=training.title, state=texts.STATES[training.state.value], day=day)


def _status(desk: Desk, training: Training, progress: Progress) -> str:
    state, wish = training.state, training.wish
    is_preparing = state is State.RUNNING and progress.iteration == 0
    known = state is State.RUNNING and progress.seconds_left is not None
    left = texts.LEFT.format(time=duration(progress.seconds_left or 0)) if known else ""
    place = next((n for n, queued in enumerate(desk.queue(), start=1) if queued.key == training.key), 0)
    explained = texts.EXPLAINED["preparing" if is_preparing else state.value].format(
        iteration=f"{progress.iteration:,}",
        total=f"{progress.total:,}",
        left=left,
        place=place,
        reason=failure(training),
    )
    start = texts.STARTS.get(wish.start[0], wish.start[0]) if wish.start else texts.SCRATCH
    facts = texts.FACTS.format(
        speed=texts.SPEED_NAMES[wish.speed],
        start=start,
        n=wish.n_pictures,
        disk=size(desk.n_bytes(training.key)),
        free=size(desk.free_bytes()),
    )
    share = 100 * progress.iteration / max(1, progress.total)
    return (
        f'<div class="training {state.value}"><h3>{escape(training.title)} <span class="chip">'
        f"{escape(texts.STATES[state.value])}</span></h3>"
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
    caption = texts.SAMPLES_CAPTIONS[wish.kind].format(a=wish.name_a, b=wish.name_b, step=f"{int(file.stem):,}")
    with Image.open(file) as grid:
        return grid.convert("RGB"), caption


def _chart(progress: Progress) -> pd.DataFrame:
    rows = []
    for iteration, losses in progress.losses:
        groups: dict[str, list[float]] = {"G": [], "D": [], "other": []}
        for name, value in losses.items():
            groups[name[0] if name.split("_")[0] in ("G", "D") else "other"].append(value)
        rows += [
            {texts.CHART_X: iteration, texts.CHART_Y: sum(values) / len(values), "who": texts.LOSS_NAMES[group]}
            for group, values in groups.items()
            if values
        ]
    return pd.DataFrame(rows)


def _choices(training: Training) -> tuple[Any, Any]:
    """States and ways to choose from."""
    keys = [moment.key for moment in moments(training)]
    ways = directions(training)
    names = {"AtoB": (training.wish.name_a, training.wish.name_b), "BtoA": (training.wish.name_b, training.wish.name_a)}
    wanted = "best" if "best" in keys else "last"
    return (
        gr.Radio(choices=[(_moment_title(key), key) for key in reversed(keys)], value=wanted if keys else None),
        gr.Radio(
            choices=[(texts.WAY_CHOICE.format(source=names[way][0], target=names[way][1]), way) for way in ways],
            value=ways[0] if ways else None,
            visible=len(ways) > 1,
        ),
    )


def _moment_title(key: str) -> str:
    return texts.MOMENTS["kept"].format(iteration=f"{int(key):,}") if key.isdigit() else texts.MOMENTS[key]


def _small(picture: Image.Image) -> Image.Image:
    picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    return picture
