"""The flight recorder: what its gauges measure, that each alarm is raised for what it names, and silence otherwise."""

import io
import json
import math
from dataclasses import dataclass

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.optim import Adam

from tiny_training import draw_unpaired, tiny_cyclegan
from zorse.data.config import UnpairedConfig
from zorse.data.dataset import open_dataset
from zorse.data.loader import collate
from zorse.errors import MissingExtraError
from zorse.recipes.losses import decision_boundary
from zorse.recipes.recipe import StepResult
from zorse.training.config import AlarmName
from zorse.training.loop.loop import TrainingState
from zorse.training.observers.recorder import alarms, gauges
from zorse.training.observers.recorder.alarms import ALARMS, AlarmBoard
from zorse.training.observers.recorder.gauges import Gauges, feature_space
from zorse.training.observers.recorder.signals import (
    accuracy,
    checkerboard,
    diversity,
    luma_correlation,
    luma_crops,
    mean_change,
    movement,
    some_weights,
    thumbnails,
)
from zorse.training.run import train

EVERY = 50


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


@pytest.fixture(scope="module")
def drawn(unpaired):
    """Eight pictures of each domain, (8, 3, 64, 64)."""
    dataset = open_dataset(UnpairedConfig(load_size=80, crop_size=64), unpaired, seed=0)
    return collate([dataset.sample(index) for index in range(8)])


# What the gauges measure.


def test_discriminators_decide_where_both_classes_are_equally_likely():
    assert decision_boundary("hinge") == 0
    assert decision_boundary("nonsaturating") == 0
    assert decision_boundary("lsgan") == 0.5
    assert decision_boundary("wgan_gp") is None
    # With real pictures labelled 0.8, the best guess for a coin's toss is 0.4.
    assert decision_boundary("lsgan", 0.2) == pytest.approx(0.4)
    assert torch.tensor(decision_boundary("nonsaturating", 0.2)).sigmoid() == pytest.approx(0.4)


def test_accuracy_counts_both_classes_and_all_maps_alike():
    real, fake = torch.tensor([[2.0, 2.0, -1.0, 2.0]]), torch.tensor([[-1.0, 1.0]])
    assert accuracy(real, fake, 0.0) == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert accuracy([real, torch.ones(1, 9)], [fake, torch.ones(1, 9)], 0.0) == pytest.approx((5 / 4 + 1 + 0) / 4)


def test_brightness_correlates_with_itself_and_not_with_its_inverse(drawn):
    pictures = drawn["A"]
    assert luma_correlation(pictures, pictures) == pytest.approx(1)
    assert luma_correlation(0.3 * pictures + 0.5, pictures) == pytest.approx(1), "contrast does not matter"
    assert luma_correlation(-pictures, pictures) == pytest.approx(-1)
    assert luma_correlation(torch.zeros_like(pictures), pictures) is None


