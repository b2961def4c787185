"""Checksums: what goes into that of weights, and that sums are compared to the last digit wherever they are."""

import base64
import hashlib
import re

import pytest
import safetensors
import safetensors.torch
import torch

import tiny_onnx
from tiny_training import tiny_cyclegan
from zorse.backends.torch.safetensors_file import load_generator, save_generator, weights_sha256
from zorse.cli.distill import _resumed
from zorse.errors import ChecksumMismatch, ConfigError, ExportError
from zorse.gans.architecture import MLPGeneratorConfig
from zorse.gans.card import SampleCard
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.safetensors_file import load_sample_generator, save_sample_generator
from zorse.model.card import ModelCard
from zorse.model.registry import verify
from zorse.networks.build import build_generator
from zorse.training.config import to_toml
from zorse.training.distillation.config import distillation_config
from zorse.training.distillation.teacher import find_teacher, teacher_at_work
from zorse.training.files import RunFolder
from zorse.training.run import build_recipe
from zorse.training.start import load_start, start_from
from zorse_export import npm
from zorse_export.owned import MANIFEST, write_owned


def test_weights_are_summed_up_with_their_names_shapes_and_types():
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(4)}
    sums = {
        "as they are": weights,
        "another shape": {**weights, "a": weights["a"].reshape(3, 2)},
        "one dimension more": {**weights, "a": weights["a"][None]},
        "another name": {"a": weights["a"], "c": weights["b"]},
        "swapped names": {"a": weights["b"], "b": weights["a"]},
        "another type": {**weights, "b": torch.zeros(4, dtype=torch.int32)},
        "another value": {**weights, "b": torch.ones(4)},
        "another sign of zero": {**weights, "b": -torch.zeros(4)},
    }
    found = {name: weights_sha256(tensors) for name, tensors in sums.items()}
    assert len(set(found.values())) == len(sums)
    assert weights_sha256(dict(reversed(weights.items()))) == found["as they are"]
    assert weights_sha256({**weights, "a": weights["a"].T.contiguous().T}) == found["as they are"]


def right(sum_: str) -> str:
    return sum_


def nearly(sum_: str) -> str:
    """Another last digit: whoever looks at the first ones only, takes it."""
    return sum_[:-1] + ("0" if sum_[-1] != "0" else "1")


def published(folder, alter):
    file = tiny_onnx.write(folder / "model.onnx")
    verify(file, alter(hashlib.sha256(file.read_bytes()).hexdigest()))


def npm_package(folder, alter):
    file = folder / "package.tgz"
    file.write_bytes(b"tar")
    sum_ = base64.b64encode(hashlib.sha512(b"tar").digest()).decode().rstrip("=")
    npm._verify(file, npm.NpmPackage("package", "1.0.0", alter(sum_) + "=="))


def in_card(file, alter):
    """The model file with another sum of its weights in its card."""
    with safetensors.safe_open(file, "pt") as content:
        metadata = content.metadata()
    (key,) = metadata
    text = re.sub(r'(?<="weights_sha256":")\w+', lambda sum_: alter(sum_[0]), metadata[key])
    file.write_bytes(safetensors.torch.save(safetensors.torch.load_file(file), {key: text}))
    return file


def saved_generator(folder):
    recipe = tiny_cyclegan().recipe
    card = ModelCard(name="tiny", task="a to b", domain_a="a", domain_b="b", architecture=recipe.generator)
    file = folder / "G.safetensors"
    save_generator(file, build_generator(recipe.generator), card)
    return file


def generator(folder, alter):
    load_generator(in_card(saved_generator(folder), alter))


def sample_generator(folder, alter):
    architecture = MLPGeneratorConfig(hidden=(2,))
    file = folder / "G.safetensors"
    card = SampleCard(name="tiny", method="gan", shows="points", architecture=architecture)
    save_sample_generator(file, build_sample_generator(architecture), card)
    load_sample_generator(in_card(file, alter))


def teacher(folder, alter):
    config = find_teacher(str(saved_generator(folder))).config
    teacher_at_work(config.model_copy(update={"weights_sha256": alter(config.weights_sha256)}))


def start(folder, alter):
    config = start_from(tiny_cyclegan(), [str(saved_generator(folder))]).config
    points = [point.model_copy(update={"sha256": alter(point.sha256)}) for point in config.start]
    load_start(build_recipe(config.recipe, seed=0), config.model_copy(update={"start": tuple(points)}))


def resumed_distillation(folder, alter):
    found = find_teacher(str(saved_generator(folder)))
    config = distillation_config(found, folder, "unpaired", "cpu")
    teacher = found.config.model_copy(update={"weights_sha256": alter(found.config.weights_sha256)})
    recipe = config.recipe.model_copy(update={"teacher": teacher})
    run = RunFolder(folder)
    run.config.write_text(to_toml(config.model_copy(update={"recipe": recipe})), encoding="utf-8")
    _resumed(run, found)


def exported_page(folder, alter):
    write_owned(folder, {"page.js": b"ours"})
    manifest = folder / MANIFEST
    sum_ = hashlib.sha256(b"ours").hexdigest()
    manifest.write_text(manifest.read_text("utf-8").replace(sum_, alter(sum_)), encoding="utf-8")
    write_owned(folder, {"page.js": b"ours, newer"})
    (folder / "page.js").unlink()


@pytest.mark.parametrize(
    ("opened", "refused"),
    [
        (published, ChecksumMismatch),
        (npm_package, ChecksumMismatch),
        (generator, ChecksumMismatch),
        (sample_generator, ChecksumMismatch),
        (teacher, ChecksumMismatch),
        (start, ChecksumMismatch),
        (resumed_distillation, ConfigError),
        (exported_page, ExportError),
    ],
)
def test_a_sum_that_differs_in_its_last_digit_is_another_one(opened, refused, tmp_path):
    opened(tmp_path, right)
    with pytest.raises(refused):
        opened(tmp_path, nearly)
