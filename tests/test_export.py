"""ONNX export: the file computes what the network computes, alone, and nothing else is ever written."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import zorse
from zorse.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.card import CARD_KEY, ModelCard
from zorse.errors import ExportError
from zorse.inference import TorchBackend
from zorse.networks.build import build_generator
from zorse.runtime.translator import Translator
from zorse_export import TOLERANCE, ParityReport, export_onnx
from zorse_export.graph import store_as_half
from zorse_export.parity import compare

ROOT = Path(__file__).resolve().parent.parent

CASES = {
    "compact": (CompactConfig(base_channels=8, n_blocks=1, finish_channels=4), {}),
    "resnet": (ResnetConfig(base_channels=4, n_blocks=1), {}),
    "resnet resize batch": (
        ResnetConfig(base_channels=4, n_blocks=0, upsampling="resize", norm="batch"),
        {"norm_at_test": "running"},
    ),
    "unet batch": (UnetConfig(base_channels=4, depth=4), {"dropout_at_test": True, "notes": "As in the paper."}),
    "unet instance": (UnetConfig(base_channels=4, depth=3, norm="instance"), {}),
}


@dataclass(frozen=True)
class Exported:
    """A network, its card, and what the export made of them."""

    network: nn.Module
    card: ModelCard
    file: Path
    report: ParityReport

    @property
    def model(self) -> onnx.ModelProto:
        return onnx.load(self.file)


def card(architecture, **changes):
    settings = {"name": "tiny", "task": "dark to light", "domain_a": "dark", "domain_b": "light", "native_size": 48}
    return ModelCard.model_validate(settings | {"architecture": architecture} | changes)


def trained(architecture):
    """A generator with strong weights, biases and running averages, none of them at its initial value."""
    network = build_generator(architecture)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point():
            tensor.normal_(0, 0.2 if tensor.ndim == 1 else tensor[0].numel() ** -0.5)
    return network


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
            architecture, changes = CASES[case]
            network, model_card = trained(architecture), card(architecture, **changes)
            file = tmp_path_factory.mktemp("export") / "tiny.onnx"
            done[case] = Exported(network, model_card, file, export_onnx(network, model_card, file))
        return done[case]

    return exported


class Convolution(nn.Module):
    """The smallest network that can be exported, for what has nothing to do with networks."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image):
        return self.layer(image)


class OtherInExport(Convolution):
    """Computes something else while it is traced."""

    def forward(self, image):
        return self.layer(image) + (2e-4 if torch.compiler.is_exporting() else 0)


