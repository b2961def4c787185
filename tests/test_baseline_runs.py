"""Runs of baselines: files, resuming, the best checkpoint, collapse and rollback, and the commands around them."""

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from tiny_baselines import draw_classes, draw_digits, tiny
from tiny_training import difference
from zorse.cli import app
from zorse.errors import ConfigError, ImageError, WeightsError
from zorse.gans.data.dataset import open_samples, sample_batches
from zorse.gans.recipes.gan import GAN
from zorse.gans.safetensors_file import load_sample_generator, save_sample_generator
from zorse.gans.sampling.sampler import Sampler
from zorse.gans.training.config import BaselineConfig, read_baseline_config
from zorse.gans.training.evaluation import exam_for
from zorse.gans.training.presets import BASELINE_PRESETS
from zorse.gans.training.run import fresh_baseline, train_baseline
from zorse.gans.training.tricks import TRICKS, with_tricks
from zorse.model.card import read_card
from zorse.recipes.recipe import StepResult
from zorse.training.config import to_toml, validated_as, with_overrides
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.loop.loop import fit, make_accelerator
from zorse.training.observers.recorder import alarms
from zorse.training.observers.recorder.log import read_log
from zorse.training.observers.recorder.signals import coverage


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return draw_digits(tmp_path_factory.mktemp("set") / "digits")


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    return draw_classes(tmp_path_factory.mktemp("set") / "classes")


@pytest.fixture(scope="module")
def ring_run(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "ring"
    train_baseline(tiny("gan_ring", "training.evaluate_every=3"), None, run)
    return run


@pytest.fixture(scope="module")
def info_run(tmp_path_factory, digits):
    run = tmp_path_factory.mktemp("runs") / "info"
    train_baseline(tiny("infogan_digits"), digits, run)
    return run


@pytest.fixture(scope="module")
def labelled_run(tmp_path_factory, digits):
    run = tmp_path_factory.mktemp("runs") / "labelled"
    train_baseline(tiny("cdcgan_digits"), digits, run)
    return run


def size(file) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def n_frames(file) -> int:
    with Image.open(file) as picture:
        return picture.n_frames


def pixels(file) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


def command(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)


@pytest.mark.parametrize("preset", BASELINE_PRESETS)
def test_every_preset_is_valid_and_trains_two_steps(preset, digits, classes):
    whole = BASELINE_PRESETS[preset]()
    assert validated_as(BaselineConfig, whole.model_dump()) == whole
    if preset.endswith(("grid", "spiral")):
        return  # As on the ring.
    config = tiny(preset)
    root = {"mixture": None, "digits": digits, "pictures": classes}[config.data.kind]
    samples, accelerator = open_samples(config.data, root), make_accelerator(config.training, "cpu")
    state = fresh_baseline(config, samples, accelerator)
    seen = []

    class Watch:
        def after_step(self, state, result, batch) -> None:
            seen.append(result)

        def at_end(self, state) -> None:
            pass

    source = sample_batches(samples, config.training.batch_size, 0, 2)
    fit(state, source, config.training, accelerator, [Watch()])
    assert state.iteration == 2
    assert all(math.isfinite(float(loss)) for result in seen for loss in result.losses.values())
    assert seen[0].pictures["fake"].shape[1:] == config.recipe.generator.shape


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("gan_ring", ("recipe.tricks.historical_averaging=0.1", "recipe.tricks.label_noise=0.1")),
        ("infogan_digits", ()),
        ("growing_digits", ("recipe.growth=2",)),
    ],
)
def test_a_resumed_run_ends_like_one_that_was_never_stopped(preset, overrides, digits, tmp_path):
    data = None if preset == "gan_ring" else digits
    config = tiny(preset, "training.schedule=constant", *overrides)
    train_baseline(config, data, tmp_path / "whole")
    train_baseline(with_overrides(config, ["training.iterations=3"]), data, tmp_path / "parts")
    train_baseline(config, data, tmp_path / "parts", resume=True)
    whole, parts = (read_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "parts"))
    for key in ("networks", "averages", "optimizers", "recipe", "chance"):
        assert difference(whole[key], parts[key]) is None, key


