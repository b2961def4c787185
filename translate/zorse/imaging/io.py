"""Picture files: what the rest of Zorse reads and writes them with.

Networks see 3-channel sRGB. What a file holds beside that (alpha, ICC profile, metadata, 16 bits) is kept in `Picture`,
so that a translated picture is written with all of it.
"""

from zorse.imaging.formats import (
    READ_SUFFIXES,
    WRITE_FORMATS,
    find_files,
    find_pictures,
    holds_frames,
    is_picture_name,
    suffix_of,
)
from zorse.imaging.orientation import as_stored
from zorse.imaging.picture import Animation, Encoding, Metadata, Picture, Pixels, on_white, over_white, to_uint8
from zorse.imaging.read import MAX_PIXELS, PictureFile, open_pictures, picture_from_pil, read_picture
from zorse.imaging.write import (
    encode_picture,
    encode_pictures,
    picture_to_pil,
    write_file,
    write_format,
    write_picture,
    writing,
)

__all__ = [
    "MAX_PIXELS",
    "READ_SUFFIXES",
    "WRITE_FORMATS",
    "Animation",
    "Encoding",
    "Metadata",
    "Picture",
    "PictureFile",
    "Pixels",
    "as_stored",
    "encode_picture",
    "encode_pictures",
    "find_files",
    "find_pictures",
    "holds_frames",
    "is_picture_name",
    "on_white",
    "open_pictures",
    "over_white",
    "picture_from_pil",
    "picture_to_pil",
    "read_picture",
    "suffix_of",
    "to_uint8",
    "write_file",
    "write_format",
    "write_picture",
    "writing",
]
