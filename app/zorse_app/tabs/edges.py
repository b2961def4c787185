"""Lines in, a photo out: drawn on the page, sketched on paper, or found in another photo."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from zorse.imaging.edges import EdgeMethod
from zorse_app import examples, texts
from zorse_app.pad import drawing_pad
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
    visitor,
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
            pad = drawing_pad()
            model = model_choice(models, texts.WANTED)
        with gr.Column():
            result = result_view(service)

    @told
    def translate(drawing: str | None, model: str, request: gr.Request) -> tuple[Any, ...]:
        with service.stops.watch(visitor(request)):
            return shown(service.translate_drawing(drawing, model)) if drawing else nothing()

    gr.on(
        [pad.input, model.change],
        translate,
        [pad, model],
        result.components,
        api_name="draw",
        api_description=texts.API_DRAW,
        show_progress="hidden",
        **ONE_AT_A_TIME,
    )


def _sketch_tab(service: Service, models: Sequence[str]) -> None:
    with gr.Row():
        with gr.Column():
            sketch = picture_input(texts.SKETCH, texts.SKETCH_HINT)
            model = model_choice(models, texts.WANTED)
            drawn = [[Image.fromarray(draw()), name] for draw, name in examples.SKETCHES if name in models]
            gr.Examples(drawn, [sketch, model], label=texts.EXAMPLES, visible_columns=[0], api_visibility="private")
        with gr.Column():
            result = result_view(service)

    @told
    def translate(sketch: dict[str, Any] | None, model: str, request: gr.Request) -> tuple[Any, ...]:
        with service.stops.watch(visitor(request)):
            return nothing() if sketch is None else shown(service.translate_sketch(upload(sketch), model))

    gr.on(
        [sketch.change, model.input],
        translate,
        [sketch, model],
        result.components,
        preprocess=False,
        api_name="sketch",
        api_description=texts.API_SKETCH,
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )


def _edges_of_photo_tab(service: Service, models: Sequence[str]) -> None:
    with gr.Row():
        with gr.Column():
            photo = picture_input(texts.PICTURE, texts.EDGES_PHOTO_HINT)
            detail = gr.Slider(0, 1, 0.5, step=0.05, label=texts.DETAIL, info=texts.DETAIL_HINT)
            model = model_choice(models, texts.WANTED)
            with gr.Accordion(texts.MORE, open=False):
                shortest = gr.Slider(1, 60, 8, step=1, label=texts.SHORTEST, info=texts.SHORTEST_HINT)
                method = gr.Radio(texts.METHODS, value="canny", label=texts.METHOD)
        with gr.Column():
            lines = gr.Image(label=texts.LINES, interactive=False, buttons=[], height="min(240px, 48vw)", format="png")
            result = result_view(service)

    @told
    def translate(
        photo: dict[str, Any] | None,
        model: str,
        detail: float,
        shortest: int,
        method: EdgeMethod,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        if photo is None:
            return None, *nothing()
        sent = upload(photo)
        with service.stops.watch(visitor(request)):
            found = service.lines_of(sent, model, detail, shortest, method)
            outcome = service.translate_lines(found, model, f"{Path(sent.name).stem}_edges")
        return found, *shown(outcome)

    gr.on(
        [photo.change, model.change, detail.change, shortest.change, method.change],
        translate,
        [photo, model, detail, shortest, method],
        [lines, *result.components],
        preprocess=False,
        api_name="edges",
        api_description=texts.API_EDGES,
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )
