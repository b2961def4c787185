"""Picture files as RGB arrays."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from zorse.data.transforms import Picture
from zorse.errors import DatasetError


def decode(path: Path) -> Picture:
    """Read a picture upright, as RGB over white.

    Raises:
        DatasetError: the file is not a picture, or not all of one.
    """
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            if picture.mode.startswith("I"):
                picture = Image.fromarray((np.asarray(picture) / 257).clip(0, 255).astype(np.uint8))
            if picture.has_transparency_data:
                layer = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} cannot be read as a picture ({error}). Remove or replace it.") from error
