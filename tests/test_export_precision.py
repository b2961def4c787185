"""Exports with fewer bits: what is in how many, how far it may be from 32, and when nothing is written."""

from itertools import pairwise

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import tiny_onnx
import zorse
from tiny_export import card, noise, photos, session, trained
from tiny_training import draw_pairs, tiny_pix2pix
from zorse.backends.torch.backend import TorchBackend
from zorse.errors import ConfigError, ExportError
from zorse.imaging.io import Picture, write_picture
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.model.parity import described_parity
from zorse_export import TOLERANCE, evaluation_pictures, export_onnx, speed
from zorse_export import export as exporting
from zorse_export.graph import check
from zorse_export.halves import compute_in_half, store_as_half
from zorse_export.kid import kid_changes
from zorse_export.prepare import with_note
from zorse_export.speed import Speed, compare_speed

QUANTISED = ("QuantizeLinear", "DequantizeLinear")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Convolutions(nn.Module):
    """Three of them, with a norm between: the smallest network in which each has its own part."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.GroupNorm(4, 4)
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, image):
        return torch.tanh(self.last(torch.relu(self.norm(self.second(torch.relu(self.first(image)))))))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Convolutions().eval()


@pytest.fixture
def faster(monkeypatch):
    monkeypatch.setattr(exporting, "compare_speed", lambda *_: Speed(fp32=20, here=10))


def nodes_of(model, *kinds):
    return [node for node in model.graph.node if node.op_type in kinds]


# 16 bits -----------------------------------------------------------------------------------------------------------


def test_fp16_halves_the_file_and_computes_in_32_bits(tmp_path):
    torch.manual_seed(0)
    architecture = UnetConfig(base_channels=16, depth=3, norm="none")
    network = trained(architecture)
    report = export_onnx(network, card(architecture), tmp_path / "half.onnx", "fp16")
    in_32_bits = 4 * sum(parameter.numel() for parameter in network.parameters())
    assert report.size < 0.6 * in_32_bits
    assert report.parity.bounds.psnr == 50 <= report.parity.psnr < 100
    assert report.parity.difference <= TOLERANCE
    seen = np.random.default_rng(1).uniform(-1, 1, (1, 3, 32, 48)).astype(np.float32)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half())
    found = zorse.load(tmp_path / "half.onnx", "cpu").backend(seen)
    np.testing.assert_allclose(found, TorchBackend(network, card(architecture), "cpu")(seen), atol=TOLERANCE)


def test_only_what_16_bits_hold_exactly_is_stored_in_16_bits():
    values = {"exact": np.float32([0.5, 0.25]), "rounded": np.float32([0.1, 0.2]), "scalar": np.float32(0.5)}
    tensors = [numpy_helper.from_array(value, name) for name, value in values.items()]
    nodes = [helper.make_node("Sum", list(values), ["y"])]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    model = helper.make_model(helper.make_graph(nodes, "sum", [], [output], tensors), ir_version=8)
    store_as_half(model)
    onnx.checker.check_model(model, full_check=True)
    assert {tensor.name: tensor.data_type for tensor in model.graph.initializer} == {
        "exact.fp16": TensorProto.FLOAT16,
        "rounded": TensorProto.FLOAT,
        "scalar": TensorProto.FLOAT,
    }


@pytest.mark.parametrize("precision", ["fp16", "fp16-compute"])
def test_weights_beyond_16_bits_are_refused(tmp_path, network, precision):
    network.second.weight.data[0] = 1e6
    with pytest.raises(ExportError, match=r"second\.weight reach 1e\+06.*--precision fp32"):
        export_onnx(network, card(CompactConfig()), tmp_path / "half.onnx", precision)


def test_values_beyond_16_bits_are_noticed(tmp_path, network):
    with torch.no_grad():
        network.first.weight.mul_(3e5)
        network.second.weight.mul_(1e-5)
    with pytest.raises(ExportError, match=r"PSNR is -inf dB, less than the 50 dB wanted\. The first .* layer 'first'"):
        export_onnx(network, card(CompactConfig()), tmp_path / "m.onnx", "fp16-compute")


def test_convolutions_are_computed_in_16_bits_and_norms_in_32(tmp_path):
    torch.manual_seed(0)
    architecture = ResnetConfig(base_channels=2, n_blocks=1, upsampling="resize")
    report = export_onnx(trained(architecture), card(architecture), tmp_path / "m.onnx", "fp16-compute")
    assert report.parity.psnr >= 50
    assert "computed in 16 bits" in report.card.notes
    model = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "m.onnx"))
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    types |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in nodes_of(model, "Conv", "Resize", "Relu"):
        assert types[node.input[0]] == types[node.output[0]] == TensorProto.FLOAT16
    for node in nodes_of(model, "ReduceMean", "Sqrt", "Div", "Sub", "Tanh"):
        assert types[node.input[0]] in (TensorProto.FLOAT, TensorProto.INT64)
    translator, picture = zorse.load(tmp_path / "m.onnx", "cpu"), noise(30, 41, 3)
    (alone,) = session(tmp_path / "m.onnx").run(None, {"image": picture[None]})
    whole = translator(picture, size="keep").astype(int)
    assert np.abs(alone[0] - whole).max() <= 1
    assert np.abs(translator(picture, size="keep", tiling="exact") - whole).max() <= 3


def test_places_and_sizes_are_not_numbers_to_halve():
    """A Gather of a shape stays what it is; a tensor that both kinds need is there in both."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "where"], ["side"]),
        helper.make_node("Relu", ["x"], ["positive"]),
        helper.make_node("Exp", ["positive"], ["power"]),
        helper.make_node("Relu", ["positive"], ["again"]),
        helper.make_node("Add", ["again", "power"], ["sum"]),
        helper.make_node("Cast", ["side"], ["factor"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["sum", "factor"], ["y"]),
    ]
    source, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy")
    graph = helper.make_graph(nodes, "g", [source], [result], [numpy_helper.from_array(np.array(1), "where")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    compute_in_half(model)
    check(model)
    x = np.float32([[-1, 0, 1], [2, 0.5, 0.25]])
    (found,) = session(model.SerializeToString()).run(None, {"x": x})
    positive = np.maximum(x, 0)
    np.testing.assert_allclose(found, 3 * (positive + np.exp(positive)), rtol=1e-6)


# 8 bits ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("faster")
def test_8_bits_keep_norms_and_the_last_convolution(tmp_path, network):
    files = photos(tmp_path / "photos", 12)
    report = export_onnx(network, card(CompactConfig()), tmp_path / "m.onnx", "int8", pictures=files)
    assert 35 <= report.parity.psnr < 70
    assert report.parity.calibration == "with 6 pictures"
    assert described_parity(report.parity, (-1, 1))["KID in int8"] == "not measured"
    assert {"drawn", "noise", "real"} == {each.pictures for each in report.parity.compared}
    assert "computed in 8 bits" in report.card.notes
    model = onnx.load(tmp_path / "m.onnx")
    check(model)
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    *others, last = nodes_of(model, "Conv")
    assert len(others) == 2
    assert all(made_by[node.input[0]] == made_by[node.input[1]] == "DequantizeLinear" for node in others)
    assert made_by[last.input[0]] not in QUANTISED
    assert last.input[1] not in made_by
    scales = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    assert all(
        list(scales[node.input[1]]) == [4] for node in nodes_of(model, "DequantizeLinear") if "weight" in node.input[0]
    )
    translator, picture = zorse.load(tmp_path / "m.onnx", "cpu"), noise(30, 41, 3)
    (alone,) = session(tmp_path / "m.onnx").run(None, {"image": picture[None]})
    assert np.abs(alone[0].astype(int) - translator(picture, size="keep")).max() <= 1
    again = export_onnx(network, card(CompactConfig()), tmp_path / "again.onnx", "int8", pictures=files)
    assert again.sha256 == report.sha256


def test_8_bits_that_are_not_faster_are_not_written(tmp_path, network, monkeypatch):
    monkeypatch.setattr(exporting, "compare_speed", lambda *_: Speed(fp32=20, here=31))
    files = photos(tmp_path / "photos", 4)
    arguments = network, card(CompactConfig()), tmp_path / "m.onnx", "int8"
    with pytest.raises(ExportError, match=r"not faster on this computer: 31 ms for 48x48 pixels, 20 ms in 32 bits"):
        export_onnx(*arguments, pictures=files)
    assert not (tmp_path / "m.onnx").exists()
    assert export_onnx(*arguments, pictures=files, keep_slower=True).speed == Speed(fp32=20, here=31)
    assert (tmp_path / "m.onnx").exists()


@pytest.mark.usefixtures("faster")
def test_8_bits_that_are_too_few(tmp_path, network):
    """Calibrated with black pictures only, all that is brighter is cut off, in the first layer already."""
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files:
        write_picture(file, Picture(np.zeros((40, 40, 3), np.uint8)))
    with pytest.raises(ExportError, match=r"PSNR is .* dB, less than the 35 dB wanted\. The first .* layer 'first'"):
        export_onnx(network, card(CompactConfig()), tmp_path / "m.onnx", "int8", pictures=files)


def test_8_bits_need_pictures_and_convolutions(tmp_path, network):
    files = photos(tmp_path / "photos", 4)
    with pytest.raises(ConfigError, match=r"at least 4 were wanted, 3 came\. Name a folder of them: --calibrate DIR"):
        export_onnx(network, card(CompactConfig()), tmp_path / "m.onnx", "int8", pictures=files[:3])
    with pytest.raises(ConfigError, match="takes 1 channels, but --calibrate reads RGB pictures"):
        export_onnx(network, card(ResnetConfig(in_channels=1)), tmp_path / "m.onnx", "fp32", pictures=files)
    single = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Tanh())
    with pytest.raises(ExportError, match="no convolution that could be computed in 8 bits"):
        export_onnx(single, card(CompactConfig()), tmp_path / "m.onnx", "int8", pictures=files)


def test_speed_is_measured_on_both_graphs(tmp_path):
    plain = tiny_onnx.write(tmp_path / "plain.onnx", tiny_onnx.negation).read_bytes()

    def many():
        names = ["image", *(f"x{step}" for step in range(200)), "translation"]
        return [helper.make_node("Tanh", [a], [b]) for a, b in pairwise(names)], []

    slow = tiny_onnx.write(tmp_path / "slow.onnx", many).read_bytes()
    model_card = card(CompactConfig(), native_size=128)
    assert not compare_speed(plain, slow, model_card).is_faster
    assert compare_speed(slow, plain, model_card).is_faster


def test_8_bits_compete_with_32_as_our_runtime_computes_them(tmp_path, monkeypatch):
    plain = tiny_onnx.write(tmp_path / "plain.onnx", tiny_onnx.negation).read_bytes()
    rewritten = tiny_onnx.write(tmp_path / "rewritten.onnx", tiny_onnx.identity).read_bytes()
    times = {plain: 30.0, rewritten: 10.0, b"8 bits": 20.0}
    monkeypatch.setattr(speed, "open_session", lambda model, _card: model)
    monkeypatch.setattr(speed, "_milliseconds", lambda session, _picture: times[session])
    monkeypatch.setattr(speed, "faster", {plain: rewritten}.get)
    assert compare_speed(plain, b"8 bits", card(CompactConfig())) == Speed(fp32=10, here=20)


def test_a_note_takes_the_place_of_an_older_one():
    notes = "Mine, in two\nlines."
    first = with_note(notes, exporting.NOTES["int8"], exporting.NOTES.values())
    assert first == f"{notes} {exporting.NOTES['int8']}"
    second = with_note(first, exporting.NOTES["fp16-compute"], exporting.NOTES.values())
    assert second == f"{notes} {exporting.NOTES['fp16-compute']}"
    assert with_note(second, "", exporting.NOTES.values()) == notes


def test_a_run_says_which_side_of_its_pairs_is_translated(tmp_path):
    draw_pairs(tmp_path / "set")
    config = tiny_pix2pix("data.direction=BtoA")
    model_card = card(config.recipe.generator)
    turned, plain = (evaluation_pictures(tmp_path / "set", model_card, settings) for settings in (config, None))
    for there, back in zip(turned.examples(), plain.examples(), strict=True):
        np.testing.assert_array_equal(there.source, back.truth)
    strokes = model_card.model_copy(update={"takes_strokes": True, "native_size": 40})
    assert evaluation_pictures(tmp_path / "set", strokes).kind == "paired", "twice as wide as high"
    assert evaluation_pictures(photos(tmp_path / "photos" / "test", 2)[0].parents[1], strokes).kind == "edges"


def test_what_a_precision_does_to_kid(tmp_path):
    for side, offset in (("testA", 0), ("testB", 3)):
        for file in photos(tmp_path / side, 6)[offset:][3:]:
            file.unlink()
    same, other = (
        tiny_onnx.write(tmp_path / f"{graph.__name__}.onnx", graph).read_bytes()
        for graph in (tiny_onnx.identity, tiny_onnx.negation)
    )
    model_card = card(CompactConfig(), native_size=40)
    pictures = evaluation_pictures(tmp_path, model_card)
    for change in kid_changes(same, same, model_card, pictures):
        assert (change.change, *change.interval) == (0, 0, 0)
    changes = kid_changes(same, other, model_card, pictures)
    assert [change.name for change in changes] == [
        "KID x 1000 (EfficientNet-Lite0)",
        "KID x 1000 (EfficientNet-Lite2)",
    ]
    for change in changes:
        assert change.change == pytest.approx(change.here - change.fp32, abs=0.01 * abs(change.here))
        assert change.interval[0] < change.change < change.interval[1]
        assert change.change > 0
        assert change.protocol_id.startswith("kid-")
