"""What reading a picture leaves behind: what cameras attach to it, and how its file stores its colours.

Gain maps and films belong to the old picture: they are left out, and so is what the metadata say of them.

Source: Adobe, Gain map 1.0; ISO 21496-1; Google, Ultra HDR Image Format 1.1 and Motion Photo 1.0; CIPA DC-007 (MPO);
ISO 23008-12 (HEIF).
"""

import re
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from PIL import Image

from zorse.imaging.boxes import iter_boxes
from zorse.imaging.picture import Note

_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_GAIN_MAPS = ("http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/")
_NOTE = "http://ns.adobe.com/xmp/note/"
_NAMESPACES = tuple(name.encode() for name in (_CAMERA, _CONTAINER, *_GAIN_MAPS, _NOTE))

_GAIN_MARKS = (b"hdr-gain-map/1.0/", b"urn:iso:std:iso:ts:21496:-1", b"aux:hdrgainmap")
"""One of these is in every JPEG with a gain map, at the latest in the map itself."""

_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*("[^"]*"|'[^']*')""")
_EMPTY_TAG = re.compile(rb"""<[^\s/>"']++(?:"[^"]*"|'[^']*'|[^"'/>])*+/>""")
_TAG_NAME = re.compile(rb"<[^\s/>]+")

GAIN_MAP = Note("dropped", "gain map", "The gain map is left out: the result is the standard picture, without HDR.")
FILM = Note("dropped", "film", "The film of the motion photo is left out: the result is the picture alone.")
LIVE_PHOTO = Note(
    "dropped", "link to a film", "The link to the film of the Live Photo is left out: the film shows the old picture."
)
PREVIEW = Note("dropped", "preview", "The small preview is left out: it shows the old picture.")
_EXTENDED = Note(
    "dropped", "extended XMP", "The second part of the XMP is left out; the first, the main part, is read."
)
_BROKEN_XMP = Note("dropped", "XMP", "The XMP is damaged, and is left out.")
_DEPTH = Note("dropped", "depth map", "The depth map is left out: the result is the picture alone.")

_MODES = {
    "1": Note("converted", "black and white", "1 bit per pixel becomes 8 bits per channel: the result has colours."),
    "L": Note("converted", "grey", "Grey becomes RGB: the result has colours."),
    "LA": Note("converted", "grey", "Grey becomes RGB: the result has colours."),
    "P": Note("converted", "palette", "The palette becomes RGB."),
    "PA": Note("converted", "palette", "The palette becomes RGB."),
    "CMYK": Note("converted", "CMYK", "The four inks (CMYK) become RGB."),
    "YCbCr": Note("converted", "YCbCr", "Brightness and colour (YCbCr) become RGB."),
    "LAB": Note("converted", "Lab", "Lab becomes RGB."),
    "HSV": Note("converted", "HSV", "HSV becomes RGB."),
}


@dataclass(frozen=True)
class CleanXmp:
    """An XMP packet without what it says of parts that are left out."""

    xmp: bytes
    """As it was beside that."""
    film: bool = False
    """Whether it spoke of a film."""
    gain_map: bool = False
    extended: bool = False
    """Whether it went on in another part of the file."""
    broken: bool = False
    """Whether it had to be left out as a whole."""


def clean_xmp(xmp: bytes) -> CleanXmp:
    """Takes out of an XMP packet what says that a film, a gain map or a second part of the packet follow."""
    if not any(namespace in xmp for namespace in _NAMESPACES):
        return CleanXmp(xmp)
    links = _Links(xmp)
    return CleanXmp(
        b"" if links.broken else links.without(),
        film=links.film,
        gain_map=links.gain_map,
        extended=links.extended,
        broken=links.broken,
    )


def attachments(image: Image.Image, data: bytes, xmp: CleanXmp) -> tuple[Note, ...]:
    """What a file holds beside its picture, and what reading it leaves out.

    Args:
        image: the opened file.
        data: its content; empty where there is no file.
        xmp: its XMP.
    """
    has_gain_map, has_film = xmp.gain_map, xmp.film
    notes: list[Note] = []
    match image.format:
        case "JPEG" | "MPO":
            if "mp" in image.info and any(mark in data for mark in _GAIN_MARKS):
                has_gain_map = True
            if data.endswith(b"SEFT") and b"MotionPhoto_Data" in data:  # Samsung's trailer
                has_film = True
            notes += _further_pictures(image, has_gain_map)
        case "HEIF" | "AVIF":
            has_gain_map = has_gain_map or _says_gain_map(image, data)
            has_film = has_film or any(name == b"mpvd" for name, *_ in iter_boxes(data))
            notes += _heif_notes(image)
    found = {GAIN_MAP: has_gain_map, FILM: has_film, _EXTENDED: xmp.extended, _BROKEN_XMP: xmp.broken}
    return (*(note for note, there in found.items() if there), *notes)


