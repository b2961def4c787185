"""A receipt for each file: what the input holds, and what became of it in the result."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, TiffImagePlugin

from zorse.imaging import exif_block, iptc
from zorse.imaging.animation import time_step
from zorse.imaging.colour import colour_loss, own_space
from zorse.imaging.depth import depth_loss
from zorse.imaging.formats import ANIMATED_FORMATS, OPAQUE_FORMATS, WRITE_FORMATS, format_name
from zorse.imaging.metadata import MAKER_NOTE_LEFT_OUT, comment_of, exif_for, save_options, tiff_tags
from zorse.imaging.picture import Animation, Note, Picture

_TEXTS, _LETTERS = 5, 40
"""Names of texts that a receipt repeats, and letters of each."""

_ROUTINE = frozenset({"preview", "orientation", "palette", "grey", "black and white"})
"""What follows from the translation of any such file, and is no loss to anybody: JSON tells it, the terminal not."""


@dataclass(frozen=True)
class Receipt:
    """What a file holds, and what became of it."""

    source_format: str
    """Name of the file's format ("JPEG"), whatever its name ends in; empty for a picture made in memory."""
    format: str
    """Of the result."""
    entries: tuple[Note, ...] = ()

    def told(self) -> list[str]:
        """The sentences that people should read: what was converted or dropped, without what goes without saying."""
        lost = (entry for entry in self.entries if entry.outcome != "kept" and entry.what not in _ROUTINE)
        return [entry.detail for entry in lost]


def receipt_of(
    frames: Sequence[Picture], animation: Animation | None, suffix: str, count_in_file: int, source_suffix: str = ""
) -> Receipt:
    """The receipt of pictures that `encode_pictures` writes.

    Args:
        frames: what is written, at least one, with the notes of reading them.
        animation: how they are played, as for `encode_pictures`.
        suffix: of the result, as in `WRITE_FORMATS`.
        count_in_file: frames or pages of the file that they come from.
        source_suffix: of that file's name; empty where it has none.
    """
    first, format = frames[0], WRITE_FORMATS[suffix.lower()]
    entries = [
        *_format(first, format, source_suffix),
        *_transparency(frames, format),
        *_colours(first, format),
        *_depth(first, format, len(_written(frames, format))),
        *_metadata(first, format),
        *_frames(frames, animation, format, count_in_file),
    ]
    for note in dict.fromkeys(note for frame in frames for note in frame.notes):
        is_kept = note.what == "palette" and format == "GIF"
        entries.append(Note("kept", "palette", "The result has a palette, too.") if is_kept else note)
    return Receipt(first.format, format, tuple(entries))


def _format(first: Picture, format: str, source_suffix: str) -> Iterator[Note]:
    if not first.format:
        return
    named = WRITE_FORMATS.get(source_suffix.lower(), first.format)
    but = f", although its name ends in {source_suffix}" if named != first.format else ""
    before, after = format_name(first.format), format_name(format)
    if first.format == format:
        yield Note("kept", "format", f"The file is {before}{but}, and so is the result.")
    else:
        yield Note("converted", "format", f"The file is {before}{but}; the result is {after}.")
    if format == "GIF" != first.format:
        yield Note("converted", "colours", "A GIF holds at most 256 colours: others are mixed of these.")


def _transparency(frames: Sequence[Picture], format: str) -> Iterator[Note]:
    alphas = [frame.alpha for frame in _written(frames, format) if frame.alpha is not None]
    if not alphas:
        return
    if format in OPAQUE_FORMATS:
        if any(int(alpha.min()) < np.iinfo(alpha.dtype).max for alpha in alphas):
            detail = f"{format_name(format)} holds no transparency: white shows through."
            yield Note("dropped", "transparency", detail)
    elif format == "GIF" and any(_is_half(alpha) for alpha in alphas):
        detail = "A GIF holds no half transparency: pixels are transparent or opaque."
        yield Note("converted", "transparency", detail)
    else:
        yield Note("kept", "transparency", "Transparency is as it was.")


def _is_half(alpha: Any) -> bool:
    return bool(np.any((alpha > 0) & (alpha < np.iinfo(alpha.dtype).max)))


def _colours(first: Picture, format: str) -> Iterator[Note]:
    loss = colour_loss(first, format)
    if loss is not None:
        yield loss
    elif own_space(first) is not None:
        yield Note("kept", "colour profile", "The colours are those that the file describes.")


def _depth(first: Picture, format: str, count: int) -> Iterator[Note]:
    if first.rgb.dtype != np.uint16:
        return
    loss = depth_loss(first, format, frames=count)
    if loss is not None:
        yield loss
        return
    bits = first.encoding.bits if first.encoding.bits > 8 else 16
    yield Note("kept", f"{bits} bits per channel", f"The result has all {bits} bits per channel.")


