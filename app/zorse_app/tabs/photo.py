"""Pictures in, pictures out: horse and zebra, photo and painting, and models that have no tab of their own."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from PIL import Image

from zorse.errors import ConfigError
from zorse.runtime.translator import Size
from zorse_app import scenery, texts
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

_SIZES: dict[str, Size] = {"native": "native", "512": 512, "keep": "keep"}


def photo_tab(service: Service, models: Sequence[str], label: str, api_name: str) -> None:
    """Fills the tab.

    Args:
        service: what translates.
        models: names of those that the tab offers.
        label: of their choice.
        api_name: of the endpoint.
    """
    present = present_models(service, models)
    if not present:
        return
    with gr.Row():
        with gr.Column():
            picture = picture_input(texts.PICTURE, texts.PICTURE_HINT)
            model = model_choice(present, label)
            painted = [[Image.fromarray(paint()), name] for paint, name in scenery.SCENES if name in present]
            if painted:
                gr.Examples(
                    painted, [picture, model], label=texts.EXAMPLES, visible_columns=[0], api_visibility="private"
                )
            with gr.Accordion(texts.MORE, open=False):
                strength = gr.Slider(0, 1, 1, step=0.05, label=texts.STRENGTH, info=texts.STRENGTH_HINT)
                size = gr.Radio(texts.SIZES, value="native", label=texts.SIZE, info=texts.SIZE_HINT)
        with gr.Column():
            result = result_view()

    @told
    def translate(picture: dict[str, Any] | None, model: str, strength: float, size: str) -> tuple[Any, ...]:
        if picture is None:
            return nothing()
        return shown(service.translate_photo(upload(picture), model, _size(size), strength))

    gr.on(
        [picture.change, model.change, strength.change, size.change],
        translate,
        [picture, model, strength, size],
        result.components,
        preprocess=False,
        api_name=api_name,
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )


def _size(choice: str) -> Size:
    if choice not in _SIZES:
        raise ConfigError(f"The size {choice!r} is not on this page. Choose one of these: {', '.join(_SIZES)}.")
    return _SIZES[choice]
