"""ONNX export: the file computes what the network computes, alone, and nothing else is ever written."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import zorse
from tiny_export import card, noise, photos, session, trained
from zorse.backends.torch.backend import TorchBackend
from zorse.errors import ConfigError, ExportError
from zorse.imaging.tensor import to_pixels
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.model.card import CARD_KEY, ModelCard
from zorse.model.model_file import CORE_INPUT, CORE_OUTPUT, IO_KEY
from zorse.model.parity import LICENCE_KEY, PARITY_KEY, SHA256_KEY, VERSION_KEY, ParityReport, read_parity
from zorse.networks.build import build_generator
from zorse.runtime.translator import Translator
from zorse_export import TOLERANCE, ExportReport, GraphInput, GraphOutput, at_test, export_onnx, trace
from zorse_export import export as exporting
from zorse_export.cases import sizes
from zorse_export.graph import check
from zorse_export.parity import rounded_up
from zorse_export.pixels import with_pixels

ROOT = Path(__file__).resolve().parent.parent

COMPACT = CompactConfig(base_channels=8, n_blocks=1, finish_channels=4)
UNET = UnetConfig(base_channels=4, depth=4)
DROPPING = UnetConfig(base_channels=2, depth=6)

FILES = {
    "compact": (COMPACT, {}, "uint8"),
    "resnet": (ResnetConfig(base_channels=4, n_blocks=1), {}, "float"),
    "unet": (UNET, {"norm_at_test": "running", "licence": "CC0-1.0"}, "uint8"),
}

ANY_SIZES = [(1, 1, 1), (1, 3, 500), (2, 500, 3), (3, 17, 33), (1, 16, 16), (1, 40, 15), (1, 31, 8), (2, 64, 129)]


@dataclass(frozen=True)
class Exported:
    """A network, its card, and what the export made of them."""

    network: nn.Module
    card: ModelCard
    file: Path
    report: ExportReport

    @property
    def model(self) -> onnx.ModelProto:
        return onnx.load(self.file)

    def by_torch(self) -> Translator:
        return Translator(self.card, TorchBackend(self.network, self.card, "cpu"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """Exports each case when it is first asked for, once: tracing takes seconds."""
    done: dict[str, Exported] = {}

    def exported(case: str) -> Exported:
        if case not in done:
            torch.manual_seed(0)
            architecture, changes, io = FILES[case]
            network, model_card = trained(architecture), card(architecture, **changes)
            file = tmp_path_factory.mktemp("export") / "tiny.onnx"
            done[case] = Exported(network, model_card, file, export_onnx(network, model_card, file, io=io))
        return done[case]

    return exported


class Convolution(nn.Module):
    """The smallest network that can be exported, for what has nothing to do with networks."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)
        self.tanh = nn.Tanh()

    def forward(self, image):
        return self.tanh(self.layer(image))


class OtherAtTheEnd(Convolution):
    """Computes something else while it is traced."""

    def forward(self, image):
        return super().forward(image) + (2e-4 if torch.compiler.is_exporting() else 0)


class OtherConvolution(nn.Conv2d):
    def forward(self, image):
        return super().forward(image) * (1.01 if torch.compiler.is_exporting() else 1)


