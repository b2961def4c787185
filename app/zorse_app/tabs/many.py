"""Many pictures in, one zip out."""

import html
from typing import Any

import gradio as gr

from zorse_app import texts
from zorse_app.many import Batch, translate_many
from zorse_app.parts import progress_of, stop_button, told, upload, visitor
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
            report = gr.Markdown(texts.MANY_HINT, elem_id="many_report")
            with gr.Row():
                download = gr.DownloadButton(texts.MANY_DOWNLOAD, interactive=False, variant="primary", scale=3)
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
        return told_of(batch), gr.update(value=str(batch.download) if batch.done else None, interactive=batch.done > 0)

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
    if batch.was_stopped:
        lines.append(texts.MANY_STOPPED)
    if batch.failures:
        lines += ["", f"**{texts.MANY_FAILED.format(count=len(batch.failures))}**", ""]
        lines += [f"- `{_plain(name)}`: {html.escape(why)}" for name, why in batch.failures[:_SHOWN_FAILURES]]
    if len(batch.failures) > _SHOWN_FAILURES:
        lines.append(f"- {texts.MANY_FURTHER.format(count=len(batch.failures) - _SHOWN_FAILURES)}")
    return "\n".join(lines)


def _plain(name: str) -> str:
    """In code, nothing but a backtick is special to Markdown."""
    return " ".join(name[:120].replace("`", "'").split())
