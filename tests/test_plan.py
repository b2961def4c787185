"""What `zorse train --plan` says, and that it leaves nothing behind."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tiny_training import SIZE, draw_pairs, draw_unpaired, tiny_cyclegan, tiny_pix2pix
from zorse.cli.planned import described
from zorse.errors import ConfigError
from zorse.training.config import read_config, to_toml
from zorse.training.planning import plan as module
from zorse.training.planning import trial
from zorse.training.planning.plan import Plan, StagePlan, iterations_within, make_plan
from zorse.training.run import train

STAGES = "data.stages=[{after=0.5, load_size=70, crop_size=64}]"


@pytest.fixture
def data(tmp_path):
    return draw_unpaired(tmp_path / "data")


def test_it_tells_pictures_iterations_networks_time_and_memory_and_writes_nothing(tmp_path, data):
    before = sorted(tmp_path.rglob("*"))
    config = tiny_cyclegan("training.batch_size=2", "training.iterations=12")
    plan = make_plan(config, data, tmp_path / "run", "cpu")
    assert sorted(tmp_path.rglob("*")) == before
    assert plan.pictures == {"brown blobs": 6, "striped blobs": 6}
    assert (plan.iterations, plan.epochs, plan.device) == (12, 4, "CPU")
    assert plan.parameters.keys() == {"G_AB", "G_BA", "D_A", "D_B"}
    assert plan.parameters["G_AB"] == plan.parameters["G_BA"] > 0
    (stage,) = plan.stages
    assert (stage.crop_size, stage.iterations, stage.measured, stage.fits) == (SIZE, 12, True, True)
    assert plan.seconds == pytest.approx(12 * stage.seconds_per_iteration)
    assert 0 < stage.seconds_per_iteration < 60
    assert 10**8 < stage.peak_bytes < plan.memory_bytes
    assert plan.fits
    assert plan.advice == ()


def test_the_checkpoint_is_as_large_as_it_says(tmp_path, data):
    config = tiny_cyclegan("recipe.generator.base_channels=16", "recipe.pool_size=1", "training.evaluate_every=0")
    plan = make_plan(config, data, tmp_path / "run", "cpu")
    train(config, data, tmp_path / "run")
    size = (tmp_path / "run" / "checkpoints" / "last.pt").stat().st_size
    assert plan.checkpoint_bytes == pytest.approx(size, rel=0.15)


def test_generators_that_are_kept_take_their_space(tmp_path, data):
    def disk(every):
        config = tiny_cyclegan("training.iterations=50", f"training.keep_every={every}")
        return make_plan(config, data, tmp_path / "run", "cpu").disk_bytes

    none, ten, two = disk(0), disk(5), disk(25)
    assert ten - none == 5 * (two - none) > 0


def test_pairs_are_counted_as_such(tmp_path):
    data = draw_pairs(tmp_path / "data")
    plan = make_plan(tiny_pix2pix("training.epochs=2"), data, tmp_path / "run", "cpu")
    assert plan.pictures == {"pairs of outlines and shapes": 6}


def test_each_stage_is_tried_with_its_own_crops(tmp_path, data, monkeypatch):
    crops = []

    def fit(state, batches, *rest):
        batches = list(batches)
        crops.append([batch["A"].shape[-1] for batch in batches])
        true_fit(state, batches, *rest)

    true_fit = trial.fit
    monkeypatch.setattr(trial, "fit", fit)
    plan = make_plan(tiny_cyclegan(STAGES, "training.accumulate=2"), data, tmp_path / "run", "cpu")
    assert crops == [[32] * 4, [64] * 4]
    assert [(stage.crop_size, stage.iterations) for stage in plan.stages] == [(32, 3), (64, 3)]
    assert plan.stages[1].seconds_per_iteration != plan.stages[0].seconds_per_iteration


def test_what_cannot_fit_is_computed_from_small_crops_and_not_tried(tmp_path, data, monkeypatch):
    monkeypatch.setattr(trial, "available_memory", lambda: 0)
    tried = []
    true_fit = trial.fit
    monkeypatch.setattr(trial, "fit", lambda state, *rest: tried.append(1) or true_fit(state, *rest))
    config = tiny_cyclegan("data.load_size=560", "data.crop_size=512", "training.batch_size=2")
    plan = make_plan(config, data, tmp_path / "run", "cpu")
    assert len(tried) == 1
    (stage,) = plan.stages
    assert (stage.crop_size, stage.measured, stage.fits) == (512, False, False)
    assert not plan.fits
    text = " ".join(plan.advice)
    assert "Crops of 512 pixels take" in text
    assert "--set training.checkpoint_blocks=true" in text
    assert "--set training.batch_size=1" in text


def test_a_gpu_that_runs_out_of_memory_is_a_plan_that_does_not_fit(tmp_path, data, monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(trial, "fit", full)
    plan = make_plan(tiny_cyclegan(), data, tmp_path / "run", "cpu")
    assert not plan.fits
    assert plan.largest_crop is None
    assert not any("nan" in line for line in described(plan))


def test_a_full_disk_is_noticed_beforehand(tmp_path, data, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda place: SimpleNamespace(free=0))
    plan = make_plan(tiny_cyclegan(), data, tmp_path / "not" / "there", "cpu")
    assert not plan.fits
    assert "free some space" in plan.advice[0]


def test_what_a_fit_of_two_sizes_tells_of_a_third(monkeypatch, tmp_path, data):
    """Memory beyond a fixed amount, and time, grow with the pixels."""
    peaks = {32: 400, 64: 1000}
    monkeypatch.setattr(trial, "memory_held", lambda device: 200)
    monkeypatch.setattr(trial, "available_memory", lambda: 10**9)
    monkeypatch.setattr(nn.Parameter, "nbytes", 0)
    bench = trial.TrialBench(tiny_cyclegan(), data, _state(tiny_cyclegan()), None)
    monkeypatch.setattr(bench, "_measured", lambda crops: trial.Trial(crops.crop_size, 1.0, peaks[crops.crop_size]))
    bench.trial(tiny_cyclegan().data)
    assert bench.largest_crop() == pytest.approx(32 * ((0.9 * 1e9 - 200) / 200) ** 0.5, abs=4)
    monkeypatch.setattr(bench, "memory", 900)
    assert bench.trial(tiny_cyclegan(STAGES).data.at(1.0)) == trial.Trial(64, 4.0, 1000, measured=False)


@pytest.fixture
def step_times(monkeypatch):
    """Lets the trials take these seconds per iteration, one after the other; keeps how many updates each had."""
    times, updates = [], []

    def per_step(clock, steps):
        updates.append(steps + 1)
        return times[len(updates) - 1], 0.0

    monkeypatch.setattr(trial._Clock, "per_step", per_step)
    return SimpleNamespace(times=times, updates=updates)


def test_a_run_gets_as_many_iterations_as_fit_into_its_time(tmp_path, data, step_times):
    """Half of the run takes 0.5 s an iteration, half of it 1.5 s."""
    step_times.times += [0.5, 1.5]
    config = tiny_cyclegan(STAGES, "training.epochs=3")
    assert iterations_within(2, config, data, tmp_path / "run", "cpu") == 120
    assert step_times.updates == [9, 9]


def test_a_run_that_does_not_fit_gets_no_length(tmp_path, data, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda place: SimpleNamespace(free=0))
    with pytest.raises(ConfigError, match=r"does not fit\..*free some space"):
        iterations_within(1, tiny_cyclegan(), data, tmp_path / "run", "cpu")


def test_the_warm_up_has_to_fit_into_the_time(zorse, tmp_path, data, step_times):
    step_times.times.append(60.0)
    (tmp_path / "tiny.toml").write_text(to_toml(tiny_cyclegan()))
    places = ("--data", data, "--out", tmp_path / "run", "--device", "cpu")
    warm_up = ("--set", "training.warm_up=2")
    code, _, err = zorse("train", tmp_path / "tiny.toml", *places, *warm_up, "--minutes", "1", "--no-check")
    assert code == 1
    assert "warm_up is 2 of 1 iterations" in err


def test_the_warm_up_of_what_starts_from_a_model_is_a_share_of_the_time(zorse, tmp_path, data, step_times):
    train(tiny_cyclegan("training.iterations=1"), data, tmp_path / "first")
    generator = tmp_path / "first" / "generators" / "G_AB.safetensors"
    (tmp_path / "tiny.toml").write_text(to_toml(tiny_cyclegan("training.iterations=900")))
    step_times.times.append(0.6)
    places = ("--data", data, "--out", tmp_path / "run", "--device", "cpu", "--no-check")
    code, out, err = zorse("train", tmp_path / "tiny.toml", *places, "--from", generator, "--minutes", "0.1")
    assert (code, err) == (0, "")
    assert "For 2 iterations the generators wait" in out
    settings = read_config(tmp_path / "run" / "config.toml").training
    assert (settings.iterations, settings.warm_up) == (10, 2)


def test_what_is_wrong_is_said_before_the_trial(zorse, tmp_path, data, monkeypatch):
    monkeypatch.setattr(trial, "fit", lambda *_: pytest.fail("It was tried."))
    (tmp_path / "tiny.toml").write_text(to_toml(tiny_cyclegan()))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    command = ("train", tmp_path / "tiny.toml", "--data", data, "--minutes", "1", "--device", "cpu")
    code, _, err = zorse(*command, "--out", tmp_path / "full")
    assert code == 1
    assert "already holds files" in err
    for file in (data / "trainA").iterdir():
        file.write_bytes(file.read_bytes()[:60])
    code, _, err = zorse(*command, "--out", tmp_path / "run")
    assert code == 1
    assert "zorse data check" in err


def test_the_command_trains_for_so_long(zorse, tmp_path, data, step_times):
    step_times.times.append(2.0)
    (tmp_path / "tiny.toml").write_text(to_toml(tiny_cyclegan()))
    places = ("--data", data, "--out", tmp_path / "run", "--device", "cpu")
    code, out, _ = zorse("train", tmp_path / "tiny.toml", *places, "--minutes", "0.1", "--no-check")
    assert code == 0
    assert "3 iterations take about 0.1 minutes" in out
    assert read_config(tmp_path / "run" / "config.toml").training.iterations == 3
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) > 0


def _state(config):
    from rich.console import Console

    from zorse.training.loop.loop import make_accelerator
    from zorse.training.run import fresh_state

    return fresh_state(config, make_accelerator(config.training, "cpu"), Console(quiet=True), start=True)


def test_the_command_prints_it_as_text_and_as_json(zorse, tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(to_toml(tiny_cyclegan(STAGES)))
    code, out, _ = zorse("train", "tiny.toml", "--data", data, "--plan", "--device", "cpu")
    assert code == 0
    for part in ("6 brown blobs", "6 iterations of batch 1", "32 px: 3 iterations", "64 px", "(measured)", "It fits."):
        assert part in out
    code, out, _ = zorse("train", "tiny.toml", "--data", data, "--plan", "--json", "--device", "cpu")
    assert code == 0
    assert [stage["crop_size"] for stage in json.loads(out)["stages"]] == [32, 64]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--json",), "--json goes with --plan"),
        (("--plan", "--resume", "--out", "x"), "--resume"),
        (("--minutes", "5", "--resume", "--out", "x"), "leave --minutes out"),
        (("--minutes", "5", "--set", "training.iterations=9"), "exclude each other"),
        (("--minutes", "5", "--set", "training={epochs=9}"), "exclude each other"),
        (("--minutes", "0"), "--minutes"),
        (("--minutes", "inf"), "--minutes"),
        (("--minutes", "nan"), "--minutes"),
    ],
)
def test_options_that_do_not_go_together_are_refused(zorse, tmp_path, options, complaint):
    code, _, err = zorse("train", "compact_horse2zebra", "--data", tmp_path, *options)
    assert code == 2
    assert complaint in err


def test_days_and_crops_are_said_as_people_say_them():
    stage = StagePlan(
        crop_size=256, iterations=100, seconds_per_iteration=15, peak_bytes=3_200_000_000, measured=True, fits=True
    )
    plan = Plan(
        name="horse2zebra",
        device="CPU",
        pictures={"horses": 3},
        batch_size=1,
        iterations=100,
        epochs=200,
        parameters={"G": 11_378_179},
        checkpoint_bytes=10**8,
        disk_bytes=10**9,
        memory_bytes=8 * 10**9,
        stages=(stage,),
        seconds=400_000,
        largest_crop=400,
        fits=True,
        advice=(),
    )
    text = "\n".join(described(plan))
    for part in ("4.6 days", "G 11.38 M", "15 s each, 3.2 GB", "crops up to 400 px would fit (computed)"):
        assert part in text