def test_a_run_leaves_a_generator_that_explains_itself(ring_run):
    sampler = Sampler.load(ring_run / "generators" / "G.safetensors")
    assert (sampler.card.method, sampler.card.shape, sampler.card.draws_points) == ("gan", (2,), True)
    assert "6 iterations" in sampler.card.training
    assert sampler.draw(sampler.latents(5)).shape == (5, 2)
    assert torch.equal(sampler.latents(5, seed=1), sampler.latents(5, seed=1))
    assert not torch.equal(sampler.latents(5, seed=1), sampler.latents(5, seed=2))
    assert sorted(file.name for file in (ring_run / "samples").iterdir()) == ["00000004.png", "00000006.png"]
    assert read_baseline_config(ring_run / "config.toml").recipe.kind == "gan"


def test_the_best_is_kept_with_its_figure(ring_run):
    best = Sampler.load(ring_run / "generators_best" / "G.safetensors").card.metrics[0]
    assert best.name == "mismatch of modes"
    evaluations = [line["evaluation"] for line in read_log(ring_run / "metrics.jsonl") if "evaluation" in line]
    assert len(evaluations) == 2
    assert min(each["mean"] for each in evaluations) == pytest.approx(best.value, rel=1e-4)


def test_digits_are_watched_through_the_classifier(digits, tmp_path, monkeypatch):
    from zorse.gans.metrics import digit_classifier
    from zorse.gans.training import digits as measures

    monkeypatch.setattr(digit_classifier, "STEPS", 2)
    monkeypatch.setattr(digit_classifier, "BATCH", 8)
    monkeypatch.setattr(measures, "N_MEASURED", 40)
    train_baseline(tiny("dcgan_digits", "training.evaluate_every=6"), digits, tmp_path / "run")
    card = Sampler.load(tmp_path / "run" / "generators_best" / "G.safetensors").card
    assert card.metrics[0].name == "Frechet distance (small digit classifier)"


def test_pictures_are_watched_through_kid(classes, tmp_path):
    settings = ("training.evaluate_every=3", "training.evaluation_pictures=6")
    train_baseline(tiny("dcgan_32_pictures", *settings), classes, tmp_path / "run")
    (metric,) = Sampler.load(tmp_path / "run" / "generators_best" / "G.safetensors").card.metrics
    assert metric.name == "KID x 1000 (EfficientNet-Lite0)"
    assert "6 generated and 6 real pictures of 32 px" in metric.protocol
    train_baseline(tiny("dcgan_32_pictures"), classes, tmp_path / "plain")
    ends = [read_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("run", "plain")]
    assert difference(ends[0]["networks"], ends[1]["networks"]) is None, "who looks disturbs nothing"
    few = io.StringIO()
    lone = draw_classes(tmp_path / "few", per_class=1) / "red"
    train_baseline(tiny("dcgan_32_pictures", *settings), lone, tmp_path / "lone", console=Console(file=few, width=200))
    assert "too few pictures to measure KID on" in few.getvalue()
    assert not (tmp_path / "lone" / "generators_best").exists()


def test_a_test_set_needs_no_second_picture_of_each_class(tmp_path):
    for split, per_class in (("train", 2), ("test", 1)):
        draw_classes(tmp_path / "set" / split, per_class)
    config = tiny("dcgan_32_pictures")
    config = config.model_copy(update={"data": config.data.model_copy(update={"companion": "same_class"})})
    assert exam_for(config, tmp_path / "set", Console(quiet=True), torch.device("cpu")) is not None


# Collapse


def test_coverage_counts_the_neighbourhoods_that_are_visited():
    real = torch.cat([torch.randn(40, 2) * 0.01 + torch.tensor([float(k), 0.0]) for k in range(4)])
    assert coverage(real, real + 1e-4) == 1.0
    assert coverage(real, real[:40] + 1e-4) == 0.25
    assert coverage(real, torch.full((10, 2), 99.0)) == 0.0


