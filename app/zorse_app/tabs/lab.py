"""The tab that shows GANs at work: games in the plane, played live, and samples with sliders."""

import base64
import html
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, get_args

import gradio as gr
from PIL import Image

from zorse.data.samples.config import MixtureShape
from zorse.errors import ConfigError, ZorseError
from zorse.imaging.sheets import Pixels
from zorse_app import lab_texts as texts
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
        with gr.Tab(texts.WAY_LIVE):
            if all(find_spec(package) for package in ("torch", "accelerate", "tomli_w")):
                _live(Benches(service.shelf.gate))
            else:
                gr.Markdown(texts.NOT_INSTALLED)
        with gr.Tab(texts.WAY_DIGITS):
            if service.shelf.generators:
                _samples(service)
            else:
                gr.Markdown(texts.NO_GENERATORS)


def _live(benches: Benches) -> None:
    gr.Markdown(texts.INTRO)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                play = gr.Button(texts.PLAY, variant="primary", min_width=70, elem_id="lab_play")
                pause = gr.Button(texts.PAUSE, min_width=70, elem_id="lab_pause")
                step = gr.Button(texts.STEP, min_width=70, elem_id="lab_step")
                again = gr.Button(texts.AGAIN, min_width=70, elem_id="lab_again")
            plane = gr.HTML(elem_id="lab_plane", elem_classes="lab")
            status = gr.Markdown(elem_id="lab_status")
        with gr.Column(scale=2, min_width=260):
            method = gr.Radio([(title, name) for name, title in texts.METHODS.items()], value="gan", label=texts.METHOD)
            distribution = gr.Radio(
                [(title, name) for name, title in texts.DISTRIBUTIONS.items()], value="ring", label=texts.DISTRIBUTION
            )
            seed = gr.Slider(0, 99, 0, step=1, label=texts.SEED, info=texts.SEED_HINT)
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
                yield "", texts.STARTING
                benches.begin(visitor(request), _known_method(method), _known_shape(distribution), int(seed))
            for view in benches.play(visitor(request)):
                yield _told(view, method)
            if view is not None and benches.ran_out(visitor(request)):
                picture, line = _told(view, method)
                yield picture, f"{line}\n\n{texts.PAUSED.format(seconds=PLAY_SECONDS)}"
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
    gr.Markdown(texts.DIGITS_INTRO)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            sheet = gr.HTML(elem_id="lab_sheet", elem_classes="lab pixels")
            described = gr.Markdown(elem_classes="caption")
        with gr.Column(scale=2, min_width=260):
            name = gr.Dropdown(names, value=names[0], label=texts.GENERATOR, visible=len(names) > 1)
            label = gr.Dropdown(label=texts.LABEL, elem_id="lab_label", **_label_choices(models[names[0]].card))
            code = gr.Dropdown(label=texts.CODE, **_code_choices(first))
            continuous = [
                gr.Slider(
                    -1,
                    1,
                    0,
                    step=0.05,
                    label=texts.CONTINUOUS.format(number=number + 1),
                    visible=number < first.latent.continuous,
                )
                for number in range(_MOST_CODES)
            ]
            moves = [
                gr.Slider(-REACH, REACH, 0, step=0.1, label=texts.DIRECTION.format(number=number + 1))
                for number in range(DIRECTIONS)
            ]
            seed = gr.Slider(0, 99, 0, step=1, label=texts.SEED)

    @told
    def draw(name: str, label: int, code: int, seed: int, *sliders: float) -> tuple[str, str]:
        if name not in models:
            raise ConfigError(f"There is no generator {name!r} on this page.")
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
        words = {"name": card.name, "shows": card.shows, "training": card.training}
        return _image(pixels, texts.SHEET_ALT.format(name=name)), html.escape(texts.DESCRIBED.format(**words), False)

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
    choices = [(texts.LABEL_EACH, -1), *((name, number) for number, name in enumerate(named))]
    return {"choices": choices, "value": -1, "visible": card.latent.classes > 0}


def _code_choices(card: Any) -> dict[str, Any]:
    values = card.latent.categories[0] if card.latent.categories else 0
    choices = [(texts.LABEL_EACH, -1), *((str(value), value) for value in range(values))]
    return {"choices": choices, "value": -1, "visible": values > 0}


def _known_method(name: str) -> str:
    if name not in texts.METHODS:
        raise ConfigError(f"The method {name!r} is none of {', '.join(texts.METHODS)}.")
    return name


def _known_shape(name: str) -> MixtureShape:
    for shape in get_args(MixtureShape):
        if name == shape:
            known: MixtureShape = shape
            return known
    raise ConfigError(f"The distribution {name!r} is none of {', '.join(texts.DISTRIBUTIONS)}.")


def _told(view: "View", method: str) -> tuple[str, str]:
    figures = view.figures
    words = texts.STATUS.format(
        step=view.step, covered=figures.covered, modes=figures.modes, good=figures.good, kl=figures.reverse_kl
    )
    lines = [words]
    if view.losses:
        lines.append(texts.LOSSES.format(losses=", ".join(f"{name} {loss:.3f}" for name, loss in view.losses.items())))
    if not view.finite:
        lines.append(texts.ENDLESS)
    elif view.step >= MOST_STEPS:
        lines.append(texts.ENDED.format(steps=MOST_STEPS))
    alt = texts.ALT.format(step=view.step, method=texts.METHODS.get(method, method))
    return _image(view.picture, alt), "\n\n".join(lines)


def _image(pixels: Pixels, alt: str) -> str:
    """As a part of the page: a file for each look would fill the disk."""
    content = BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=85, method=0)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/webp;base64,{data}">'
