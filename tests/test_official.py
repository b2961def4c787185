"""Published checkpoints: downloaded from a server, converted, kept, and used by their names; nothing in them is run."""

import hashlib
import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from file_server import file_server
from foreign_networks import BATCH, INSTANCE, Resnet, Unet, randomised
from zorse.errors import ChecksumMismatch, UnknownModel, WeightsError
from zorse.legacy.official import download_official
from zorse.loading import load, locate, read_file_card
from zorse.model import registry
from zorse.model.card import ModelCard

NAME = "official/horse2zebra"


@pytest.fixture
def checkpoint(tmp_path):
    """What such a server holds: the weights of a generator as torch.save writes them."""
    file = tmp_path / "theirs.pth"
    torch.save(randomised(Resnet(4, 1, INSTANCE)).state_dict(), file)
    return file.read_bytes()


@pytest.fixture
def server():
    with file_server() as server:
        yield server


@pytest.fixture
def shelf(tmp_path, monkeypatch, server):
    """A registry with one published checkpoint, and an empty cache; gives a function that writes the entry."""
    weights, cache = tmp_path / "weights", tmp_path / "cache"
    weights.mkdir()
    monkeypatch.setattr(registry, "weights_folder", lambda: weights)
    monkeypatch.setenv("ZORSE_CACHE", str(cache))

    def register(**more):
        fields = {
            "url": f"{server.address}/horse2zebra.pth",
            "domain_a": "horses",
            "domain_b": "zebras",
            "direction": "AtoB",
            "keeps_detail": True,
            "data": "horse2zebra",
            "data_origin": "ImageNet",
            "data_licence": "research use",
        } | more
        lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
        (weights / "registry.toml").write_text("\n".join(["[official.horse2zebra]", *lines]))
        return cache

    register()
    return register


def test_the_real_list_names_what_both_scripts_offer():
    models = registry.official_models()
    assert len(models) == 23
    assert models[NAME].url == "http://efrosgans.eecs.berkeley.edu/cyclegan/pretrained_models/horse2zebra.pth"
    assert (
        models["official/edges2shoes"].url
        == "http://efrosgans.eecs.berkeley.edu/pix2pix/models-pytorch/edges2shoes.pth"
    )
    assert models["official/zebra2horse"].task == "zebras to horses"
    stems = {name: entry.url.rsplit("/", 1)[1].removesuffix(".pth") for name, entry in models.items()}
    assert all(name.removeprefix("official/").removeprefix("pix2pix_") == stem for name, stem in stems.items())


def test_it_is_downloaded_converted_and_kept(shelf, server, checkpoint):
    server.content = checkpoint
    steps = []
    sha256 = download_official(NAME, lambda done, total: steps.append((done, total)))
    assert sha256 == hashlib.sha256(checkpoint).hexdigest()
    assert steps[-1] == (len(checkpoint), len(checkpoint))
    file = registry.official_file(NAME)
    assert list(file.parent.iterdir()) == [file], "the checkpoint itself is not kept"
    assert locate(NAME) == file
    card = read_file_card(file)
    assert (card.name, card.task, card.direction, card.native_size) == ("horse2zebra", "horses to zebras", "AtoB", 256)
    assert "BSD" in card.licence
    assert sha256 in card.training
    assert "research use" in card.training
    assert "nobody has published one to compare it with" in card.training
    assert download_official(NAME) == "", "what is there is not downloaded again"
    assert len(server.asked) == 1


def test_a_known_checksum_is_demanded(shelf, server, checkpoint):
    server.content = checkpoint
    cache = shelf(sha256="0" * 64)
    with pytest.raises(ChecksumMismatch, match="not the published file"):
        download_official(NAME)
    assert list(cache.iterdir()) == []
    shelf(sha256=hashlib.sha256(checkpoint).hexdigest())
    assert download_official(NAME)
    assert "as was expected" in read_file_card(registry.official_file(NAME)).training


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_continued(shelf, server, checkpoint, ranges):
    server.content, server.ranges, server.cut = checkpoint, ranges, 1000
    with pytest.raises(WeightsError, match="continues where it stopped"):
        download_official(NAME)
    server.cut = None
    assert download_official(NAME) == hashlib.sha256(checkpoint).hexdigest()
    assert server.asked[-1] == "bytes=1000-"