def pictures(*shape):
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def line_drawing(height, width):
    picture = np.ones((1, 3, height, width), np.float32)
    picture[:, :, height // 4, width // 8 :] = -1
    picture[:, :, height // 8 :, width // 3] = -1
    return picture


@pytest.mark.parametrize("case", CASES)
def test_onnx_runtime_computes_what_the_network_computes(export, case):
    exported = export(case)
    multiple = exported.card.size_multiple
    seen = pictures(3, 3, 2 * multiple, 16 * multiple)  # none of the sizes that the export itself tried
    without_dropout = exported.card.model_copy(update={"dropout_at_test": False})
    expected = TorchBackend(exported.network, without_dropout, "cpu")(seen)
    session = onnxruntime.InferenceSession(exported.file, providers=["CPUExecutionProvider"])
    (found,) = session.run(["translation"], {"image": seen})
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert expected.std() > 0.05


@pytest.mark.parametrize("case", CASES)
def test_the_report_covers_three_sizes(export, case):
    exported = export(case)
    checks = exported.report.checks
    sizes = [(check.height, check.width) for check in checks]
    native, multiple = exported.card.native_size, exported.card.size_multiple
    assert len(set(sizes)) == 3
    assert any(height == width for height, width in sizes)
    assert any(height != width for height, width in sizes)
    assert any(height < native for height, _ in sizes)
    assert max(check.batch for check in checks) == 2
    assert all(side % multiple == 0 for size in sizes for side in size)
    assert all(0 <= check.pictures <= TOLERANCE and 0 <= check.noise <= TOLERANCE for check in checks)
    assert exported.report.size == exported.file.stat().st_size


@pytest.mark.parametrize("case", CASES)
def test_the_file_describes_itself(export, case):
    exported = export(case)
    model = exported.model
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    for values, name in ((model.graph.input, "image"), (model.graph.output, "translation")):
        (value,) = values
        assert value.name == name
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        dimensions = [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        assert dimensions == ["batch", 3, "height", "width"]
    stored = {entry.key: entry.value for entry in model.metadata_props}
    assert ModelCard.model_validate_json(stored[CARD_KEY]) == exported.report.card
    assert re.fullmatch("[0-9a-f]{64}", exported.report.card.weights_sha256)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    # Tracing knows the paths of source files; they are nobody's business.
    assert str(ROOT).encode() not in exported.file.read_bytes()
    assert b"site-packages" not in exported.file.read_bytes()


def test_dropout_is_off_in_the_file_and_its_card_says_so(export):
    exported = export("unet batch")
    assert exported.card.dropout_at_test
    assert not exported.report.card.dropout_at_test
    assert exported.report.card.notes.startswith("As in the paper. Exported without the dropout")


def test_the_network_is_left_as_it_was(export):
    exported = export("unet batch")
    assert exported.network.training
    assert sum(isinstance(module, nn.BatchNorm2d) for module in exported.network.modules()) > 0


def test_the_compact_generator_becomes_the_fast_nodes(export):
    used = {node.op_type for node in export("compact").model.graph.node}
    assert {"SpaceToDepth", "DepthToSpace", "AveragePool", "Log"} <= used
    assert not {"Transpose", "Atanh", "InstanceNormalization", "Shape"} & used


def test_running_statistics_become_part_of_the_convolutions(export):
    used = {node.op_type for node in export("resnet resize batch").model.graph.node}
    assert not {"BatchNormalization", "ReduceMean", "Sqrt"} & used


def test_line_drawings_are_as_exact_as_noise(export):
    """With InstanceNormalization nodes the difference would be 5e-4: see `zorse_export.operators.group_norm`."""
    exported = export("resnet")
    seen = line_drawing(256, 256)
    with torch.no_grad():
        exact = trained(exported.card.architecture)
        exact.load_state_dict(exported.network.state_dict())
        expected = exact.eval().double()(torch.from_numpy(seen).double()).numpy()
    session = onnxruntime.InferenceSession(exported.file, providers=["CPUExecutionProvider"])
    (found,) = session.run(["translation"], {"image": seen})
    assert np.abs(found - expected).max() < 5e-5


def test_the_translator_gives_the_same_picture_with_both_backends(export):
    exported = export("resnet")
    picture = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    with_onnx = zorse.load(exported.file)(picture).astype(int)
    with_torch = Translator(exported.card, TorchBackend(exported.network, exported.card, "cpu"))(picture)
    assert np.abs(with_onnx - with_torch).max() <= 1


def test_the_file_runs_without_torch(export):
    program = (
        "import sys, zorse, numpy; picture = numpy.zeros((20, 30, 3), numpy.uint8); "
        "assert zorse.load(sys.argv[1])(picture).shape == (20, 30, 3); "
        "assert not {'torch', 'onnx', 'safetensors'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", program, str(export("compact").file)]
    subprocess.run(command, check=True, cwd=ROOT / "translate", timeout=60)


def test_fp16_halves_the_file_and_computes_in_32_bits(tmp_path):
    architecture = UnetConfig(base_channels=16, depth=3, norm="none")
    network = trained(architecture)
    report = export_onnx(network, card(architecture), tmp_path / "half.onnx", "fp16")
    parameters = list(network.parameters())
    in_32_bits = 4 * sum(parameter.numel() for parameter in parameters)
    assert report.size < 0.55 * in_32_bits
    assert all(0 < check.pictures_from_fp32 < 0.05 for check in report.checks)
    assert all(check.pictures <= TOLERANCE for check in report.checks)
    seen = pictures(1, 3, 32, 48)
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(parameter.half())
    found = zorse.load(tmp_path / "half.onnx", "cpu").backend(seen)
    np.testing.assert_allclose(found, TorchBackend(network, card(architecture), "cpu")(seen), atol=TOLERANCE)


def test_only_what_16_bits_hold_exactly_is_stored_in_16_bits():
    values = {"exact": np.float32([0.5, 0.25]), "rounded": np.float32([0.1, 0.2]), "scalar": np.float32(0.5)}
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    nodes = [onnx.helper.make_node("Sum", list(values), ["y"])]
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "sum", [], [output], tensors), ir_version=8)
    store_as_half(model)
    onnx.checker.check_model(model, full_check=True)
    assert {tensor.name: tensor.data_type for tensor in model.graph.initializer} == {
        "exact.fp16": onnx.TensorProto.FLOAT16,
        "rounded": onnx.TensorProto.FLOAT,
        "scalar": onnx.TensorProto.FLOAT,
    }


def test_weights_beyond_16_bits_are_refused_for_fp16(tmp_path):
    network = Convolution()
    network.layer.weight.data[0] = 1e6
    with pytest.raises(ExportError, match=r"layer\.weight reach 1e\+06.*--precision fp32"):
        export_onnx(network, card(CompactConfig()), tmp_path / "half.onnx", "fp16")


def test_the_same_network_gives_the_same_bytes(export, tmp_path):
    exported = export("unet instance")
    report = export_onnx(exported.network, exported.card, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == exported.file.read_bytes()
    assert report.sha256 == exported.report.sha256


def test_a_file_that_computes_something_else_is_not_written(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"the old one")
    with pytest.raises(
        ExportError, match=r"at 48x48 pixels \(batch of 1, pictures\) they differ by 0\.0002, more than"
    ):
        export_onnx(OtherInExport(), card(CompactConfig()), file)
    assert file.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("change", "difference"), [(1e-3, r"0\.00\d+"), (float("nan"), "nan")])
def test_other_weights_are_noticed(export, change, difference):
    exported = export("compact")
    network = build_generator(exported.card.architecture)
    network.load_state_dict(exported.network.state_dict())
    content = exported.file.read_bytes()
    compare(content, network.eval(), network, exported.card)
    with torch.no_grad():
        list(network.parameters())[-1][0] += change
    with pytest.raises(ExportError, match=rf"at 48x48 pixels .* differ by {difference}, more than the 0\.0001 allowed"):
        compare(content, network, network, exported.card)


def test_a_network_that_onnx_cannot_express(tmp_path):
    class Undecided(Convolution):
        def forward(self, image):
            return self.layer(image) if image.mean() > 0 else image

    with pytest.raises(ExportError, match="PyTorch cannot express 'tiny' as an ONNX graph: "):
        export_onnx(Undecided(), card(CompactConfig()), tmp_path / "model.onnx")
