"""Tiny ONNX models with a card, for tests: what a translator does to a picture is then known exactly."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from zorse.model.architecture import CompactConfig
from zorse.model.card import CARD_KEY, ModelCard
from zorse.model.model_file import CORE_INPUT, CORE_OUTPUT

SHAPE = ["N", 3, "H", "W"]


def card(**changes) -> ModelCard:
    settings = {
        "name": "tiny",
        "task": "dark to light",
        "domain_a": "dark pictures",
        "domain_b": "light pictures",
        "architecture": CompactConfig(),
        "native_size": 32,
    }
    return ModelCard.model_validate(settings | changes)


def identity():
    return [helper.make_node("Identity", ["image"], ["translation"])], []


def negation():
    return [helper.make_node("Neg", ["image"], ["translation"])], []


def instance_norm():
    """Halved contrast around each channel's mean: depends on the whole picture, as real generators do."""
    constants = [np.full(3, 0.25, np.float32), np.zeros(3, np.float32)]
    tensors = [numpy_helper.from_array(value, name) for value, name in zip(constants, ["scale", "bias"], strict=True)]
    return [helper.make_node("InstanceNormalization", ["image", "scale", "bias"], ["translation"])], tensors


def generator(channels=64):
    """A small network like real ones: convolutions, of which one is computed by Winograd's algorithm, and a norm."""
    random = np.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array(random.normal(0, 0.1, shape).astype(np.float32), name)

    tensors = [
        weight("w1", channels, 3, 3, 3),
        weight("w2", channels, channels, 3, 3),
        weight("w3", 3, channels, 1, 1),
        numpy_helper.from_array(np.ones(channels, np.float32), "scale"),
        numpy_helper.from_array(np.zeros(channels, np.float32), "bias"),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("InstanceNormalization", ["c", "scale", "bias"], ["d"]),
        helper.make_node("Conv", ["d", "w3"], ["e"]),
        helper.make_node("Tanh", ["e"], ["translation"]),
    ]
    return nodes, tensors


def slow():
    """Takes a moment for a tiny picture, and minutes for a large one."""
    names = ["image", *(f"x{number}" for number in range(15_000)), "translation"]
    return [helper.make_node("Tanh", [before], [after]) for before, after in pairwise(names)], []


def endless():
    """Never ends by itself."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("before", "after")]
    condition = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("on", "goes_on")]
    count = helper.make_tensor_value_info("count", TensorProto.INT64, [])
    nodes = [helper.make_node("Identity", ["on"], ["goes_on"]), helper.make_node("Neg", ["before"], ["after"])]
    body = helper.make_graph(nodes, "body", [count, condition[0], value[0]], [condition[1], value[1]])
    tensors = [
        numpy_helper.from_array(np.array(2**62, np.int64), "times"),
        numpy_helper.from_array(np.array(True), "always"),
    ]
    return [helper.make_node("Loop", ["times", "always", "image"], ["translation"], body=body)], tensors


def division_by_zero():
    return [
        helper.make_node("Sub", ["image", "image"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["translation"]),
    ], []


def write(
    path: Path, graph=negation, model_card: ModelCard | None = None, *, with_card=True, input_name="image"
) -> Path:
    nodes, tensors = graph()
    if input_name != "image":
        nodes.insert(0, helper.make_node("Identity", [input_name], ["image"]))
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, SHAPE)],
            [helper.make_tensor_value_info("translation", TensorProto.FLOAT, SHAPE)],
            tensors,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    if with_card:
        helper.set_model_props(model, {CARD_KEY: (model_card or card()).model_dump_json()})
    onnx.save(model, path)
    return path


def write_uint8(path: Path, graph=negation, model_card: ModelCard | None = None) -> Path:
    """A file of the kind that takes and gives uint8 (N, H, W, 3); for sides that are multiples already."""
    nodes, tensors = graph()
    core = [_renamed(node, {"image": CORE_INPUT, "translation": CORE_OUTPUT}) for node in nodes]
    numbers = {"half": 127.5, "one": 1.0}
    tensors += [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in numbers.items()]
    before = [
        helper.make_node("Cast", ["image"], ["image_scaled"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["image_scaled"], ["image_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["image_planes", "half"], ["image_divided"]),
        helper.make_node("Sub", ["image_divided", "one"], [CORE_INPUT]),
    ]
    after = [
        helper.make_node("Add", [CORE_OUTPUT, "one"], ["translation_above"]),
        helper.make_node("Mul", ["translation_above", "half"], ["translation_scaled"]),
        helper.make_node("Round", ["translation_scaled"], ["translation_rounded"]),
        helper.make_node("Transpose", ["translation_rounded"], ["translation_pixels"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["translation_pixels"], ["translation"], to=TensorProto.UINT8),
    ]
    shape = ["N", "H", "W", 3]
    model = helper.make_model(
        helper.make_graph(
            [*before, *core, *after],
            "tiny",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info("translation", TensorProto.UINT8, shape)],
            tensors,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    helper.set_model_props(model, {CARD_KEY: (model_card or card()).model_dump_json(), "zorse.io": "uint8"})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def _renamed(node, names):
    for values in (node.input, node.output):
        values[:] = [names.get(name, name) for name in values]
    return node
