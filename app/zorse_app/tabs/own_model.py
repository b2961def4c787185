"""A visitor's own model: a file in, its card to see, and pictures through it at once."""

import html
from typing import Any

import gradio as gr

from zorse.errors import WeightsError
from zorse.model.card import ModelCard
from zorse_app import texts
from zorse_app.own.models import OwnModels
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
from zorse_app.picture_files import size_of
from zorse_app.service import Service


def own_model_tab(service: Service) -> None:
    """Fills the tab; needs the page under construction, to hear when a visitor leaves."""
    models = OwnModels(service)
    with gr.Row():
        with gr.Column():
            file = gr.File(label=texts.OWN_FILE, file_types=[".onnx", ".safetensors"], height=170, elem_id="own_file")
            card = gr.Markdown(texts.OWN_HINT, label=texts.OWN_CARD, elem_id="own_card")
            with gr.Column(elem_id="own_picture"):
                picture = picture_input(texts.PICTURE, texts.PICTURE_HINT)
            with gr.Accordion(texts.MORE, open=False):
                strength = gr.Slider(0, 1, 1, step=0.05, label=texts.STRENGTH, info=texts.STRENGTH_HINT)
                size = gr.Radio(texts.SIZES, value=texts.SIZES[0][1], label=texts.SIZE, info=texts.SIZE_HINT)
        with gr.Column():
            result = result_view(service)

    @told
    def bring(file: dict[str, Any] | None, request: gr.Request) -> str:
        models.forget(visitor(request))
        if file is None:
            raise WeightsError(texts.OWN_MISSING)
        return described(models.bring(visitor(request), upload(file)).card)

    @told
    def translate(
        picture: dict[str, Any] | None,
        strength: float,
        size: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[Any, ...]:
        model = models.of(visitor(request))
        if picture is None:
            return nothing()
        if model is None:
            raise WeightsError(texts.OWN_MISSING)
        with service.stops.watch(visitor(request)) as check:
            tell = progress_of(progress, check)
            return shown(service.translate_photo(upload(picture), model.name, size_of(size), strength, tell))

    def leave(request: gr.Request) -> None:
        models.forget(visitor(request))

    def take_back(request: gr.Request) -> tuple[Any, ...]:
        leave(request)
        return texts.OWN_HINT, *nothing()

    file.clear(take_back, None, [card, *result.components], api_visibility="private", show_progress="hidden")
    brought = file.upload(
        bring,
        file,
        card,
        preprocess=False,
        api_name="bring_model",
        api_description=texts.API_BRING_MODEL,
        show_progress_on=card,
    )
    gr.on(
        [picture.change, strength.change, size.change],
        translate,
        [picture, strength, size],
        result.components,
        preprocess=False,
        api_name="use_own_model",
        api_description=texts.API_USE_OWN_MODEL,
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )
    brought.success(
        translate,
        [picture, strength, size],
        result.components,
        preprocess=False,
        api_name="own_model_at_once",  # else it would take the name of the function from others
        api_visibility="private",
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )
    page = gr.context.Context.root_block
    if page is not None:
        page.unload(leave)


def described(card: ModelCard) -> str:
    """What a model says of itself, as Markdown; what it says cannot become anything but text."""
    rows = [
        (texts.CARD_TASK, card.task),
        (texts.CARD_DOMAINS, texts.CARD_DOMAINS_ARE.format(source=card.source_domain, target=card.target_domain)),
        (texts.CARD_NETWORK, texts.CARD_NETWORK_IS.format(kind=card.architecture.kind, size=card.native_size)),
        (texts.CARD_DATA, "" if card.training_data is None else card.training_data.name),
        (texts.CARD_TRAINING, card.training),
        (texts.CARD_LICENCE, card.licence),
        *((metric.name, f"{metric.value:.3g}") for metric in card.metrics[:4]),
        (texts.CARD_NOTES, card.notes),
    ]
    head, *others = [f"| {_plain(name)} | {_plain(value)} |" for name, value in rows if value]
    return "\n".join([f"### {_plain(card.name)}", "", head, "|---|---|", *others])


def _plain(text: str) -> str:
    """Of a stranger's text: no HTML, no Markdown, no new lines, not too long."""
    short = " ".join(text.split())[:300]
    return "".join(f"&#{ord(sign)};" if sign in "\\`*_{}[]()#+-.!|<>~:/$" else html.escape(sign) for sign in short)