def _metadata(first: Picture, format: str) -> Iterator[Note]:
    """What the writer is given for the format, against what there is."""
    metadata, held = first.metadata, _held(first, format)
    if first.orientation != 1:
        yield Note("converted", "orientation", "The pixels are stored upright: no tag has to turn them.")
    yield from _exif(metadata.exif, held, format)
    if metadata.xmp:
        yield _kept_or_not("XMP", "xmp" in held, format, "or not so much of it")
    if metadata.iptc:
        yield _kept_or_not("IPTC", "iptc" in held, format)
    if comment_of(metadata):
        yield _kept_or_not("comment", "comment" in held, format, "or has another description there")
    texts = [key for key, _ in metadata.texts if key != "Comment"]
    if texts:
        named = ", ".join(_readable(key) for key in texts[:_TEXTS]) + ", ..." * (len(texts) > _TEXTS)
        yield _kept_or_not("texts", "texts" in held, format, what=f"Texts ({named})")
    if metadata.dpi is not None:
        is_there = "dpi" in held or (bool(held.get("exif")) and exif_block.holds_resolution(metadata.exif))
        yield _kept_or_not("resolution", is_there, format)


def _exif(block: bytes, held: dict[str, Any], format: str) -> Iterator[Note]:
    said = exif_block.tags(block)
    if not said:
        return
    result = held.get("exif", b"")
    lost = said - exif_block.tags(result) - {exif_block.MAKER_NOTE}
    if lost == said - {exif_block.MAKER_NOTE}:
        yield _kept_or_not("EXIF", False, format, "or not so much of it", "EXIF (camera, time, place)")
        return
    if lost:
        yield Note("converted", "EXIF", "EXIF is in the result, without entries that are damaged.")
    else:
        yield Note("kept", "EXIF", "EXIF is in the result.")
    before, after = exif_block.parts(block), exif_block.parts(result)
    if before.gps:
        yield _kept_or_not("GPS", after.gps, format)
    if before.maker_note:
        if after.maker_note:
            yield Note("kept", "maker note", "The camera maker's own notes are in the result.")
        else:
            yield MAKER_NOTE_LEFT_OUT


def _frames(frames: Sequence[Picture], animation: Animation | None, format: str, count_in_file: int) -> Iterator[Note]:
    if count_in_file < 2:
        return
    things = "pages" if animation is None else "frames"
    written = len(_written(frames, format))
    if written < count_in_file:
        lost = count_in_file - written
        lost_things = things if lost > 1 else things[:-1]
        detail = f"{format_name(format)} holds one picture: {lost} further {lost_things} left out."
        yield Note("dropped", things, detail)
    elif animation is None and format != "TIFF":
        detail = f"The {count_in_file} pages become frames that are shown for 0.1 seconds each."
        yield Note("converted", "pages", detail)
    else:
        yield Note("kept", things, f"All {count_in_file} {things} are in the result.")
    if written > 1 and animation is not None:
        yield from _timing(animation, format)


def _timing(animation: Animation, format: str) -> Iterator[Note]:
    if format == "TIFF":
        yield Note("dropped", "timing", "A TIFF holds pages, without times.")
        return
    step = time_step(format)
    if all(duration % step == 0 for duration in animation.durations):
        yield Note("kept", "timing", "Each frame is shown for as long as it was.")
    else:
        yield Note("converted", "timing", f"Times are rounded to {step} thousandths of a second.")
    yield Note("kept", "repetition", "The frames are played as often as they were.")


def _written(frames: Sequence[Picture], format: str) -> Sequence[Picture]:
    return frames if format in ANIMATED_FORMATS else frames[:1]


def _held(picture: Picture, format: str) -> dict[str, Any]:
    """What the writer puts into the file, under Pillow's names and "iptc" and "texts"."""
    if format == "TIFF":
        return _held_by_tiff(picture)
    held = save_options(picture, format)
    if "extra" in held:
        held["iptc"] = held["extra"]
    if "pnginfo" in held:
        chunks = [content for _, content, *_ in held["pnginfo"].chunks]
        beginnings = {
            "xmp": b"XML:com.adobe.xmp\0",
            "iptc": iptc.PNG_KEYWORDS[0].encode() + b"\0",
            "comment": b"Comment\0",
        }
        for name, beginning in beginnings.items():
            if any(chunk.startswith(beginning) for chunk in chunks):
                held[name] = beginning
        held["texts"] = chunks
    return held


def _held_by_tiff(picture: Picture) -> dict[str, Any]:
    tags = tiff_tags(picture)
    names = {TiffImagePlugin.XMP: "xmp", TiffImagePlugin.ICCPROFILE: "icc_profile", iptc.TIFF_TAG: "iptc"}
    held = {name: tags[tag] for tag, name in names.items() if tag in tags}
    if picture.metadata.dpi is not None and TiffImagePlugin.X_RESOLUTION in tags:
        held["dpi"] = picture.metadata.dpi
    comment = comment_of(picture.metadata)
    if comment and tags.get(ExifTags.Base.ImageDescription) == comment.decode("utf-8", "replace"):
        held["comment"] = comment
    held["exif"] = exif_for(picture.metadata.exif, "TIFF")
    return held


def _kept_or_not(noun: str, is_kept: bool, format: str, otherwise: str = "", what: str = "") -> Note:
    what = what or noun[0].upper() + noun[1:]
    are = "are" if noun.endswith("s") else "is"
    if is_kept:
        return Note("kept", noun, f"{what} {are} in the result.")
    return Note(
        "dropped",
        noun,
        f"{what} {are} left out: {format_name(format)} does not hold {'it' if are == 'is' else 'them'}"
        f"{', ' * bool(otherwise)}{otherwise}.",
    )


def _readable(text: str) -> str:
    """A text out of a file, short, and without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LETTERS])
