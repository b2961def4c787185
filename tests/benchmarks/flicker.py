"""How much less the frames of a translated video flicker, and that moving scenes are not ghosted.

    python tests/benchmarks/flicker.py MODEL PICTURE [--side 256] [--frames 12] [--noise 3] [--steady 0.8]

Scenes are made of the picture, with new noise in each frame (a camera's, in levels of 255):

    still     nothing moves
    entering  something moves through the still scene; only what it never covers is measured
    exposure  the light changes by 3 % from frame to frame
    pan       the camera moves; frames are compared along the motion, which is known

Printed: the mean absolute difference of neighbouring frames, in levels, of the camera's frames, of their translations
frame by frame, and steadied (`zorse translate --steady`); the ratio of the last two. `statistics` instead mixes the
means and variances of the normalisations over time: it changes little where nothing but noise does, and makes changes
of the light worse, which a normalisation takes out best where it follows each frame. Last column: how far steadied
frames are from those frame by frame, which contains the noise that was taken away.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import zorse
from zorse.imaging.tensor import to_pixels, to_tensor
from zorse.runtime.passes import Streamable
from zorse.runtime.steady import Steady
from zorse.runtime.streamed import execute
from zorse.runtime.streamed.plan import plan_exact
from zorse.runtime.translator import Translator

Frames = list[NDArray[np.uint8]]
STEP = 8
"""Pixels of motion from frame to frame: a whole number of the networks' blocks."""
SETTLED = 4
"""Frames before the measurement."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--noise", type=float, default=3.0)
    parser.add_argument("--steady", type=float, default=0.8)
    arguments = parser.parse_args()
    translator = zorse.load(arguments.model, "cpu")
    side = arguments.side
    with Image.open(arguments.picture) as image:
        wide = np.asarray(image.convert("RGB").resize((side + STEP * arguments.frames, side)), np.float32)
    print(f"{'scene':10}{'camera':>8}{'by frame':>10}{'statistics':>12}{'steadied':>10}{'ratio':>7}{'off by':>8}")
    for name, scene in SCENES.items():
        rng = np.random.default_rng(0)
        frames = [noisy(scene(wide, side, number, rng), arguments.noise, rng) for number in range(arguments.frames)]
        plain = [translator(frame, size="keep") for frame in frames]
        steady = Steady(arguments.steady)
        steadied = [steady(frame, result) for frame, result in zip(frames, plain, strict=True)]
        mixed = mixing_statistics(translator, frames, arguments.steady)
        camera, by_frame, statistics, ours = (flicker(shown, name) for shown in (frames, plain, mixed, steadied))
        off = np.abs(np.asarray(steadied, np.float32) - np.asarray(plain, np.float32)).mean()
        print(
            f"{name:10}{camera:8.2f}{by_frame:10.2f}{statistics:12.2f}{ours:10.2f}{ours / by_frame:7.2f}{off:8.2f}",
            flush=True,
        )


def still(wide: NDArray[np.float32], side: int, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return wide[:, :side].copy()


def entering(wide: NDArray[np.float32], side: int, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    scene = still(wide, side, number, rng)
    left, top = side * number // 16, side * 3 // 8
    scene[top : top + side // 4, left : left + side // 4] = 255 - scene[top : top + side // 4, left : left + side // 4]
    return scene


def exposure(wide: NDArray[np.float32], side: int, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return still(wide, side, number, rng) * np.float32(1 + 0.03 * rng.normal())


def pan(wide: NDArray[np.float32], side: int, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return wide[:, STEP * number :][:, :side]


SCENES: dict[str, Callable[[NDArray[np.float32], int, int, np.random.Generator], NDArray[np.float32]]] = {
    "still": still,
    "entering": entering,
    "exposure": exposure,
    "pan": pan,
}


def noisy(scene: NDArray[np.float32], noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(np.rint(scene + rng.normal(0, noise, scene.shape)), 0, 255).astype(np.uint8)


def flicker(frames: Frames, scene: str) -> float:
    shown = np.asarray(frames[SETTLED:], np.float32)
    side = shown.shape[1]
    if scene == "pan":
        return float(np.abs(shown[1:, :, :-STEP] - shown[:-1, :, STEP:]).mean())
    if scene == "entering":
        shown = np.concatenate([shown[:, : side // 4], shown[:, side * 3 // 4 :]], axis=1)
    return float(np.abs(np.diff(shown, axis=0)).mean())


def mixing_statistics(translator: Translator, frames: Frames, share: float) -> Frames:
    """Frame by frame, but each normalisation uses a running mean of the frames' means and variances."""
    if not isinstance(translator.backend, Streamable):
        raise SystemExit("this model computes whole pictures only")
    kernels = translator.backend.kernels()
    side = len(frames[0])
    plan = plan_exact(kernels.program, side, side, 2**32, 2**32)
    past: dict[int, NDArray[np.float64]] = {}
    normalisation = execute._normalisation

    def mixed(op, mean, variance, weights):
        now = np.stack([mean, variance])
        past[id(op)] = share * past.get(id(op), now) + (1 - share) * now
        return normalisation(op, *past[id(op)], weights)

    results = []
    with patch.object(execute, "_normalisation", mixed):
        for frame in frames:
            after = np.empty((1, 3, side, side), np.float32)

            def write(window, tile, after=after):
                after[:, :, *window.slices] = tile

            execute.stream(plan, kernels, lambda window, frame=frame: to_tensor(frame[window.slices]), write)
            results.append(to_pixels(after))
    return results


if __name__ == "__main__":
    main()
