"""The example for Ray Data does what it says, on a cluster of this machine."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

import tiny_onnx
from zorse.imaging.io import read_picture

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(find_spec("ray") is None, reason="needs pip install 'zorse[ray]'")
def test_a_folder_goes_through_ray_actors(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(5):
        Image.new("RGB", (24, 16), (10, 10, 10)).save(tmp_path / f"in/{number}.png")
    (tmp_path / "in/bad.jpg").write_bytes(b"no picture")
    model = tiny_onnx.write(tmp_path / "neg.onnx")
    command = [sys.executable, ROOT / "tests/benchmarks/ray_example.py", model, tmp_path / "in", tmp_path / "out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "translate")}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=280)
    assert "5 of 6 pictures translated." in run.stdout, run.stderr
    assert "bad.jpg is not a picture" in run.stdout
    assert {int(read_picture(file).rgb.mean()) for file in (tmp_path / "out").iterdir()} == {245}
