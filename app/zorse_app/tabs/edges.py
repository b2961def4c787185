"""Lines in, a photo out: drawn on the page, sketched on paper, or found in another photo."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np
from gradio.components.image_editor import EditorValue
from PIL import Image

from zorse_app import examples, texts
from zorse_app.parts import (
    ONE_AT_A_TIME,
    model_choice,
    nothing,
    picture_input,
    present_models,
    result_view,
    shown,
    told,
    upload,
)
from zorse_app.service import Service


def edges_tab(service: Service, models: Sequence[str]) -> None:
    """Fills the tab: one way of coming by lines beside the other."""
    present = present_models(service, models)
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
            model = model_choice(models, texts.WANTED)
        with gr.Column():
            result = result_view()

    @told
    def translate(canvas: dict[str, Any] | None, model: str) -> tuple[Any, ...]:
        drawing = None if canvas is None else canvas["composite"]
        if drawing is None or drawing.min() == 255:
            return nothing()
        return shown(service.translate_drawing(drawing, model))

    # The editor keeps its first `change` to itself, and its later `input`s come a stroke too early: together they do.
    gr.on(
        [canvas.input, canvas.change, model.change],
        translate,
        [canvas, model],
        result.components,
        api_name="draw",
        show_progress="hidden",
        **ONE_AT_A_TIME,
    )
    canvas.clear(_blank_canvas, None, canvas, api_visibility="private", queue=False)


def _sketch_tab(service: Service, models: Sequence[str]) -> None:
    with gr.Row():
        with gr.Column():
            sketch = picture_input(texts.SKETCH, texts.SKETCH_HINT)
            model = model_choice(models, texts.WANTED)
            drawn = [[Image.fromarray(draw()), name] for draw, name in examples.SKETCHES if name in models]
            gr.Examples(drawn, [sketch, model], label=texts.EXAMPLES, visible_columns=[0], api_visibility="private")
        with gr.Column():
            result = result_view()

    @told
    def translate(sketch: dict[str, Any] | None, model: str) -> tuple[Any, ...]:
        return nothing() if sketch is None else shown(service.translate_sketch(upload(sketch), model))

    gr.on(
        [sketch.change, model.change],
        translate,
        [sketch, model],
        result.components,
        preprocess=False,
        api_name="sketch",
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )


def _edges_of_photo_tab(service: Service, models: Sequence[str]) -> None:
    with gr.Row():
        with gr.Column():
            photo = picture_input(texts.PICTURE, texts.EDGES_PHOTO_HINT)
            detail = gr.Slider(0, 1, 0.5, step=0.05, label=texts.DETAIL, info=texts.DETAIL_HINT)
            model = model_choice(models, texts.WANTED)
        with gr.Column():
            result = result_view()

    @told
    def translate(photo: dict[str, Any] | None, model: str, detail: float) -> tuple[Any, ...]:
        return nothing() if photo is None else shown(service.translate_edges(upload(photo), model, detail))

    gr.on(
        [photo.change, model.change, detail.change],
        translate,
        [photo, model, detail],
        result.components,
        preprocess=False,
        api_name="edges",
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )


def _blank_canvas() -> EditorValue:
    """White paper. With a background the editor starts with its brush in the hand."""
    side = examples.CANVAS_SIDE
    return {"background": np.full((side, side, 3), 255, np.uint8), "layers": [], "composite": None}
