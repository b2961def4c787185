"""Networks and methods of other people, named by import path: the example of the documentation, all the way."""

import json
import random
import re
import sys
import tomllib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator

from tiny_training import difference, draw_unpaired
from zorse import load
from zorse.backends.torch.safetensors_file import load_generator, save_generator
from zorse.errors import ConfigError, ImageError
from zorse.imaging import custom_readers
from zorse.imaging.io import read_picture
from zorse.loading import read_file_card
from zorse.model.architecture import CustomGeneratorConfig
from zorse.model.card import ModelCard
from zorse.networks.build import build_generator
from zorse.system.import_paths import allow_code, constructed, found_at, modules_named
from zorse.training import run as training_run
from zorse.training.config import read_config, to_toml, validated, with_overrides
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.run import train
from zorse.training.start import start_from

PAGE = Path(__file__).parents[1] / "translate" / "zorse" / "recipes" / "README.md"
QUICK = (
    *("training.iterations=4", "training.save_every=2", "training.evaluate_every=0", "training.num_workers=0"),
    *("training.log_every=1", "data.load_size=36", "data.crop_size=32", "training.sample_every=4"),
)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder of the user, with the module and the settings of the page in it."""
    (tmp_path / "mymethods.py").write_text(blocks("python")[0])
    (tmp_path / "mine.toml").write_text(blocks("toml")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("mymethods", None)


@pytest.fixture
def command(zorse):
    def run(*arguments, code=0):
        ended, out, err = zorse(*map(str, arguments))
        assert ended == code, out + err
        return " ".join((out + err).split())

    return run


def set_of(settings):
    return [part for setting in settings for part in ("--set", setting)]


def last(run):
    content = read_checkpoint(Path(run) / "checkpoints" / "last.pt")
    return {key: value for key, value in content.items() if key not in ("seconds", "config")}


def test_the_example_trains_resumes_exports_and_translates(here, data, monkeypatch, command):
    command("train", "mine.toml", "--data", data, "--out", "whole", "--no-check", *set_of(QUICK))
    with monkeypatch.context() as patch:
        supply = training_run.staged_batches
        patch.setattr(training_run, "staged_batches", lambda *given: (batch for batch in islice(supply(*given), 2)))
        command("train", "mine.toml", "--data", data, "--out", "cut", "--no-check", *set_of(QUICK))
    assert last("cut")["iteration"] == 2
    command("train", "mine.toml", "--data", data, "--out", "cut", "--resume")
    assert difference(last("whole"), last("cut")) is None

    card = read_file_card(Path("whole/generators/G.safetensors"))
    assert card.architecture.model_dump() == {"kind": "mymethods:MyGenerator", "size_multiple": 1, "channels": 48}
    assert "allow it with --allow-code mymethods" in command("export", "whole", code=1)
    command("export", "whole", "--allow-code", "mymethods")
    pixels = read_picture(next((data / "testA").iterdir())).rgb
    by_torch = load("whole/generators/G.safetensors", allow_code="mymethods")(pixels, size="keep")

    (here / "mymethods.py").unlink()
    del sys.modules["mymethods"]
    by_onnx = load("whole/mine.onnx")(pixels, size="keep")
    assert np.abs(by_onnx.astype(int) - by_torch.astype(int)).max() <= 1
    assert np.abs(by_onnx.astype(int) - pixels.astype(int)).mean() > 1, "it does something"


def test_a_model_file_makes_no_code_run(here, data):
    with allow_code("mymethods"):
        train(with_overrides(read_config(Path("mine.toml")), QUICK), data, Path("run"))
    del sys.modules["mymethods"]
    Path("mymethods.py").write_text("raise SystemExit('it ran')")
    file = "run/generators/G.safetensors"
    with pytest.raises(ConfigError, match="mymethods:MyGenerator is code"):
        load(file)
    with pytest.raises(ConfigError, match="mymethods:MyGenerator is code"), allow_code(["mymethod", "mymethods.other"]):
        load_generator(Path(file))
    plain = with_overrides(read_config(Path("mine.toml")), ["recipe={kind='cyclegan'}"])
    for model in ("run", file):
        with pytest.raises(ConfigError, match="mymethods:MyGenerator is code"):
            start_from(plain, [model])
    assert "mymethods" not in sys.modules


def test_what_a_class_computes_beside_its_weights_is_there_after_loading(here):
    Path("beside.py").write_text(
        "import random\nimport numpy as np\nimport torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layer = nn.Conv2d(3, 3, 1)\n        random.random(), np.random.rand()\n"
        "        self.register_buffer('shift', torch.linspace(0, 1, 3).view(1, 3, 1, 1), persistent=False)\n"
        "    def forward(self, image):\n        return self.layer(image) + self.shift\n"
    )
    architecture = CustomGeneratorConfig(kind="beside:Net")
    card = ModelCard(name="n", task="a to b", domain_a="a", domain_b="b", architecture=architecture)
    with allow_code("beside"):
        network = build_generator(architecture)
        before = [torch.get_rng_state(), random.getstate(), np.random.get_state()[1:]]
        save_generator(Path("n.safetensors"), network, card)
        loaded, _ = load_generator(Path("n.safetensors"))
    after = [torch.get_rng_state(), random.getstate(), np.random.get_state()[1:]]
    assert torch.equal(before[0], after[0]), "the training's chance is not touched"
    assert before[1] == after[1]
    assert np.array_equal(before[2][0], after[2][0])
    assert before[2][1:] == after[2][1:]
    picture = torch.rand(1, 3, 4, 4)
    assert torch.equal(loaded(picture), network(picture))
    sys.modules.pop("beside", None)


def test_networks_go_into_zorses_own_recipes(here, data):
    networks = (
        'recipe={kind="cyclegan"}',
        'recipe.generator={kind="mymethods:MyGenerator"}',
        "recipe.generator.channels=4",
        'recipe.discriminators=[{kind="mymethods:MyDiscriminator", width=4}, {kind="patchgan", base_channels=4}]',
        "recipe.discriminators.0.width=8",
    )
    config = with_overrides(read_config(Path("mine.toml")), (*networks, *QUICK, "training.iterations=1"))
    assert modules_named(config.model_dump(mode="json")) == {"mymethods"}
    with allow_code("mymethods"):
        state = train(config, data, Path("run"))
        assert state.recipe.D_A.members[0][0].out_channels == 8
        start = start_from(with_overrides(config, ["recipe.learning_rate=1e-4"]), ["run"])
    assert {point.network for point in start.config.start} == {"G_AB", "G_BA", "D_A", "D_B"}
    assert read_config(Path("run/config.toml")).recipe == config.recipe


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("recipe.generator={kind='mymethods:Missing'}", "holds no class or function Missing"),
        ("recipe.generator={kind='mymethods:nn'}", "holds no class or function nn"),
        ("recipe.generator={kind='mymethods:MyGenerator', chanels=3}", "unexpected keyword argument 'chanels'"),
        ("recipe.generator={kind='mymethods:MyGenerator', channels='x'}", "mymethods:MyGenerator failed: TypeError"),
        ("recipe.generator={kind='mymethods:MyMethod', config=3}", "is no class that derives from torch.nn"),
        ("recipe.generator={kind='mymethods:detached', losses={}}", "is no class that derives from torch.nn"),
        ("recipe.kind='mymethods:MyGenerator'", "so 'recipe.kind' cannot be set alone"),
        ("recipe={kind='mymethods:MyGenerator'}", "mymethods:MyGenerator lacks the methods step, preview, of those"),
        ("recipe={kind='builtins:str'}", "builtins:str is a part of Python"),
        ("recipe={kind='halves:Method'}", "halves:Method makes a Method, which is not a method: it needs what"),
        ("recipe={kind='nowhere.at:All'}", "There is no module nowhere.at. Install its package here"),
        ("recipe={kind='broken:All'}", "The module broken cannot be imported: ZeroDivisionError"),
        ("recipe={kind='lacking:All'}", "The module lacking needs not_there, which is not installed"),
        ("training.freeze=['encoder']", 'training.freeze = ["encoder"] needs a generator with encode'),
        ("training.checkpoint_blocks=true", "training.checkpoint_blocks does nothing for G"),
        ("recipe={kind='cut', generator={kind='mymethods:MyGenerator'}}", "CUT needs a generator with encode"),
    ],
)
def test_what_is_wrong_is_said(setting, says, here, data, command):
    Path("broken.py").write_text("1 / 0")
    Path("lacking.py").write_text("import not_there")
    methods = ("__init__", "step", "preview", "state_dict", "load_state_dict")
    Path("halves.py").write_text("class Method:\n" + "".join(f"    def {name}(self, *x): pass\n" for name in methods))
    settings = set_of([*QUICK, setting])
    told = command("train", "mine.toml", "--data", data, "--out", "run", "--no-check", *settings, code=1)
    assert says in told


@pytest.mark.parametrize(
    ("kind", "says"),
    [("os:mkdir", "os:mkdir is a part of Python"), ("harmful:act", "harmful:act is no class"), ("harmful:Act", "Act")],
)
@pytest.mark.parametrize("place", ["recipe", "recipe.generator"])
def test_settings_call_nothing_but_networks_and_methods(place, kind, says, here, data, command):
    """The settings of a run that goes on may be somebody else's, and name whatever is installed here."""
    Path("harmful.py").write_text(
        "import os\ndef act(*config, path='touched'): os.mkdir(path)\n"
        "class Act:\n    def __init__(self, *config, path='touched'): act()\n"
    )
    Path("theirs").mkdir()
    config = with_overrides(
        read_config(Path("mine.toml")), ["recipe={kind='cyclegan'}", f"{place}={{kind='{kind}', path='touched'}}"]
    )
    Path("theirs/config.toml").write_text(to_toml(config))
    told = command("train", "theirs/config.toml", "--data", data, "--out", "theirs", "--resume", code=1)
    assert says in told
    assert not Path("touched").exists()
    sys.modules.pop("harmful", None)


@pytest.mark.parametrize("kind", ["my methods:X", "mymethods:", "a:b:c", "../x:Y", "other"])
def test_what_is_no_import_path_is_no_kind(kind):
    settings = {"name": "n", "domain_a": "a", "domain_b": "b", "data": {"kind": "unpaired"}}
    with pytest.raises(ConfigError, match="recipe"):
        validated({**settings, "recipe": {"kind": kind}})
    with pytest.raises(ConfigError, match=r"recipe.generator"):
        validated({**settings, "recipe": {"kind": "cyclegan", "generator": {"kind": kind}}})


def test_allowing_ends_with_its_block():
    with allow_code("torch.nn", everywhere=True):
        with allow_code("torch.nn", everywhere=True):
            pass
        assert found_at("torch.nn:ReLU") is torch.nn.ReLU
    with allow_code("torch.nn"):
        assert isinstance(constructed("torch.nn:ReLU", torch.nn.Module, {"inplace": True}), torch.nn.ReLU)
        with pytest.raises(ConfigError, match="allow it with --allow-code torch"):
            found_at("torch:load")
    with pytest.raises(ConfigError, match="is code"):
        found_at("torch.nn:ReLU")


def test_editors_accept_strangers_kinds(here, command):
    check = Draft202012Validator(json.loads(command("settings", "--schema")))
    settings = tomllib.loads(Path("mine.toml").read_text())
    assert list(check.iter_errors(settings)) == []
    settings["recipe"]["generator"]["kind"] = "not an import path"
    assert list(check.iter_errors(settings))
    shown = command("settings", "mine.toml")
    assert "recipe.generator.channels = 48 Setting of mymethods:MyGenerator." in shown
    assert "(pix2pix | cyclegan | cut | distillation | package.module:Name; must be given)" in shown


