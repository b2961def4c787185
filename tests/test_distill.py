"""Distillation: the step computes its equation, any model can teach, and the student says what became of it."""

import json
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tiny_training import difference, draw_pairs, draw_unpaired, tiny_cyclegan, tiny_pix2pix
from zorse.backends.torch.safetensors_file import load_generator, save_generator
from zorse.cli.distill import _timed
from zorse.data.config import PairedConfig, UnpairedConfig
from zorse.errors import ChecksumMismatch, ConfigError, WeightsError
from zorse.metrics.latency import compare_latency
from zorse.model.architecture import CompactConfig, PatchGANConfig, ResnetConfig
from zorse.model.card import ModelCard
from zorse.networks.build import build_generator
from zorse.networks.efficientnet import load_efficientnet
from zorse.recipes.distillation import Distillation, DistillationConfig, TeacherConfig, feature_distance
from zorse.recipes.losses import discriminator_loss, generator_loss
from zorse.runtime.translator import Translator
from zorse.training.distillation.config import distillation_config
from zorse.training.distillation.teacher import find_teacher, teacher_at_work
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.run import train

SIZE = 32
TEACHER = TeacherConfig(
    model="t.safetensors",
    weights_sha256="0",
    name="t",
    task="a to b",
    direction="AtoB",
    keeps_detail=True,
    licence="MIT",
)
PATCHGAN = PatchGANConfig(base_channels=4, n_layers=2)
STUDENT = CompactConfig(base_channels=4, n_blocks=1, finish_channels=2)
FEW = (
    *("--set", 'recipe.generator={kind="compact", base_channels=4, n_blocks=1, finish_channels=2}'),
    *("--set", 'recipe.discriminators=[{kind="patchgan", base_channels=4, n_layers=2}]'),
    *("--set", "data.load_size=40", "--set", "data.crop_size=32", "--set", "training.num_workers=0"),
    *("--set", "training.iterations=4", "--set", "training.evaluate_every=0", "--set", "training.save_every=2"),
)


class Negative(nn.Module):
    def forward(self, image):
        return -image


def recipe(**settings):
    config = DistillationConfig(teacher=TEACHER, generator=STUDENT, discriminators=(PATCHGAN,), **settings)
    return Distillation(config, Negative())


def batch():
    pictures = torch.rand(2, 2, 3, SIZE, SIZE) * 2 - 1
    return {"A": pictures[0], "B": pictures[1], "path_A": ["a"] * 2, "path_B": ["b"] * 2}


def saved_teacher(folder, name="blobs", **card):
    file = folder / f"{name}.safetensors"
    architecture = ResnetConfig(base_channels=4, n_blocks=1)
    known = {"name": name, "task": "brown to striped", "domain_a": "brown", "domain_b": "striped", "native_size": 40}
    save_generator(file, build_generator(architecture), ModelCard(**{**known, "architecture": architecture, **card}))
    return file


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


@pytest.fixture
def without_export(monkeypatch):
    """Networks are timed by PyTorch where the exporter is not installed, which takes less time in a test."""
    monkeypatch.setattr("zorse.cli.distill.is_installed", lambda extra: False)


# The recipe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "other"), [("A", "B"), ("B", "A")])
def test_the_step_is_the_equation(source, other):
    method, pictures = recipe(source=source), batch()
    real, target = pictures[source], pictures[other]
    losses: list = []
    result = method.step(pictures, 0, lambda loss, optimizer: losses.append(loss.detach()))
    student = method.G(real)
    l1 = F.l1_loss(student, -real)
    features = feature_distance(method.trunk, -real, student)
    adversarial = generator_loss(method.D(student), "hinge")
    assert torch.allclose(losses[0], discriminator_loss(method.D(target), method.D(student), "hinge"))
    assert torch.allclose(losses[1], 10 * l1 + 5 * features + adversarial)
    assert set(result.losses) == {"G", "l1", "features", "D"}
    assert torch.equal(result.pictures["real_B"], target)


def test_each_update_moves_its_own_network_only():
    method = recipe()
    moved: list = []

    def update(loss, optimizer):
        loss.backward()
        moved.append([any(p.grad is not None for p in net.parameters()) for net in (method.G, method.D, method.trunk)])
        optimizer.zero_grad()

    method.step(batch(), 0, update)
    assert moved == [[False, True, False], [True, False, False]]


def test_the_distance_in_features_is_relative_and_sees_blur():
    trunk = load_efficientnet("lite0")
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    blurred = F.avg_pool2d(image, 5, stride=1, padding=2)
    assert feature_distance(trunk, image, image) == 0
    assert feature_distance(trunk, image, blurred) > 0.2
    assert 0.2 < feature_distance(trunk, image, torch.zeros_like(image)) < 3


