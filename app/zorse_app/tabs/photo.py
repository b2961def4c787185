"""Pictures in, pictures out: horse and zebra, photo and painting, and models that have no tab of their own."""

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr
from PIL import Image

from zorse_app import scenery, texts
from zorse_app.parts import (
    ONE_AT_A_TIME,
    model_choice,
    nothing,
    picture_input,
    present_models,
    progress_of,
    result_view,
    shown,
    stop_button,
    told,
    upload,
    visitor,
)
from zorse_app.picture_files import size_of
from zorse_app.service import Service


def photo_tab(service: Service, models: Sequence[str], label: str, api_name: str) -> None:
    """Fills the tab.

    Args:
        service: what translates.
        models: names of those that the tab offers.
        label: of their choice.
        api_name: of the endpoint for pictures; that for videos has "_video" behind it.
    """
    present = present_models(service, models)
    if not present:
        return
    with gr.Tabs():
        with gr.Tab(texts.PICTURE_WAY):
            _pictures(service, present, label, api_name)
        with gr.Tab(texts.VIDEO_WAY):
            _videos(service, present, label, f"{api_name}_video")


def _pictures(service: Service, models: Sequence[str], label: str, api_name: str) -> None:
    with gr.Row():
        with gr.Column():
            picture = picture_input(texts.PICTURE, texts.PICTURE_HINT)
            model = model_choice(models, label)
            painted = [[Image.fromarray(paint()), name] for paint, name in scenery.SCENES if name in models]
            if painted:
                gr.Examples(
                    painted, [picture, model], label=texts.EXAMPLES, visible_columns=[0], api_visibility="private"
                )
            with gr.Accordion(texts.MORE, open=False):
                strength = gr.Slider(0, 1, 1, step=0.05, label=texts.STRENGTH, info=texts.STRENGTH_HINT)
                size = gr.Radio(texts.SIZES, value=texts.SIZES[0][1], label=texts.SIZE, info=texts.SIZE_HINT)
        with gr.Column():
            result = result_view(service)
            again = gr.Button(texts.USE_AS_INPUT, size="sm")

    @told
    def translate(
        picture: dict[str, Any] | None,
        model: str,
        strength: float,
        size: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[Any, ...]:
        if picture is None:
            return nothing()
        with service.stops.watch(visitor(request)) as check:
            tell = progress_of(progress, check)
            return shown(service.translate_photo(upload(picture), model, size_of(size), strength, tell))

    gr.on(
        [picture.change, model.input, strength.change, size.change],
        translate,
        [picture, model, strength, size],
        result.components,
        preprocess=False,
        api_name=api_name,
        api_description=texts.API_PICTURES,
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )

    @told
    def turn_round(download: str | None, model: str) -> tuple[Any, Any]:
        if download is None:
            return gr.skip(), gr.skip()
        return download, service.shelf.way_back(model, models)

    again.click(turn_round, [result.download, model], [picture, model], api_visibility="private")


def _videos(service: Service, models: Sequence[str], label: str, api_name: str) -> None:
    with gr.Row():
        with gr.Column():
            video = gr.Video(label=texts.VIDEO, sources=["upload", "webcam"], buttons=[], height="min(320px, 64vw)")
            model = model_choice(models, label)
            with gr.Accordion(texts.MORE, open=False):
                strength = gr.Slider(0, 1, 1, step=0.05, label=texts.STRENGTH, info=texts.STRENGTH_HINT)
            go = gr.Button(texts.VIDEO_GO, variant="primary")
        with gr.Column():
            result = gr.Video(label=texts.VIDEO_RESULT, interactive=False, buttons=["download"])
            stop_button(service)

    @told
    def translate(
        video: dict[str, Any] | None,
        model: str,
        strength: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> str | None:
        if video is None:
            return None
        with service.stops.watch(visitor(request)) as check:
            sent = upload(video.get("video", video))
            target, notes = service.translate_video(sent, model, strength, progress_of(progress, check))
            if notes:
                gr.Info(html.escape(" ".join(notes)), duration=None, title=texts.VIDEO_NOTES)
            return str(target)

    go.click(
        translate,
        [video, model, strength],
        result,
        preprocess=False,
        api_name=api_name,
        api_description=texts.API_VIDEO,
        **ONE_AT_A_TIME,
    )