def test_a_run_that_collapses_goes_back_and_is_saved(tmp_path, monkeypatch):
    """From iteration 40 on the generator draws one point, unless its learning rate has been lowered."""
    step = GAN.step

    def collapsing(recipe, batch, iteration, update) -> StepResult:
        result = step(recipe, batch, iteration, update)
        fake = batch["x"] + 0.01
        if iteration >= 40 and recipe.optimizers["G"].param_groups[0]["lr"] > 6e-4:
            fake = fake[:1].expand_as(fake)
        return StepResult(result.losses, {"real": batch["x"], "fake": fake}, result.judged)

    monkeypatch.setattr(GAN, "step", collapsing)
    monkeypatch.setattr(alarms, "SPAN", 20)
    settings = {
        "iterations": 80,
        "log_every": 4,
        "save_every": 10,
        "sample_every": 80,
        "evaluate_every": 0,
        "batch_size": 32,
        "rollback": "true",
        "schedule": "constant",
    }
    overrides = [f"training.{key}={value}" for key, value in settings.items()]
    config = tiny("gan_ring", *overrides, "recipe.generator.hidden=[8]", "recipe.discriminator.hidden=[8]")
    state = train_baseline(config, None, tmp_path / "run")
    assert (state.iteration, state.rollbacks, state.rate_factor) == (80, 1, 0.5)
    (rollback,) = (line for line in read_log(tmp_path / "run" / "metrics.jsonl") if "rollback" in line)
    assert rollback["iteration"] == 40
    assert rollback["rollback"]["alarms"][0]["name"] == "mode_collapse"


# Settings that cannot work


@pytest.mark.parametrize(
    ("preset", "override", "expected"),
    [
        ("gan_ring", "data.distribution=star", "'ring', 'grid' or 'spiral'"),
        ("gan_ring", "recipe.generator.shape=[3, 8, 8]", "points in the plane need"),
        ("gan_ring", 'recipe.discriminator={kind="dcgan"}', "judged by a discriminator of the kind mlp"),
        ("wgan_gp_digits", "recipe.discriminator.norm=batch", "a gradient for each sample"),
        ("cdcgan_digits", "recipe.generator.latent.classes=0", "is told labels"),
        ("cogan_digits", "data.companion=none", "needs data.companion to be negative or edges"),
        ("wgan_gp_ring", "recipe.discriminator.minibatch_kernels=3", "a gradient for each sample"),
        ("gan_ring", "recipe.tricks.augment=true", "is for pictures"),
        ("gan_ring", "training.compile=true", "are for translators"),
        ("gan_ring", "training.num_workers=4", "is for translators"),
        ("lsgan_digits", "recipe.generator.growing=true", "only dcgan knows how to grow"),
        ("gan_digits", "training.batch_size=1", "at least 2"),
        ("gan_ring", "recipe.trick.d_steps=2", "Did you mean 'tricks'"),
        ("infogan_digits", "recipe.generator.latent={noise=5}", "InfoGAN needs codes"),
        ("vae_digits", "recipe.generator.latent.classes=3", "normal noise"),
        ("dcgan_digits", "data.size=28", "The samples are pictures of 28 x 28 pixels"),
        ("cdcgan_digits", "recipe.generator.latent.classes=7", "classes is 7"),
    ],
)
def test_settings_that_do_not_fit_are_told(preset, override, expected, digits, tmp_path):
    with pytest.raises(ConfigError, match=expected):
        train_baseline(with_overrides(BASELINE_PRESETS[preset](), [override]), digits, tmp_path / "run")


def test_points_are_not_said_to_come_from_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="leave --data out"):
        train_baseline(BASELINE_PRESETS["gan_ring"](), tmp_path, tmp_path / "run")


# Commands


def test_train_stops_and_goes_on_from_the_command_line(tmp_path):
    quick = ["--set", "training.iterations=4", "--set", "training.evaluate_every=0"]
    result = command("train", "gan_ring", "--out", tmp_path / "run", *quick)
    assert result.exit_code == 0, result.output
    assert f"zorse sample {tmp_path / 'run'}" in result.output
    more = command("train", "gan_ring", "--out", tmp_path / "run", "--resume", "--set", "training.iterations=6")
    assert more.exit_code == 0, more.output
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")["iteration"] == 6
    config = read_baseline_config(tmp_path / "run" / "config.toml")
    assert config.training.evaluate_every == 0, "it kept its own settings"
    file = tmp_path / "own.toml"
    file.write_text(to_toml(config), encoding="utf-8")
    again = command("train", file, "--out", tmp_path / "own")
    assert again.exit_code == 0, again.output
    other = command("train", "vae_ring", "--out", tmp_path / "run", "--resume")
    assert isinstance(other.exception, ConfigError)
    assert "trains gan" in str(other.exception)
    assert command("train", "gan_ring", "--plan").exit_code == 2
    taken = command("train", "gan_ring", "--out", tmp_path / "run")
    assert "already holds files" in str(taken.exception)


