"""The picture at the top of the README: what the shipped models make of pictures that were drawn by code.

python weights/showcase.py        writes weights/showcase.png
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import zorse
from zorse_app.examples import SKETCHES
from zorse_app.scenery import SCENES

SIDE = 256
"""Of each picture, in pixels."""
GAP = 8


def before_and_after() -> list[tuple[Image.Image, Image.Image]]:
    """Each drawing beside its translation."""
    pairs = []
    for draw, name in (*SCENES, *SKETCHES):
        if name not in zorse.shipped_models():
            continue
        before = Image.fromarray(draw()).convert("RGB")
        pairs.append((before, zorse.load(name)(before)))
    return pairs


def sheet(pairs: list[tuple[Image.Image, Image.Image]], columns: int = 3) -> NDArray[np.uint8]:
    """All pairs in rows of `columns`, uint8 RGB."""
    rows = -(-len(pairs) // columns)
    width, height = columns * (2 * SIDE + GAP) - GAP, rows * (SIDE + GAP) - GAP
    canvas = Image.new("RGB", (width, height), "white")
    for index, pair in enumerate(pairs):
        row, column = divmod(index, columns)
        for side, picture in enumerate(pair):
            place = (column * (2 * SIDE + GAP) + side * SIDE, row * (SIDE + GAP))
            canvas.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), place)
    return np.asarray(canvas)


if __name__ == "__main__":
    Image.fromarray(sheet(before_and_after())).save(Path(__file__).with_name("showcase.png"), optimize=True)
