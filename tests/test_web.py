"""`zorse export --web`: a page that is complete, and never at the cost of somebody's files."""

import base64
import hashlib
import io
import json
import re
import tarfile
import urllib.error

import onnx
import pytest

import tiny_app_model
import tiny_onnx
from zorse.errors import ChecksumMismatch, ExportError, WeightsError
from zorse_export import npm, web
from zorse_export.npm import NpmPackage

PAGE = {"index.html", "style.css", "icon.svg", "page.js", "worker.js", "translate.js", "resize.js", "tiles.js"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_app_model.write(tmp_path_factory.mktemp("model") / "night.onnx")


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A tarball in the place of ONNX Runtime Web's, with files of the same names."""
    file = tmp_path / "runtime.tgz"
    with tarfile.open(file, "w:gz") as archive:
        for name in web.RUNTIME_FILES:
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    sha512 = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    monkeypatch.setattr(web, "RUNTIME", NpmPackage("onnxruntime-web", "0.0.1", sha512))
    monkeypatch.setenv("ZORSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("npm_config_registry", raising=False)
    return file


@pytest.fixture
def no_network(monkeypatch):
    def fail(url, part, progress):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(npm, "fetch", fail)


def contents(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_page_is_complete(model, runtime, tmp_path):
    site = tmp_path / "new" / "site"
    web.write_page(model, site, runtime)
    files = contents(site)
    assert set(files) >= PAGE
    assert files["models/night.onnx"] == model.read_bytes()
    assert files["ort/ort.wasm.min.mjs"] == b"ort.wasm.min.mjs"
    (entry,) = json.loads(files["models.json"])
    assert entry["title"] == 'Day to "night"'
    assert entry["card"]["Licence"] == "not stated"
    assert (entry["native_size"], entry["least_side"], entry["keeps_detail"]) == (48, 16, True)
    assert entry["bytes_per_pixel"] > 50
    # What the scripts and the HTML refer to is there.
    for text in (files[name].decode() for name in PAGE - {"icon.svg"}):
        for target in re.findall(r"""(?:from |href=|src=|new Worker\(|fetch\()"([^"]+)""", text):
            assert target.removeprefix("./") in files, target
        for target in re.findall(r'"\./(ort/[^"]+)"', text):
            assert target in files, target


def test_models_are_added_and_replaced(model, runtime, tmp_path):
    site = tmp_path / "site"
    web.write_page(model, site, runtime)
    web.write_page(tiny_onnx.write_uint8(tmp_path / "other.onnx"), site, runtime)
    newer = onnx.load(model)
    newer.doc_string = "trained longer"
    onnx.save(newer, tmp_path / "newer.onnx")
    before = json.loads((site / "models.json").read_text())
    web.write_page(tmp_path / "newer.onnx", site, runtime)
    entries = json.loads((site / "models.json").read_text())
    assert [entry["name"] for entry in entries] == ["tiny", "night"]
    assert (site / "models" / "night.onnx").read_bytes() == (tmp_path / "newer.onnx").read_bytes()
    # Browsers that remember the old file do not take it for the new one.
    assert entries[1]["file"] not in [entry["file"] for entry in before]


def test_files_of_others_stay_and_nothing_is_written(model, runtime, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "CNAME").write_text("zebra.example")
    (site / "index.html").write_text("my own page")
    with pytest.raises(ExportError, match=r"holds index\.html, not written by 'zorse export'"):
        web.write_page(model, site, runtime)
    assert set(contents(site)) == {"CNAME", "index.html"}
    (site / "index.html").unlink()
    web.write_page(model, site, runtime)
    (site / "style.css").write_text("my own colours")
    before = contents(site)
    with pytest.raises(ExportError, match=r"holds style\.css"):
        web.write_page(model, site, runtime)
    assert contents(site) == before
    assert before["CNAME"] == b"zebra.example"


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": 3}', '{"name": "my package"}'])
def test_a_manifest_of_others_stays(model, runtime, tmp_path, manifest):
    (tmp_path / "zorse.json").write_text(manifest)
    with pytest.raises(ExportError, match=r"zorse\.json is there but was not written by"):
        web.write_page(model, tmp_path, runtime)
    assert not (tmp_path / "index.html").exists()


def test_a_folder_that_cannot_be_one(model, runtime, tmp_path):
    (tmp_path / "site").write_text("a file")
    with pytest.raises(ExportError, match="could not be written"):
        web.write_page(model, tmp_path / "site", runtime)


def test_only_models_that_the_page_can_run(runtime, tmp_path):
    with pytest.raises(ExportError, match="takes image float32"):
        web.write_page(tiny_onnx.write(tmp_path / "float.onnx"), tmp_path / "site", runtime)
    with pytest.raises(WeightsError, match="no model file"):
        web.write_page(tmp_path / "nothing.onnx", tmp_path / "site", runtime)
    assert not (tmp_path / "site").exists()


def test_the_runtime_is_downloaded_once_and_kept(model, runtime, tmp_path, monkeypatch):
    asked = []

    def fetch(url, part, progress):
        asked.append(url)
        part.write_bytes(runtime.read_bytes())
        progress(1, 1)

    monkeypatch.setattr(npm, "fetch", fetch)
    reports = []
    for _ in range(2):
        web.write_page(model, tmp_path / "site", progress=lambda *report: reports.append(report))
    assert asked == ["https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-0.0.1.tgz"]
    assert reports == [(1, 1)]
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["onnxruntime-web-0.0.1.tgz"]


def test_another_registry(runtime, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "https://npm.example/mirror/")
    assert web.RUNTIME.url == "https://npm.example/mirror/onnxruntime-web/-/onnxruntime-web-0.0.1.tgz"


def test_without_a_connection_it_says_what_to_do(model, runtime, no_network, tmp_path):
    with pytest.raises(ExportError, match=r"npm pack onnxruntime-web@0\.0\.1.*--web-runtime"):
        web.write_page(model, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_what_is_not_the_published_package_is_refused(model, runtime, tmp_path, monkeypatch):
    def fetch(url, part, progress):
        part.write_bytes(b"something else")

    monkeypatch.setattr(npm, "fetch", fetch)
    with pytest.raises(ChecksumMismatch, match="not onnxruntime-web"):
        web.write_page(model, tmp_path / "site")
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(ChecksumMismatch):
        web.write_page(model, tmp_path / "site", model)
    with pytest.raises(ExportError, match="cannot be read"):
        web.write_page(model, tmp_path / "site", tmp_path / "nothing.tgz")
