"""What is said of files whose parts contradict each other, or are too many."""

from zorse.errors import ImageError

_ALWAYS = 100_000
_BYTES = 64


class StructureError(ImageError):
    """A file whose parts contradict each other, or are too many. The message goes on after the file's name."""


def damage(what: str) -> str:
    """The message about a file that is damaged so."""
    return f"is damaged or cut off: {what}. Get or save the file again."


def check_count(parts: str, count: int, data: bytes) -> None:
    """Makes sure that a file has at most so many parts, and one more for 64 bytes: writers put thousands into each.

    Args:
        parts: what they are called.
        count: how many there are at least.
        data: the content of the file.

    Raises:
        StructureError: there are more.
    """
    if count > _ALWAYS + len(data) // _BYTES:
        raise StructureError(f"is made of more than {count} {parts} in {len(data)} bytes. Save it again.")
