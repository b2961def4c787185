"""How frames are played, as arguments for Pillow's writers."""

from typing import Any

from PIL import Image

from zorse.imaging.picture import Animation

_GIF_COLOURS = 256


def time_step(format: str) -> int:
    """Milliseconds of which the durations that a format holds are multiples."""
    return 10 if format == "GIF" else 1


def timing_options(animation: Animation, format: str) -> dict[str, Any]:
    """Durations, repetitions and disposal.

    Frames come whole, as they are seen. How a file builds them up from parts is chosen anew, so that they look the
    same: they leave the frame before and overwrite what changed. GIFs with transparency are written by `join_frames`.
    """
    durations = [round(duration) for duration in animation.durations]
    options: dict[str, Any] = {"duration": durations}
    if format in ("WEBP", "PNG"):
        options["loop"] = animation.plays
    if format == "WEBP" and animation.background is not None:
        options["background"] = animation.background
    if format == "PNG":
        options |= {"disposal": 0, "blend": 0, "default_image": animation.default_image}
        if animation.default_image:
            options["duration"] = durations[1:]
    if format == "GIF":
        options["disposal"] = 1
        if animation.plays != 1:  # a GIF counts repetitions; without a count it is played once
            options["loop"] = max(0, animation.plays - 1)
    return options


def paletted(image: Image.Image) -> Image.Image:
    """RGB or RGBA -> 256 colours of its own, dithered; half transparent and more is transparent."""
    colours = image.convert("RGB")
    clear = image.getchannel("A").point(lambda alpha: 255 if alpha < 128 else 0) if image.mode == "RGBA" else None
    if clear is None or clear.getbbox() is None:
        return colours.quantize(palette=colours.quantize(_GIF_COLOURS), dither=Image.Dither.FLOYDSTEINBERG)
    few = colours.quantize(palette=colours.quantize(_GIF_COLOURS - 1), dither=Image.Dither.FLOYDSTEINBERG)
    transparent = _GIF_COLOURS - 1
    few.putpalette(((few.getpalette() or []) + [0] * 3 * _GIF_COLOURS)[: 3 * _GIF_COLOURS])
    few.paste(transparent, mask=clear)
    few.info["transparency"] = transparent
    return few
