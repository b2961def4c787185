"""A model's name as that of a file or folder."""

import re


def plain_name(name: str, otherwise: str = "model") -> str:
    """Letters, digits, "_", "-" and, not as the first, ".": neither hidden nor in another folder.

    Args:
        name: a card's.
        otherwise: taken where nothing of the name can be.
    """
    return re.sub(r"[^\w.-]+", "_", name).lstrip(".") or otherwise
