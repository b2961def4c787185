"""Endpoints of their own for programs, beside those that the page's buttons and fields are."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.components import Component
from gradio.events import api as gradio_api


def add_endpoint(
    function: Callable[..., Any],
    name: str,
    description: str,
    arguments: Mapping[str, str],
    result: str,
    queue: bool = True,
) -> None:
    """Gives the page under construction an endpoint whose arguments and result are named, typed and described.

    Args:
        function: what is called; its signature gives names and types.
        name: of the endpoint.
        description: what it does.
        arguments: what each argument is, in the order of the signature.
        result: what it gives.
        queue: whether calls wait for each other in the page's queue.
    """
    # Language models are told what the docstring says, other programs what the labels of the parts say.
    lines = [f"    {argument}: {text}" for argument, text in arguments.items()]
    function.__doc__ = "\n".join([description, "", "Args:", *lines])
    endpoint = gradio_api(function, api_name=name, api_description=description, queue=queue)
    page = gr.context.Context.root_block
    if page is not None:
        labels = [*arguments.values(), result]
        for identity, label in zip([*endpoint["inputs"], *endpoint["outputs"]], labels, strict=True):
            cast(Component, page.blocks[identity]).label = label


def file_data(file: Path) -> gr.FileData:
    """A file as endpoints give it; it must lie in the visitors' folder."""
    return gr.FileData(path=str(file), orig_name=file.name)