class OtherLayer(Convolution):
    """Likewise, in its second layer; the first is its own."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1)
        self.layer = OtherConvolution(3, 3, 3, padding=1)

    def forward(self, image):
        return super().forward(self.first(image))


def core_of(nodes, tensors):
    source, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, "height", "width"])
        for name in (CORE_INPUT, CORE_OUTPUT)
    )
    initializers = [numpy_helper.from_array(np.asarray(values), name) for name, values in tensors.items()]
    graph = helper.make_graph(nodes, "core", [source], [result], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


# Pixels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["compact", "unet"])
@pytest.mark.parametrize("shape", ANY_SIZES)
def test_onnx_runtime_alone_gives_the_pixels_of_our_runtime(export, case, shape):
    exported = export(case)
    pictures = noise(*shape, 3)
    (alone,) = session(exported.file).run(None, {"image": pictures})
    assert (alone.shape, alone.dtype) == (pictures.shape, np.uint8)
    for translator in (zorse.load(exported.file, "cpu"), exported.by_torch()):
        ours = np.stack([translator(picture, size="keep") for picture in pictures])
        assert np.abs(ours.astype(int) - alone).max() <= 1
    assert alone.std() > 5


def test_every_level_comes_back_from_a_core_that_changes_nothing():
    model = with_pixels(core_of([helper.make_node("Identity", [CORE_INPUT], [CORE_OUTPUT])], {}), card(UNET))
    check(model)
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    for pictures in (every, every[:, :1, :7], every[:, :13, :5]):
        (result,) = session(model.SerializeToString()).run(None, {"image": pictures})
        assert np.array_equal(result, pictures)


def test_values_become_levels_as_in_our_runtime():
    """All halves between two levels, and what is out of range."""
    values = np.linspace(-1.5, 1.5, 3 * 32 * 32, dtype=np.float32)
    values[:255] = (np.arange(255, dtype=np.float32) + 0.5) / np.float32(127.5) - 1
    values = values.reshape(1, 3, 32, 32)
    core = core_of(
        [
            helper.make_node("Mul", [CORE_INPUT, "zero"], ["zeros"]),
            helper.make_node("Add", ["zeros", "v"], [CORE_OUTPUT]),
        ],
        {"zero": np.float32(0), "v": values},
    )
    (found,) = session(with_pixels(core, card(COMPACT)).SerializeToString()).run(None, {"image": noise(1, 32, 32, 3)})
    assert np.array_equal(found[0], to_pixels(values))


def test_a_float_file_computes_what_the_network_computes(export):
    exported = export("resnet")
    seen = np.random.default_rng(1).uniform(-1, 1, (3, 3, 8, 64)).astype(np.float32)
    (found,) = session(exported.file).run(["translation"], {"image": seen})
    expected = TorchBackend(exported.network, exported.card, "cpu")(seen)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert expected.std() > 0.05


def test_line_drawings_are_as_exact_as_noise(export):
    """With InstanceNormalization nodes the difference would be 5e-4, see `operators.group_norm`."""
    exported = export("resnet")
    seen = np.ones((1, 3, 256, 256), np.float32)
    seen[:, :, 64, 32:] = seen[:, :, 32:, 85] = -1
    with torch.no_grad():
        exact = trained(exported.card.architecture)
        exact.load_state_dict(exported.network.state_dict())
        expected = exact.eval().double()(torch.from_numpy(seen).double()).numpy()
    (found,) = session(exported.file).run(["translation"], {"image": seen})
    assert np.abs(found - expected).max() < 5e-5


def test_the_file_runs_without_torch(export):
    program = (
        "import sys, zorse, numpy; picture = numpy.zeros((20, 30, 3), numpy.uint8); "
        "assert zorse.load(sys.argv[1])(picture).shape == (20, 30, 3); "
        "assert not {'torch', 'onnx', 'safetensors'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", program, str(export("compact").file)]
    subprocess.run(command, check=True, cwd=ROOT / "translate", timeout=60)


# What the file says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", FILES)
def test_the_file_describes_itself(export, case):
    exported = export(case)
    model, is_uint8 = exported.model, FILES[case][2] == "uint8"
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version == 8
    assert {node.domain for node in model.graph.node} == {""}
    for values, name in ((model.graph.input, "image"), (model.graph.output, "translation")):
        (value,) = values
        assert value.name == name
        assert value.type.tensor_type.elem_type == (TensorProto.UINT8 if is_uint8 else TensorProto.FLOAT)
        dimensions = [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        assert dimensions == (["batch", "height", "width", 3] if is_uint8 else ["batch", 3, "height", "width"])
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(model, strict_mode=True), full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    # Tracing knows the paths of source files; they are nobody's business.
    assert str(ROOT).encode() not in exported.file.read_bytes()
    assert b"site-packages" not in exported.file.read_bytes()


def test_metadata(export):
    exported = export("unet")
    stored = {entry.key: entry.value for entry in exported.model.metadata_props}
    written = exported.report.card
    assert ModelCard.model_validate_json(stored[CARD_KEY]) == written
    assert stored[IO_KEY] == "uint8"
    assert stored[LICENCE_KEY] == "CC0-1.0"
    assert stored[SHA256_KEY] == written.weights_sha256
    assert re.fullmatch("[0-9a-f]{64}", written.weights_sha256)
    assert stored[VERSION_KEY] == zorse.__version__
    assert ParityReport.model_validate_json(stored[PARITY_KEY]) == exported.report.parity


def test_a_parity_report_that_was_changed():
    assert read_parity({}, "a.onnx") is None
    with pytest.raises(zorse.errors.WeightsError, match=r"in a\.onnx cannot be understood"):
        read_parity({PARITY_KEY: json.dumps({"precision": "fp31"})}, "a.onnx")


@pytest.mark.parametrize("case", FILES)
def test_the_report_covers_sizes_that_break_programs(export, case):
    exported = export(case)
    parity, native = exported.report.parity, exported.card.native_size
    compared = {(each.batch, each.height, each.width) for each in parity.compared}
    assert len(compared) >= 6
    assert (1, native, native) in compared
    assert (1, 1, 1) in compared
    assert any(batch == 3 for batch, _, _ in compared)
    assert any(height % 2 and width % 2 and min(height, width) > 8 for _, height, width in compared)
    assert any(width == 4 * height for _, height, width in compared)
    assert any(max(height, width) < 8 for _, height, width in compared)
    assert {each.pictures for each in parity.compared} == {"drawn", "noise"}
    checks = exported.report.checks
    assert all(0 <= each.difference <= TOLERANCE and each.levels <= 1 for each in checks)
    assert max(each.difference for each in checks) <= parity.difference <= TOLERANCE
    assert parity.psnr is None
    assert exported.report.size == exported.file.stat().st_size


@pytest.mark.parametrize("norm", ["instance_affine", "batch"])
@pytest.mark.parametrize("make", [trained, build_generator])
def test_deep_networks_that_amplify_rounding_are_exported(norm, make, tmp_path):
    torch.manual_seed(0)
    config = ResnetConfig(base_channels=4, n_blocks=9, norm=norm)
    report = export_onnx(make(config), card(config, native_size=32), tmp_path / "deep.onnx")
    assert all(each.difference <= TOLERANCE for each in report.checks)
    assert any((each.compared.height, each.compared.width) == (32, 32) for each in report.checks)


def test_pictures_of_one_pixel_judge_where_they_can(tmp_path):
    class OtherForOnePixel(Convolution):
        """Computes something else of constant pictures while it is traced."""

        def forward(self, image):
            constant = ((image - image.mean((2, 3), keepdim=True)).abs().mean() < 1e-5).float()
            return super().forward(image) + (2e-4 * constant if torch.compiler.is_exporting() else 0)

    with pytest.raises(ExportError, match="at 1x1 pixels"):
        export_onnx(OtherForOnePixel(), card(COMPACT), tmp_path / "model.onnx")


@pytest.mark.parametrize(("difference", "stated"), [(0, 1e-5), (9e-7, 1e-5), (1.1e-6, 1e-5), (1.1e-5, 1e-4)])
def test_rounding_errors_do_not_change_the_file(difference, stated):
    """They vary with the number of threads; what the file says of them does not."""
    assert rounded_up(difference) == stated


def test_real_pictures_take_part(tmp_path):
    files = photos(tmp_path / "photos", 5)
    report = export_onnx(Convolution(), card(COMPACT), tmp_path / "m.onnx", pictures=files)
    shown = [each for each in report.parity.compared if each.pictures == "real"]
    assert [(each.batch, each.height, each.width) for each in shown] == [
        size for size in sizes(report.card) if min(size[1:]) >= 16
    ]


# Graphs ------------------------------------------------------------------------------------------------------------


def test_the_compact_generator_becomes_the_fast_nodes(export):
    used = {node.op_type for node in core_nodes(export("compact").model)}
    assert {"SpaceToDepth", "DepthToSpace", "AveragePool", "Log"} <= used
    assert not {"Transpose", "Atanh", "InstanceNormalization", "Shape", "Constant", "Identity"} & used


def test_running_statistics_and_biases_become_part_of_the_convolutions(export):
    nodes = core_nodes(export("unet").model)
    assert not {"BatchNormalization", "ReduceMean", "Sqrt", "Add", "Mul"} & {node.op_type for node in nodes}
    without_bias = [node for node in nodes if node.op_type in ("Conv", "ConvTranspose") and len(node.input) == 2]
    as_published = ["downs.0.layers.0.weight", "downs.3.layers.1.weight"]  # neither norm nor bias
    assert [node.input[1] for node in without_bias] == as_published


def core_nodes(model):
    names = [node.output[0] for node in model.graph.node]
    return model.graph.node[names.index(CORE_INPUT) + 1 : names.index(CORE_OUTPUT) + 1]


def test_other_inputs_than_pictures():
    """Generators of samples take a latent vector and perhaps a label."""

    class Sampler(nn.Module):
        def __init__(self):
            super().__init__()
            self.names, self.layer = nn.Embedding(10, 4), nn.Linear(12, 16)

        def forward(self, latent, label):
            return torch.tanh(self.layer(torch.cat([latent, self.names(label)], dim=1))).view(-1, 1, 4, 4)

    sampler = Sampler().eval()
    inputs = [
        GraphInput("latent", torch.zeros(3, 8), {0: "batch"}),
        GraphInput("label", torch.zeros(3, dtype=torch.int64), {0: "batch"}),
    ]
    traced = trace(sampler, inputs, GraphOutput("picture", {0: "batch"}), "sampler")
    check(traced.model)
    latent, label = torch.randn(5, 8), torch.arange(5)
    (found,) = session(traced.model.SerializeToString()).run(None, {"latent": latent.numpy(), "label": label.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, sampler(latent, label).numpy(), atol=1e-6)
    assert set(traced.layers) >= {"", "names", "layer"}


def test_the_same_network_gives_the_same_bytes_in_every_process(tmp_path):
    program = (
        "import sys, pathlib, torch; sys.path[:0] = sys.argv[2:]; torch.set_num_threads(1); torch.manual_seed(0)\n"
        "from tiny_export import card, trained\n"
        "from zorse.model.architecture import ResnetConfig\n"
        "from zorse_export import export_onnx\n"
        "config = ResnetConfig(base_channels=2, n_blocks=0, norm='instance_affine', downsampling='blur')\n"
        "export_onnx(trained(config), card(config, native_size=16), pathlib.Path(sys.argv[1]), 'fp16')\n"
    )
    paths = [str(ROOT / folder) for folder in ("translate", "export", "tests")]
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "a.onnx"), *paths]
    subprocess.run(command, check=True, timeout=120, env=os.environ | {"PYTHONHASHSEED": "7"})
    torch.manual_seed(0)
    config = ResnetConfig(base_channels=2, n_blocks=0, norm="instance_affine", downsampling="blur")
    export_onnx(trained(config), card(config, native_size=16), tmp_path / "b.onnx", "fp16")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


# Choices -----------------------------------------------------------------------------------------------------------


def test_how_the_network_works_at_test_time_is_chosen_and_recorded():
    network, as_in_the_paper = build_generator(DROPPING), card(DROPPING, dropout_at_test=True, notes="As in the paper.")
    without = at_test(network, as_in_the_paper)
    assert not without.dropout_at_test
    assert without.norm_at_test == "picture"
    assert without.notes.startswith("As in the paper. Exported without the dropout")
    active = at_test(network, card(DROPPING), norm="running", dropout=True)
    assert active.dropout_at_test
    assert active.norm_at_test == "running"
    assert "one fixed pattern" in active.notes
    assert at_test(network, card(DROPPING)).model_dump() == card(DROPPING).model_dump()


def test_choices_that_a_network_does_not_have():
    with pytest.raises(ConfigError, match="no BatchNorm"):
        at_test(build_generator(COMPACT), card(COMPACT), norm="running")
    with pytest.raises(ConfigError, match="no dropout"):
        at_test(build_generator(COMPACT), card(COMPACT), dropout=True)


# What is refused ---------------------------------------------------------------------------------------------------


def test_a_file_that_computes_something_else_is_not_written(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"the old one")
    with pytest.raises(
        ExportError,
        match=r"at 48x48 pixels \(batch of 1, drawn pictures\) they differ by 0\.0002, more than the 0\.0001 allowed\. "
        r"The first to differ is the network's end",
    ):
        export_onnx(OtherAtTheEnd(), card(COMPACT), file)
    assert file.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [file]


def test_the_first_layer_that_differs_is_named(tmp_path):
    with pytest.raises(ExportError, match=r"The first to differ is the layer 'layer' \(OtherConvolution\): by 0\.0"):
        export_onnx(OtherLayer(), card(COMPACT), tmp_path / "model.onnx", io="float")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_no_numbers(tmp_path):
    network = Convolution()
    network.layer.bias.data[0] = float("nan")
    with pytest.raises(ExportError, match=r"differ by nan, more than .* the layer 'layer' \(Conv2d\)"):
        export_onnx(network, card(COMPACT), tmp_path / "model.onnx")


def test_a_network_that_onnx_cannot_express(tmp_path):
    class Undecided(Convolution):
        def forward(self, image):
            return self.layer(image) if image.mean() > 0 else image

    with pytest.raises(ExportError, match="PyTorch cannot express 'tiny' as an ONNX graph: "):
        export_onnx(Undecided(), card(COMPACT), tmp_path / "model.onnx")


def test_other_pixels_than_those_of_the_network(tmp_path, monkeypatch):
    def shifted(core, model_card):
        model = with_pixels(core, model_card)
        (half,) = [tensor for tensor in model.graph.initializer if tensor.name == "pixels.half_range"]
        half.CopyFrom(numpy_helper.from_array(np.float32(120), half.name))
        return model

    monkeypatch.setattr(exporting, "with_pixels", shifted)
    with pytest.raises(ExportError, match=r"differ by \d+ of 255 levels from what its own network gives\. No layer"):
        export_onnx(Convolution(), card(COMPACT), tmp_path / "model.onnx")


def test_operators_beyond_onnx_are_refused(export):
    model = export("compact").model
    model.graph.node.append(helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft"))
    with pytest.raises(ExportError, match=r"beyond ONNX: com\.microsoft\.FusedConv"):
        check(model)
