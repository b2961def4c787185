"""The GAN lab: games that are played in turns, bounded for each visitor, and samples that sliders move."""

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from zorse.errors import ChecksumMismatch, WeightsError
from zorse.gans.architecture import DCGANGeneratorConfig, LatentConfig, MLPGeneratorConfig
from zorse.gans.card import SampleCard
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.onnx_model import SampleModel
from zorse.model import registry
from zorse_app import texts
from zorse_app.gan_lab import benches as bounds
from zorse_app.gan_lab.benches import Benches, NoGame
from zorse_app.gan_lab.experiment import Experiment
from zorse_app.gan_lab.samples import Wanted, drawn
from zorse_app.gate import Gate, TimeUsedUp
from zorse_app.limits import Limits
from zorse_app.shelf import Shelf
from zorse_export.samples import export_samples

GAME = ("gan", "ring", 0)


@pytest.fixture
def benches(monkeypatch):
    monkeypatch.setattr(bounds, "SLICE_STEPS", 2)
    return Benches(Gate())


def write(file, name, architecture):
    torch.manual_seed(0)
    card = SampleCard(
        name=name, method="cdcgan", shows="shapes", architecture=architecture, class_names=("a", "b", "c")
    )
    export_samples(build_sample_generator(architecture).eval(), card, file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generators")
    latent = LatentConfig(noise=6, classes=3, categories=(2,), continuous=1)
    write(folder / "shapes.onnx", "shapes", DCGANGeneratorConfig(latent=latent, channels=1, size=8, base_channels=4))
    write(folder / "points.onnx", "points", MLPGeneratorConfig(hidden=(4,)))
    return folder


@pytest.mark.parametrize("method", texts.LAB_METHODS)
@pytest.mark.parametrize("distribution", texts.LAB_DISTRIBUTIONS)
def test_every_game_on_the_page_can_be_played(method, distribution):
    game = Experiment(method, distribution, 0)
    game.advance(1, 10)
    view = game.look()
    assert view.step == 1
    assert view.finite
    assert view.losses
    assert view.picture.std() > 0


def test_a_seed_plays_the_same_game_whoever_else_plays():
    alone, among_others, other = (Experiment("gan", "ring", seed) for seed in (3, 3, 4))
    before = torch.get_rng_state()
    alone.advance(4, 10)
    for _ in range(4):
        among_others.advance(1, 10)
        other.advance(1, 10)
    assert alone.look().losses == among_others.look().losses
    assert np.array_equal(alone.look().picture, among_others.look().picture)
    assert not np.array_equal(alone.look().picture, other.look().picture)
    assert torch.equal(torch.get_rng_state(), before)


def test_values_that_are_no_numbers_are_told():
    game = Experiment("gan", "ring", 0)
    with torch.no_grad():
        next(game._recipe.generators["G"].parameters()).fill_(float("nan"))
    assert not game.look().finite


def test_a_visitor_plays_pauses_and_steps(benches):
    assert benches.begin("me", *GAME).step == 0
    steps = []
    for view in benches.play("me"):
        steps.append(view.step)
        if len(steps) == 3:
            benches.pause("me")
    assert steps == [2, 4, 6]
    assert benches.step("me").step == 7
    assert not benches.ran_out("me")


def test_play_ends_by_itself(benches, monkeypatch):
    monkeypatch.setattr(bounds, "PLAY_SECONDS", 2 * bounds.SLICE)
    benches.begin("me", *GAME)
    assert len(list(benches.play("me"))) == 2
    assert benches.ran_out("me")


def test_a_game_has_a_last_step(benches, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_STEPS", 3)
    benches.begin("me", *GAME)
    assert [view.step for view in benches.play("me")] == [2, 3]
    assert benches.step("me").step == 3


def test_who_leaves_stops_playing(benches):
    benches.begin("me", *GAME)
    views = benches.play("me")
    next(views)
    benches.forget("me")
    assert list(views) == []
    with pytest.raises(NoGame, match="Restart"):
        benches.step("me")


def test_a_second_play_takes_over(benches):
    benches.begin("me", *GAME)
    first, second = benches.play("me"), benches.play("me")
    next(first)
    next(second)
    assert list(first) == []
    assert next(second).step == 6


def test_games_are_few(benches, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_GAMES", 2)
    for visitor in "abc":
        benches.begin(visitor, *GAME)
    assert benches.games == 2
    assert not benches.has_game("a")


def test_a_visitors_time_is_counted():
    ticks = iter(range(0, 1000, 10))
    benches = Benches(Gate(Limits(seconds=5.0), lambda: "somebody", lambda: float(next(ticks))))
    benches.begin("me", *GAME)
    with pytest.raises(TimeUsedUp):
        list(benches.play("me"))


def test_two_threads_play_their_own_games(benches, monkeypatch):
    monkeypatch.setattr(bounds, "PLAY_SECONDS", 3 * bounds.SLICE)
    last = {}

    def play(visitor):
        benches.begin(visitor, *GAME)
        last[visitor] = list(benches.play(visitor))[-1]

    threads = [threading.Thread(target=play, args=(visitor,)) for visitor in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert last["a"].losses == last["b"].losses


class Recorder:
    """Keeps what it is asked to draw."""

    def __init__(self, model):
        self.card, self.model = model.card, model

    def draw(self, latents, labels=None):
        self.asked = latents, labels
        return self.model.draw(latents, labels)


def asked(model, **wanted):
    recorder = Recorder(model)
    sheet = drawn(recorder, Wanted(**wanted))
    assert sheet.shape == (256, 256, 3)
    return recorder.asked


def test_sliders_change_what_they_are_for(folder):
    model = SampleModel.load(folder / "shapes.onnx")
    latents, labels = asked(model)
    assert labels.tolist() == [number % 3 for number in range(16)]
    assert np.array_equal(latents, asked(model)[0])
    assert not np.array_equal(latents, asked(model, seed=1)[0])
    assert set(asked(model, label=2)[1].tolist()) == {2}
    assert (asked(model, code=1)[0][:, 6:8] == (0, 1)).all()
    assert (asked(model, continuous=(0.5, 0.7))[0][:, 8] == 0.5).all()
    moved = asked(model, moves=(0.0, 3.0))[0] - latents
    assert np.allclose(moved, moved[0], atol=1e-5)  # All go the same way,
    assert np.linalg.norm(moved[0]) == pytest.approx(3.0, rel=1e-4)  # so far,
    assert np.allclose(moved[:, 6:], 0)  # and codes stay.


def test_points_are_drawn_in_the_plane(folder):
    assert drawn(SampleModel.load(folder / "points.onnx"), Wanted(moves=(1.0,) * 6)).shape == (512, 512, 3)


WORDS = """
import sys
from pathlib import Path
from zorse_app import texts, Service, Shelf, build, shelf
from zorse.system import extras
shelf.sample_models = dict
folder = Path(sys.argv[1])

def words(models):
    page = build(Service(models, folder))
    return str([part["props"] for part in page.get_config_file()["components"]])

def says(text, where):
    return repr(text)[1:-1] in where

full, bare = words(Shelf(folder)), words(Shelf())
assert says(texts.LAB_DIGITS_INTRO, full) and not says(texts.LAB_NO_GENERATORS, full)
assert says(texts.LAB_NO_GENERATORS, bare) and says(texts.LAB_INTRO, bare)
extras.find_spec = lambda package: None
without = words(Shelf())
assert says(texts.LAB_NOT_INSTALLED, without) and not says(texts.LAB_INTRO, without)
assert "torch" not in sys.modules
"""


def test_the_page_offers_what_there_is_and_else_says_what_is_missing(folder):
    """In a process of its own: Gradio leaves sockets open, and nothing of this needs torch."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", WORDS, str(folder)], env=environment, check=True)


def test_generators_are_no_translators(folder):
    shelf = Shelf(folder)
    assert list(shelf.generators)[:2] == ["points", "shapes"], "the folder's come first"
    assert not {"points", "shapes"} & set(shelf.names)


def test_a_generator_of_the_folder_replaces_its_shipped_namesake(folder, tmp_path, monkeypatch):
    content = (folder / "shapes.onnx").read_bytes()
    (tmp_path / "weights").mkdir()
    for name in ("shapes", "others"):
        (tmp_path / "weights" / f"{name}.onnx").write_bytes(content)
    fields = 'title = "x"\ntask = "x"\nstate = "preview"\nsha256 = "' + hashlib.sha256(content).hexdigest() + '"\n'
    tables = [f'[samples.{name}]\nfile = "{name}.onnx"\n{fields}' for name in ("shapes", "others")]
    (tmp_path / "weights" / "registry.toml").write_text("\n".join(tables))
    monkeypatch.setattr(registry, "weights_folder", lambda: tmp_path / "weights")
    assert list(Shelf().generators) == ["shapes", "others"]
    assert list(Shelf(folder).generators) == ["points", "shapes", "others"]
    (tmp_path / "weights" / "others.onnx").write_bytes(content[:-1])
    with pytest.raises(ChecksumMismatch, match=r"others\.onnx is not the published file"):
        Shelf()


def test_two_generators_of_one_name_are_refused(folder, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").write_bytes((folder / "points.onnx").read_bytes())
    with pytest.raises(WeightsError, match="both called 'points'"):
        Shelf(tmp_path)
