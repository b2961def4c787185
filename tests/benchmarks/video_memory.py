"""Memory of translating a video: it must not grow with the video's length.

    python tests/benchmarks/video_memory.py MODEL [--frames 30 150] [--width 1920 --height 1080] [--size auto]

Makes a video of moving shapes and noise for each number of frames, translates it in a fresh process and prints by how
much that grew at most, from the loaded model on.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from resident import resident_mb

RATE = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--frames", type=int, nargs="+", default=[30, 150])
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--size", default="auto")
    parser.add_argument("--grow", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.grow is not None:
        grow(arguments.model, arguments.grow, arguments.size)
        return
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.frames:
            video = Path(folder) / f"{count}.mp4"
            write_video(video, count, arguments.width, arguments.height)
            command = [sys.executable, __file__, arguments.model, "--size", arguments.size, "--grow", str(video)]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{count} frames of {arguments.width}x{arguments.height}:", result.stdout.strip(), flush=True)


def write_video(file: Path, count: int, width: int, height: int) -> None:
    import av

    random = np.random.default_rng(0)
    noise = random.integers(0, 24, (height, width, 3), dtype=np.uint8)
    slope = np.linspace(60, 180, width).astype(np.uint8)[None, :, None] + noise
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            pixels = np.roll(slope, 8 * number, axis=1)
            left = 10 * number % (width // 2)
            pixels[height // 3 : height // 2, left : left + width // 6] = 255 - number % 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels))))
        container.mux(stream.encode(None))


def grow(model: str, video: Path, size: str) -> None:
    """In this process: how much memory the translation of the video takes, and how long."""
    import zorse

    translator = zorse.load(model, "cpu")
    before = resident_mb("VmRSS")
    start, cpu_start = time.perf_counter(), time.process_time()
    made = translator.video(video, video.with_name("out.mp4"), size=int(size) if size.isdecimal() else size)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    grown = resident_mb("VmHWM") - before
    result = {"frames": made.frames, "grown_mb": round(grown), "seconds": round(seconds, 1)}
    print(json.dumps(result | {"cpu_seconds": round(cpu_seconds, 1)}))


if __name__ == "__main__":
    main()
