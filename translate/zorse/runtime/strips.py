"""Pictures that are far longer than high, or higher than long: how much of them a network sees.

A network has a shortest side, to which thinner pictures are padded, and the wanted short side says nothing of the long
one. Seen like all others, a picture of 1 x 2,000,000 pixels would cost as much as 400 ordinary ones of as many pixels.
"""

import math

LONGEST = 32
"""Pictures up to so many times as long as their short side are seen like all others."""
_MOST = 64
"""Longer ones are seen with the area that this many times their short side would have."""


def strip_scale(picture: tuple[int, int], seen: tuple[float, float], side: int, least: int, enlarged: int) -> float:
    """By how much a network sees a strip smaller than other pictures, so that its work stays in proportion.

    The area that the network computes is at most that of the strip itself, and that of `_MOST` squares of the wanted
    side; `enlarged` such squares, what a small picture is enlarged to, are always allowed.

    Args:
        picture: its two sides, in pixels.
        seen: those at which it would be seen.
        side: wanted short side, in pixels.
        least: shortest side that the network computes: thinner pictures are padded to it.
        enlarged: see above.

    Returns:
        A factor for both sides of `seen`, at most 1; 1 for pictures up to `LONGEST` times as long as their short side.
    """
    if max(picture) <= LONGEST * min(picture):
        return 1.0
    most = max(enlarged * side**2, min(picture[0] * picture[1], _MOST * side**2))
    short, long = sorted(seen)
    return min(1.0, math.sqrt(most / (short * long)), most / (least * long))
