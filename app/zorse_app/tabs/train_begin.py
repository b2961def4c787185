"""A new training: pictures in, the data doctor's report, how to learn, start."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from zorse.data.doctor.diagnosis import Diagnosis
from zorse.model.registry import find_file, shipped_models
from zorse_app import texts
from zorse_app.endpoints import add_endpoint
from zorse_app.parts import told
from zorse_app.service import Service
from zorse_app.training_desk import Desk, DeskError, Kind, Speed, State
from zorse_app.training_desk.command import SPEEDS, iterations
from zorse_app.training_desk.pictures import is_fixable, is_usable
from zorse_app.training_report import duration, report, size
from zorse_app.uploads import Upload

_STARTS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "unpaired": (("horse2zebra", "zebra2horse"), ("monet2photo", "photo2monet")),
    "paired": (("edges2shoes",), ("edges2clothes",)),
    "edges": (("edges2shoes",), ("edges2clothes",)),
}
"""Shipped models that a kind may start from; the first of a group stands for it."""

_SENT = [".zip", "image"]
_SLACK = 1.4
"""Measuring and sampling come on top of the steps, and a computer that works for hours is slower than one that works
for seconds: estimates are given as a range up to so many times what two steps took."""


@dataclass(frozen=True)
class Started:
    """What the rest of the tab needs to know."""

    key: gr.Textbox
    """Of the training that was started last; hidden."""


def begin_training(service: Service, desk: Desk) -> Started:
    """Fills the part of the tab."""
    draft = gr.Textbox(label=texts.API_TRAIN_KEY, visible=False)
    started = gr.Textbox(visible=False)
    gr.Markdown(texts.TRAIN_STEP_PICTURES)
    kind = gr.Radio(
        texts.TRAIN_KINDS, value="unpaired", label=texts.TRAIN_KIND, info=texts.TRAIN_KIND_HINTS["unpaired"]
    )
    with gr.Row():
        with gr.Column() as side_a:
            name_a = gr.Textbox(
                label=texts.TRAIN_NAME_A["unpaired"],
                placeholder=texts.TRAIN_NAME_A_EXAMPLE["unpaired"],
                max_lines=1,
                max_length=40,
            )
            files_a = _files(texts.TRAIN_FILES_A["unpaired"])
        with gr.Column():
            name_b = gr.Textbox(
                label=texts.TRAIN_NAME_B["unpaired"],
                placeholder=texts.TRAIN_NAME_B_EXAMPLE["unpaired"],
                max_lines=1,
                max_length=40,
            )
            files_b = _files(texts.TRAIN_FILES_B["unpaired"])
    hint = texts.TRAIN_FILES_HINT.format(limit=size(service.limits.request_bytes))
    gr.Markdown(hint, elem_classes="caption")
    look = gr.Button(texts.TRAIN_LOOK, variant="primary")
    findings = gr.HTML(label=texts.API_TRAIN_REPORT, elem_id="doctor")
    with gr.Column(visible=False) as fixing:
        gr.Markdown(texts.TRAIN_FIX_HINT, elem_classes="caption")
        fix = gr.Button(texts.TRAIN_FIX, variant="primary")
    with gr.Column(visible=False) as how:
        gr.Markdown(texts.TRAIN_STEP_HOW)
        start_from = gr.Radio(
            _start_choices("unpaired"), value="", label=texts.TRAIN_START, info=texts.TRAIN_START_HINT
        )
        speed = gr.Radio(_speed_choices("unpaired", None), value="normal", label=texts.TRAIN_SPEED)
        measured = gr.Markdown(elem_classes="caption")
        go = gr.Button(texts.TRAIN_GO, variant="primary")

    def change_kind(kind: Kind) -> tuple[Any, ...]:
        return (
            gr.Radio(info=texts.TRAIN_KIND_HINTS[kind]),
            gr.Column(visible=kind != "edges"),
            gr.Textbox(label=texts.TRAIN_NAME_A[kind], placeholder=texts.TRAIN_NAME_A_EXAMPLE[kind]),
            gr.Textbox(label=texts.TRAIN_NAME_B[kind], placeholder=texts.TRAIN_NAME_B_EXAMPLE[kind]),
            gr.File(label=texts.TRAIN_FILES_A[kind]),
            gr.File(label=texts.TRAIN_FILES_B[kind]),
            gr.Column(visible=False),
            gr.Column(visible=False),
            "",
        )

    kind.change(
        change_kind,
        kind,
        [kind, side_a, name_a, name_b, files_a, files_b, how, fixing, findings],
        api_visibility="private",
        show_progress="hidden",
    )

    @told
    def take_in(
        kind: Kind,
        name_a: str,
        name_b: str,
        files_a: list[str] | None,
        files_b: list[str] | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[str, str]:
        if kind not in get_args(Kind):
            raise DeskError(texts.TRAIN_NO_KIND.format(kind=kind, known=", ".join(get_args(Kind))))
        progress(0, desc=texts.TRAIN_UNPACKING)
        first, second = _sent(files_a), _sent(files_b)
        names = (name_a or "", name_b or "")
        if kind == "edges":
            names, first, second = (texts.TRAIN_DRAWN_LINES, names[1]), second or first, []
        training, contents = desk.take_in(kind, names, first, second)
        diagnosis = desk.look_at_new(training, _teller(progress, texts.TRAIN_LOOKING))
        return training.key, report(diagnosis, training.wish, contents.left_out)

    @told
    def put_right(
        key: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> str:
        diagnosis = desk.fix(key, _teller(progress, texts.TRAIN_FIXING))
        return report(diagnosis, desk.training(key).wish)

    @told
    def options(key: str) -> tuple[Any, ...]:
        """What to show below the report."""
        training, diagnosis = desk.training(key), desk.last_diagnosis(key)
        usable = is_usable(diagnosis)
        speeds = _speed_choices(training.wish.kind, None)
        return (
            gr.Column(visible=is_fixable(diagnosis)),
            gr.Column(visible=usable),
            gr.Radio(choices=_start_choices(training.wish.kind), value=""),
            gr.Radio(choices=speeds, value=_suggested(diagnosis)),
            texts.TRAIN_MEASURING if usable else "",
        )

    @told
    def measure(key: str) -> tuple[Any, str]:
        """How long a draft's training would take here: two real steps are tried."""
        training = desk.training(key)
        if training.state is not State.DRAFT or not is_usable(desk.last_diagnosis(key)):
            return gr.skip(), ""
        beside = desk.running() is not None
        try:
            trial = desk.measure(key)
        except DeskError as error:  # It was started in the meantime, or cannot be tried: no reason not to start.
            return gr.skip(), texts.TRAIN_NOT_MEASURED.format(reason=error)
        if not trial.fits:
            return gr.skip(), texts.TRAIN_TOO_LARGE.format(advice=" ".join(trial.advice))
        seconds = trial.seconds_per_iteration
        note = texts.TRAIN_MEASURED.format(device=trial.device, step=texts.TRAIN_PER_STEP.format(n=seconds or 0))
        return gr.Radio(choices=_speed_choices(training.wish.kind, seconds)), note + (
            texts.TRAIN_BESIDE if beside else ""
        )

    @told
    def start(key: str, speed: Speed, start_from: str = "") -> str:
        if not key:
            raise DeskError(texts.TRAIN_SEND_FIRST)
        training = desk.training(key)
        groups = {group[0]: group for group in _STARTS[training.wish.kind]}
        if start_from and start_from not in groups:
            raise DeskError(texts.TRAIN_NO_START.format(start=start_from))
        training = desk.start(key, speed, groups.get(start_from, ()))
        gr.Info(texts.TRAIN_QUEUED if training.state is State.QUEUED else texts.TRAIN_STARTED)
        return training.key

    shown = [fixing, how, start_from, speed, measured]
    gr.on(
        [look.click],
        take_in,
        [kind, name_a, name_b, files_a, files_b],
        [draft, findings],
        api_name="train_look",
        api_description=texts.API_TRAIN_LOOK,
        show_progress_on=findings,
        concurrency_id="train_look",
        concurrency_limit=2,
    ).success(options, draft, shown, api_visibility="private", show_progress="hidden").success(
        measure,
        draft,
        [speed, measured],
        api_visibility="private",
        show_progress_on=measured,
        concurrency_id="train_measure",
        concurrency_limit=1,
    )
    fix.click(
        put_right,
        draft,
        findings,
        api_name="train_fix",
        api_description=texts.API_TRAIN_FIX,
        show_progress_on=findings,
        concurrency_id="train_look",
    ).success(options, draft, shown, api_visibility="private", show_progress="hidden").success(
        measure,
        draft,
        [speed, measured],
        api_visibility="private",
        show_progress_on=measured,
        concurrency_id="train_measure",
    )
    go.click(
        start,
        [draft, speed, start_from],
        started,
        preprocess=False,  # The choices that are shown are not those that the tab was built with.
        api_visibility="private",
    ).success(
        lambda: (gr.Column(visible=False), gr.Column(visible=False), "", None, None),
        None,
        [fixing, how, findings, files_a, files_b],
        api_visibility="private",
        show_progress="hidden",
    )

    @told
    def seconds_for(key: str) -> dict[str, float]:
        training = desk.training(key)
        seconds = desk.measure(key).seconds_per_iteration
        return {} if seconds is None else {s: seconds * iterations(training.wish.kind, s) for s in SPEEDS}

    key = {"key": texts.API_TRAIN_KEY}
    add_endpoint(seconds_for, "train_measure", texts.API_TRAIN_MEASURE, key, texts.API_TRAIN_SECONDS)
    choices = {"speed": texts.API_TRAIN_SPEED, "start_from": texts.API_TRAIN_START_FROM}
    add_endpoint(start, "train_start", texts.API_TRAIN_START, key | choices, texts.API_TRAIN_KEY)
    return Started(started)


