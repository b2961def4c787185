"""The tab that shows GANs at work: games in the plane, played live, and samples with sliders."""

import base64
import html
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, get_args

import gradio as gr
from PIL import Image

from zorse.errors import ConfigError, ZorseError
from zorse.gans.data.config import MixtureShape
from zorse.gans.sheets import Pixels
from zorse.system.extras import is_installed
from zorse_app import texts
from zorse_app.gan_lab.benches import MOST_STEPS, PLAY_SECONDS, Benches
from zorse_app.gan_lab.samples import DIRECTIONS, REACH, Wanted, drawn
from zorse_app.parts import shown_error, told, visitor
from zorse_app.service import Service

if TYPE_CHECKING:
    from zorse_app.gan_lab.experiment import View

_PLAYERS = 4
"""Visitors whose games are played at the same time, in turns."""
_MOST_CODES = 2
"""Continuous codes that have a slider."""


def lab_tab(service: Service) -> None:
    """Fills the tab; needs the page under construction, to hear when a visitor leaves."""
    with gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab(texts.LAB_WAY_LIVE):
            if is_installed("train"):
                _live(Benches(service.shelf.gate))
            else:
                gr.Markdown(texts.LAB_NOT_INSTALLED)
        with gr.Tab(texts.LAB_WAY_DIGITS):
            if service.shelf.generators:
                _samples(service)
            else:
                gr.Markdown(texts.LAB_NO_GENERATORS)


def _live(benches: Benches) -> None:
    gr.Markdown(texts.LAB_INTRO)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                play = gr.Button(texts.LAB_PLAY, variant="primary", min_width=70, elem_id="lab_play")
                pause = gr.Button(texts.LAB_PAUSE, min_width=70, elem_id="lab_pause")
                step = gr.Button(texts.LAB_STEP, min_width=70, elem_id="lab_step")
                again = gr.Button(texts.LAB_AGAIN, min_width=70, elem_id="lab_again")
            plane = gr.HTML(elem_id="lab_plane", elem_classes="lab")
            status = gr.Markdown(elem_id="lab_status")
        with gr.Column(scale=2, min_width=260):
            method = gr.Radio(
                [(title, name) for name, title in texts.LAB_METHODS.items()], value="gan", label=texts.LAB_METHOD
            )
            distribution = gr.Radio(
                [(title, name) for name, title in texts.LAB_DISTRIBUTIONS.items()],
                value="ring",
                label=texts.LAB_DISTRIBUTION,
            )
            seed = gr.Slider(0, 99, 0, step=1, label=texts.LAB_SEED, info=texts.LAB_SEED_HINT)
    settings, shown = [method, distribution, seed], [plane, status]

    @told
    def begin(method: str, distribution: str, seed: int, request: gr.Request) -> tuple[str, str]:
        view = benches.begin(visitor(request), _known_method(method), _known_shape(distribution), int(seed))
        return _told(view, method)

    @told
    def one(method: str, request: gr.Request) -> tuple[str, str]:
        return _told(benches.step(visitor(request)), method)

    def on(method: str, distribution: str, seed: int, request: gr.Request) -> Iterator[tuple[Any, str]]:
        try:
            view = None
            if not benches.has_game(visitor(request)):
                yield "", texts.LAB_STARTING
                benches.begin(visitor(request), _known_method(method), _known_shape(distribution), int(seed))
            for view in benches.play(visitor(request)):
                yield _told(view, method)
            if view is not None and benches.ran_out(visitor(request)):
                picture, line = _told(view, method)
                yield picture, f"{line}\n\n{texts.LAB_PAUSED.format(seconds=PLAY_SECONDS)}"
        except ZorseError as error:
            raise shown_error(error) from error

    def end(request: gr.Request) -> None:
        benches.pause(visitor(request))

    def leave(request: gr.Request) -> None:
        benches.forget(visitor(request))

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    turns: dict[str, Any] = {"concurrency_id": "lab", "concurrency_limit": _PLAYERS}
    gr.on([method.change, distribution.change, seed.input, again.click], begin, settings, shown, **quiet, **turns)
    gr.on([play.click], on, settings, shown, trigger_mode="multiple", **quiet, **turns)
    gr.on([step.click], one, [method], shown, **quiet, **turns)
    # Not in the queue: there it would wait for what it shall end.
    gr.on([pause.click], end, None, None, queue=False, **quiet)
    page = gr.context.Context.root_block
    if page is not None:
        page.unload(leave)


