"""Data for training: where the pictures are, how they are paired, cut and batched."""

import os

# albumentations asks PyPI for a newer version of itself when it is imported: training must work offline, and quietly.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
