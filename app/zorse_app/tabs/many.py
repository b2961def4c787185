"""Many pictures in, one zip out."""

import html
from typing import Any

import gradio as gr

from zorse.system.texts import visible
from zorse_app import texts
from zorse_app.many import Batch, translate_many
from zorse_app.parts import download_button, progress_of, stop_button, told, upload, visitor
from zorse_app.picture_files import Wish, size_of
from zorse_app.service import Service

_SHOWN_FAILURES = 100
_AT_ONCE = 2
"""Visitors whose many pictures are worked on at the same time; between two of them, single pictures get their turn."""


def many_tab(service: Service) -> None:
    """Fills the tab."""
    names = service.shelf.names
    if not names:
        gr.Markdown(texts.MISSING.format(names="-"))
        return
    choices = [(texts.MODEL_TITLES.get(name, name), name) for name in names]
    with gr.Row():
        with gr.Column():
            files = gr.File(
                label=texts.MANY_FILES,
                file_count="multiple",
                file_types=[".zip", "image"],
                height=240,
                elem_id="many_files",
            )
            model = gr.Dropdown(choices, value=names[0], label=texts.MODEL)
            with gr.Accordion(texts.MORE, open=False):
                strength = gr.Slider(0, 1, 1, step=0.05, label=texts.STRENGTH, info=texts.STRENGTH_HINT)
                size = gr.Radio(texts.SIZES, value=texts.SIZES[0][1], label=texts.SIZE, info=texts.SIZE_HINT)
            go = gr.Button(texts.MANY_GO, variant="primary")
        with gr.Column():
            report = gr.Markdown(texts.MANY_HINT, label=texts.MANY_REPORT, elem_id="many_report")
            with gr.Row():
                download = download_button(texts.MANY_DOWNLOAD)
                stop_button(service)

    @told
    def translate(
        files: list[dict[str, Any]] | None,
        model: str,
        strength: float,
        size: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[Any, ...]:
        sent = [upload(file) for file in files or []]
        with service.stops.watch(visitor(request)) as check:
            tell = progress_of(progress, check)
            batch = translate_many(service, sent, Wish(model, size_of(size), strength), tell, check)
        return told_of(batch), str(batch.download) if batch.done else None

    go.click(
        translate,
        [files, model, strength, size],
        [report, download],
        preprocess=False,
        api_name="many",
        api_description=texts.API_MANY,
        concurrency_id="many",
        concurrency_limit=_AT_ONCE,
        show_progress_on=report,
    )


def told_of(batch: Batch) -> str:
    """What became of the pictures, as Markdown."""
    lines = [texts.MANY_DONE.format(done=batch.done, total=batch.total)]
    if batch.ended is not None:
        lines.append(html.escape(batch.ended))
    if batch.missing:
        lines += ["", texts.MANY_FAILED.format(count=batch.missing), ""]
    shown = batch.failures[:_SHOWN_FAILURES]
    for name, why in shown:
        lines.append("- " + texts.MANY_FAILURE.format(name=f"`{_plain(name)}`", reason=html.escape(visible(why))))
    if shown and batch.missing > len(shown):
        lines.append("- " + texts.MANY_FURTHER.format(count=batch.missing - len(shown)))
    return "\n".join(lines)


def _plain(name: str) -> str:
    """In code, nothing but a backtick is special to Markdown."""
    return visible(" ".join(name[:120].replace("`", "'").split()))
