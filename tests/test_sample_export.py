"""Generators of samples as ONNX files: what they take, that they compute the same, and who reads them back."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from zorse.errors import ConfigError, UnknownModel, WeightsError
from zorse.gans.architecture import DCGANGeneratorConfig, LatentConfig, MLPGeneratorConfig
from zorse.gans.card import SampleCard
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.growing import set_level
from zorse.gans.onnx_model import SampleModel, draws_samples
from zorse.gans.safetensors_file import load_sample_generator, save_sample_generator
from zorse.gans.sampling.sampler import Sampler
from zorse.model import registry
from zorse_export.samples import export_samples

LABELLED = LatentConfig(noise=5, classes=3, categories=(2,), continuous=1)


def saved(path, architecture, **more):
    network = build_sample_generator(architecture)
    card = SampleCard(name="small", method="cdcgan", shows="nothing", architecture=architecture, **more)
    save_sample_generator(path, network, card)
    return path


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A generator with noise, labels and codes, and its ONNX file."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("labelled")
    config = DCGANGeneratorConfig(latent=LABELLED, channels=1, size=8, base_channels=4)
    file = saved(folder / "G.safetensors", config, class_names=("a", "b", "c"))
    return file, export_samples(*load_sample_generator(file), folder / "small.onnx")


def test_ten_lines_without_zorse_draw_samples(labelled):
    _, report = labelled
    session = onnxruntime.InferenceSession(str(report.file), providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["zorse.sample_card"])
    noise = np.random.default_rng(0).standard_normal((4, 5), dtype=np.float32)
    code = np.array([[1, 0, 0.5]] * 4, np.float32)
    latent = np.concatenate([noise, code], axis=1)
    label = np.array([card["class_names"].index("c")] * 4)
    (sample,) = session.run(["sample"], {"latent": latent, "label": label})
    assert sample.shape == (4, 1, 8, 8)
    (other,) = session.run(["sample"], {"latent": latent, "label": label - 1})
    assert not np.allclose(sample, other, atol=1e-6)


def test_the_file_draws_what_the_generator_draws(labelled):
    file, report = labelled
    assert report.difference <= 1e-4
    ours, theirs = Sampler.load(file), Sampler.load(report.file)
    latents = ours.latents(6, [0, 1, 2, 0, 1, 2], seed=3)
    assert torch.allclose(ours.draw(latents), theirs.draw(latents), atol=1e-5)
    assert theirs.card == ours.card


def test_the_file_says_how_it_was_compared(labelled):
    _, report = labelled
    metadata = {entry.key: entry.value for entry in onnx.load(report.file).metadata_props}
    parity = json.loads(metadata["zorse.parity"])
    assert parity["compared"] == [1, 2, 33]
    assert report.difference <= parity["difference"] <= parity["tolerance"] == 1e-4
    assert (parity["opset"], parity["ir_version"]) == (report.opset, 8)
    assert metadata["zorse.weights_sha256"] == report.card.weights_sha256


def test_same_weights_give_the_same_file(labelled, tmp_path):
    file, report = labelled
    assert export_samples(*load_sample_generator(file), tmp_path / "again.onnx").sha256 == report.sha256


@pytest.mark.parametrize("norm", ["batch", "virtual", "none"])
def test_half_the_bits_make_half_the_file(norm, tmp_path):
    config = DCGANGeneratorConfig(latent=LABELLED, channels=1, size=16, base_channels=32, norm=norm)
    network, card = load_sample_generator(saved(tmp_path / "G.safetensors", config))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    whole, half = (export_samples(network, card, tmp_path / f"{p}.onnx", p) for p in ("fp32", "fp16"))
    assert half.size < 0.55 * whole.size
    assert half.difference <= 2e-2
    latents, labels = np.random.default_rng(0).standard_normal((9, 8), dtype=np.float32), np.arange(9) % 3
    drawn = [SampleModel.load(report.file).draw(latents, labels) for report in (whole, half)]
    assert np.allclose(*drawn, atol=2e-2)
    assert not np.array_equal(*drawn)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items()), "it was changed"


@pytest.mark.parametrize("norm", ["batch", "virtual"])
def test_a_growing_generator_is_exported_at_its_level(tmp_path, norm):
    config = DCGANGeneratorConfig(latent=LatentConfig(noise=4), channels=1, size=16, base_channels=4, growing=True)
    file = saved(tmp_path / "G.safetensors", config.model_copy(update={"norm": norm}))
    network, card = load_sample_generator(file)
    set_level(network, 0.4)
    export_samples(network, card, tmp_path / "grown.onnx")
    noise = torch.randn(3, 4)
    drawn = SampleModel.load(tmp_path / "grown.onnx").draw(noise.numpy())
    assert np.allclose(drawn, network(noise).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("latents", "labels"),
    [
        (np.zeros((2, 7), np.float32), np.array([0, 1])),
        (np.zeros((2, 8), np.float32), None),
        (np.zeros((2, 8), np.float32), np.array([0])),
        (np.zeros((2, 8), np.float32), np.array([0, 3])),
        (np.zeros((2, 8), np.float32), np.array([-1, 0])),
    ],
)
def test_wrong_latents_and_labels_are_refused(labelled, latents, labels):
    with pytest.raises(ConfigError, match="small"):
        SampleModel.load(labelled[1].file).draw(latents, labels)


def test_export_and_sample_on_the_command_line(zorse, tmp_path):
    torch.manual_seed(0)
    file = saved(tmp_path / "G.safetensors", MLPGeneratorConfig(hidden=(4,)))
    code, out, _ = zorse("export", file)
    assert code == 0
    assert "latent float32 (N, 2)" in out
    assert draws_samples(tmp_path / "small.onnx")
    assert zorse("sample", tmp_path / "small.onnx", "-o", tmp_path / "drawn.png")[0] == 0
    assert (tmp_path / "drawn.png").stat().st_size > 100


def test_shipped_generators_are_known_by_name(labelled, zorse, tmp_path, monkeypatch):
    content = labelled[1].file.read_bytes()
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "small.onnx").write_bytes(content)
    entry = {"file": "small.onnx", "sha256": labelled[1].sha256, "title": "Small", "task": "shapes", "state": "preview"}
    lines = [f'{key} = "{value}"' for key, value in entry.items()]
    (weights / "registry.toml").write_text("\n".join(["[samples.small]", *lines]))
    monkeypatch.setattr(registry, "weights_folder", lambda: weights)
    monkeypatch.chdir(tmp_path)
    code, out, _ = zorse("models", "list")
    assert (code, "small" in out, "shapes" in out) == (0, True, True)
    for model in ("small", labelled[0], labelled[1].file):
        code, out, _ = zorse("models", "info", model)
        assert code == 0
        assert "5 of normal noise, a label (a, b, c), a code of 2 values, a code in [-1, 1]" in out
    assert json.loads(zorse("models", "info", "small", "--json")[1])["method"] == "cdcgan"
    assert zorse("sample", "small", "--label", "b", "-n", "4", "-o", tmp_path / "b.png")[0] == 0
    assert (tmp_path / "b.png").is_file()
    code, _, err = zorse("sample", "smal")
    assert (code, "Shipped ones: small." in err) == (1, True)
    with pytest.raises(UnknownModel, match="zorse sample small"):
        registry.model_file("small")


def test_options_of_translators_are_refused(zorse, tmp_path):
    file = saved(tmp_path / "G.safetensors", MLPGeneratorConfig(hidden=(4,)))
    code, _, err = zorse("export", file, "--precision", "int8", "--direction", "AtoB")
    assert code == 2
    assert "--precision int8 and --direction" in err
    assert not (tmp_path / "small.onnx").exists()


def test_a_file_whose_inputs_are_not_those_of_its_card_is_refused(labelled, tmp_path):
    import onnx

    model = onnx.load(labelled[1].file)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == "label":
                node.input[place] = "other"
    model.graph.input[1].name = "other"
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(WeightsError, match="label"):
        SampleModel.load(tmp_path / "changed.onnx")