def test_offline(shelf):
    shelf(url="http://127.0.0.1:1/horse2zebra.pth")
    with pytest.raises(
        WeightsError, match=r"Downloading http://127\.0\.0\.1:1/horse2zebra\.pth failed .* Check the conn"
    ):
        download_official(NAME)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>gone</html>", b"\n <html><body>sign in</body></html>"])
def test_a_web_page_instead_of_the_file(shelf, server, page):
    server.content = page
    with pytest.raises(WeightsError, match="a web page came"):
        download_official(NAME)
    assert list(shelf().iterdir()) == [], "the next try does not append to the page"


class Bomb:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_a_pickle_with_code_is_refused_and_deleted(shelf, server, tmp_path):
    server.content = pickle.dumps(Bomb(tmp_path / "ran"))
    with pytest.raises(WeightsError, match="is deleted"):
        download_official(NAME)
    assert not (tmp_path / "ran").exists()
    assert list(shelf().iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all"])
def test_rubbish_is_refused_and_deleted(shelf, server, content):
    server.content = content
    with pytest.raises(WeightsError, match="is deleted"):
        download_official(NAME)
    assert list(shelf().iterdir()) == []


def test_names_that_do_not_exist(shelf):
    with pytest.raises(UnknownModel, match="Did you mean 'official/horse2zebra'"):
        locate("official/horse2zebras")
    with pytest.raises(WeightsError, match="zorse models download official/horse2zebra"):
        load(NAME)


def test_the_commands(shelf, server, checkpoint, zorse, tmp_path):
    server.content = checkpoint
    code, out, _ = zorse("models", "list")
    assert code == 0
    assert "official/horse2zebra" in out
    assert "to download" in out
    assert "zorse models download NAME" in out
    code, out, err = zorse("models", "download", NAME)
    assert code == 0
    assert out.strip() == str(registry.official_file(NAME))
    assert "gives none to compare" in err.replace("\n", " ")
    assert json.loads(zorse("models", "list", "--json")[1])[NAME]["present"] is True
    _, out, _ = zorse("models", "info", NAME)
    assert "BSD" in out
    picture = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 52, 3), dtype=np.uint8)).save(picture)
    assert zorse("translate", picture, "-m", NAME, "--size", "auto")[0] == 0
    with Image.open(tmp_path / "a_horse2zebra.png") as translated:
        assert translated.size == (52, 40)
    code, _, err = zorse("export", NAME, "-o", tmp_path / "h.onnx")
    assert (code, err) == (0, "")
    assert read_file_card(tmp_path / "h.onnx").name == "horse2zebra"


def test_without_torch_the_extra_is_named_before_anything_is_downloaded(shelf, server, zorse, monkeypatch):
    monkeypatch.setattr("zorse.system.extras.find_spec", lambda name: None)
    code, _, err = zorse("models", "download", NAME)
    assert code == 1
    assert "pip install 'zorse[train]'" in err
    assert server.asked == []


def test_a_unet_keeps_its_dropout_and_its_norm(shelf, server, tmp_path):
    shelf(keeps_detail=False, domain_a="edges", domain_b="shoes")
    torch.save(randomised(Unet(5, 4, BATCH)).state_dict(), tmp_path / "unet.pth")
    server.content = (tmp_path / "unet.pth").read_bytes()
    download_official(NAME)
    card: ModelCard = read_file_card(registry.official_file(NAME))
    assert (card.architecture.kind, card.norm_at_test, card.dropout_at_test) == ("unet", "picture", True)
    assert not card.keeps_detail
