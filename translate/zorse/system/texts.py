"""Texts from elsewhere, fit to be seen: names of files, metadata, cards, what other programs say."""

import json
import math
import re
from typing import Any

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters: they begin what steers a terminal, and end lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of what follows
    "\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # end lines, or cannot be seen
    "\ud800-\udfff"  # no characters: Python's stand-ins for bytes of a name that are none
    "]"
)


def visible(text: str) -> str:
    r"""A text in one line, with what would steer a terminal, break the line or not be seen written out.

    A control character becomes `\x1b` or `\n`, one that turns the direction of writing `\u202e`, a byte of a file's
    name that is no character `\xff`. All else stays as it is, backslashes too.
    """
    return _HIDDEN.sub(lambda found: _written(found[0]), text)


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON in ASCII, which any program reads and any terminal shows: strings without lone surrogates (as `visible`
    writes them), null for what is no number.

    Args:
        value: of what `json.dumps` takes.
        indent: of nested values; None for one line.
    """
    # JSON itself leaves DEL as it is, which some terminals obey.
    return json.dumps(_sound(value), indent=indent, allow_nan=False).replace("\x7f", r"\u007f")


def _written(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as `os.fsdecode` hands it over
        code -= 0xDC00
    return _SHORT.get(character) or (rf"\x{code:02x}" if code < 0x100 else rf"\u{code:04x}")


def _sound(value: Any) -> Any:
    match value:
        case str():
            return _SURROGATE.sub(lambda found: _written(found[0]), value)
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {_sound(key): _sound(each) for key, each in value.items()}
        case list() | tuple():
            return [_sound(each) for each in value]
        case _:
            return value
