"""Models that visitors bring: what is let in, what is not, and that a network cannot take more than it is given."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import tiny_onnx
from zorse.backends.torch.safetensors_file import save_generator
from zorse.errors import UnknownModel, WeightsError
from zorse.imaging.io import read_picture
from zorse.loading import read_file_card
from zorse.model.architecture import CompactConfig
from zorse.model.card import CARD_KEY
from zorse.model.model_file import read_network
from zorse.networks.build import generator_module
from zorse.runtime.translator import Translator
from zorse_app import Service, Shelf
from zorse_app.gate import Gate
from zorse_app.limits import Limits
from zorse_app.own import models as own_models
from zorse_app.own.backend import OwnBackend
from zorse_app.own.checks import checked_network
from zorse_app.own.confined import Confines, Ended, TooSlow, run_confined
from zorse_app.own.models import OwnModels
from zorse_app.stops import Stopped
from zorse_app.tabs.own_model import described
from zorse_app.uploads import Upload

ENOUGH = Confines(memory=2 * 10**9, seconds=60)


@pytest.fixture
def service(tmp_path):
    (tmp_path / "models").mkdir()
    tiny_onnx.write(tmp_path / "models" / "identity.onnx", tiny_onnx.identity, tiny_onnx.card(name="identity"))
    return Service(Shelf(tmp_path / "models", Gate(Limits(memory=3 * 10**9))), tmp_path / "results")


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (50, 40), (10, 100, 250)).save(tmp_path / "photo.png")
    return Upload(tmp_path / "photo.png", "photo.png")


def sent(path):
    return Upload(path, path.name)


def test_a_model_is_used_at_once_by_its_visitor_alone(service, photo, tmp_path):
    models = OwnModels(service)
    model = models.bring("ann", sent(tiny_onnx.write(tmp_path / "mine.onnx")))
    outcome = service.translate_photo(photo, model.name, "keep")
    assert read_picture(outcome.download).rgb[0, 0].tolist() == [245, 155, 5]
    assert outcome.download.name == "photo_tiny.png"
    assert model.name not in service.shelf.names
    assert (models.of("ann"), models.of("bob")) == (model, None)
    models.forget("ann")
    assert models.of("ann") is None
    with pytest.raises(UnknownModel):
        service.translate_photo(photo, model.name)
    assert not list(service.folder.glob("own-*"))


def test_a_new_model_replaces_the_one_before_and_room_is_limited(service, tmp_path, monkeypatch):
    monkeypatch.setattr(own_models, "MOST_MODELS", 2)
    models = OwnModels(service)
    file = sent(tiny_onnx.write(tmp_path / "mine.onnx"))
    first, second = models.bring("ann", file), models.bring("ann", file)
    with pytest.raises(UnknownModel):
        service.shelf.translator(first.name)
    assert service.shelf.translator(second.name).card.name == "tiny"
    models.bring("bob", file)
    models.bring("eve", file)
    assert [models.of(visitor) is None for visitor in ("ann", "bob", "eve")] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("model.pth", b"PK\x03\x04 archive", "pickle"),
        ("model.onnx", b"PK\x03\x04 archive", "pickle"),
        ("model.safetensors", b"\x80\x04 pickle", "pickle"),
        ("model.pt", b"anything", "zorse models import"),
        ("model.txt", b"anything", "neither .onnx nor .safetensors"),
        ("model.onnx", b"", "empty"),
        ("model.onnx", b"no model at all", "not an ONNX model"),
        ("model.safetensors", b"\xff" * 40, "not a safetensors file"),
        ("../../model.onnx", b"no model at all", "not an ONNX model"),
        ("語" * 200 + "\x00\n.onnx", b"no model at all", "not an ONNX model"),
    ],
)
def test_files_that_are_no_models(service, tmp_path, name, content, says):
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(WeightsError, match=says) as error:
        OwnModels(service).bring("ann", Upload(tmp_path / "upload", name))
    assert str(tmp_path) not in str(error.value)
    assert not list(service.folder.glob("own-*"))


def model_of(nodes, tensors=(), card=None, **settings):
    shape = tiny_onnx.SHAPE
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("translation", TensorProto.FLOAT, shape)],
        list(tensors),
    )
    model = helper.make_model(graph, **{"opset_imports": [helper.make_opsetid("", 18)], "ir_version": 10} | settings)
    helper.set_model_props(model, {CARD_KEY: (card or tiny_onnx.card()).model_dump_json()})
    return model


def custom_operator():
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil", 1)]
    return model_of([helper.make_node("Run", ["image"], ["translation"], domain="evil")], opset_imports=opsets)


def control_flow():
    inner = helper.make_graph(
        [helper.make_node("Neg", ["image"], ["inner"])],
        "inner",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, tiny_onnx.SHAPE)],
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    return model_of([helper.make_node("If", ["yes"], ["translation"], then_branch=inner, else_branch=inner)], [yes])


def own_function():
    function = helper.make_function(
        "own", "Negated", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    node = helper.make_node("Negated", ["image"], ["translation"], domain="own")
    return model_of([node], opset_imports=opsets, functions=[function])


def external_weights():
    weights = numpy_helper.from_array(np.ones(1, np.float32), "weights")
    onnx.external_data_helper.set_external_data(weights, "/etc/passwd")
    weights.ClearField("raw_data")
    return model_of([helper.make_node("Mul", ["image", "weights"], ["translation"])], [weights])


def weights_that_lie():
    weights = numpy_helper.from_array(np.ones(1, np.float32), "weights")
    weights.dims[:] = [10**6, 10**6]
    return model_of([helper.make_node("Mul", ["image", "weights"], ["translation"])], [weights])


def too_many_operations():
    names = ["image", *(f"x{number}" for number in range(20_001)), "translation"]
    return model_of([helper.make_node("Neg", [before], [after]) for before, after in pairwise(names)])


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (custom_operator, "evil.Run"),
        (control_flow, "'If'"),
        (own_function, "operators of its own"),
        (external_weights, "another file"),
        (weights_that_lie, "as large as they say"),
        (too_many_operations, "operations"),
    ],
)
def test_what_no_picture_network_needs_is_not_run(tmp_path, made, says):
    onnx.save(made(), tmp_path / "strange.onnx")
    with pytest.raises(WeightsError, match=says):
        checked_network(tmp_path / "strange.onnx")


def test_a_card_cannot_describe_a_network_without_end(tmp_path):
    cards = [
        tiny_onnx.card(architecture=CompactConfig(n_blocks=10**9)),
        tiny_onnx.card(native_size=10**6),
        tiny_onnx.card(notes="x" * 10**5),
    ]
    for card in cards:
        with pytest.raises(WeightsError, match="larger than any"):
            checked_network(tiny_onnx.write(tmp_path / "strange.onnx", model_card=card))


def swelling(factor):
    """A graph that needs `factor` times the memory of its picture, and gives the picture back."""
    return model_of(
        [
            helper.make_node("Tile", ["image", "times"], ["large"]),
            helper.make_node("ReduceMax", ["large", "batch"], ["translation"], keepdims=1),
        ],
        [
            numpy_helper.from_array(np.array([factor, 1, 1, 1], np.int64), "times"),
            numpy_helper.from_array(np.array([0], np.int64), "batch"),
        ],
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory from outside")
def test_a_network_gets_no_more_memory_than_it_may_have(service, photo, tmp_path):
    onnx.save(swelling(20_000), tmp_path / "swelling.onnx")  # 1 GB for the picture that it is tried with
    confined = Confines(memory=500 * 10**6, seconds=60)
    backend = OwnBackend(read_network(tmp_path / "swelling.onnx"), tmp_path / "network", "swelling.onnx", confined)
    with pytest.raises(MemoryError):
        backend(np.zeros((1, 3, 64, 64), np.float32))
    small = np.full((1, 3, 2, 2), 0.5, np.float32)
    assert np.array_equal(backend(small), small)
    models = OwnModels(service)
    onnx.save(swelling(60_000), tmp_path / "huge.onnx")
    with pytest.raises(WeightsError, match="needs more memory"):
        models.bring("ann", sent(tmp_path / "huge.onnx"))
    onnx.save(swelling(10_000), tmp_path / "grows.onnx")  # its trial fits, a picture does not
    model = models.bring("ann", sent(tmp_path / "grows.onnx"))
    Image.new("RGB", (160, 160)).save(tmp_path / "large.png")
    with pytest.raises(WeightsError, match=r"Tile .* in one pass .* more memory, or at a smaller size"):
        service.translate_photo(sent(tmp_path / "large.png"), model.name, "keep")


def test_a_visitors_model_is_computed_in_tiles(tmp_path):
    file = tiny_onnx.write(tmp_path / "mine.onnx", tiny_onnx.generator)
    backend = OwnBackend(read_network(file), tmp_path / "network", "mine.onnx", ENOUGH)
    translator = Translator(tiny_onnx.card(), backend)
    pixels = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    whole = translator(pixels, size="keep", tiling="whole").astype(int)
    assert np.abs(translator(pixels, size="keep", tiling="exact") - whole).max() <= 1
    assert whole.std() > 10


def test_a_network_that_gives_another_shape_is_refused(service, tmp_path):
    halves = model_of([helper.make_node("MaxPool", ["image"], ["translation"], kernel_shape=[2, 2], strides=[2, 2])])
    onnx.save(halves, tmp_path / "halves.onnx")
    with pytest.raises(WeightsError, match=r"\(1, 3, 64, 64\) into \(1, 3, 32, 32\)"):
        OwnModels(service).bring("ann", sent(tmp_path / "halves.onnx"))


def test_a_program_that_does_not_end_is_ended():
    endless = [sys.executable, "-c", "while True: pass"]
    with pytest.raises(TooSlow):
        run_confined(endless, b"", Confines(memory=10**9, seconds=0.5))
    echo = (
        "import sys, time; time.sleep(0.5); sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.stderr.write('so'); "
        "sys.exit(3)"
    )
    ended = run_confined([sys.executable, "-c", echo], b"x" * 10**6, ENOUGH)
    assert (ended.status, ended.output, ended.errors) == (3, b"x" * 10**6, "so")


def test_a_stop_ends_the_process_that_works(service, tmp_path):
    model = OwnModels(service).bring("ann", sent(tiny_onnx.write(tmp_path / "slow.onnx", tiny_onnx.slow)))
    Image.new("RGB", (1500, 1500)).save(tmp_path / "large.png")
    started = time.monotonic()

    def stop_when_it_works():
        while not workers():
            time.sleep(0.05)
        time.sleep(0.5)
        service.stops.stop("ann")

    with service.stops.watch("ann"), ThreadPoolExecutor(1) as visitor:
        stopping = visitor.submit(stop_when_it_works)
        with pytest.raises(Stopped):
            service.translate_photo(sent(tmp_path / "large.png"), model.name, "keep")
        stopping.result()
    assert time.monotonic() - started < 45
    assert workers() == []


def workers():
    """Processes that run strangers' networks, started here, and not at their end."""
    for _ in range(100):
        with suppress(psutil.NoSuchProcess):  # One has ended while psutil looked at it.
            return [
                child for child in psutil.Process().children(recursive=True) if "network_process.py" in command(child)
            ]
    raise AssertionError("processes end all the time")


