"""What the directories of all TIFFs and EXIF blocks share. Source: TIFF 6.0, section 2."""

SIGNATURES = (b"II*\0", b"MM\0*")
"""Begin of TIFFs that count in 4 bytes."""

TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value of each type."""
