"""The frame header of a JPEG. Source: ITU-T T.81, section B.2.2; T.87 for JPEG-LS."""

_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_START_OF_SCAN = 0xDA


def frame(data: bytes) -> tuple[int, int, int] | None:
    """Marker, bits per channel and height of a JPEG's first frame; None where there is none before the pixels."""
    place = 2 if data.startswith(b"\xff\xd8") else len(data)
    while place + 9 <= len(data) and data[place] == 0xFF and data[place + 1] != _START_OF_SCAN:
        marker = data[place + 1]
        if marker in _FRAMES:
            return marker, data[place + 4], int.from_bytes(data[place + 5 : place + 7], "big")
        place += 1 if marker == 0xFF else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