def test_sample_draws_points_and_a_film(ring_run, tmp_path):
    assert command("sample", ring_run, "-o", tmp_path / "points.png").exit_code == 0
    assert size(tmp_path / "points.png") == (512, 512)
    assert command("sample", ring_run, "--checkpoint", "best", "-n", 3, "-o", tmp_path / "best.png").exit_code == 0
    assert command("sample", ring_run, "--film", "-o", tmp_path / "film.gif").exit_code == 0
    assert n_frames(tmp_path / "film.gif") == 2
    for option, out in (("--traverse", "x.png"), ("--interpolate", "x.gif")):
        result = command("sample", ring_run, option, "-o", tmp_path / out)
        assert "points in the plane" in str(result.exception)


def test_sample_draws_classes(labelled_run, tmp_path):
    assert command("sample", labelled_run, "-n", 30, "-o", tmp_path / "all.png").exit_code == 0
    assert size(tmp_path / "all.png") == (10 * 32, 3 * 32)
    for label in ("3", "0"):
        assert (
            command("sample", labelled_run, "--label", label, "-n", 4, "-o", tmp_path / f"{label}.png").exit_code == 0
        )
    three, zero = (pixels(tmp_path / f"{label}.png") for label in ("3", "0"))
    assert three.shape == (64, 64, 3)
    assert not np.array_equal(three, zero)
    for label, expected in (("12", "12 was wanted, but .* knows 0 \\(0\\)"), ("cat", "No class is called 'cat'")):
        result = command("sample", labelled_run, "--label", label, "-o", tmp_path / "x.png")
        with pytest.raises(ConfigError, match=expected):
            raise result.exception


def test_sample_interpolates_walks_adds_and_goes_through_codes(info_run, labelled_run, tmp_path, digits):
    def drawn(*options: object) -> tuple[int, int]:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        result = command("sample", info_run, *options, "-o", out)
        assert result.exit_code == 0, result.output
        return size(out)

    assert drawn("--interpolate") == (320, 256)
    assert drawn("--interpolate", "--linear") == (320, 256)
    assert drawn("--traverse") == (320, 3 * 256 + 2 * 8), "one discrete and two continuous codes"
    assert drawn("--arithmetic", "0,1-2,3+4") == (4 * 32, 2 * 32)
    assert drawn("--neighbours", digits, "-n", 5) == (5 * 64, 32)
    assert command("sample", labelled_run, "--interpolate", "-n", 2, "-o", tmp_path / "walk.gif").exit_code == 0
    walk = tmp_path / "walk.gif"
    assert (n_frames(walk), size(walk)) == (20, (128, 128))


def test_sums_of_latents_are_computed_as_written(info_run):
    from zorse.gans.sampling.sampler import as_pixels
    from zorse.gans.sampling.sheets import arithmetic_sheet
    from zorse.gans.sheets import sheet

    sampler = Sampler.load(info_run / "generators" / "G.safetensors")
    latents = sampler.latents(64, seed=3)
    total = (latents[0] + latents[1]) / 2 - latents[2] + latents[4]
    noise = sampler.card.latent.noise
    total[noise:] = latents[0, noise:]
    drawn = arithmetic_sheet(sampler, "0,1 - 2 + 4", 64, None, seed=3)
    expected = sheet(as_pixels(sampler.draw(total[None])))
    np.testing.assert_allclose(drawn[:32, -32:].astype(int), expected.astype(int), atol=1)
    for wrong in ("one", "0,1 * 2", "", "0,,1", "0-"):
        with pytest.raises(ConfigError, match="is no sum of samples"):
            arithmetic_sheet(sampler, wrong, 64, None, seed=0)
    with pytest.raises(ConfigError, match="names sample 64, but the sheet has 64"):
        arithmetic_sheet(sampler, "64", 64, None, seed=0)


