"""The examples for Python, Node and the browser compute the pixels that Zorse computes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny_app_model
import tiny_onnx
import zorse
from zorse.model.architecture import CompactConfig, UnetConfig
from zorse.runtime.passes import padded_side
from zorse.runtime.translator import working_size

EXAMPLES = Path(__file__).parents[1] / "export" / "examples"
NODE = shutil.which("node")
NPM = shutil.which("npm")

SVG = "http://www.w3.org/2000/svg"
"""The name of a language, not a place."""

needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")


def waves(height, width, channels=3):
    """Smooth colours, edges and some grain."""
    rows, columns = np.mgrid[:height, :width]
    planes = [
        np.sin(columns / 9 + rows / 20),
        np.cos(rows / 7) * (columns > width / 3),
        np.sin((rows + columns) / 13),
        np.clip(columns / width * 3 - 1, -1, 1),
    ]
    grain = np.random.default_rng(0).normal(0, 3, (height, width, channels))
    return np.clip(127.5 + 120 * np.stack(planes[:channels], axis=2) + grain, 0, 255).astype(np.uint8)


def same_pixels(found, wanted):
    return found.shape == wanted.shape and int(np.abs(found.astype(int) - wanted).max()) <= 1


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_app_model.write(tmp_path_factory.mktemp("model") / "night.onnx")


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(waves(77, 101)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def pixels_of(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def run(*command, folder=None):
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    return done


def test_python(model, photo, tmp_path):
    script = EXAMPLES / "python" / "translate.py"
    assert run(sys.executable, script, model, photo, tmp_path / "result.png").returncode == 0
    wanted = zorse.load(model)(photo, size="keep")
    assert same_pixels(pixels_of(tmp_path / "result.png"), np.asarray(wanted))
    assert run(sys.executable, script, model, photo, tmp_path / "small.png", 50).returncode == 0
    assert pixels_of(tmp_path / "small.png").shape == (50, 66, 3)
    assert "MODEL.onnx IN OUT" in run(sys.executable, script, model).stderr


@pytest.fixture(scope="session")
def node_example(tmp_path_factory):
    """The example for Node with its packages, which npm takes from its cache where it can."""
    if NODE is None or NPM is None:
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(EXAMPLES / "node", folder, dirs_exist_ok=True)
    install = [NPM, "install", "--prefer-offline", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip("npm took more than four minutes")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install the packages: {done.stderr.strip()[-300:]}")
    yield folder
    shutil.rmtree(folder / "node_modules")


@pytest.mark.parametrize("kind", ["colours", "grey", "alpha", "turned"])
def test_node(node_example, model, tmp_path, kind):
    picture = Image.fromarray(waves(77, 101, channels=4 if kind == "alpha" else 3))
    if kind == "grey":
        picture = picture.convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6 if kind == "turned" else 1
    picture.save(tmp_path / "photo.png", exif=exif)
    done = run(NODE, "translate.mjs", model, tmp_path / "photo.png", tmp_path / "result.png", folder=node_example)
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(tmp_path / "photo.png") as seen:
        wanted = zorse.load(model)(seen.convert("RGB") if kind == "alpha" else seen, size="keep")
    assert same_pixels(pixels_of(tmp_path / "result.png"), np.asarray(wanted))


def test_node_says_what_is_wrong(node_example, model, photo, tmp_path):
    def complaint(*arguments):
        done = run(NODE, "translate.mjs", *arguments, folder=node_example)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        return done.stderr

    result = tmp_path / "result.png"
    assert "Usage" in complaint()
    assert "Usage" in complaint(model, photo, result, "-3")
    assert "model cannot be opened" in complaint(tmp_path / "nothing.onnx", photo, result)
    assert "not a model" in complaint(photo, photo, result)
    assert "without --io float" in complaint(tiny_onnx.write(tmp_path / "float.onnx"), photo, result)
    assert "picture cannot be opened" in complaint(model, tmp_path / "nothing.png", result)
    assert "not a picture" in complaint(model, model, result)
    assert "cannot be written" in complaint(model, photo, tmp_path / "no folder" / "result.png")
    assert not result.exists()


HARNESS = """
import { readFileSync, writeFileSync } from "node:fs";
import { translate } from "./translate.js";

