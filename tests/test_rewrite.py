"""Convolutions computed in other ways give the same; those that cannot, or need not, stay."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tiny_onnx
from zorse.backends.onnx.backend import OnnxBackend
from zorse.backends.onnx.rewrite import faster, winograd
from zorse.backends.onnx.rewrite.winograd import KERNEL, PATCH, TILE, transforms
from zorse.model.architecture import ResnetConfig
from zorse.model.card import CARD_KEY

SHAPE = ["N", "C", "H", "W"]


def convolution(
    out=64, inside=64, kernel=3, *, bias=True, opset=18, half=False, weight_is_input=False, groups=1, **attributes
):
    """A model of one convolution of noise."""
    random = np.random.default_rng(out + inside + kernel)
    weight = random.normal(0, 0.05, (out, inside // groups, kernel, kernel)).astype(np.float16 if half else np.float32)
    constants = [numpy_helper.from_array(weight, "stored" if half else "weight")]
    nodes = [helper.make_node("Cast", ["stored"], ["weight"], to=TensorProto.FLOAT)] if half else []
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)]
    if weight_is_input:
        inputs.append(helper.make_tensor_value_info("weight", TensorProto.FLOAT, weight.shape))
        constants = []
    names = ["x", "weight"]
    if bias:
        constants.append(numpy_helper.from_array(random.normal(0, 1, out).astype(np.float32), "bias"))
        names.append("bias")
    if groups > 1:
        attributes["group"] = groups
    nodes.append(helper.make_node("Conv", names, ["y"], **attributes))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)
    graph = helper.make_graph(nodes, "g", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model.SerializeToString()


def computed(content, x):
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("size", [(8, 8), (3, 3), (5, 4), (17, 30), (6, 13)])
@pytest.mark.parametrize(
    "model",
    [
        convolution(),
        convolution(pads=[1, 1, 1, 1]),
        convolution(96, 64, bias=False, pads=[2, 0, 1, 3]),
        convolution(64, 96, half=True, pads=[1, 1, 1, 1], auto_pad="NOTSET"),
        convolution(3, 8, 7, pads=[3, 3, 3, 3]),
        convolution(4, 8, 5, bias=False, pads=[2, 2, 2, 2]),
        convolution(3, 16, 7, half=True, pads=[4, 2, 3, 5]),
    ],
)
def test_the_same_result_at_every_size(model, size):
    channels = onnx.load_from_string(model).graph.initializer[0].dims[1]
    x = np.random.default_rng(1).normal(0, 1, (1, channels, *size)).astype(np.float32)
    rewritten = faster(model)
    assert rewritten is not None
    wanted = computed(model, x)
    found = computed(rewritten, x)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "model",
    [
        convolution(strides=[2, 2]),
        convolution(dilations=[2, 2]),
        convolution(groups=4),
        convolution(63, 64),
        convolution(64, 32),
        convolution(kernel=1),
        convolution(opset=14),
        convolution(weight_is_input=True),
        convolution(auto_pad="SAME_UPPER"),
        convolution(5, 16, 7),
        convolution(3, 16, 3),
    ],
)
def test_other_convolutions_stay(model):
    assert faster(model) is None


def test_weights_take_no_more_memory_than_allowed(monkeypatch):
    monkeypatch.setattr(winograd, "MOST_BYTES", 4 * 36 * 64 * 64)
    assert faster(convolution(64, 64)) is not None
    assert faster(convolution(64, 65)) is None


def test_the_transforms_are_winograd_s():
    a, b, g = (matrix.astype(np.float64) for matrix in transforms())
    random = np.random.default_rng(2)
    x, w = random.normal(size=(PATCH, PATCH)), random.normal(size=(KERNEL, KERNEL))
    wanted = [[np.sum(x[i : i + KERNEL, j : j + KERNEL] * w) for j in range(TILE)] for i in range(TILE)]
    found = a @ ((g @ w.reshape(-1)) * (b @ x.reshape(-1)))
    np.testing.assert_allclose(found.reshape(TILE, TILE), wanted, atol=1e-5)


def test_a_whole_generator_of_several_pictures(tmp_path):
    import torch

    from zorse.backends.torch.graph import generator_graph
    from zorse.networks.build import build_generator
    from zorse_export.graph import set_metadata

    torch.manual_seed(0)
    network = build_generator(ResnetConfig(base_channels=16, n_blocks=3)).eval()
    card = tiny_onnx.card(architecture=ResnetConfig(base_channels=16, n_blocks=3))
    file = tmp_path / "resnet.onnx"
    model = generator_graph(network, card, "image", "translation").model
    set_metadata(model, {CARD_KEY: card.model_dump_json()})
    onnx.save(model, file)
    pictures = np.random.default_rng(3).uniform(-1, 1, (2, 3, 44, 60)).astype(np.float32)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(pictures)).numpy()
    backend = OnnxBackend(file, "cpu", 1)
    assert faster(file.read_bytes()) is not None
    assert np.abs(backend(pictures) - wanted).max() < 1e-4