def test_neighbours_of_pairs_are_refused(labelled_run):
    from zorse.gans.sampling.sheets import neighbours_sheet

    sampler = Sampler.load(labelled_run / "generators" / "G.safetensors")
    with pytest.raises(ConfigError, match="draws 32x32 pixels, but the training pictures have 64x32"):
        neighbours_sheet(sampler, sampler.latents(2), np.zeros((3, 32, 64, 3), np.uint8))


def test_sums_are_of_the_samples_on_the_sheet(labelled_run):
    from zorse.gans.sampling.sheets import arithmetic_sheet, samples_sheet

    sampler = Sampler.load(labelled_run / "generators" / "G.safetensors")
    whole = samples_sheet(sampler, 30, None, seed=5)
    sum_of_one = arithmetic_sheet(sampler, "14", 30, None, seed=5)
    np.testing.assert_array_equal(sum_of_one[:32, :32], whole[32:64, 4 * 32 : 5 * 32])


def test_generators_are_kept_for_good(tmp_path):
    quick = ["training.iterations=4", "training.evaluate_every=0", "training.keep_every=2"]
    train_baseline(with_overrides(BASELINE_PRESETS["gan_ring"](), quick), None, tmp_path / "run")
    kept = sorted((tmp_path / "run" / "generators_kept").glob("*/G.safetensors"))
    assert [file.parent.name for file in kept] == ["00000002", "00000004"]
    assert Sampler.load(kept[0]).card.draws_points


def test_sample_says_what_cannot_be(info_run, tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"no model")
    for options, kind in (
        (("--traverse", "--interpolate"), SystemExit),
        (("--linear",), SystemExit),
        (("-o", tmp_path / "x.gif"), SystemExit),
        (("-o", tmp_path / "x.psd"), ImageError),
        (("--seed", 2**64), SystemExit),
        (("--label", 1, "--traverse"), ConfigError),
        (("--film", "-o", tmp_path / "x.png"), SystemExit),
        (("--label", "1"), ConfigError),
    ):
        assert isinstance(command("sample", info_run, *options).exception, kind), options
    for model in (tmp_path / "other.safetensors", tmp_path / "nothing", tmp_path):
        assert isinstance(command("sample", model, "-o", tmp_path / "x.png").exception, WeightsError)
    assert not (tmp_path / "x.png").exists()
    with pytest.raises(WeightsError, match="zorse sample"):
        read_card({"zorse.sample_card": "{}"}, "G.safetensors")


def test_a_file_whose_header_is_as_long_as_a_pickle_begins_is_read(info_run, tmp_path):
    """Lengths of 0x0280 and the like are the first bytes of a pickle, too."""
    network, card = load_sample_generator(info_run / "generators" / "G.safetensors")
    lengths = set()
    for padding in range(0, 1024, 8):
        file = tmp_path / f"{padding}.safetensors"
        save_sample_generator(file, network, card.model_copy(update={"notes": "x" * padding}))
        lengths.add(file.read_bytes()[:1])
        load_sample_generator(file)
    assert b"\x80" in lengths


def test_a_run_that_draws_samples_is_not_taken_for_one_that_translates(ring_run, tmp_path):
    going_on = command("train", "compact_horse2zebra", "--data", tmp_path, "--out", ring_run, "--resume")
    starting = command("train", "compact_horse2zebra", "--data", tmp_path, "--from", ring_run)
    teaching = command("distill", ring_run, "--data", tmp_path)
    for result in (going_on, starting, teaching):
        assert "draws samples from noise" in str(result.exception)


def test_a_single_generator_has_no_best_checkpoint(ring_run, tmp_path):
    generator = ring_run / "generators" / "G.safetensors"
    result = command("sample", generator, "--checkpoint", "best", "-o", tmp_path / "x.png")
    assert "is a single model" in str(result.exception)


def test_a_film_shows_what_the_run_has_drawn(ring_run, tmp_path):
    result = command("sample", ring_run, "--film", "-o", tmp_path / "film.gif", "--label", "3")
    assert result.exit_code == 2
    assert not (tmp_path / "film.gif").exists()