def mode_notes(image: Image.Image) -> tuple[Note, ...]:
    """How a file stores its colours, where that is not RGB."""
    note = _MODES.get(image.mode) or (_MODES["L"] if image.mode.startswith(("I", "F")) else None)
    return () if note is None else (note,)


def _further_pictures(image: Image.Image, has_gain_map: bool) -> list[Note]:
    """Of a JPEG with several pictures. A gain map is one of them."""
    index: Any = getattr(image, "mpinfo", None) or {}
    kinds = [str(entry.get("Attribute", {}).get("MPType", "")) for entry in index.get(0xB002, [])[1:]]
    previews = sum("Thumbnail" in kind for kind in kinds)
    notes = [PREVIEW] if previews else []
    return notes + _further(len(kinds) - previews - has_gain_map)


def _further(count: int) -> list[Note]:
    if count < 1:
        return []
    pictures, are = ("picture", "is") if count == 1 else ("pictures", "are")
    detail = f"{count} further {pictures} in the file {are} left out: the result holds the first one."
    return [Note("dropped", "further pictures", detail)]


def _says_gain_map(image: Image.Image, data: bytes) -> bool:
    auxiliary = image.info.get("aux") or {}
    brands = data[16 : int.from_bytes(data[:4], "big")][:400]
    return any("gainmap" in str(kind).lower() for kind in auxiliary) or any(
        brands[start : start + 4] == b"tmap" for start in range(0, len(brands), 4)
    )


def _heif_notes(image: Image.Image) -> list[Note]:
    notes = []
    if image.info.get("depth_images"):
        notes.append(_DEPTH)
    if image.info.get("thumbnails"):
        notes.append(PREVIEW)
    if image.format == "HEIF":
        notes += _further(getattr(image, "n_frames", 1) - 1)
    return notes


class _Links:
    """The places of an XMP packet that speak of other parts of the file."""

    def __init__(self, xmp: bytes) -> None:
        self.film = self.gain_map = self.extended = self.broken = False
        self._xmp = xmp
        self._ranges: list[tuple[int, int]] = []
        self._prefixes: dict[str, str] = {}
        self._depth = 0
        self._inside: tuple[int, int] | None = None
        """Depth and beginning of an element that goes."""
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartNamespaceDeclHandler = self._declare
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        try:
            self._parser.Parse(xmp, True)
        except expat.ExpatError:  # what follows the root element, zeros often, does no harm
            self.broken = not self._prefixes or self._depth > 0

    def without(self) -> bytes:
        kept, place = [], 0
        for start, end in sorted(self._ranges):
            kept.append(self._xmp[place:start])
            place = end
        return b"".join([*kept, self._xmp[place:]])

    def _declare(self, prefix: str | None, namespace: str) -> None:
        self._prefixes[prefix or ""] = namespace

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        start = self._parser.CurrentByteIndex
        if self._inside is not None:
            return
        if self._is_link(name, ""):
            self._inside = self._depth, start
        elif any(self._is_link(key, value) for key, value in attributes.items()):
            self._ranges += self._attributes(start)

    def _end(self, _name: str) -> None:
        if self._inside is not None and self._inside[0] == self._depth:
            empty = _EMPTY_TAG.match(self._xmp, self._inside[1])
            end = empty.end() if empty else self._xmp.find(b">", self._parser.CurrentByteIndex) + 1
            self._ranges.append((self._inside[1], end))
            self._inside = None
        self._depth -= 1

    def _attributes(self, start: int) -> list[tuple[int, int]]:
        """Places of those attributes of a tag that are links."""
        found = []
        name = _TAG_NAME.match(self._xmp, start)
        place = name.end() if name else start
        while attribute := _ATTRIBUTE.match(self._xmp, place):
            place = attribute.end()
            prefix, _, local = attribute[1].decode("utf-8", "replace").rpartition(":")
            value = attribute[2][1:-1].decode("utf-8", "replace")
            if prefix and self._is_link(f"{self._prefixes.get(prefix, '')} {local}", value):
                found.append((attribute.start(), place))
        return found

    def _is_link(self, name: str, value: str) -> bool:
        namespace, _, local = name.rpartition(" ")
        if namespace == _CAMERA and local.startswith(("MotionPhoto", "MicroVideo")):
            self.film = self.film or (local in ("MotionPhoto", "MicroVideo") and value != "0")
        elif namespace in _GAIN_MAPS:
            self.gain_map = True
        elif namespace == _NOTE and local == "HasExtendedXMP":
            self.extended = True
        else:
            return namespace == _CONTAINER and local == "Directory"
        return True