def test_the_preview_shows_teacher_and_student():
    method, pictures = recipe(), batch()
    shown = method.preview(pictures, method.generators)
    assert list(shown) == ["real_A", "taught_B", "fake_B"]
    assert torch.equal(shown["taught_B"], -pictures["A"])


# The teacher ---------------------------------------------------------------------------------------------------------


def test_a_teacher_works_without_dropout_and_does_not_learn(tmp_path):
    file = saved_teacher(tmp_path, architecture=ResnetConfig(base_channels=4, n_blocks=1), dropout_at_test=True)
    network = teacher_at_work(find_teacher(str(file)).config)
    image = torch.rand(1, 3, SIZE, SIZE)
    assert torch.equal(network(image), network(image))
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


def test_a_teacher_that_has_changed_is_refused(tmp_path):
    config = find_teacher(str(saved_teacher(tmp_path))).config
    torch.manual_seed(1)
    saved_teacher(tmp_path)
    with pytest.raises(ChecksumMismatch, match="has changed since it was chosen"):
        teacher_at_work(config)


def test_a_run_teaches_with_the_generator_that_is_asked_for(tmp_path, unpaired):
    train(tiny_cyclegan("training.iterations=1"), unpaired, tmp_path / "run")
    for direction, name, source in (("AtoB", "brown2striped", "A"), ("BtoA", "striped2brown", "B")):
        found = find_teacher(str(tmp_path / "run"), direction)
        assert (found.card.name, found.card.direction) == (name, direction)
        config = distillation_config(found, unpaired, None, "cpu")
        assert isinstance(config.recipe, DistillationConfig)
        assert config.recipe.source == source
        assert config.data.kind == "unpaired"


def test_pairs_are_turned_as_the_teacher_was_trained(tmp_path):
    data = draw_pairs(tmp_path / "set")
    train(tiny_pix2pix("training.iterations=1", "data.direction=BtoA"), data, tmp_path / "run")
    config = distillation_config(find_teacher(str(tmp_path / "run")), data, None, "gpu")
    assert isinstance(config.data, PairedConfig)
    assert config.data.direction == "BtoA"
    assert config.recipe.source == "A"
    assert config.data.in_memory


def test_a_compact_teacher_gets_a_student_of_half_its_width(tmp_path, unpaired):
    large = distillation_config(find_teacher(str(saved_teacher(tmp_path))), unpaired, None, "cpu")
    assert large.recipe.generator == CompactConfig()
    file = tmp_path / "c.safetensors"
    card = ModelCard(name="c", task="t", domain_a="a", domain_b="b", architecture=STUDENT, native_size=200)
    save_generator(file, build_generator(STUDENT), card)
    small = distillation_config(find_teacher(str(file)), unpaired, None, "cpu")
    assert small.recipe.generator == STUDENT.model_copy(update={"base_channels": 2})
    assert isinstance(small.data, UnpairedConfig)
    assert (small.data.load_size, small.data.crop_size) == (200, 160)


@pytest.mark.parametrize("takes", [True, False])
def test_a_student_learns_strokes_of_colour_if_its_teacher_takes_them(tmp_path, unpaired, takes):
    file = saved_teacher(tmp_path, keeps_detail=False, takes_strokes=takes)
    config = distillation_config(find_teacher(str(file)), unpaired / "trainB", "edges", "cpu")
    assert (config.data.strokes > 0) is takes


# Latency -------------------------------------------------------------------------------------------------------------


def test_networks_are_timed_in_turn(tmp_path):
    calls: list[str] = []

    def network(name, rounds):
        card = ModelCard(name=name, task="t", domain_a="a", domain_b="b", architecture=STUDENT, native_size=50)

        def run(tensor):
            calls.append(name)
            assert tensor.shape == (1, 3, 64, 64)
            for _ in range(rounds):
                np.sort(np.random.default_rng(0).random(20_000))
            return tensor

        return Translator(card, run, "here")

    compared = compare_latency([network("quick", 1), network("slow", 30)], rounds=3)
    assert calls == ["quick", "slow"] * 4
    assert compared.processor_ratio(0, 1) < 0.5 < 2 < compared.processor_ratio(1, 0)
    assert (compared.provider, compared.side, compared.rounds) == ("here", 64, 3)


def test_they_are_timed_with_onnx_runtime_as_users_run_them(tmp_path):
    with _timed(saved_teacher(tmp_path)) as (translator,):
        assert translator.provider == "CPUExecutionProvider"
        assert compare_latency([translator], rounds=1).latencies[0].wall_seconds > 0


# The command ---------------------------------------------------------------------------------------------------------


