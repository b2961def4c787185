"""`import zorse` is quick and clean: what it offers is what it says, and torch stays out until it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

import tiny_onnx
import zorse

ROOT = Path(__file__).resolve().parent.parent


def run(code, *arguments):
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'translate')!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_public_name_can_be_imported():
    for name in zorse.__all__:
        assert name in dir(zorse)
        assert hasattr(zorse, name), name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        zorse.nonsense  # noqa: B018


def test_import_brings_nothing_heavy():
    heavy = "{'torch', 'numpy', 'cv2', 'PIL', 'onnxruntime', 'pydantic', 'gradio'}"
    assert run(f"import zorse; print(*sorted({heavy} & set(sys.modules)))") == []


def test_loading_and_translating_leave_torch_out(tmp_path):
    code = """
import numpy, zorse
result = zorse.load(sys.argv[1])(numpy.zeros((9, 9, 3), numpy.uint8), size="keep")
print(result.max(), "torch" in sys.modules)
"""
    assert run(code, str(tiny_onnx.write(tmp_path / "m.onnx"))) == ["255", "False"]


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'cv2', 'PIL', 'onnxruntime', 'gradio'}"
    assert run(f"import zorse.cli; print(*sorted({heavy} & set(sys.modules)))") == []


def test_translating_marks_no_computer_and_reports_nothing(tmp_path, monkeypatch):
    """ONNX Runtime's telemetry would leave an identity in the cache and a session in the temporary folder."""
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    code = """
import os, numpy, zorse
zorse.load(sys.argv[1])(numpy.zeros((9, 9, 3), numpy.uint8), size="keep")
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    assert run(code, tiny_onnx.write(tmp_path / "model.onnx")) == ["1"]
    assert [file for file in (tmp_path / "empty").rglob("*") if file.is_file()] == []
