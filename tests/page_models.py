"""Tiny models for every place of the page, each of them a negation."""

import tiny_onnx
from zorse_app.page import EDGES, HORSES, PAINTINGS


def write_page_models(folder, *others, **fields):
    """One file for each model that the page has a place for, and for those of other names; gives the folder."""
    for name in (*HORSES, *PAINTINGS, *EDGES, *others):
        source, target = name.split("2")
        card = tiny_onnx.card(
            name=name,
            task=f"{source} to {target}",
            domain_a=source,
            domain_b=target,
            state="preview",
            keeps_detail=name not in EDGES,
            **fields,
        )
        tiny_onnx.write(folder / f"{name}.onnx", model_card=card)
    return folder
