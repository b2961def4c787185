"""Model files of both kinds: what is read without a session, and the core of a uint8 file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import tiny_onnx
from zorse.backends.onnx.backend import OnnxBackend
from zorse.errors import WeightsError
from zorse.loading import load, read_file_card
from zorse.model.card import CARD_KEY
from zorse.model.model_file import CORE_INPUT, CORE_OUTPUT
from zorse.model.onnx_file import Value, parse_onnx

GRAPHS = [tiny_onnx.negation, tiny_onnx.instance_norm]


@pytest.mark.parametrize("graph", GRAPHS)
def test_both_kinds_of_file_give_the_same_translation(tmp_path, graph):
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 3, 12, 20)).astype(np.float32)
    from_float = OnnxBackend(tiny_onnx.write(tmp_path / "f.onnx", graph), "cpu", 1)
    from_uint8 = OnnxBackend(tiny_onnx.write_uint8(tmp_path / "u.onnx", graph), "cpu", 1)
    assert np.array_equal(from_float(pictures), from_uint8(pictures))
    assert from_float.card == from_uint8.card


def test_a_uint8_file_translates_pixels_as_the_file_itself_does(tmp_path):
    file = tiny_onnx.write_uint8(tmp_path / "u.onnx", tiny_onnx.instance_norm)
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (alone,) = session.run(None, {"image": pixels[None]})
    assert np.array_equal(load(file, "cpu", 1)(pixels, size="keep"), alone[0])


def test_a_uint8_file_translates_16_bit_pixels_in_16_bits(tmp_path):
    translator = load(tiny_onnx.write_uint8(tmp_path / "u.onnx"), "cpu", 1)
    pixels = np.random.default_rng(2).integers(0, 65536, (16, 16, 3), dtype=np.uint16)
    assert np.array_equal(translator(pixels, size="keep"), 65535 - pixels)


def test_the_card_is_read_without_a_session(tmp_path, monkeypatch):
    file = tiny_onnx.write_uint8(tmp_path / "u.onnx", model_card=tiny_onnx.card(name="quick"))
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    assert read_file_card(file).name == "quick"


def test_a_file_without_a_card_says_what_it_takes_and_gives(tmp_path):
    with pytest.raises(WeightsError, match="no Zorse model card") as raised:
        OnnxBackend(tiny_onnx.write(tmp_path / "a.onnx", with_card=False))
    assert "image float32 (N, 3, H, W); outputs: translation float32 (N, 3, H, W)" in str(raised.value)


def test_a_model_with_other_inputs_says_what_it_takes(tmp_path):
    file = tmp_path / "sampler.onnx"
    inputs = [
        helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", 100]),
        helper.make_tensor_value_info("label", TensorProto.INT64, [-1]),
    ]
    output = helper.make_tensor_value_info("translation", TensorProto.FLOAT, ["N", 100])
    graph = helper.make_graph([helper.make_node("Neg", ["latent"], ["translation"])], "g", inputs, [output])
    model = helper.make_model(graph)
    helper.set_model_props(model, {CARD_KEY: tiny_onnx.card().model_dump_json()})
    onnx.save(model, file)
    with pytest.raises(WeightsError, match=r"inputs: latent float32 \(N, 100\), label int64 \(-1\); outputs"):
        OnnxBackend(file)
    assert read_file_card(file) == tiny_onnx.card()


def test_a_uint8_model_without_a_core_is_refused(tmp_path):
    file = tiny_onnx.write_uint8(tmp_path / "u.onnx")
    model = onnx.load(file)
    for node in model.graph.node:
        tiny_onnx._renamed(node, {CORE_INPUT: "elsewhere"})
    onnx.save(model, file)
    with pytest.raises(WeightsError, match="tensors named 'image_float' and 'translation_float'"):
        OnnxBackend(file)


# The reader, against the package onnx -------------------------------------------------------------------------------


def test_inputs_outputs_and_metadata_are_those_that_onnx_reads(tmp_path):
    file = tiny_onnx.write_uint8(tmp_path / "u.onnx", tiny_onnx.instance_norm)
    read = parse_onnx(file.read_bytes())
    assert read.inputs == (Value("image", "uint8", ("N", "H", "W", 3)),)
    assert read.outputs == (Value("translation", "uint8", ("N", "H", "W", 3)),)
    assert read.metadata == {entry.key: entry.value for entry in onnx.load(file).metadata_props}


def test_the_core_is_what_onnx_itself_would_extract(tmp_path):
    file = tiny_onnx.write_uint8(tmp_path / "u.onnx", tiny_onnx.instance_norm)
    shape = ("batch", 3, "height", "width")
    content = parse_onnx(file.read_bytes()).between(
        Value(CORE_INPUT, "float32", shape), Value(CORE_OUTPUT, "float32", shape)
    )
    core = onnx.load_from_string(content)
    onnx.checker.check_model(core, full_check=True)
    whole = onnx.shape_inference.infer_shapes(onnx.load(file))
    wanted = onnx.utils.Extractor(whole).extract_model([CORE_INPUT], [CORE_OUTPUT])
    assert list(core.graph.node) == list(wanted.graph.node)
    assert {tensor.name for tensor in core.graph.initializer} == {tensor.name for tensor in wanted.graph.initializer}
    assert core.metadata_props == onnx.load(file).metadata_props


def test_every_truncation_is_an_error_or_leaves_a_valid_beginning(tmp_path):
    content = tiny_onnx.write(tmp_path / "m.onnx", tiny_onnx.instance_norm).read_bytes()
    for length in range(len(content)):
        try:
            parse_onnx(content[:length])
        except ValueError:
            continue
        onnx.load_from_string(content[:length])  # raises where onnx itself sees damage


def test_arbitrary_bytes_never_raise_anything_else():
    random = np.random.default_rng(3)
    for length in random.integers(1, 60, 3000):
        content = random.integers(0, 256, length, dtype=np.uint8).tobytes()
        try:
            parse_onnx(content)
        except ValueError:
            continue
