"""Rollback: a collapsed run goes back to its last healthy checkpoint with lower learning rates, a few times at most."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from test_scale import in_processes
from tiny_training import difference, draw_unpaired, tiny_cyclegan
from zorse.errors import ConfigError, TrainingDivergedError
from zorse.recipes.cyclegan import CycleGAN
from zorse.recipes.recipe import StepResult
from zorse.training.config import to_toml
from zorse.training.loop import checkpoint
from zorse.training.loop.checkpoint import keep_checkpoint, read_checkpoint
from zorse.training.observers.recorder import alarms
from zorse.training.run import train

RATE = 2e-4
ROLLBACK = ("training.rollback=true", "training.log_every=1", "training.save_every=2", "training.schedule=constant")


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


def explode_above(monkeypatch, rate: float, at: int, network: str | None = None) -> list[list[str]]:
    """In iteration `at` a loss is no number any more, or a network's weights are ruined, if the learning rate is above
    `rate`; gives the pictures of each step that is taken.
    """
    step = CycleGAN.step
    seen = []

    def poisoned(recipe, batch, iteration, update) -> StepResult:
        result = step(recipe, batch, iteration, update)
        seen.append([iteration, *batch["path_A"], *batch["path_B"]])
        if iteration != at or recipe.optimizer_G.param_groups[0]["lr"] <= rate:
            return result
        next(recipe.G_AB.parameters()).data.fill_(float("nan"))
        if network is not None:
            return result
        return StepResult({**result.losses, "cycle": torch.tensor(float("nan"))}, result.pictures, result.judged)

    monkeypatch.setattr(CycleGAN, "step", poisoned)
    return seen


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def saved(run: Path, name: str = "last") -> dict:
    return read_checkpoint(run / "checkpoints" / f"{name}.pt")


@pytest.mark.parametrize("network", [None, "G_AB"])
def test_a_run_that_explodes_goes_back_and_on_with_a_lower_rate(network, unpaired, tmp_path, monkeypatch):
    """Whether the loss shows it or only the weights, which are looked at before they are saved."""
    seen = explode_above(monkeypatch, 0.6 * RATE, at=5, network=network)
    out = io.StringIO()
    console = Console(file=out, width=500)
    state = train(tiny_cyclegan(*ROLLBACK, "training.iterations=8"), unpaired, tmp_path / "run", console=console)
    assert (state.iteration, state.rollbacks, state.rate_factor, state.collapse) == (8, 1, 0.5, None)
    assert not state.interrupted
    assert all(torch.isfinite(parameter).all() for parameter in state.recipe.G_AB.parameters())
    assert [step[0] for step in seen] == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7], "from the checkpoint of iteration 4 on"
    assert seen[6:8] == seen[4:6], "on the same pictures in the same order"
    log = lines(tmp_path / "run")
    assert [line["iteration"] for line in log if "losses" in line] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [line["learning_rates"]["G"] for line in log if "losses" in line] == [RATE] * 4 + [RATE / 2] * 4
    (rollback,) = (line for line in log if "rollback" in line)
    assert rollback["iteration"] == 4
    assert (rollback["rollback"]["number"], rollback["rollback"]["rate_factor"]) == (1, 0.5)
    (alarm,) = rollback["rollback"]["alarms"]
    assert alarm["name"] == "non_finite"
    expected = "the weights of G_AB are not finite" if network else "the loss cycle is not a finite number"
    assert expected in alarm["cause"]
    if network is None:
        assert seen[5][1] in alarm["cause"], "it names the pictures"
    assert f"Rollback 1 of at most 3: from iteration {6 if network else 5} to 4" in out.getvalue()
    assert "Undone with it: non_finite." in out.getvalue(), "the summary at the end"


def test_it_also_goes_back_to_the_very_beginning(unpaired, tmp_path, monkeypatch):
    explode_above(monkeypatch, 0.6 * RATE, at=0)
    state = train(tiny_cyclegan(*ROLLBACK, "training.iterations=3"), unpaired, tmp_path / "run")
    assert (state.iteration, state.rollbacks) == (3, 1)
    assert [line["iteration"] for line in lines(tmp_path / "run")] == [0, 1, 2, 3]


def test_a_run_that_was_taken_back_repeats_exactly_what_it_did_before(unpaired, tmp_path, monkeypatch):
    """But for the learning rate: with a factor of almost one it ends almost as a run that never collapsed."""
    config = tiny_cyclegan(*ROLLBACK, "training.iterations=6", "training.rollback_factor=0.9999999999")
    train(config, unpaired, tmp_path / "whole")
    explode_above(monkeypatch, RATE * 0.99999999999, at=4)
    train(config, unpaired, tmp_path / "back")
    whole, back = saved(tmp_path / "whole"), saved(tmp_path / "back")
    assert (whole["rollbacks"], back["rollbacks"]) == (0, 1)
    assert difference(whole["networks"], back["networks"]) is None
    assert difference(whole["chance"], back["chance"]) is None


def test_after_so_many_rollbacks_it_gives_up_and_says_what_was_tried(unpaired, tmp_path, monkeypatch):
    explode_above(monkeypatch, 0, at=5)
    config = tiny_cyclegan(*ROLLBACK, "training.iterations=8", "training.rollback_limit=2")
    with pytest.raises(
        TrainingDivergedError, match=r"cycle is not a finite .* 2 rollbacks were tried .* 0\.25 times"
    ) as told:
        train(config, unpaired, tmp_path / "run")
    assert "\n" not in str(told.value)
    assert str(tmp_path / "run" / "checkpoints" / "healthy.pt") in str(told.value)
    assert [line["rollback"]["rate_factor"] for line in lines(tmp_path / "run") if "rollback" in line] == [0.5, 0.25]
    last = saved(tmp_path / "run")
    assert (last["iteration"], last["rollbacks"], last["rate_factor"]) == (4, 2, 0.25)
    with pytest.raises(TrainingDivergedError, match="2 rollbacks were tried"):
        train(config, unpaired, tmp_path / "run", resume=True)
    assert sum("rollback" in line for line in lines(tmp_path / "run")) == 2, "a resume does not begin to count anew"


def test_without_rollback_the_run_ends_as_ever(unpaired, tmp_path, monkeypatch):
    explode_above(monkeypatch, 0, at=3)
    with pytest.raises(TrainingDivergedError, match=r"iteration 3 the loss cycle .*--resume\.$"):
        train(tiny_cyclegan("training.log_every=1", "training.save_every=2"), unpaired, tmp_path / "run")
    assert [line["alarm"]["name"] for line in lines(tmp_path / "run") if "alarm" in line] == ["non_finite"]
    assert saved(tmp_path / "run")["iteration"] == 2


def test_a_limit_and_a_factor_that_make_no_sense_are_refused():
    for setting in ("rollback_limit=0", "rollback_factor=1.0", "rollback_factor=0", 'silence=["mode_colapse"]'):
        with pytest.raises(ConfigError, match=setting.partition("=")[0]):
            tiny_cyclegan(f"training.{setting}")


def collapse_above(monkeypatch, rate: float, since: int) -> None:
    """From iteration `since` on, and as long as the learning rate is above `rate`, light turns dark."""
    step = CycleGAN.step

    def inverted(recipe, batch, iteration, update) -> StepResult:
        result = step(recipe, batch, iteration, update)
        if iteration < since or recipe.optimizer_G.param_groups[0]["lr"] <= rate:
            return result
        return StepResult(result.losses, {**result.pictures, "fake_B": -batch["A"]}, result.judged)

    monkeypatch.setattr(CycleGAN, "step", inverted)


@pytest.fixture
def hasty(monkeypatch):
    """Alarms after three readings, without grace."""
    monkeypatch.setattr(alarms, "READINGS", 3)
    monkeypatch.setattr(alarms, "SPAN", 2)
    inversion = next(alarm for alarm in alarms.ALARMS if alarm.name == "colour_inversion")
    monkeypatch.setattr(alarms, "ALARMS", (replace(inversion, grace=0),))


@pytest.mark.usefixtures("hasty")
def test_an_alarm_of_a_collapse_takes_the_run_back_to_before_it(unpaired, tmp_path, monkeypatch):
    """Not to a checkpoint that was saved when it had begun, but was not yet certain."""
    collapse_above(monkeypatch, 0.6 * RATE, since=5)
    out = io.StringIO()
    config = tiny_cyclegan(*ROLLBACK, "training.iterations=10", "recipe.generator={kind='compact', base_channels=8}")
    state = train(config, unpaired, tmp_path / "run", console=Console(file=out, width=500))
    assert (state.iteration, state.rollbacks, state.rate_factor) == (10, 1, 0.5)
    (rollback,) = (line for line in lines(tmp_path / "run") if "rollback" in line)
    assert (rollback["iteration"], rollback["rollback"]["from"]) == (4, 7), "6 was saved in between"
    assert [alarm["name"] for alarm in rollback["rollback"]["alarms"]] == ["colour_inversion"]
    assert "In iteration 7 the alarm colour_inversion was raised: luma_correlation_fake_B is -1" in out.getvalue()
    signals = [line["signals"]["luma_correlation_fake_B"] for line in lines(tmp_path / "run") if "signals" in line]
    assert len(signals) == 10
    assert min(signals) > 0.5, "what was undone is forgotten"
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("losses/cycle")] == list(range(1, 11))
    assert [event.step for event in events.Tensors("alarms/text_summary")] == [7, 4], "texts stay"


@pytest.mark.usefixtures("hasty")
def test_a_resumed_run_remembers_that_an_alarm_stands(unpaired, tmp_path, monkeypatch):
    """It is not raised twice, and what is saved is not taken for healthy."""
    collapse_above(monkeypatch, 0, since=2)
    settings = ("training.log_every=1", "training.save_every=2", "recipe.generator={kind='compact', base_channels=8}")
    train(tiny_cyclegan(*settings, "training.iterations=6"), unpaired, tmp_path / "run")
    train(tiny_cyclegan(*settings, "training.iterations=8"), unpaired, tmp_path / "run", resume=True)
    (alarm,) = (line for line in lines(tmp_path / "run") if "alarm" in line)
    assert (alarm["iteration"], alarm["alarm"]["state"]) == (4, "raised")
    assert saved(tmp_path / "run", "healthy")["iteration"] == 2
    assert saved(tmp_path / "run")["iteration"] == 8


@pytest.mark.usefixtures("hasty")
def test_rollback_may_be_turned_on_when_the_run_has_collapsed_already(unpaired, tmp_path, monkeypatch):
    """What stands was raised before the resume: it is not raised again, and the run goes back all the same."""
    collapse_above(monkeypatch, 0.6 * RATE, since=2)
    settings = (*ROLLBACK, "recipe.generator={kind='compact', base_channels=8}")
    train(tiny_cyclegan(*settings, "training.iterations=6", "training.rollback=false"), unpaired, tmp_path / "run")
    state = train(tiny_cyclegan(*settings, "training.iterations=8"), unpaired, tmp_path / "run", resume=True)
    assert (state.iteration, state.rollbacks, state.rate_factor) == (8, 1, 0.5)
    (rollback,) = (line for line in lines(tmp_path / "run") if "rollback" in line)
    assert (rollback["iteration"], rollback["rollback"]["from"]) == (2, 7)
    assert "In iteration 4 the alarm colour_inversion was raised" in rollback["rollback"]["reason"]


@pytest.mark.usefixtures("hasty")
def test_a_silenced_alarm_is_none(unpaired, tmp_path, monkeypatch):
    collapse_above(monkeypatch, 0, since=0)
    train(tiny_cyclegan("training.log_every=1", 'training.silence=["colour_inversion"]'), unpaired, tmp_path / "one")
    train(tiny_cyclegan("training.log_every=1", "training.recorder=false"), unpaired, tmp_path / "other")
    assert not any("alarm" in line for run in ("one", "other") for line in lines(tmp_path / run))
    assert all("signals" in line for line in lines(tmp_path / "one"))
    assert not any("signals" in line for line in lines(tmp_path / "other"))


def test_a_checkpoint_is_kept_without_another_copy_and_also_where_there_are_no_links(tmp_path, monkeypatch):
    last, healthy = tmp_path / "last.pt", tmp_path / "healthy.pt"
    last.write_bytes(b"one")
    keep_checkpoint(last, healthy)
    assert last.samefile(healthy)
    keep_checkpoint(last, healthy)
    last.unlink()
    last.write_bytes(b"two")
    assert healthy.read_bytes() == b"one"

    def no_links(*args) -> None:
        raise OSError("not here")

    monkeypatch.setattr(checkpoint.os, "link", no_links)
    keep_checkpoint(last, healthy)
    assert healthy.read_bytes() == b"two"
    assert not last.samefile(healthy)
    assert {path.name for path in tmp_path.iterdir()} == {"last.pt", "healthy.pt"}


IN_ONE_OF_TWO = """
import os, torch
from zorse.cli import main
from zorse.recipes.cyclegan import CycleGAN
from zorse.recipes.recipe import StepResult
step = CycleGAN.step
def poisoned(recipe, batch, iteration, update):
    result = step(recipe, batch, iteration, update)
    rate = recipe.optimizer_G.param_groups[0]["lr"]
    if iteration == 3 and os.environ["RANK"] == "0" and rate > 1.9e-4:
        next(recipe.G_AB.parameters()).data.fill_(float("nan"))  # Only the process that saves looks at weights.
    if iteration == 5 and os.environ["RANK"] == "1" and rate > 0.9e-4:
        return StepResult({**result.losses, "cycle": torch.tensor(float("nan"))}, result.pictures, result.judged)
    return result
CycleGAN.step = poisoned
main()
"""
"""Trouble that one process alone sees: first the one that writes, then the other."""


def test_several_processes_go_back_together(unpaired, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(to_toml(tiny_cyclegan(*ROLLBACK, "recipe.pool_size=0")))
    outputs = in_processes(2, IN_ONE_OF_TWO, "train", file, "--data", unpaired, "--out", tmp_path / "run")
    assert "Rollback 1 of at most 3: from iteration 4 to 2" in outputs[0]
    assert "Rollback 2 of at most 3: from iteration 5 to 4" in outputs[0]
    assert outputs[1] == ""
    assert [line["iteration"] for line in lines(tmp_path / "run") if "losses" in line] == [1, 2, 3, 4, 5, 6]
    last = saved(tmp_path / "run")
    assert (last["iteration"], last["samples"], last["rollbacks"], last["rate_factor"]) == (6, 12, 2, 0.25)
