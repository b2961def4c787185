"""The sheet of paper that visitors draw on: pen, brush, fill, eraser, a mirror, undo and redo, sent while they draw."""

from importlib.resources import files

import gradio as gr

from zorse_app import texts


def drawing_pad() -> gr.HTML:
    """An empty sheet. Its value is a PNG data URL ("data:image/png;base64,..."), None while it is blank.

    Its event `input` comes while somebody draws, a moment after the hand rests, and after every change.
    """
    html, css, script = (
        files(__package__).joinpath(f"pad.{kind}").read_text("utf-8") for kind in ("html", "css", "js")
    )
    return gr.HTML(
        html_template=html,
        css_template=css,
        js_on_load=script,
        label=texts.CANVAS,
        elem_id="canvas",
        hint=texts.PAD_HINT,
        leak=texts.PAD_LEAK,
        narrow=texts.PAD_NARROW,
        tools=texts.PAD_TOOLS,
        pen=texts.PAD_PEN,
        brush=texts.PAD_BRUSH,
        fill=texts.PAD_FILL,
        colour=texts.PAD_COLOUR,
        eraser=texts.PAD_ERASER,
        mirror=texts.PAD_MIRROR,
        undo=texts.PAD_UNDO,
        redo=texts.PAD_REDO,
        clear=texts.PAD_CLEAR,
    )
