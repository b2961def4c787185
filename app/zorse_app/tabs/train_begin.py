"""A new training: pictures in, the data doctor's report, how to learn, start."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from zorse.data.doctor.diagnosis import Diagnosis
from zorse.registry import find_file, shipped_models
from zorse_app import training_texts as texts
from zorse_app.parts import told
from zorse_app.service import Service
from zorse_app.training_desk import Desk, DeskError, Kind, Speed, State
from zorse_app.training_desk.command import iterations
from zorse_app.training_desk.pictures import Sent, is_fixable, is_usable
from zorse_app.training_report import duration, report, size

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
    draft, started = gr.Textbox(visible=False), gr.Textbox(visible=False)
    gr.Markdown(texts.STEP_PICTURES)
    kind = gr.Radio(texts.KINDS, value="unpaired", label=texts.KIND, info=texts.KIND_HINTS["unpaired"])
    with gr.Row():
        with gr.Column() as side_a:
            name_a = gr.Textbox(
                label=texts.NAME_A["unpaired"], placeholder=texts.NAME_A_EXAMPLE["unpaired"], max_lines=1, max_length=40
            )
            files_a = _files(texts.FILES_A["unpaired"])
        with gr.Column():
            name_b = gr.Textbox(
                label=texts.NAME_B["unpaired"], placeholder=texts.NAME_B_EXAMPLE["unpaired"], max_lines=1, max_length=40
            )
            files_b = _files(texts.FILES_B["unpaired"])
    hint = texts.FILES_HINT.format(limit=size(service.limits.request_bytes))
    gr.Markdown(hint, elem_classes="caption")
    look = gr.Button(texts.LOOK, variant="primary")
    findings = gr.HTML(elem_id="doctor")
    with gr.Column(visible=False) as fixing:
        gr.Markdown(texts.FIX_HINT, elem_classes="caption")
        fix = gr.Button(texts.FIX, variant="primary")
    with gr.Column(visible=False) as how:
        gr.Markdown(texts.STEP_HOW)
        start_from = gr.Radio(_start_choices("unpaired"), value="", label=texts.START, info=texts.START_HINT)
        speed = gr.Radio(_speed_choices("unpaired", None), value="normal", label=texts.SPEED)
        measured = gr.Markdown(elem_classes="caption")
        go = gr.Button(texts.GO, variant="primary")

    def change_kind(kind: Kind) -> tuple[Any, ...]:
        return (
            gr.Radio(info=texts.KIND_HINTS[kind]),
            gr.Column(visible=kind != "edges"),
            gr.Textbox(label=texts.NAME_A[kind], placeholder=texts.NAME_A_EXAMPLE[kind]),
            gr.Textbox(label=texts.NAME_B[kind], placeholder=texts.NAME_B_EXAMPLE[kind]),
            gr.File(label=texts.FILES_A[kind]),
            gr.File(label=texts.FILES_B[kind]),
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
        """Send pictures to learn from, as zips or one by one; gives the new training's key and a report as HTML."""
        if kind not in get_args(Kind):
            raise DeskError(f"The kind {kind!r} is none of {', '.join(get_args(Kind))}.")
        progress(0, desc=texts.UNPACKING)
        first, second = _sent(files_a), _sent(files_b)
        names = (name_a or "", name_b or "")
        if kind == "edges":
            names, first, second = (texts.DRAWN_LINES, names[1]), second or first, []
        training, contents = desk.take_in(kind, names, first, second)
        diagnosis = desk.examine(training.key, _teller(progress, texts.LOOKING))
        return training.key, report(diagnosis, training.wish, contents.left_out)

    @told
    def put_right(
        key: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> str:
        """Replace a draft's pictures with a clean copy; gives the new report."""
        diagnosis = desk.fix(key, _teller(progress, texts.FIXING))
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
            texts.MEASURING if usable else "",
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
            return gr.skip(), texts.NOT_MEASURED.format(reason=error)
        if not trial.fits:
            return gr.skip(), texts.TOO_LARGE.format(advice=" ".join(trial.advice))
        seconds = trial.seconds_per_iteration
        note = texts.MEASURED.format(device=trial.device, step=texts.PER_STEP.format(n=seconds or 0))
        return gr.Radio(choices=_speed_choices(training.wish.kind, seconds)), note + (texts.BESIDE if beside else "")

    @told
    def start(key: str, speed: Speed, start_from: str) -> str:
        """Start a draft's training, or put it into the queue; gives its key."""
        if not key:
            raise DeskError("Send pictures first, then start.")
        training = desk.training(key)
        groups = {group[0]: group for group in _STARTS[training.wish.kind]}
        if start_from and start_from not in groups:
            raise DeskError(f"A training of this kind cannot start from {start_from!r}.")
        training = desk.start(key, speed, groups.get(start_from, ()))
        gr.Info(texts.QUEUED if training.state is State.QUEUED else texts.STARTED)
        return training.key

    shown = [fixing, how, start_from, speed, measured]
    gr.on(
        [look.click],
        take_in,
        [kind, name_a, name_b, files_a, files_b],
        [draft, findings],
        api_name="train_look",
        show_progress_on=findings,
        concurrency_id="train_look",
        concurrency_limit=2,
    ).success(options, draft, shown, api_visibility="private", show_progress="hidden").success(
        measure,
        draft,
        [speed, measured],
        api_name="train_measure",
        show_progress_on=measured,
        concurrency_id="train_measure",
        concurrency_limit=1,
    )
    fix.click(
        put_right,
        draft,
        findings,
        api_name="train_fix",
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
        preprocess=False,  # A client of the API has not seen the choices for its kind.
        api_name="train_start",
    ).success(
        lambda: (gr.Column(visible=False), gr.Column(visible=False), "", None, None),
        None,
        [fixing, how, findings, files_a, files_b],
        api_visibility="private",
        show_progress="hidden",
    )
    return Started(started)


def _files(label: str) -> gr.File:
    return gr.File(label=label, file_count="multiple", file_types=_SENT, type="filepath", height=150)


def _sent(files: Sequence[str] | None) -> list[Sent]:
    return [Sent(Path(file), Path(file).name) for file in files or []]


def _teller(progress: gr.Progress, text: str) -> Any:
    def tell(done: int, total: int) -> None:
        progress((done, total), desc=text.format(done=done, total=total), unit="")

    return tell


def _start_choices(kind: Kind) -> list[tuple[str, str]]:
    present = {name for name, entry in shipped_models().items() if find_file(entry)}
    groups = [group for group in _STARTS[kind] if present.issuperset(group)]
    return [(texts.SCRATCH, ""), *((texts.STARTS[group[0]], group[0]) for group in groups)]


def _speed_choices(kind: Kind, seconds_per_iteration: float | None) -> list[tuple[str, str]]:
    choices = []
    for speed, name in texts.SPEED_NAMES.items():
        note = texts.SPEED_NOTES[speed]
        if seconds_per_iteration is None:
            choices.append((texts.SPEED_UNMEASURED.format(name=name, note=note), speed))
        else:
            seconds = iterations(kind, speed) * seconds_per_iteration  # type: ignore[arg-type]
            choices.append((texts.SPEED_CHOICE.format(name=name, time=_range(seconds), note=note), speed))
    return choices


def _range(seconds: float) -> str:
    shortest, longest = duration(seconds), duration(_SLACK * seconds)
    if shortest.split()[1:] == longest.split()[1:]:
        shortest = shortest.split()[0]
    return texts.RANGE.format(shortest=shortest, longest=longest)


def _suggested(diagnosis: Diagnosis) -> Speed:
    """Few pictures are soon known by heart."""
    return "quick" if any(finding.check.value == "few" for finding in diagnosis.findings) else "normal"