def _samples(service: Service) -> None:
    models = service.shelf.generators
    names = list(models)
    first = models[names[0]].card
    gr.Markdown(texts.LAB_DIGITS_INTRO)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            sheet = gr.HTML(elem_id="lab_sheet", elem_classes="lab pixels")
            described = gr.Markdown(elem_classes="caption")
        with gr.Column(scale=2, min_width=260):
            name = gr.Dropdown(names, value=names[0], label=texts.LAB_GENERATOR, visible=len(names) > 1)
            label = gr.Dropdown(label=texts.LAB_LABEL, elem_id="lab_label", **_label_choices(models[names[0]].card))
            code = gr.Dropdown(label=texts.LAB_CODE, **_code_choices(first))
            continuous = [
                gr.Slider(
                    -1,
                    1,
                    0,
                    step=0.05,
                    label=texts.LAB_CONTINUOUS.format(number=number + 1),
                    visible=number < first.latent.continuous,
                )
                for number in range(_MOST_CODES)
            ]
            moves = [
                gr.Slider(-REACH, REACH, 0, step=0.1, label=texts.LAB_DIRECTION.format(number=number + 1))
                for number in range(DIRECTIONS)
            ]
            seed = gr.Slider(0, 99, 0, step=1, label=texts.LAB_SEED)

    @told
    def draw(name: str, label: int, code: int, seed: int, *sliders: float) -> tuple[str, str]:
        if name not in models:
            raise ConfigError(texts.LAB_NO_GENERATOR.format(name=name))
        model, card = models[name], models[name].card
        wanted = Wanted(
            seed=int(seed),
            label=None if label < 0 or card.latent.classes == 0 else int(label),
            code=None if code < 0 else int(code),
            continuous=sliders[:_MOST_CODES],
            moves=sliders[_MOST_CODES:],
        )
        with service.shelf.gate.work(0):
            pixels = drawn(model, wanted)
        about = texts.LAB_DESCRIBED.format(name=card.name, shows=card.shows, training=card.training)
        return _image(pixels, texts.LAB_SHEET_ALT.format(name=name)), html.escape(about, quote=False)

    def choose(name: str) -> list[Any]:
        card = models[name].card if name in models else first
        return [
            gr.update(**_label_choices(card)),
            gr.update(**_code_choices(card)),
            *(gr.update(visible=number < card.latent.continuous) for number in range(_MOST_CODES)),
        ]

    controls: list[Any] = [name, label, code, seed, *continuous, *moves]
    how: dict[str, Any] = {
        "api_visibility": "private",
        "show_progress": "hidden",
        "trigger_mode": "always_last",
        "concurrency_id": "lab",
        "concurrency_limit": _PLAYERS,
    }
    chosen = gr.on([name.change], choose, [name], [label, code, *continuous], api_visibility="private")
    chosen.then(draw, controls, [sheet, described], **how)
    gr.on([control.change for control in controls[1:]], draw, controls, [sheet, described], **how)
    page = gr.context.Context.root_block
    if page is not None:
        page.load(draw, controls, [sheet, described], **how)


def _label_choices(card: Any) -> dict[str, Any]:
    named = list(card.class_names[: card.latent.classes])
    choices = [(texts.LAB_LABEL_EACH, -1), *((name, number) for number, name in enumerate(named))]
    return {"choices": choices, "value": -1, "visible": card.latent.classes > 0}


def _code_choices(card: Any) -> dict[str, Any]:
    values = card.latent.categories[0] if card.latent.categories else 0
    choices = [(texts.LAB_LABEL_EACH, -1), *((str(value), value) for value in range(values))]
    return {"choices": choices, "value": -1, "visible": values > 0}


def _known_method(name: str) -> str:
    if name not in texts.LAB_METHODS:
        raise ConfigError(texts.LAB_NO_METHOD.format(name=name, known=", ".join(texts.LAB_METHODS)))
    return name


def _known_shape(name: str) -> MixtureShape:
    for shape in get_args(MixtureShape):
        if name == shape:
            known: MixtureShape = shape
            return known
    raise ConfigError(texts.LAB_NO_DISTRIBUTION.format(name=name, known=", ".join(texts.LAB_DISTRIBUTIONS)))


def _told(view: "View", method: str) -> tuple[str, str]:
    figures = view.figures
    words = texts.LAB_STATUS.format(
        step=view.step, covered=figures.covered, modes=figures.modes, good=figures.good, kl=figures.reverse_kl
    )
    lines = [words]
    if view.losses:
        lines.append(
            texts.LAB_LOSSES.format(losses=", ".join(f"{name} {loss:.3f}" for name, loss in view.losses.items()))
        )
    if not view.finite:
        lines.append(texts.LAB_ENDLESS)
    elif view.step >= MOST_STEPS:
        lines.append(texts.LAB_ENDED.format(steps=MOST_STEPS))
    alt = texts.LAB_ALT.format(step=view.step, method=texts.LAB_METHODS.get(method, method))
    return _image(view.picture, alt), "\n\n".join(lines)


def _image(pixels: Pixels, alt: str) -> str:
    """As a part of the page: a file for each look would fill the disk."""
    content = BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=85, method=0)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/webp;base64,{data}">'
