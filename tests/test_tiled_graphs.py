"""Graphs of strangers are computed in tiles, with the result of one pass; what cannot be is named."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import helper
from torch import nn

import tiny_onnx
import zorse
from foreign_networks import INSTANCE, Resnet, randomised
from tiny_export import card
from zorse.backends.torch.backend import TorchBackend
from zorse.errors import IncompatibleWeights, WeightsError
from zorse.model.architecture import ResnetConfig
from zorse.model.card import CARD_KEY
from zorse.model.model_file import read_network
from zorse.model.onnx_graph import folded
from zorse.runtime.passes import translate_seen
from zorse.runtime.streamed.geometry import Span, needed
from zorse.runtime.streamed.plan import plan_exact
from zorse.runtime.streamed.program import Axis, Norm, Operation
from zorse.runtime.streamed.reader import read_tiled
from zorse.runtime.translator import Translator

OLD, NEW = {"dynamo": False, "opset_version": 11}, {"dynamo": True, "opset_version": 18}


class Noise(nn.Module):
    """Every layer of a network between convolutions."""

    def __init__(self, *layers, channels=8) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(channels, 3, 3, padding=1)
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return torch.tanh(self.last(self.layers(self.first(x))))


class Calling(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def group_norm_network():
    def block(inside, channels, groups, **settings):
        return [nn.Conv2d(inside, channels, 3, padding=1, **settings), nn.GroupNorm(groups, channels), nn.SiLU()]

    layers = [*block(3, 8, 2), *block(8, 12, 4, stride=2), *block(12, 12, 1), nn.Upsample(scale_factor=2)]
    return nn.Sequential(*layers, *block(12, 8, 8), nn.Conv2d(8, 3, 1), nn.Tanh())


def strangers_sequential():
    return nn.Sequential(
        nn.ReflectionPad2d(2),
        nn.Conv2d(3, 8, 5),
        nn.InstanceNorm2d(8, affine=True),
        nn.GELU(),
        nn.Conv2d(8, 16, 3, 2, 1),
        nn.InstanceNorm2d(16),
        nn.Hardswish(),
        nn.BatchNorm2d(16),
        nn.PReLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(16, 12, 3, padding=1, groups=4),
        nn.PixelShuffle(2),
        nn.ReplicationPad2d(1),
        nn.MaxPool2d(3, 2),
        nn.ConvTranspose2d(3, 8, 4, 2, 1),
        nn.PixelUnshuffle(2),
        nn.ReLU6(),
        nn.Conv2d(32, 3, 1),
        nn.Sigmoid(),
    )


NETWORKS = {
    "cut": lambda: Resnet(4, 2, INSTANCE, blur_down=True, blur_up=True),
    "group norm": group_norm_network,
    "sequential": strangers_sequential,
}


def exported(folder, network, how, **settings):
    """As anybody exports it."""
    stream = io.BytesIO()
    torch.manual_seed(0)
    network = randomised(network).eval()
    axes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    shapes = {"dynamic_shapes": (axes,)} if how["dynamo"] else {"dynamic_axes": {"image": {2: "H", 3: "W"}}}
    names = {"input_names": ["image"], "output_names": ["translation"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(1, 3, 32, 48),), stream, **names, **shapes, **how)
    return saved(folder, onnx.load_from_string(stream.getvalue()), **settings)


def saved(folder, model, **settings):
    helper.set_model_props(model, {CARD_KEY: tiny_onnx.card(**settings).model_dump_json()})
    onnx.save(model, folder / "model.onnx")
    return zorse.load(folder / "model.onnx", "cpu", 1)


def noise(height, width):
    """Areas that differ, so that statistics and borders of every part do."""
    random = np.random.default_rng(height)
    slope = np.linspace(40, 180, width)[None, :, None] * np.ones((height, 1, 3))
    return np.clip(slope + random.normal(0, 40, slope.shape), 0, 255).astype(np.uint8)


def assert_tiles_are_exact(translator, monkeypatch, *shape, tile=(9, 13)):
    def in_small_tiles(*arguments):
        plan = plan_exact(*arguments)
        return plan.__class__(**{**plan.__dict__, "tiles": tuple(tile for _ in plan.tiles)})

    pixels = noise(*shape)
    whole = translator(pixels, size="keep", tiling="whole").astype(int)
    monkeypatch.setitem(translate_seen.__globals__, "plan_exact", in_small_tiles)
    assert np.abs(translator(pixels, size="keep", tiling="exact") - whole).max() <= 1
    assert whole.std() > 1, "the network does something"


@pytest.mark.parametrize("how", [OLD, NEW], ids=["old exporter", "new exporter"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_strangers(tmp_path, monkeypatch, name, how):
    value_range = (0, 1) if name == "sequential" else (-1, 1)
    translator = exported(tmp_path, NETWORKS[name](), how, value_range=value_range)
    assert_tiles_are_exact(translator, monkeypatch, 61, 87)


LAYERS = {
    "leaky": nn.LeakyReLU(0.1),
    "elu": nn.ELU(),
    "hard sigmoid": nn.Hardsigmoid(),
    "gelu": nn.GELU(),
    "arithmetic": Calling(lambda x: (2 * x - 1) / (1 + x.abs()) + x.clamp(-1, 2) * torch.sigmoid(x)),
    "dropout": nn.Dropout(0.5),
    "average": nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.AvgPool2d(3, 1, 1)),
    "largest": nn.MaxPool2d(5, 1, 2),
    "dilated": nn.Conv2d(8, 8, (3, 5), padding=(4, 2), dilation=(4, 1), padding_mode="reflect"),
    "constant": Calling(lambda x: F.pad(x, (1, -1, -2, 2), value=0.7)),
    "cut": Calling(lambda x: F.pad(x[:, :, 1:-2, ::1], (0, 0, 2, 1), mode="reflect")),
    "every second": Calling(lambda x: F.interpolate(x[:, :, ::2, 1::2], scale_factor=2.0)),
    "channels": Calling(lambda x: torch.cat([x[:, 4:], x[:, [1, 0, 3, 2]] * x[:, :1]], 1)),
    "split": Calling(lambda x: torch.cat(x.chunk(3, 1)[::-1], 1)),
    "shuffled": Calling(lambda x: x.unflatten(1, (4, 2)).transpose(1, 2).flatten(1, 2)),
    "blocks": nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(128, 32, 1), nn.PixelShuffle(2), nn.PixelShuffle(2)),
    "to a size": Calling(
        lambda x: F.interpolate(x, size=(3 * x.shape[2], 3 * x.shape[3]), mode="bilinear")[..., ::3, ::3]
    ),
    "halved": Calling(lambda x: F.interpolate(F.interpolate(x, scale_factor=0.5, mode="bilinear"), scale_factor=2)),
    "cubic": Calling(lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")[:, :, ::2, ::2]),
    "written out": Calling(
        lambda x: (x - x.mean((2, 3), True)) / ((x - x.mean((2, 3), True)).square().mean((2, 3), True) + 1).sqrt()
    ),
    "over all channels": nn.GroupNorm(1, 8),
    "transposed": nn.Sequential(
        nn.Conv2d(8, 8, 3, 2, 1), nn.ConvTranspose2d(8, 8, 3, 2, 1, output_padding=1, groups=2)
    ),
    "softmax": nn.Softmax(1),
    "mean of channels": Calling(lambda x: x * x.mean(1, keepdim=True)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(tmp_path, monkeypatch, name):
    layers = [LAYERS[name]] if name != "blocks" else list(LAYERS[name])
    channels = 2 if name == "blocks" else 8
    network = Noise(*layers, nn.InstanceNorm2d(channels, affine=True), channels=channels)
    translator = exported(tmp_path, network, {"dynamo": False, "opset_version": 17})
    assert_tiles_are_exact(translator, monkeypatch, 45, 67)


class Attention(nn.Module):
    def forward(self, x):
        flat = x.flatten(2)
        return (flat @ (flat.transpose(1, 2) @ flat).softmax(-1)).reshape(x.shape)


class Excited(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        return x * self.scale(F.adaptive_avg_pool2d(x, 1)).sigmoid()


class Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.ones(8, 32, 48))

    def forward(self, x):
        return x + self.places


REFUSED = {
    "MatMul": Attention(),
    "Conv .* looks at the whole picture": Excited(),
    "Add .* constant of shape": Positions(),
    "Resize .* by the size of the picture": Calling(
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)[..., ::2, ::2]
    ),
    "Resize": Calling(lambda x: F.interpolate(F.interpolate(x, size=(64, 64)), size=x.shape[2:])),
    "Flip|Slice .* over": Calling(lambda x: x.flip(2)),
    "ReduceMax": Calling(lambda x: x / x.amax((2, 3), keepdim=True)),
}


@pytest.mark.parametrize("operator", REFUSED)
def test_what_looks_at_the_whole_picture_is_named_and_goes_in_one_pass(tmp_path, operator):
    translator = exported(tmp_path, Noise(REFUSED[operator]), {"dynamo": False, "opset_version": 17})
    with pytest.raises(
        IncompatibleWeights, match=rf"cannot be computed in tiles: .*({operator}).*--tiling whole.*--size"
    ):
        read_tiled(read_network(tmp_path / "model.onnx"))
    if operator != "Add .* constant of shape":
        assert translator(noise(32, 48), size="keep").shape == (32, 48, 3)
    with pytest.raises(IncompatibleWeights, match=operator):
        translator(noise(32, 48), size="keep", tiling="exact")


def test_a_result_of_another_size_is_refused_in_tiles_too(tmp_path):
    translator = exported(tmp_path, nn.Sequential(nn.Conv2d(3, 3, 3, 2, 1)), OLD)
    for tiling in ("whole", "exact", "fast"):
        with pytest.raises(WeightsError, match=r"\(1, 3, 32, 48\) into \(1, 3, 16, 24\)"):
            translator(noise(32, 48), size="keep", tiling=tiling)


def test_a_graph_that_would_fill_the_memory_is_not_followed():
    large = np.array([2**20, 2**20])
    for kind, inputs in {
        "ConstantOfShape": [large],
        "Expand": [np.zeros((1, 1), np.float32), large],
        "Range": [np.array(0), np.array(2**40), np.array(1)],
        "Add": [np.zeros((2**14, 1)), np.zeros((1, 2**14))],
        "Tile": [np.zeros(1), np.array([2**40])],
    }.items():
        assert folded(helper.make_node(kind, [str(n) for n in range(len(inputs))], ["y"]), inputs, 18) is None


def test_normalisations_are_read_as_one_operation_with_what_follows(tmp_path):
    """Whether they are nodes or written out, and whether scale and shift are theirs or nodes of their own."""
    for how in (OLD, NEW):
        exported(tmp_path, group_norm_network(), how)
        program = read_tiled(read_network(tmp_path / "model.onnx")).program
        norms = [op for op in program if isinstance(op, Norm)]
        assert [norm.groups for norm in norms] == [2, 4, 1, 8]
        assert all(norm.gain and norm.offset for norm in norms)
        assert {op.kind for op in program if isinstance(op, Operation)} == {"Conv", "Sigmoid", "Mul", "Resize", "Tanh"}


@pytest.mark.parametrize("mirrors", [True, False])
@pytest.mark.parametrize("axis", [Axis(1, 1, 1, 3, 4), Axis(2, 2, 1, 1, 1), Axis(3, 3, 2, 4, 0), Axis(1, 2, 1, -3, -1)])
def test_every_place_of_a_window_is_computed_from_what_is_needed(axis, mirrors):
    size = 11
    padded = np.pad(np.arange(size), (max(axis.before, 0), max(axis.after, 0)), mode="reflect" if mirrors else "edge")
    padded = padded[max(-axis.before, 0) : len(padded) - max(-axis.after, 0)]
    op = Operation((0,), 1, "Pad", (0,), reach="window", rows=axis, mirrors=mirrors)

    def windows(values):
        count = (len(values) - axis.width) // axis.stride + 1
        return [values[n * axis.stride :][: axis.width : axis.dilation].tolist() for n in range(count)]

    whole = windows(padded)
    for start in range(len(whole)):
        for stop in range(start + 1, len(whole) + 1):
            part = needed(op, axis, Span(start, stop), size)
            tile = np.pad(np.arange(*part.span), part.padding, mode="reflect" if mirrors else "edge")
            found = windows(tile)
            assert found[part.surplus[0] : len(found) - part.surplus[1]] == whole[start:stop]


def test_torch_streams_a_network_with_groups(monkeypatch):
    network, own = randomised(group_norm_network()), card(ResnetConfig(base_channels=4, n_blocks=1))
    assert_tiles_are_exact(Translator(own, TorchBackend(network, own, "cpu")), monkeypatch, 45, 67)
