"""Shipped models are found, verified and downloaded; everything else is refused with the reason."""

import hashlib
import pickle

import pytest

import tiny_onnx
import zorse
from file_server import file_server
from zorse.errors import ChecksumMismatch, MissingExtraError, UnknownModel, WeightsError
from zorse.loading import read_file_card
from zorse.model import registry


class Shelf:
    """A weights folder and a cache of our own."""

    def __init__(self, folder):
        self.weights, self.cache = folder / "weights", folder / "cache"
        self.weights.mkdir()
        self.entries = ""

    def add(self, name, sha256, **more):
        fields = {"file": f"{name}.onnx", "sha256": sha256, "title": name, "task": name, "state": "preview"} | more
        self.entries += f"[models.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in fields.items())
        (self.weights / "registry.toml").write_text(self.entries)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path)
    monkeypatch.setattr(registry, "weights_folder", lambda: shelf.weights)
    monkeypatch.setattr(registry, "cache_folder", lambda: shelf.cache)
    return shelf


@pytest.fixture
def horse2zebra(shelf):
    file = tiny_onnx.write(shelf.weights / "horse2zebra.onnx")
    shelf.add("horse2zebra", sha256(file.read_bytes()))
    return file


@pytest.fixture
def server():
    with file_server() as server:
        yield server


def test_the_real_list_of_shipped_models_is_right():
    for name, entry in registry.shipped_models().items():
        file = registry.find_file(entry)
        if entry.url is None:
            assert file is not None, name
        if file is not None:
            registry.verify(file, entry.sha256)
            assert read_file_card(file).state == entry.state


def test_load_by_name(shelf, horse2zebra):
    assert zorse.load("horse2zebra", device="cpu").card == tiny_onnx.card()


def test_an_unknown_name_gets_the_nearest_and_the_list(shelf, horse2zebra):
    with pytest.raises(UnknownModel, match=r"Did you mean 'horse2zebra'\? Shipped models: horse2zebra"):
        zorse.load("Horse2Zebras")
    with pytest.raises(UnknownModel, match="no shipped model 'qqq'"):
        zorse.load("qqq")


def test_a_changed_file_is_refused(shelf, horse2zebra):
    zorse.load("horse2zebra", device="cpu")
    horse2zebra.write_bytes(horse2zebra.read_bytes() + b"\0")
    with pytest.raises(ChecksumMismatch, match=r"horse2zebra\.onnx is not the published file"):
        zorse.load("horse2zebra")


def test_an_unchanged_file_is_hashed_once(shelf, horse2zebra):
    registry.model_file("horse2zebra")
    before = registry._sha256.cache_info().misses
    registry.model_file("horse2zebra")
    assert registry._sha256.cache_info().misses == before


def test_a_missing_file_says_how_to_get_it(shelf, horse2zebra):
    horse2zebra.unlink()
    with pytest.raises(WeightsError, match="Install Zorse again"):
        zorse.load("horse2zebra")
    shelf.add("far", "0" * 64, url="https://example.org/far.onnx")
    with pytest.raises(WeightsError, match="zorse models download far"):
        zorse.load("far")


@pytest.mark.parametrize(
    "field", [{"sha256": "short"}, {"file": "../evil.onnx"}, {"url": "file:///etc/passwd"}, {"colour": "red"}]
)
def test_a_wrong_entry_is_refused(shelf, field):
    shelf.add("bad", **({"sha256": "0" * 64} | field))
    with pytest.raises(WeightsError, match=r"registry\.toml cannot be read"):
        registry.shipped_models()


def test_download_verifies_and_keeps(shelf, server):
    server.content = tiny_onnx.write(shelf.weights / "source.onnx").read_bytes()
    shelf.add("far", sha256(server.content), url=f"{server.address}/model.onnx")
    steps = []
    file = registry.download("far", lambda done, total: steps.append((done, total)))
    assert steps[-1] == (len(server.content), len(server.content))
    assert [found.name for found in shelf.cache.iterdir()] == [file.name]
    assert zorse.load("far", device="cpu").card.name == "tiny"
    registry.download("far")
    assert len(server.asked) == 1, "what is there is not downloaded again"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_continued(shelf, server, ranges):
    server.content, server.ranges, server.cut = bytes(range(256)) * 40, ranges, 5000
    shelf.add("far", sha256(server.content), url=f"{server.address}/model.onnx")
    with pytest.raises(WeightsError, match=r"broke off|Incomplete|incomplete"):
        registry.download("far")
    server.cut = None
    assert registry.download("far").read_bytes() == server.content
    assert server.asked[-1] == "bytes=5000-"


def test_a_complete_part_is_not_a_dead_end(shelf, server):
    server.content = b"all of it"
    shelf.add("far", sha256(server.content), url=f"{server.address}/model.onnx")
    shelf.cache.mkdir()
    (shelf.cache / "far.onnx.part").write_bytes(server.content)
    assert registry.download("far").read_bytes() == server.content


def test_a_wrong_download_is_not_kept(shelf, server):
    server.content = b"something else"
    shelf.add("far", "0" * 64, url=f"{server.address}/model.onnx")
    with pytest.raises(ChecksumMismatch):
        registry.download("far")
    assert list(shelf.cache.iterdir()) == []


def test_a_server_that_does_not_answer(shelf, server):
    shelf.add("far", "0" * 64, url="http://127.0.0.1:1/model.onnx")
    with pytest.raises(WeightsError, match="Check the connection"):
        registry.download("far")


def test_the_cache_is_where_the_system_wants_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ZORSE_CACHE", str(tmp_path))
    assert registry.cache_folder() == tmp_path


# Files ---------------------------------------------------------------------------------------------------------------


def test_load_a_file(tmp_path):
    file = tiny_onnx.write(tmp_path / "mine.onnx")
    assert zorse.load(file, device="cpu").card == zorse.load(str(file), device="cpu").card == read_file_card(file)


class Bomb:
    """A pickle that does something while it is read."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".pkl", ".onnx", ".safetensors"])
def test_a_pickle_with_code_is_never_run(tmp_path, suffix):
    file = tmp_path / f"model{suffix}"
    file.write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(WeightsError, match=r"run any program|damaged") as raised:
        read_file_card(file) if suffix == ".safetensors" else zorse.load(file)
    assert str(file) in str(raised.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "says"), [("no.onnx", "does not exist"), ("folder.onnx", "folder"), ("a.txt", "not a model")]
)
def test_paths_that_are_no_models(tmp_path, name, says):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(WeightsError, match=says):
        zorse.load(tmp_path / name)


def test_safetensors_without_torch_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "m.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    monkeypatch.setattr("zorse.system.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"zorse\[train\]"):
        zorse.load(tmp_path / "m.safetensors")
    with pytest.raises(WeightsError, match="no Zorse model card"):
        read_file_card(tmp_path / "m.safetensors")