READERS = """
import numpy
def read_npy(path):
    return numpy.load(path)
def deep_grey(path):
    return numpy.load(path)[:, :, :1].astype("uint16") * 257
def with_alpha(path):
    pixels = numpy.load(path)
    return numpy.dstack([pixels, numpy.zeros_like(pixels[:, :, :1])])
def flat(path):
    return numpy.load(path)[:, :, 0]
def floats(path):
    return numpy.load(path) / 255
def fails(path):
    raise KeyError("no such tag")
nothing = 3
"""


@pytest.fixture
def arrays(here, data):
    """The set, with NumPy's files in place of pictures, and the module that reads them."""
    for file in data.rglob("*.png"):
        target = (here / "arrays" / file.relative_to(data)).with_suffix(".NPY")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as content:
            np.save(content, read_picture(file).rgb)
    Path("myreaders.py").write_text(READERS)
    yield here / "arrays"
    sys.modules.pop("myreaders", None)


@pytest.mark.parametrize("workers", [0, 1])
def test_files_of_a_strangers_reader_train_like_the_pictures_that_they_hold(workers, arrays, data, command):
    settings = [*QUICK, f"training.num_workers={workers}"]
    command("train", "mine.toml", "--data", data, "--out", "pictures", *set_of(settings))
    reader = "data.readers={'.npy'='myreaders:read_npy'}"
    told = command("train", "mine.toml", "--data", arrays, "--out", "read", *set_of([*settings, reader]))
    assert "trainA 6" in told, "the doctor reads them, too"
    assert difference(last("pictures"), last("read")) is None
    allowed = ("--allow-code", "mymethods")
    assert "myreaders:read_npy is code" in command("evaluate", "read", "--data", arrays, *allowed, code=1)
    assert "2 pictures" in command("evaluate", "read", "--data", arrays, *allowed, "--allow-code", "myreaders")
    assert "data.readers = {...}" in command("settings", "read/config.toml")
    assert custom_readers.readers_in_use() == {}


