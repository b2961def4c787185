"""What a picture is here: upright sRGB pixels, and everything that its file held beside them."""

from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
AsDeep = TypeVar("AsDeep", bound=Pixels)


@dataclass(frozen=True)
class Metadata:
    """What a file says about its picture. Each format keeps what it can hold."""

    exif: bytes = b""
    """EXIF block. Its orientation is 1, since the pixels are upright, and its preview picture is gone."""
    xmp: bytes = b""
    """XMP packet: XML in UTF-8."""
    dpi: tuple[float, float] | None = None
    """Dots per inch, across and down."""
    comment: bytes = b""
    """Comment of a JPEG or GIF."""
    texts: tuple[tuple[str, str], ...] = ()
    """Keyword and text of each text chunk of a PNG."""
    iptc: bytes = b""
    """IPTC records: of a JPEG's APP13 segments, a TIFF's tag or a PNG's text."""


@dataclass(frozen=True)
class ColourTags:
    """What a file says about its colours in numbers, without a profile: by code, or by gamma and primaries."""

    cicp: tuple[int, int] | None = None
    """Primaries and transfer function by ITU-T H.273: (12, 13) is Display P3, (9, 16) is HDR with PQ."""
    gamma: float | None = None
    """Where `cicp` is None: the exponent from light to level; 0.45455 is the usual one."""
    chromaticities: tuple[float, ...] | None = None
    """Beside `gamma`: x and y of white, red, green and blue; None for those of sRGB."""
    peak: float = 1000.0
    """cd/m² of the brightest that an HDR picture holds."""
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    """Name and content of the chunks that said so in a PNG; none in AVIF and HEIC."""


@dataclass(frozen=True)
class Encoding:
    """How a file was compressed, as far as it says; a result in the same format is compressed likewise."""

    quantization: tuple[tuple[int, ...], ...] = ()
    """Quantisation tables of a JPEG, 64 values each: they are its quality."""
    subsampling: int = -1
    """Of the colour of a JPEG, AVIF or HEIC: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0, -1 another or none."""
    progressive: bool = False
    """Of a JPEG."""
    lossless: bool = False
    """Of a WebP."""
    quality: int | None = None
    """Of a lossy WebP, 0..100, reckoned back from its quantiser."""
    tiff_compression: int | None = None
    """TIFF's number of the method (tag 259)."""
    bits: int = 8
    """Per channel, of an AVIF or HEIC."""


@dataclass(frozen=True)
class Animation:
    """How the frames of a file are played."""

    durations: tuple[float, ...]
    """Milliseconds of each frame."""
    plays: int = 0
    """How often; 0 is for ever."""
    background: tuple[int, int, int, int] | None = None
    """RGBA behind the frames of a WebP."""
    default_image: bool = False
    """Whether the first frame of an APNG is only for viewers that do not play it."""


@dataclass(frozen=True)
class Note:
    """What became of one thing that a file holds."""

    outcome: Literal["kept", "converted", "dropped"]
    """Kept: it is in the result. Converted: it is there in another form. Dropped: it is gone."""
    what: str
    """What the file holds, as a noun: "transparency", "gain map", "10 bits per channel"."""
    detail: str
    """One sentence for people: "The gain map is left out: the result holds the standard picture only."."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright sRGB picture with what its file held beside the colours."""

    rgb: Pixels
    """(H, W, 3), uint8 or, from 16-bit files, uint16; sRGB over the full range of the dtype."""
    alpha: Pixels | None = None
    """(H, W) of the same dtype as `rgb`, 0 is transparent; None where the file has no transparency."""
    icc_profile: bytes | None = None
    """The file's RGB profile, or one that says the same as `colour_tags`; None where no profile can (HDR). `rgb` is
    sRGB already; writing converts it back into this profile."""
    colour_tags: ColourTags | None = None
    """How the file described its colours where not by a profile; formats that can say the same get it back."""
    native: Pixels | None = None
    """(H, W, 3) pixels in the file's own colours as it holds them; None where they are sRGB. Writing needs them to give
    back what sRGB cannot hold, where the picture was left as it was."""
    metadata: Metadata = field(default_factory=Metadata)
    """EXIF, XMP, resolution, comments."""
    format: str = ""
    """Pillow's name of the format it was read from ("JPEG", "PNG", ...); empty for pictures made in memory."""
    encoding: Encoding = field(default_factory=Encoding)
    """How the file was compressed."""
    orientation: int = 1
    """EXIF orientation 1..8 that was applied to the file's pixels to make them upright."""
    notes: tuple[Note, ...] = ()
    """What reading the file has already converted or dropped; what writing does is added by the receipt."""

    @property
    def height(self) -> int:
        """Rows, in pixels."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Columns, in pixels."""
        return int(self.rgb.shape[1])


def to_uint8(pixels: Pixels) -> NDArray[np.uint8]:
    """uint8 as it is; uint16 rounded to the nearest of 256 levels (65535 is 255)."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, dtype=np.uint8)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def over_white(rgb: AsDeep, alpha: AsDeep | None) -> AsDeep:
    """What a viewer sees on a white page: colours under full transparency are arbitrary.

    Args:
        rgb: (H, W, 3), uint8 or uint16.
        alpha: (H, W) of the same dtype, 0 is transparent; None where all is opaque.

    Returns:
        (H, W, 3) of the same dtype, rounded to the nearest level; `rgb` itself where all is opaque.
    """
    white = np.iinfo(rgb.dtype).max
    if alpha is None or alpha.min() == white:
        return rgb
    seen = np.subtract(white, rgb, dtype=np.float32)
    seen *= alpha.astype(np.float32)[:, :, None] / -white
    seen += white
    return np.rint(seen, out=seen).astype(rgb.dtype)  # type: ignore[return-value]  # as it came


def on_white(picture: Picture) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the picture as it looks on a white page."""
    return over_white(to_uint8(picture.rgb), None if picture.alpha is None else to_uint8(picture.alpha))