const { height, width, alpha, ...options } = JSON.parse(readFileSync("job.json"));
const read = (file) => new Uint8ClampedArray(readFileSync(file));
const picture = { height, width, rgb: read("rgb"), alpha: alpha ? read("alpha") : null };
const seen = [];
const run = async (rgb, height, width) => (seen.push([height, width]), rgb.map((level) => 255 - level));
const done = await translate(picture, { run, ...options, progress: (...tiles) => seen.push(tiles) });
writeFileSync("result", done.rgb);
console.log(JSON.stringify({ height: done.height, width: done.width, tiles: done.tiles, seen }));
"""


@pytest.fixture
def in_javascript(tmp_path):
    """Translates with the page's modules, without a browser; the network is the negation."""
    folder = tmp_path / "page"
    shutil.copytree(EXAMPLES / "web", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "harness.js").write_text(HARNESS)

    def translate(pixels, **options):
        height, width, channels = pixels.shape
        (folder / "rgb").write_bytes(pixels[:, :, :3].tobytes())
        (folder / "alpha").write_bytes(pixels[:, :, 3:].tobytes())
        job = {"height": height, "width": width, "alpha": channels == 4, "maxPixels": 1e9} | options
        (folder / "job.json").write_text(json.dumps(job))
        done = run(NODE, "harness.js", folder=folder)
        assert done.returncode == 0, done.stderr
        return np.frombuffer((folder / "result").read_bytes(), np.uint8).reshape(height, width, 3), json.loads(
            done.stdout
        )

    return translate


@needs_node
@pytest.mark.parametrize(
    ("size", "height", "width", "channels", "keeps_detail"),
    [
        ("keep", 33, 47, 3, True),
        ("keep", 33, 47, 4, True),
        (32, 90, 121, 3, True),  # reduced by no whole number
        (32, 128, 96, 4, True),  # by a whole one
        (32, 90, 121, 3, False),
        (60, 40, 51, 3, True),  # enlarged
        (60, 40, 51, 4, False),
        (40, 20, 300, 3, True),  # too long to be enlarged to the wanted short side
    ],
)
def test_the_page_brings_pictures_to_sizes_as_zorse_does(
    in_javascript, tmp_path, size, height, width, channels, keeps_detail
):
    card = tiny_onnx.card(keeps_detail=keeps_detail)
    translator = zorse.load(tiny_onnx.write(tmp_path / "negation.onnx", model_card=card))
    picture = waves(height, width, channels)
    found, _ = in_javascript(picture, size=size, nativeSize=card.native_size, leastSide=16, keepsDetail=keeps_detail)
    wanted = translator(picture, size=size)
    visible = wanted[:, :, 3:] > 0 if channels == 4 else np.ones((height, width, 1), bool)
    assert same_pixels(np.where(visible, found, 0), np.where(visible, wanted[:, :, :3], 0))


@needs_node
@pytest.mark.parametrize(
    ("architecture", "least", "size", "seen"),
    [(CompactConfig(), 16, 32, (20, 4000)), (UnetConfig(), 256, 32, (5, 1024))],
)
def test_the_page_sees_strips_as_large_as_zorse_does(in_javascript, architecture, least, size, seen):
    card = tiny_onnx.card(native_size=256, architecture=architecture)
    assert padded_side(1, card.size_multiple) == least
    sizes = {"size": size, "nativeSize": card.native_size, "leastSide": least}
    _, told = in_javascript(waves(20, 4000), keepsDetail=True, **sizes)
    assert (told["height"], told["width"]) == working_size(20, 4000, size, card.native_size, least) == seen


@needs_node
@pytest.mark.parametrize(("height", "width"), [(100, 130), (30, 700), (700, 30)])
def test_tiles_cover_the_picture_without_seams(in_javascript, height, width):
    picture = waves(height, width)
    found, told = in_javascript(picture, size="keep", keepsDetail=True, maxPixels=48 * 48)
    assert np.array_equal(found, 255 - picture)
    sizes, reports = told["seen"][::2], told["seen"][1::2]
    assert told["tiles"] == len(sizes) > 1
    assert max(down * across for down, across in sizes) <= 48 * 48
    assert reports == [[done, len(sizes)] for done in range(1, len(sizes) + 1)]


@needs_node
@pytest.mark.parametrize("script", ["web/page.js", "web/worker.js"])
def test_scripts_that_only_a_browser_runs_are_free_of_syntax_errors(tmp_path, script):
    module = shutil.copy(EXAMPLES / script, tmp_path / "script.mjs")
    assert run(NODE, "--check", module).returncode == 0


def test_the_page_names_no_other_server():
    texts = [file.read_text(encoding="utf-8") for file in (EXAMPLES / "web").iterdir()]
    assert len(texts) > 5
    assert {address for text in texts for address in re.findall(r"\bhttps?:[^\s\"']+", text)} == {SVG}
