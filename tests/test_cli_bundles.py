"""`zorse export --web` and `--triton`, as they are called from a shell."""

import base64
import hashlib
import io
import json
import tarfile

import pytest

import tiny_app_model
import tiny_export
import tiny_onnx
from zorse.backends.torch.safetensors_file import save_generator
from zorse.model.architecture import UnetConfig
from zorse_export import web
from zorse_export.npm import NpmPackage

ARCHITECTURE = UnetConfig(base_channels=2, depth=3, norm="none", dropout=False)
"""Traced in a second or two."""


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """An empty tarball in the place of ONNX Runtime Web's."""
    file = tmp_path / "runtime.tgz"
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("package/package.json"), io.BytesIO())
    sha512 = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    monkeypatch.setattr(web, "RUNTIME", NpmPackage("onnxruntime-web", "0.0.1", sha512))
    return file


def test_a_file_that_is_ready_is_taken_as_it_is(zorse, runtime, tmp_path):
    model = tiny_app_model.write(tmp_path / "night.onnx")
    site, repository = tmp_path / "site", tmp_path / "repository"
    code, out, err = zorse("export", model, "--web", site, "--triton", repository, "--web-runtime", runtime)
    assert (code, err) == (0, "")
    assert (site / "models" / "night.onnx").read_bytes() == model.read_bytes()
    assert (repository / "night" / "1" / "model.onnx").read_bytes() == model.read_bytes()
    assert f"http.server -d '{site}'" in out
    assert f"--model-repository={repository}" in out


def test_a_trained_generator_is_exported_and_bundled(zorse, runtime, tmp_path):
    card = tiny_export.card(ARCHITECTURE)
    save_generator(tmp_path / "G.safetensors", tiny_export.trained(ARCHITECTURE), card)
    bundles = ("--web", tmp_path / "site", "--triton", tmp_path / "repository", "--web-runtime", runtime)
    code, out, err = zorse("export", tmp_path / "G.safetensors", *bundles, "--json")
    assert (code, err) == (0, "")
    content = (tmp_path / "tiny.onnx").read_bytes()
    assert json.loads(out)["sha256"] == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "site" / "models" / "tiny.onnx").read_bytes() == content
    assert (tmp_path / "repository" / "tiny" / "1" / "model.onnx").read_bytes() == content

    # Pictures to compare with ask for another export, which needs a name; they are not passed over.
    compared = ("--calibrate", tmp_path, "--web", tmp_path / "other", "--web-runtime", runtime)
    code, _, err = zorse("export", tmp_path / "tiny.onnx", *compared)
    assert code == 2
    assert "Name another file than the one that is exported." in err
    assert not (tmp_path / "other").exists()


def test_what_the_page_cannot_run(zorse, runtime, tmp_path):
    model = tiny_onnx.write(tmp_path / "float.onnx")
    code, _, err = zorse("export", model, "--web", tmp_path / "site", "--web-runtime", runtime)
    assert code == 1
    assert f"Make one of it: zorse export {model} -o NEW.onnx" in err
    code, _, err = zorse("export", model, "-o", tmp_path / "new.onnx", "--io", "float", "--web", tmp_path / "site")
    assert code == 2
    assert "leave --io out" in err
    assert not (tmp_path / "site").exists()


def test_a_runtime_without_a_page(zorse, runtime, tmp_path):
    code, _, err = zorse("export", tmp_path / "night.onnx", "--web-runtime", runtime)
    assert code == 2
    assert "It is a part of the page" in err