def _files(label: str) -> gr.File:
    return gr.File(label=label, file_count="multiple", file_types=_SENT, type="filepath", height=150)


def _sent(files: Sequence[str] | None) -> list[Upload]:
    return [Upload(Path(file), Path(file).name) for file in files or []]


def _teller(progress: gr.Progress, text: str) -> Any:
    def tell(done: int, total: int) -> None:
        progress((done, total), desc=text.format(done=done, total=total), unit="")

    return tell


def _start_choices(kind: Kind) -> list[tuple[str, str]]:
    present = {name for name, entry in shipped_models().items() if find_file(entry)}
    groups = [group for group in _STARTS[kind] if present.issuperset(group)]
    return [(texts.TRAIN_SCRATCH, ""), *((texts.TRAIN_STARTS[group[0]], group[0]) for group in groups)]


def _speed_choices(kind: Kind, seconds_per_iteration: float | None) -> list[tuple[str, str]]:
    choices = []
    for speed, name in texts.TRAIN_SPEED_NAMES.items():
        note = texts.TRAIN_SPEED_NOTES[speed]
        if seconds_per_iteration is None:
            choices.append((texts.TRAIN_SPEED_UNMEASURED.format(name=name, note=note), speed))
        else:
            seconds = iterations(kind, speed) * seconds_per_iteration  # type: ignore[arg-type]
            choices.append((texts.TRAIN_SPEED_CHOICE.format(name=name, time=_range(seconds), note=note), speed))
    return choices


def _range(seconds: float) -> str:
    shortest, longest = duration(seconds), duration(_SLACK * seconds)
    if shortest == longest:
        return longest
    if shortest.split()[1:] == longest.split()[1:]:
        shortest = shortest.split()[0]
    return texts.RANGE.format(shortest=shortest, longest=longest)


def _suggested(diagnosis: Diagnosis) -> Speed:
    """Few pictures are soon known by heart."""
    return "quick" if any(finding.check.value == "few" for finding in diagnosis.findings) else "normal"
