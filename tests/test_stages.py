"""Crops that grow during the run."""

from contextlib import contextmanager
from itertools import chain, islice

import pytest

from tiny_training import difference, draw_unpaired, tiny_cyclegan
from zorse.backends.torch.safetensors_file import load_generator
from zorse.data.config import UnpairedConfig
from zorse.data.dataset import open_dataset
from zorse.errors import ConfigError
from zorse.training import run
from zorse.training.config import read_config, to_toml
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.run import train
from zorse.training.stages import spans, staged_batches

STAGES = "data.stages=[{after=0.3, load_size=44, crop_size=40}, {after=0.7, load_size=50, crop_size=48}]"


def crops(config, seen, n_batches, per_step):
    """The crop of each batch, one after the other."""
    parts = spans(config, seen, n_batches, per_step)
    return list(chain.from_iterable([part.data.crop_size] * part.n_batches for part in parts))


def test_a_run_without_stages_is_one_span():
    (span,) = spans(UnpairedConfig(), seen=6, n_batches=5, per_step=2)
    assert (span.first_sample, span.n_batches, span.data) == (6, 5, UnpairedConfig())


@pytest.mark.parametrize(("total", "per_step"), [(10, 1), (10, 2), (7, 3), (1, 1), (2, 4)])
def test_what_is_left_of_a_run_is_cut_as_it_would_have_been(total, per_step):
    config = tiny_cyclegan(STAGES).data
    whole = crops(config, 0, total, per_step)
    assert len(whole) == total
    assert whole == sorted(whole)
    for done in range(total):
        assert crops(config, done * per_step, total - done, per_step) == whole[done:]


def test_a_stage_begins_at_its_share_of_the_run_and_no_sample_is_lost():
    parts = spans(tiny_cyclegan(STAGES).data, seen=0, n_batches=10, per_step=2)
    assert [(part.data.crop_size, part.first_sample, part.n_batches) for part in parts] == [
        (32, 0, 3),
        (40, 6, 4),
        (48, 14, 3),
    ]
    assert all(part.data.stages == () for part in parts)


def test_batches_show_the_pictures_that_they_would_show_without_stages(tmp_path):
    data = draw_unpaired(tmp_path)
    config = tiny_cyclegan(STAGES)
    plain = open_dataset(tiny_cyclegan().data, data, seed=config.training.seed)
    staged = list(staged_batches(config, data, 0, 10))
    assert [batch["A"].shape[-1] for batch in staged] == [32] * 3 + [40] * 4 + [48] * 3
    for number, batch in enumerate(staged):
        assert batch["path_A"] == [plain.sample(number)["path_A"]]


@contextmanager
def broken_off(monkeypatch, stop):
    """Inside, a run gets no more than that many batches: unlike a shorter run, it still has its whole schedule."""

    def supply(*arguments):
        yield from islice(staged_batches(*arguments), stop)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "staged_batches", supply)
        yield


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_run_resumed_before_at_or_after_a_boundary_is_the_uninterrupted_one(tmp_path, monkeypatch, stop):
    data = draw_unpaired(tmp_path / "data")
    settings = ("data.stages=[{after=0.5, load_size=44, crop_size=40}]", "training.evaluate_every=0")
    train(tiny_cyclegan(*settings, f"training.save_every={stop}"), data, tmp_path / "whole")
    part = tiny_cyclegan(*settings, f"training.save_every={stop}")
    with broken_off(monkeypatch, stop), pytest.raises(KeyboardInterrupt):
        train(part, data, tmp_path / "parts")
    assert read_checkpoint(tmp_path / "parts" / "checkpoints" / "last.pt")["iteration"] == stop
    train(part, data, tmp_path / "parts", resume=True)
    whole, parts = (read_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "parts"))
    for content in (whole, parts):
        content.pop("seconds")
    assert whole["iteration"] == 6
    assert difference(whole, parts) is None
    assert whole["recipe"]["pool_A"]["images"][0].shape[-1] == 40


def test_the_card_says_what_the_last_stage_was_made_for(tmp_path):
    data = draw_unpaired(tmp_path / "data")
    train(tiny_cyclegan(STAGES, "training.iterations=1", "training.evaluate_every=0"), data, tmp_path / "run")
    _, card = load_generator(tmp_path / "run" / "generators" / "G_AB.safetensors")
    assert card.native_size == 50
    assert "32 x 32, then 40 x 40, then 48 x 48 pixels" in card.training


def test_stages_are_written_and_read_back(tmp_path):
    config = tiny_cyclegan(STAGES)
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert read_config(tmp_path / "config.toml") == config


@pytest.mark.parametrize(
    ("stages", "complaint"),
    [
        ("{after=0.5, load_size=44, crop_size=42}", "multiples of 4"),
        ("{after=0.5, load_size=39, crop_size=40}", "does not fit"),
        ("{after=0.5, load_size=44, crop_size=32}", "crop_size must grow from stage to stage, but it is 32, 32"),
        (
            "{after=0.5, load_size=44, crop_size=40}, {after=0.4, load_size=60, crop_size=48}",
            "after must grow from stage to stage, but it is 0.0, 0.5, 0.4",
        ),
        ("{after=1, load_size=44, crop_size=40}", "less than 1"),
        ("{from=0.5, load_size=44, crop_size=40}", "from"),
    ],
)
def test_stages_that_make_no_sense_are_refused(stages, complaint):
    with pytest.raises(ConfigError, match=complaint):
        tiny_cyclegan(f"data.stages=[{stages}]")