def test_diversity_is_measured_by_the_less_diverse_of_inputs_and_targets():
    chance = torch.Generator().manual_seed(0)
    wide, narrow = (scale * torch.randn(8, 16, generator=chance) for scale in (1.0, 0.05))
    assert diversity(wide, wide, wide) == pytest.approx(1)
    assert diversity(narrow, wide, wide) < 0.1
    assert diversity(narrow, wide, narrow) == pytest.approx(1), "a uniform domain may look uniform"
    assert diversity(narrow, narrow, wide) == pytest.approx(1), "so may translations of inputs that do"
    assert diversity(wide, torch.ones(8, 16), wide) is None


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("size", [32, 70])
def test_a_checkerboard_is_measured_in_brightness(period, size, drawn):
    pictures = nn.functional.interpolate(drawn["A"], size=(size, size), mode="bilinear")
    index = torch.arange(size)
    pattern = ((index[:, None] % period < period // 2) ^ (index % period < period // 2)).float() * 2 - 1
    clean = checkerboard(luma_crops(pictures))
    assert clean < 0.012
    assert checkerboard(luma_crops(pictures + 0.05 * pattern)) == pytest.approx(0.05, abs=0.01)
    noise = 0.1 * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    assert checkerboard(luma_crops(pictures + noise)) < 0.02, "noise has no period"


def test_one_striped_picture_among_others_is_no_checkerboard(drawn):
    pictures = drawn["A"].clone()
    pictures[0] += 0.3 * (torch.arange(64) % 4 < 2).float()
    assert checkerboard(luma_crops(pictures)) == pytest.approx(checkerboard(luma_crops(drawn["A"])), abs=0.003)


def test_thumbnails_of_any_size_and_of_grey_pictures():
    assert thumbnails(torch.ones(2, 1, 28, 28)).shape == (2, 3, 64, 64)
    assert thumbnails(torch.ones(1, 3, 200, 300, dtype=torch.bfloat16)).dtype == torch.float32
    assert mean_change(torch.ones(1, 3, 4, 4), -torch.ones(1, 3, 4, 4)) == 2


def test_movement_is_a_share_of_the_weights_size():
    network = nn.Conv2d(3, 40, 3)
    before = some_weights(network)
    assert len(before) < 200
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.1)
    assert movement(before, some_weights(network)) == pytest.approx(0.1, rel=1e-3)


def test_the_feature_space_does_without_chance():
    before = torch.get_rng_state()
    assert feature_space(torch.device("cpu"))(torch.zeros(2, 3, 64, 64)).shape == (2, 1280)
    assert torch.equal(before, torch.get_rng_state())


def test_the_feature_space_does_without_its_package(coarse):
    assert feature_space(torch.device("cpu"))(torch.zeros(2, 3, 64, 64)).shape == (2, 192)


# Flights: steps of a run that has only been invented, seen through the real gauges.


class Hangar(nn.Module):
    """Something that learns, as far as the gauges can see."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 50))


@dataclass
class Flight:
    """A run of which only the steps before readings are flown; healthy unless something is changed."""

    pictures: dict[str, torch.Tensor]
    accuracy: float = 0.8
    gradient: float = 1.0
    step: float = 1e-3
    keeps_scene: bool = True
    total: int = 2000

    def __post_init__(self) -> None:
        self.network = Hangar()
        optimizer = Adam(self.network.parameters(), lr=2e-4)
        recipe = type("Invented", (), {"generators": {"G": self.network}, "optimizers": {"G": optimizer}})
        self.state = TrainingState(recipe, {}, {"G": 2e-4}, self.total)
        self.gauges = Gauges(0.0, EVERY, self.state)
        self.board = AlarmBoard(self.keeps_scene, self.total)

    @torch.no_grad()
    def fly(self, iterations: int) -> list[tuple[AlarmName, str, bool]]:
        """Alarms that are raised (True) or cleared in so many iterations."""
        events = []
        for _ in range(iterations // EVERY):
            self.state.iteration += EVERY
            self.network.weight += self.step
            self.state.gradient_norms["G"] = torch.tensor(self.gradient * (1 + 0.3 * math.sin(self.state.iteration)))
            logits = torch.where(torch.arange(100) < 100 * self.accuracy, 1.0, -1.0).view(1, 1, 10, 10)
            result = StepResult({}, self.pictures, {"D_B": (logits, -logits)})
            self.gauges.add(self.state, result)
            self.signals = self.gauges.read(self.state, result)
            events += self.board.update(self.state.iteration, self.signals)
        return [(event.alarm.name, event.about, event.raised) for event in events]


def test_mode_collapse_is_seen_in_the_feature_space(drawn):
    features = feature_space(torch.device("cpu"))
    inputs, reals = features(drawn["A"]), features(drawn["B"])
    noise = 0.005 * torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert diversity(features(drawn["A"].flip(3)), inputs, reals) > 0.8
    assert diversity(features(drawn["B"][:1] + noise), inputs, reals) < 0.2


@pytest.fixture
def coarse(monkeypatch):
    """The cheap feature space."""

    def missing(variant):
        raise MissingExtraError("EfficientNet", "train")

    monkeypatch.setattr(gauges, "load_efficientnet", missing)


@pytest.fixture
def pictures(drawn, coarse):
    """Of a run in which all is well: horses have become zebras of another colour."""
    real_A, real_B = drawn["A"], drawn["B"]
    return {"real_A": real_A, "fake_B": (0.8 * real_A + 0.1).roll(1, 1), "real_B": real_B, "fake_A": 0.9 * real_B}


def test_a_healthy_flight_is_silent(pictures):
    flight = Flight(pictures)
    assert flight.fly(1000) == []
    assert flight.board.healthy
    assert flight.signals.keys() == {
        "accuracy_D_B",
        "gradient_G",
        "movement_G",
        *(
            f"{signal}_{name}"
            for signal in ("diversity", "luma_correlation", "change", "checkerboard")
            for name in ("fake_A", "fake_B")
        ),
    }


def test_crops_that_grow_between_two_readings_interrupt_nothing(pictures):
    small = {name: batch[:3, :, :40, :40] for name, batch in pictures.items()}
    flight = Flight(small)
    assert flight.fly(EVERY) == []
    flight.gauges.add(flight.state, StepResult({}, small, {}))
    flight.pictures = {name: batch[3:6] for name, batch in pictures.items()}
    assert flight.fly(3 * EVERY) == []
    assert flight.signals["checkerboard_fake_B"] < 0.01
    assert "diversity_fake_B" in flight.signals


def checkered(pictures):
    index = torch.arange(64)
    return {**pictures, "fake_B": pictures["fake_B"] + 0.05 * (-1.0) ** (index + index[:, None])}


BREAKDOWNS = {
    "discriminator_overpowering": ({"accuracy": 1.0}, None, "D_B"),
    "vanishing_gradient": ({"gradient": 1e-5}, None, ""),
    "mode_collapse": (
        {},
        lambda pictures: {**pictures, "fake_B": pictures["fake_B"][:1].expand(8, -1, -1, -1)},
        "fake_B",
    ),
    "colour_inversion": ({}, lambda pictures: {**pictures, "fake_B": -0.9 * pictures["real_A"]}, "fake_B"),
    "checkerboard": ({}, checkered, "fake_B"),
    "identity_collapse": ({}, lambda pictures: {**pictures, "fake_B": pictures["real_A"] + 0.001}, "fake_B"),
    "stagnation": ({"step": 0.0}, None, "G"),
}


@pytest.mark.parametrize("name", BREAKDOWNS)
def test_an_alarm_is_raised_once_and_cleared_once(name, pictures):
    """Nothing is said of other troubles, nor of a short disturbance."""
    changes, redraw, about = BREAKDOWNS[name]
    flight = Flight(pictures)
    flight.fly(1000)

    def break_down() -> dict:
        before = {key: getattr(flight, key) for key in changes}
        for key, value in changes.items():
            setattr(flight, key, value)
        flight.pictures = redraw(pictures) if redraw else pictures
        return before

    def repair(before: dict) -> None:
        for key, value in before.items():
            setattr(flight, key, value)
        flight.pictures = pictures

    before = break_down()
    assert flight.fly(EVERY) == []
    repair(before)
    assert flight.fly(300) == []
    break_down()
    assert flight.fly(500) == [(name, about, True)]
    alarm = next(alarm for alarm in ALARMS if alarm.name == name)
    assert flight.board.healthy != alarm.collapse
    repair(before)
    assert flight.fly(500) == [(name, about, False)]
    assert flight.board.healthy


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_an_alarm_stands_until_what_it_saw_is_well_past_what_raised_it(alarm):
    """Between `clear_at` and `raise_at` nothing changes, so that a signal at the threshold does not raise it anew."""
    board = AlarmBoard(keeps_scene=True, total=1)
    danger = 10 * alarm.raise_at if alarm.side == "above" else alarm.raise_at - 1
    between = (alarm.raise_at + alarm.clear_at) / 2
    well = alarm.clear_at / 2 if alarm.side == "above" else alarm.clear_at + 1
    iteration = alarm.grace

    def events(value: float) -> list[bool]:
        nonlocal iteration
        raised = []
        for _ in range(10):  # More than a window of readings.
            iteration += 100
            raised += [event.raised for event in board.update(iteration, {f"{alarm.signal}B": value})]
        return raised

    healthy = 1.0 if alarm.relative else well
    assert [events(value) for value in (healthy, between, danger, between, well)] == [[], [], [True], [], [False]]


def test_every_alarm_has_a_breakdown_and_says_what_to_do():
    assert {alarm.name for alarm in ALARMS} == BREAKDOWNS.keys() == set(AlarmName.__args__)
    for alarm in ALARMS:
        assert "recipe." in alarm.remedy
        assert alarm.cause.endswith(".")
        assert alarm.remedy.endswith(".")


def test_checkpoints_are_not_healthy_as_soon_as_a_collapse_is_in_sight(pictures):
    flight = Flight(pictures)
    flight.fly(500)
    flight.pictures = {**pictures, "fake_B": -pictures["real_A"]}
    assert flight.fly(EVERY) == []
    assert not flight.board.healthy


def test_pairs_may_be_inverse_or_equal(pictures):
    real_A = pictures["real_A"]
    inverse = {"real_A": real_A, "fake_B": -0.9 * real_A, "real_B": -real_A}
    equal = {"real_A": real_A, "fake_B": real_A, "real_B": real_A}
    assert Flight(inverse, keeps_scene=False).fly(1500) == []
    assert Flight(equal, keeps_scene=False).fly(1500) == []
    assert [name for name, _, _ in Flight(inverse).fly(1500)] == ["colour_inversion"]
    assert [name for name, _, _ in Flight(equal).fly(1500)] == ["identity_collapse"]


def test_a_generator_may_hand_its_input_back_at_first(pictures):
    """Compact networks begin as the identity, and take hundreds of iterations to leave it."""
    flight = Flight({**pictures, "fake_B": pictures["real_A"]}, total=8000)
    assert flight.fly(2000) == [], "a quarter of the run"
    assert [name for name, _, _ in flight.fly(500)] == ["identity_collapse"]


def test_a_uniform_domain_is_no_collapse(pictures):
    """All real pictures of the target domain look alike, and so do the translations."""
    chance = torch.Generator().manual_seed(0)
    grain = 0.01 * torch.randn(8, 3, 64, 64, generator=chance)
    alike = pictures["real_B"][:1] + grain
    flight = Flight({**pictures, "fake_B": alike.flip(0), "real_B": alike})
    assert "mode_collapse" not in [name for name, _, _ in flight.fly(600)]


def test_stripes_of_the_input_are_no_checkerboard(pictures):
    """Not even where the target domain has none, and the generator still has to learn to take them away."""
    striped = {**pictures, "real_A": checkered(pictures)["fake_B"], "fake_B": checkered(pictures)["fake_B"]}
    assert "checkerboard" not in [name for name, _, _ in Flight(striped).fly(1000)]


def test_a_generator_that_is_not_trained_now_does_not_stagnate(pictures):
    """As while a fresh discriminator is warmed up."""
    flight = Flight(pictures, step=0.0)
    flight.state.gradient_norms = {}
    flight.gauges.add = lambda state, result: Gauges.add(flight.gauges, state.gradient_norms.clear() or state, result)
    assert flight.fly(600) == []


def test_the_end_of_a_schedule_is_no_stagnation(pictures):
    flight = Flight(pictures, step=1e-3)
    flight.fly(500)
    flight.step = 1e-8
    flight.state.recipe.optimizers["G"].param_groups[0]["lr"] = 2e-9
    assert flight.fly(500) == []


# Real runs.


@pytest.fixture
def soon(monkeypatch):
    """Alarms after half as many iterations as otherwise."""
    monkeypatch.setattr(alarms, "SPAN", 100)


def test_a_healthy_run_raises_no_alarm_and_logs_its_signals(unpaired, soon, tmp_path):
    out = io.StringIO()
    config = tiny_cyclegan(
        "training.iterations=156",
        "training.log_every=26",
        "training.sample_every=1000",
        "training.save_every=1000",
        'recipe.generator={kind="compact", base_channels=8, n_blocks=2}',
    )
    train(config, unpaired, tmp_path / "run", console=Console(file=out, width=300))
    log = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert not [line for line in log if "alarm" in line]
    assert "Alarm" not in out.getvalue()
    assert [line["iteration"] for line in log if "signals" in line] == list(range(26, 157, 26))
    last = log[-1]["signals"]
    assert 0.5 < last["diversity_fake_B"] < 2
    assert 0.4 < last["accuracy_D_A"] < 0.98
    scalars = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert scalars.Scalars("signals/diversity_fake_B")[-1].value == pytest.approx(last["diversity_fake_B"])
    assert (tmp_path / "run" / "checkpoints" / "healthy.pt").samefile(tmp_path / "run" / "checkpoints" / "last.pt")


def test_a_run_whose_generators_cannot_keep_up_is_told_so(unpaired, soon, tmp_path):
    """In the console, in metrics.jsonl and in TensorBoard, and once more at the end."""
    out = io.StringIO()
    config = tiny_cyclegan(
        "training.iterations=208",
        "training.log_every=26",
        "training.sample_every=1000",
        "training.save_every=1000",
        "recipe.learning_rate=1e-11",
        "recipe.discriminator_learning_rate=5e-3",
        "recipe.pool_size=0",
    )
    train(config, unpaired, tmp_path / "run", console=Console(file=out, width=1000))
    log = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    raised = {line["alarm"]["name"]: line["alarm"] for line in log if "alarm" in line}
    assert {"stagnation", "discriminator_overpowering"} <= raised.keys()
    assert raised["discriminator_overpowering"]["value"] > 0.985
    assert "recipe.discriminator_learning_rate" in raised["discriminator_overpowering"]["remedy"]
    shown = out.getvalue()
    assert "Alarm in iteration 130: stagnation. movement_G_AB is " in shown
    assert "What to do: Slow it down with a lower recipe.discriminator_learning_rate" in shown
    end = shown[shown.index("Alarms of this run") :]
    assert "stagnation (G_AB) was raised in iteration 130 and stood to the end." in end
    texts = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload().Tensors("alarms/text_summary")
    assert len(texts) == sum("alarm" in line for line in log)
