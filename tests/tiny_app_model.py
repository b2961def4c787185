"""A small model file of the kind that apps take: uint8 pictures of any size in and out."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import tiny_onnx
from zorse.model.card import CARD_KEY, ModelCard
from zorse.model.model_file import CORE_INPUT, CORE_OUTPUT, IO_KEY
from zorse_export.pixels import with_pixels


def card(**changes) -> ModelCard:
    return tiny_onnx.card(name="night", task='day to "night"', native_size=48, **changes)


def write(path: Path, model_card: ModelCard | None = None) -> Path:
    """A 3x3 convolution, InstanceNorm and tanh: the result depends on the whole picture, as that of real generators."""
    model_card = model_card or card()
    random = np.random.default_rng(0)
    constants = {
        "kernel": random.normal(0, 0.3, (3, 3, 3, 3)),
        "scale": np.array([0.5, 0.6, 0.7]),
        "shift": np.array([-0.4, -0.3, 0.1]),
    }
    core = helper.make_graph(
        [
            helper.make_node("Conv", [CORE_INPUT, "kernel"], ["sums"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("InstanceNormalization", ["sums", "scale", "shift"], ["normal"]),
            helper.make_node("Tanh", ["normal"], [CORE_OUTPUT]),
        ],
        model_card.name,
        [helper.make_tensor_value_info(CORE_INPUT, TensorProto.FLOAT, tiny_onnx.SHAPE)],
        [helper.make_tensor_value_info(CORE_OUTPUT, TensorProto.FLOAT, tiny_onnx.SHAPE)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(core, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    model = with_pixels(model, model_card)
    helper.set_model_props(model, {CARD_KEY: model_card.model_dump_json(), IO_KEY: "uint8"})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path