def test_a_reader_gives_pixels_in_a_few_forms(arrays):
    file = next(arrays.rglob("*.NPY"))
    pixels = np.load(file)
    with allow_code("myreaders"):
        for name, rgb, alpha in [
            ("read_npy", pixels, None),
            ("deep_grey", np.repeat(pixels[:, :, :1].astype(np.uint16) * 257, 3, axis=2), None),
            ("with_alpha", pixels, 0),
        ]:
            with custom_readers.reading_with({".npy": f"myreaders:{name}"}):
                picture = read_picture(file)
            assert picture.rgb.dtype == rgb.dtype
            assert np.array_equal(picture.rgb, rgb)
            assert alpha is None if picture.alpha is None else (picture.alpha == alpha).all()
    with pytest.raises(ImageError):
        read_picture(file)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("flat", "shape (H, W, 1), (H, W, 3) or (H, W, 4), but uint8 of shape (40, 40) came"),
        ("floats", "but float64 of shape (40, 40, 3) came"),
        ("fails", "myreaders:fails: KeyError: 'no such tag'"),
        ("nothing", "holds no class or function nothing"),
        ("missing", "holds no class or function missing"),
    ],
)
def test_what_is_wrong_with_a_reader_is_said(name, says, arrays, command):
    reader = f"data.readers={{'.npy'='myreaders:{name}'}}"
    settings = set_of([*QUICK, reader])
    told = command("train", "mine.toml", "--data", arrays, "--out", "run", "--no-check", *settings, code=1)
    assert says in told


def test_readers_are_named_by_the_ends_of_names():
    settings = {"name": "n", "domain_a": "a", "domain_b": "b", "recipe": {"kind": "cyclegan"}}
    for readers in ({"npy": "a:b"}, {".npy": "b"}):
        with pytest.raises(ConfigError, match=r"data.readers"):
            validated({**settings, "data": {"kind": "unpaired", "readers": readers}})