def command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # It has ended, perhaps as a zombie that nobody has asked for its exit status yet.
        return ""


def safetensors(path):
    card = tiny_onnx.card(architecture=CompactConfig(base_channels=8, n_blocks=1, finish_channels=4))
    save_generator(path, generator_module(card.architecture), card)
    return sent(path)


def test_a_safetensors_file_is_converted_by_the_command_for_it(service, tmp_path, monkeypatch):
    def export(command, given, confines):
        assert command[:5] == [sys.executable, "-P", "-m", "zorse", "export"]
        tiny_onnx.write(Path(command[-1]), model_card=read_file_card(Path(command[5])))
        return Ended(0, b"", "")

    monkeypatch.setattr(own_models, "run_confined", export)
    model = OwnModels(service).bring("ann", safetensors(tmp_path / "mine.safetensors"))
    assert model.card.architecture.base_channels == 8


def test_a_safetensors_file_that_cannot_be_converted(service, tmp_path, monkeypatch):
    def fail(command, given, confines):
        return Ended(1, b"", f"Error: The weights in {command[5]} are not those of its card.\n")

    monkeypatch.setattr(own_models, "run_confined", fail)
    with pytest.raises(WeightsError, match=r"^The weights in mine\.safetensors are not") as error:
        OwnModels(service).bring("ann", safetensors(tmp_path / "mine.safetensors"))
    assert str(tmp_path) not in str(error.value)


def test_what_a_card_says_cannot_become_anything_but_text():
    evil = '<img src=x onerror="alert(1)"> [click](javascript:1) | ![](http://evil/x.png)\n# huge'
    text = described(tiny_onnx.card(name=evil, task=evil, notes=evil))
    for sign in ("<", "](", "![", "http:/", "\n# "):
        assert sign not in text, sign
    assert "| Does | " in text
