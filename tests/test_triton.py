"""`zorse export --triton`: the repository is as Triton's published schema wants it."""

import importlib.util
import sys
from pathlib import Path

import onnx
import pytest

import tiny_app_model
import tiny_onnx
from zorse.errors import ExportError, WeightsError
from zorse.model.architecture import CompactConfig
from zorse_export.triton import MAX_BATCH, write_repository


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_app_model.write(tmp_path_factory.mktemp("model") / "night.onnx")


@pytest.fixture(scope="session")
def schema():
    """Triton's model_config.proto as Python; the package around it would need more packages to be imported."""
    package = importlib.util.find_spec("tritonclient")
    if package is None:
        pytest.skip("tritonclient, which holds Triton's schema, is not installed")
    file = Path(package.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["model_config_pb2"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def parse(schema):
    text_format = pytest.importorskip("google.protobuf.text_format")
    return lambda file: text_format.Parse(file.read_text(encoding="utf-8"), schema.ModelConfig())


def test_the_configuration_describes_the_file(parse, schema, model, tmp_path):
    file = write_repository(model, tmp_path / "repository")
    assert file == tmp_path / "repository" / "night" / "1" / "model.onnx"
    assert file.read_bytes() == model.read_bytes()
    config = parse(tmp_path / "repository" / "night" / "config.pbtxt")
    assert (config.name, config.backend, config.max_batch_size) == ("night", "onnxruntime", MAX_BATCH)
    assert config.HasField("dynamic_batching")
    graph = onnx.load(file).graph
    for values, described in ((graph.input, config.input), (graph.output, config.output)):
        assert [(value.name, value.data_type, list(value.dims)) for value in described] == [
            (value.name, schema.TYPE_UINT8, [-1, -1, 3]) for value in values
        ]
    (warm_up,) = config.model_warmup
    assert list(warm_up.inputs["image"].dims) == [48, 48, 3]
    assert config.parameters["task"].string_value == 'day to "night"'
    assert config.parameters["native_size"].string_value == "48"


def test_float_models_and_strange_names(parse, schema, tmp_path):
    card = tiny_onnx.card(
        name="a b/ü", task="zwei\nZeilen \\ ü", licence="CC-BY 4.0", architecture=CompactConfig(), native_size=286
    )
    file = write_repository(tiny_onnx.write(tmp_path / "float.onnx", model_card=card), tmp_path)
    config = parse(file.parents[1] / "config.pbtxt")
    assert config.name == file.parents[1].name
    assert "/" not in config.name
    assert config.parameters["task"].string_value == card.task
    assert [(value.data_type, list(value.dims)) for value in config.input] == [(schema.TYPE_FP32, [3, -1, -1])]
    (size,) = {tuple(tensor.dims) for tensor in config.model_warmup[0].inputs.values()}
    assert size == (3, 288, 288), "float values come in multiples of the network's strides"


@pytest.mark.parametrize(("name", "plain"), [("..", "model"), ("../other", "_other"), (".hidden", "hidden")])
def test_no_name_leads_out_of_the_repository(tmp_path, name, plain):
    file = tiny_onnx.write(tmp_path / "model.onnx", model_card=tiny_onnx.card(name=name))
    repository = tmp_path / "shared" / "repository"
    assert write_repository(file, repository) == repository / plain / "1" / "model.onnx"
    assert [folder.name for folder in (tmp_path / "shared").iterdir()] == ["repository"]


def test_models_share_a_repository_and_a_new_file_is_a_new_version(model, tmp_path):
    first = write_repository(model, tmp_path)
    assert write_repository(model, tmp_path) == first
    newer = onnx.load(model)
    newer.doc_string = "trained longer"
    onnx.save(newer, tmp_path / "newer.onnx")
    assert write_repository(tmp_path / "newer.onnx", tmp_path) == tmp_path / "night" / "2" / "model.onnx"
    assert first.read_bytes() == model.read_bytes()
    other = tiny_onnx.write_uint8(tmp_path / "other.onnx")
    assert write_repository(other, tmp_path) == tmp_path / "tiny" / "1" / "model.onnx"


def test_a_configuration_that_its_user_changed_stays(model, tmp_path):
    config = write_repository(model, tmp_path).parents[1] / "config.pbtxt"
    config.write_text(config.read_text() + "instance_group { count: 2 kind: KIND_GPU }\n")
    changed = config.read_text()
    with pytest.raises(ExportError, match="was changed"):
        write_repository(model, tmp_path)
    assert config.read_text() == changed


def test_what_cannot_be_served(model, tmp_path):
    with pytest.raises(WeightsError, match="no Zorse model card"):
        write_repository(tiny_onnx.write(tmp_path / "bare.onnx", with_card=False), tmp_path)
    with pytest.raises(WeightsError, match="no model file"):
        write_repository(tmp_path / "nothing.onnx", tmp_path)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ExportError, match="could not be written"):
        write_repository(model, tmp_path / "file")
