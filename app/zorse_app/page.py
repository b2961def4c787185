"""The page's layout: which controls there are, and which of the service's functions they call."""

import html
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
import numpy as np
from gradio.components.image_editor import EditorValue
from PIL import Image

from zorse.errors import ConfigError, ImageError, ZorseError
from zorse.runtime.translator import Size
from zorse_app import examples, scenery, texts
from zorse_app.service import Outcome, Service, Upload

HORSES = ("horse2zebra", "zebra2horse")
PAINTINGS = ("photo2monet", "monet2photo")
EDGES = ("edges2shoes", "edges2clothes")

_HOUR = 3600  # after it, in seconds, uploads and results are deleted, also while the page runs

# Translations wait for each other: each uses all cores.
_ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "translate", "concurrency_limit": 1, "trigger_mode": "always_last"}

_SIZES: dict[str, Size] = {"native": "native", "512": 512, "keep": "keep"}

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class ResultView:
    """The components that show one `Outcome`."""

    slider: gr.ImageSlider
    caption: gr.Markdown
    download: gr.DownloadButton

    @property
    def components(self) -> list[gr.components.Component]:
        """In the order of `_shown`."""
        return [self.slider, self.caption, self.download]


def build(service: Service) -> gr.Blocks:
    """The page, ready to launch; see `zorse_app.launch` for the rest of its settings."""
    page = gr.Blocks(title=texts.NAME, analytics_enabled=False, delete_cache=(_HOUR // 6, _HOUR))
    with page:
        gr.Markdown(texts.HEADING, elem_id="heading")
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab(texts.TAB_HORSES):
                _photo_tab(service, HORSES, texts.DIRECTION, "horse_zebra")
            with gr.Tab(texts.TAB_PAINTINGS):
                _photo_tab(service, PAINTINGS, texts.DIRECTION, "photo_painting")
            with gr.Tab(texts.TAB_EDGES):
                _edges_tab(service)
            others = [name for name in service.shelf.names if name not in HORSES + PAINTINGS + EDGES]
            if others:
                with gr.Tab(texts.TAB_OTHERS):
                    _photo_tab(service, others, texts.MODEL, "translate")
    page.queue(max_size=32)
    return page


def _photo_tab(service: Service, models: Sequence[str], label: str, api_name: str) -> None:
    present = _present(service, models)
    if not present:
        return
    with gr.Row():
        with gr.Column():
            picture = _picture_input(texts.PICTURE, texts.PICTURE_HINT)
            model = _model_choice(present, label)
            painted = [[Image.fromarray(paint()), name] for paint, name in scenery.SCENES if name in present]
            if painted:
                gr.Examples(
                    painted, [picture, model], label=texts.EXAMPLES, visible_columns=[0], api_visibility="private"
                )
            with gr.Accordion(texts.MORE, open=False):
                strength = gr.Slider(0, 1, 1, step=0.05, label=texts.STRENGTH, info=texts.STRENGTH_HINT)
                size = gr.Radio(texts.SIZES, value="native", label=texts.SIZE, info=texts.SIZE_HINT)
        with gr.Column():
            result = _result_view()

    @_told
    def translate(picture: dict[str, Any] | None, model: str, strength: float, size: str) -> tuple[Any, ...]:
        if picture is None:
            return _nothing()
        return _shown(service.translate_photo(_upload(picture), model, _size(size), strength))

    gr.on(
        [picture.change, model.change, strength.change, size.change],
        translate,
        [picture, model, strength, size],
        result.components,
        preprocess=False,
        api_name=api_name,
        show_progress_on=result.slider,
        **_ONE_AT_A_TIME,
    )


def _edges_tab(service: Service) -> None:
    present = _present(service, EDGES)
    if not present:
        return
    with gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab(texts.WAY_DRAW):
            _draw_tab(service, present)
        with gr.Tab(texts.WAY_SKETCH):
            _sketch_tab(service, present)
        with gr.Tab(texts.WAY_PHOTO):
            _edges_of_photo_tab(service, present)


def _draw_tab(service: Service, models: Sequence[str]) -> None:
    with gr.Row():
        with gr.Column():
            canvas = gr.ImageEditor(
                value=_blank_canvas(),
                type="numpy",
                image_mode="RGB",
                label=texts.CANVAS,
                height="min(480px, 92vw)",
                canvas_size=(examples.CANVAS_SIDE, examples.CANVAS_SIDE),
                fixed_canvas=True,
                sources=(),
                transforms=(),
                layers=False,
                buttons=[],
                brush=gr.Brush(default_size=3, colors=["#000000"], color_mode="fixed"),
                eraser=gr.Eraser(default_size=20),
                elem_id="canvas",
            )
            model = _model_choice(models, texts.WANTED)
        with gr.Column():
            result = _result_view()

    @_told
    def translate(canvas: dict[str, Any] | None, model: str) -> tuple[Any, ...]:
        drawing = None if canvas is None else canvas["composite"]
        if drawing is None or drawing.min() == 255:
            return _nothing()
        return _shown(service.translate_drawing(drawing, model))

    # The editor keeps its first `change` to itself, and its later `input`s come a stroke too early: together they do.
    gr.on(
        [canvas.input, canvas.change, model.change],
        translate,
        [canvas, model],
        result.components,
        api_name="draw",
        show_progress="hidden",
        **_ONE_AT_A_TIME,
    )
    canvas.clear(_blank_canvas, None, canvas, api_visibility="private", queue=False)


def _sketch_tab(service: Service, models: Sequence[str]) -> None:
    with gr.Row():
        with gr.Column():
            sketch = _picture_input(texts.SKETCH, texts.SKETCH_HINT)
            model = _model_choice(models, texts.WANTED)
            drawn = [[Image.fromarray(draw()), name] for draw, name in examples.SKETCHES if name in models]
            gr.Examples(drawn, [sketch, model], label=texts.EXAMPLES, visible_columns=[0], api_visibility="private")
        with gr.Column():
            result = _result_view()

    @_told
    def translate(sketch: dict[str, Any] | None, model: str) -> tuple[Any, ...]:
        return _nothing() if sketch is None else _shown(service.translate_sketch(_upload(sketch), model))

    gr.on(
        [sketch.change, model.change],
        translate,
        [sketch, model],
        result.components,
        preprocess=False,
        api_name="sketch",
        show_progress_on=result.slider,
        **_ONE_AT_A_TIME,
    )


def _edges_of_photo_tab(service: Service, models: Sequence[str]) -> None:
    with gr.Row():
        with gr.Column():
            photo = _picture_input(texts.PICTURE, texts.EDGES_PHOTO_HINT)
            detail = gr.Slider(0, 1, 0.5, step=0.05, label=texts.DETAIL, info=texts.DETAIL_HINT)
            model = _model_choice(models, texts.WANTED)
        with gr.Column():
            result = _result_view()

    @_told
    def translate(photo: dict[str, Any] | None, model: str, detail: float) -> tuple[Any, ...]:
        return _nothing() if photo is None else _shown(service.translate_edges(_upload(photo), model, detail))

    gr.on(
        [photo.change, model.change, detail.change],
        translate,
        [photo, model, detail],
        result.components,
        preprocess=False,
        api_name="edges",
        show_progress_on=result.slider,
        **_ONE_AT_A_TIME,
    )


def _present(service: Service, models: Sequence[str]) -> list[str]:
    """Those of the models that are here; says on the page which are not."""
    present = [name for name in models if name in service.shelf.names]
    missing = ", ".join(name for name in models if name not in present)
    if missing:
        gr.Markdown((texts.PARTLY_MISSING if present else texts.MISSING).format(names=missing))
    return present


def _picture_input(label: str, hint: str) -> gr.Image:
    return gr.Image(
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard"],
        label=label,
        placeholder=hint,
        buttons=[],
        height="min(320px, 64vw)",
    )


def _model_choice(models: Sequence[str], label: str) -> gr.Radio:
    choices = [(texts.MODEL_TITLES.get(name, name), name) for name in models]
    return gr.Radio(choices, value=models[0], label=label)


def _result_view() -> ResultView:
    return ResultView(
        slider=gr.ImageSlider(
            type="filepath", label=texts.RESULT, interactive=False, buttons=["fullscreen"], max_height=560
        ),
        caption=gr.Markdown(elem_classes="caption"),
        download=gr.DownloadButton(texts.DOWNLOAD, interactive=False, variant="primary"),
    )


def _shown(outcome: Outcome) -> tuple[Any, ...]:
    """Values of a `ResultView`'s components."""
    pictures = (str(outcome.before), str(outcome.after))
    return pictures, outcome.caption, gr.update(value=str(outcome.download), interactive=True)


def _nothing() -> tuple[Any, ...]:
    """Values of a `ResultView`'s components while there is no picture."""
    return None, "", gr.update(value=None, interactive=False)


def _blank_canvas() -> EditorValue:
    """White paper. With a background the editor starts with its brush in the hand."""
    side = examples.CANVAS_SIDE
    return {"background": np.full((side, side, 3), 255, np.uint8), "layers": [], "composite": None}


def _upload(payload: dict[str, Any]) -> Upload:
    """A picture component's raw value. Gradio has checked that the path is one that a visitor uploaded."""
    path = payload.get("path")
    if not path:
        raise ImageError(texts.NOT_UPLOADED)
    return Upload(Path(path), str(payload.get("orig_name") or Path(path).name))


def _size(choice: str) -> Size:
    if choice not in _SIZES:
        raise ConfigError(f"The size {choice!r} is not on this page. Choose one of these: {', '.join(_SIZES)}.")
    return _SIZES[choice]


def _told(function: Callable[P, R]) -> Callable[P, R]:
    """Turns Zorse's errors into messages on the page; others go to the log and are only mentioned."""

    @wraps(function)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except ZorseError as error:
            message = str(error)
        except Exception:
            _log.exception("The page could not answer")
            message = texts.UNEXPECTED
        raise gr.Error(html.escape(message), print_exception=False)

    return told
