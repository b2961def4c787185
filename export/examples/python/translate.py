"""Translates one picture with ONNX Runtime, NumPy and Pillow: python translate.py MODEL.onnx IN OUT [SHORT_SIDE]."""

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

if len(sys.argv) not in (4, 5):
    sys.exit(__doc__)
model, source, target, *short_side = sys.argv[1:]

session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
picture = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
if short_side:  # the network sees best at the size that it was trained on, often 256
    scale = int(short_side[0]) / min(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)

(translation,) = session.run(["translation"], {"image": np.asarray(picture)[None]})  # uint8 (1, height, width, 3)
Image.fromarray(translation[0]).save(target)
