"""Receipts for programs: in a header of an answer, and in a zip."""

from collections.abc import Mapping
from dataclasses import asdict

from zorse.imaging.receipt import Receipt
from zorse.system.texts import json_text

HEADER = "X-Zorse-Receipt"
"""Of an answer with a picture: the receipt as JSON in ASCII."""

FILE = "receipts.json"
"""Name in a zip of many pictures."""

_MOST = 4000
"""Letters in a header: servers between here and there often take 8 KB for all headers together."""


def header_value(receipt: Receipt) -> str:
    """A receipt as JSON in one line of ASCII; where that is too long, without what was kept, and last without details.

    The field `shortened` says so.
    """
    full = asdict(receipt)
    lost = [entry for entry in full["entries"] if entry["outcome"] != "kept"]
    names = [{"what": entry["what"][:100], "outcome": entry["outcome"]} for entry in lost]
    for candidate in (full, *(full | {"entries": entries, "shortened": True} for entries in (lost, names))):
        text = json_text(candidate)
        if len(text) <= _MOST:
            return text
    return json_text(full | {"entries": names[:10], "shortened": True})


def file_content(receipts: Mapping[str, Receipt]) -> str:
    """The receipts of pictures, by their names in the zip."""
    return json_text({name: asdict(receipt) for name, receipt in receipts.items()}, indent=1)