def test_the_benchmark_prints_a_table_and_json():
    options = ["--method", "vae_ring", "--method", "gan_grid", "--seeds", 2, "--iterations", 2]
    table = command("benchmark", "gans", *options)
    assert table.exit_code == 0, table.output
    assert "modes covered, of 25" in table.output
    assert "Seeds 0, 1; means with 95 % intervals" in table.output
    result = command("benchmark", "gans", *options, "--json")
    content = json.loads(result.stdout)
    assert [row["preset"] for row in content["rows"]] == ["vae_ring", "gan_grid"]
    figure = content["rows"][0]["figures"][2]
    assert figure["name"] == "reverse KL"
    assert figure["interval"][0] <= figure["mean"] <= figure["interval"][1]
    assert figure["mean"] == pytest.approx(sum(figure["values"]) / 2)
    for method, expected in (("cyclegan", "There is no preset"), ("cdcgan_digits", "--data")):
        result = command("benchmark", "gans", "--method", method)
        assert isinstance(result.exception, ConfigError)
        assert expected in str(result.exception)


def test_the_benchmark_measures_each_trick_against_the_same_seeds_without_it():
    options = ["--tricks", "--seeds", 2, "--iterations", 20, "--set", "training.batch_size=16"]
    result = command("benchmark", "gans", *options, "--json")
    content = json.loads(result.stdout)
    plain, *others = content["rows"]
    assert (plain["preset"], plain["trick"], plain["figures"][0]["change"]) == ("gan_ring", None, None)
    tricks = {row["trick"]: row for row in others}
    assert set(tricks) == set(TRICKS) - {"DiffAugment"}, "points cannot be augmented"
    for row in others:
        figure, without = row["figures"][2], plain["figures"][2]
        changes = [a - b for a, b in zip(figure["values"], without["values"], strict=True)]
        assert figure["change"] == pytest.approx(sum(changes) / 2)
        assert figure["values"] != without["values"], f"{row['trick']} changes nothing"
        assert figure["change_interval"][0] <= figure["change"] <= figure["change_interval"][1]
    assert "recipe.tricks.d_steps=5" in tricks["several D steps"]["settings"]
    page = command("benchmark", "gans", *options, "--method", "wgan_gp_ring", "--set", "training.seed=7", "--markdown")
    lines = page.stdout.splitlines()
    assert lines[0] == "| preset | modes covered, of 8 | good points | reverse KL | seconds |"
    assert [line.split(" | ")[0] for line in lines[2:5]] == [
        "| wgan_gp_ring",
        "| wgan_gp_ring, virtual normalisation",
        "| wgan_gp_ring, no moving average",
    ]
    assert "Seeds 7, 8" in lines[-1]
    assert command("benchmark", "gans", "--json", "--markdown").exit_code == 2
    twice = command("benchmark", "gans", "--iterations", 3, "--set", "training.iterations=4")
    assert "given twice" in str(twice.exception)
    wrong = command("benchmark", "gans", "--set", "recipe.learning_rat=1")
    assert "Did you mean 'learning_rate'" in str(wrong.exception)


def test_several_steps_of_the_discriminator_get_a_batch_for_each():
    changed = with_tricks(BASELINE_PRESETS["cdcgan_digits"]())
    assert set(changed) == set(TRICKS)
    config, settings = changed["several D steps"]
    assert (config.training.batch_size, settings[-1]) == (5 * 64, "training.batch_size=320")
    assert set(with_tricks(BASELINE_PRESETS["sngan_digits"]())) == {
        "minibatch discrimination",
        "virtual normalisation",
        "no moving average",
    }


def test_the_benchmark_measures_digits_through_the_classifier(digits, monkeypatch):
    from zorse.gans.metrics import digit_classifier
    from zorse.gans.training import digits as measures

    monkeypatch.setattr(digit_classifier, "STEPS", 2)
    monkeypatch.setattr(digit_classifier, "BATCH", 8)
    monkeypatch.setattr(measures, "N_MEASURED", 40)
    options = ["--seeds", 1, "--iterations", 1, "--data", digits, "--json"]
    content = json.loads(command("benchmark", "gans", "--method", "infogan_digits", *options).stdout)
    names = {figure["name"] for figure in content["rows"][0]["figures"]}
    assert {"agreement of code 0", "information of code 0, nats", "balance KL", "classifier Frechet"} <= names
    assert "small digit classifier" in content["remarks"][0]