def test_a_student_says_what_became_of_it(zorse, tmp_path, unpaired, without_export):
    teacher, out = saved_teacher(tmp_path, licence="CC0"), tmp_path / "run"
    arguments = ("distill", teacher, "--data", unpaired, "--out", out, "--no-check", "--device", "cpu", *FEW)
    code, shown, errors = zorse(*arguments)
    assert (code, errors) == (0, "")
    assert "parameters teach" in shown
    report = json.loads((out / "distillation.json").read_text())
    student, taught = report["latency"]["latencies"]
    assert (student["model"], taught["model"]) == ("blobs-student", "blobs")
    assert student["processor_seconds"] > 0
    assert [each["model"] for each in report["evaluations"]] == ["blobs-student", "blobs"]
    (ratio,) = report["ratios"]
    assert ratio["name"] == "KID x 1000 (EfficientNet-Lite2)"
    assert ratio["interval"][0] <= ratio["interval"][1]
    _, card = load_generator(out / "generators" / "G.safetensors")
    assert card.licence == "CC0"
    assert card.task == "brown to striped"
    assert "Teacher: blobs (sha256 of its weights" in card.training
    assert "of the processor time of its teacher blobs" in card.notes
    assert card.metrics[0].name == ratio["name"]


def test_a_resumed_distillation_is_the_uninterrupted_one(zorse, tmp_path, unpaired, without_export):
    teacher = saved_teacher(tmp_path)
    ends = []
    for parts in ((4,), (2, 4)):
        out = tmp_path / f"run{len(parts)}"
        constant = ("--set", "training.schedule=constant", "--data", unpaired, "--out", out, "--no-check")
        for number, iterations in enumerate(parts):
            go_on = ["--resume"] if number else []
            length = ("--set", f"training.iterations={iterations}")
            assert zorse("distill", teacher, *constant, "--device", "cpu", *FEW, *length, *go_on)[0] == 0
        ends.append(read_checkpoint(out / "checkpoints" / "last.pt"))
    assert difference(*({key: end[key] for key in ("networks", "averages", "optimizers")} for end in ends)) is None


def test_a_run_of_another_teacher_or_method_is_not_gone_on_with(zorse, tmp_path, unpaired, without_export):
    out = tmp_path / "run"
    arguments = ("--data", unpaired, "--out", out, "--no-check", "--device", "cpu", *FEW)
    assert zorse("distill", saved_teacher(tmp_path), *arguments)[0] == 0
    torch.manual_seed(1)
    other = saved_teacher(tmp_path, "other")
    code, _, errors = zorse("distill", other, *arguments, "--resume")
    assert code == 1
    assert "Name the teacher that it was started with" in errors
    train(tiny_cyclegan("training.iterations=1"), unpaired, tmp_path / "cyclegan")
    code, _, errors = zorse("distill", other, "--data", unpaired, "--out", tmp_path / "cyclegan", "--resume")
    assert code == 1
    assert "is no distillation but cyclegan" in errors


def test_a_file_teaches_what_it_does_and_going_on_changes_nothing(zorse, tmp_path, unpaired):
    teacher = saved_teacher(tmp_path)
    code, _, err = zorse("distill", teacher, "--data", unpaired, "--direction", "BtoA")
    assert code == 1
    assert "translates AtoB" in err
    code, _, err = zorse(
        "distill", teacher, "--data", unpaired, "--out", tmp_path / "x", "--resume", "--kind", "paired"
    )
    assert code == 2
    assert "--kind" in err


def test_without_test_pictures_only_the_time_is_told(zorse, tmp_path, unpaired, without_export):
    data = tmp_path / "set"
    for side in ("trainA", "trainB"):
        shutil.copytree(unpaired / side, data / side)
    out = tmp_path / "run"
    teacher = saved_teacher(tmp_path)
    code, shown, errors = zorse("distill", teacher, "--data", data, "--out", out, "--no-check", "--device", "cpu", *FEW)
    assert (code, errors) == (0, "")
    assert "Without test pictures its KID is not known" in shown
    assert json.loads((out / "distillation.json").read_text())["ratios"] == []


def test_what_cannot_teach(zorse, tmp_path, unpaired):
    code, _, errors = zorse("distill", "horse2zebro", "--data", unpaired)
    assert code == 1
    assert "no shipped model 'horse2zebro'" in errors
    assert zorse("distill", "horse2zebra", "--data", unpaired, "--resume")[0] == 2
    with pytest.raises(WeightsError):
        find_teacher(str(tmp_path / "nothing.safetensors"))
    with pytest.raises((WeightsError, ConfigError)):
        find_teacher(str(tmp_path))
