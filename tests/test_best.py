"""The best checkpoint: when it is measured and kept, what a resumed run knows of it, and how it is used."""

import errno
import io
import json
import os

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tiny_training import difference, draw_pairs, draw_unpaired, tiny_cyclegan, tiny_pix2pix
from zorse.backends.torch.safetensors_file import load_generator
from zorse.errors import DatasetError, ZorseError
from zorse.loading import read_file_card
from zorse.model.architecture import ProjectedConfig
from zorse.training.files import RunFolder
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.observers import best
from zorse.training.observers import evaluation as exams
from zorse.training.observers.best import read_record
from zorse.training.observers.evaluation import evaluation_set, fair_judge
from zorse.training.run import train
from zorse_export import find_generator

EVERY_TWO = ("training.evaluate_every=2", "training.evaluation_pictures=4")


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


@pytest.fixture
def values(monkeypatch):
    """Figures that the measurements shall find, in turn."""
    wanted: list[float] = []
    measured = exams._measured

    def scripted(*arguments):
        return measured(*arguments).model_copy(update={"value": wanted.pop(0)})

    monkeypatch.setattr(exams, "_measured", scripted)
    return wanted


def evaluations(run):
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    return [line | line["evaluation"] for line in lines if "evaluation" in line]


def test_the_lowest_mean_over_both_directions_is_kept(unpaired, tmp_path, values):
    values.extend([50, 70, 40, 60, 30, 90])  # Means of 60, 50 and 60.
    run, shown = RunFolder(tmp_path / "run"), io.StringIO()
    train(tiny_cyclegan(*EVERY_TWO), unpaired, run.root, console=Console(file=shown, width=200))
    assert [(line["iteration"], line["mean"], line["best"]) for line in evaluations(run)] == [
        (2, 60, True),
        (4, 50, True),
        (6, 60, False),
    ]
    assert "4: KID x 1000 (EfficientNet-Lite0) 50 on average: brown blobs to striped blobs 40," in shown.getvalue()
    assert "(best 50)" in shown.getvalue()
    record = read_record(run.best_record)
    assert (record.iteration, record.value) == (4, 50)
    assert read_checkpoint(run.best_checkpoint)["iteration"] == 4
    assert read_checkpoint(run.last_checkpoint)["iteration"] == 6
    network, card = load_generator(run.best_generators / "G_AB.safetensors")
    assert card.metrics == (record.metrics["G_AB"],)
    assert "2 pictures of set/testA" in card.metrics[0].protocol
    kept = read_checkpoint(run.best_checkpoint)["averages"]["G_AB"]
    assert difference(dict(network.state_dict()), dict(kept)) is None
    log = EventAccumulator(str(run.tensorboard)).Reload()
    assert [e.value for e in log.Scalars("evaluation/KID x 1000 (EfficientNet-Lite0) G_BA")] == [70, 60, 90]


def test_a_disk_that_is_full_leaves_no_word_of_a_best_that_was_not_kept(unpaired, tmp_path, monkeypatch):
    def full(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(best, "save_checkpoint", full)
    run = RunFolder(tmp_path / "run")
    with pytest.raises(ZorseError, match=r"could not be written \(No space left on device\)"):
        train(tiny_cyclegan(*EVERY_TWO), unpaired, run.root)
    assert evaluations(run) == []
    assert read_record(run.best_record) is None


def test_a_resumed_run_knows_what_there_is_to_beat(unpaired, tmp_path, values):
    values.extend([50, 50, 60, 60, 55, 55, 45, 45])
    run = RunFolder(tmp_path / "run")
    config = tiny_cyclegan(*EVERY_TWO, "training.iterations=4", "training.schedule=constant")
    train(config, unpaired, run.root)
    train(tiny_cyclegan(*EVERY_TWO, "training.iterations=8"), unpaired, run.root, resume=True)
    assert [line["best"] for line in evaluations(run)] == [True, False, False, True]
    assert read_record(run.best_record).iteration == 8


def test_figures_on_other_pictures_do_not_count(tmp_path, values):
    values.extend([10, 10, 50, 50])
    pictures, run = draw_unpaired(tmp_path / "set"), RunFolder(tmp_path / "run")
    train(tiny_cyclegan(*EVERY_TWO, "training.iterations=2"), pictures, run.root)
    first = next((pictures / "testA").iterdir())
    Image.fromarray(np.full((40, 40, 3), 99, np.uint8)).save(first)
    train(tiny_cyclegan(*EVERY_TWO, "training.iterations=4"), pictures, run.root, resume=True)
    assert read_record(run.best_record).value == 50


def test_measuring_changes_nothing_in_the_training(tmp_path):
    """With dropout in use when pictures are translated."""
    pairs = draw_pairs(tmp_path / "pairs")
    states = []
    for name, settings in (("with", EVERY_TWO), ("without", ())):
        train(tiny_pix2pix(*settings), pairs, tmp_path / name)
        content = read_checkpoint(RunFolder(tmp_path / name).last_checkpoint)
        states.append({key: value for key, value in content.items() if key not in ("config", "seconds")})
    assert difference(*states) is None
    (first, *_) = evaluations(RunFolder(tmp_path / "with"))
    assert first["figure"] == "KID x 1000 (EfficientNet-Lite2)"
    assert not RunFolder(tmp_path / "without").best_checkpoint.exists()


def test_models_are_judged_by_the_network_that_they_did_not_train_against():
    config = tiny_cyclegan()
    assert fair_judge(config) == "lite0"
    recipe = config.recipe.model_copy(update={"discriminators": (*config.recipe.discriminators, ProjectedConfig())})
    assert fair_judge(config.model_copy(update={"recipe": recipe})) == "lite2"


def test_a_set_without_test_pictures_is_measured_on_training_pictures_spread_over_it(tmp_path):
    for side, n in (("trainA", 10), ("trainB", 3)):
        (tmp_path / side).mkdir()
        for number in range(n):
            Image.fromarray(np.full((16, 16, 3), number * 20, np.uint8)).save(tmp_path / side / f"{number}.png")
    pictures = evaluation_set(tiny_cyclegan("training.evaluation_pictures=5"), tmp_path, "AtoB")
    assert [file.name for (file,) in pictures.files] == ["0.png", "2.png", "4.png", "6.png", "8.png"]
    assert pictures.n_targets == 3


def test_too_few_pictures_are_no_reason_not_to_train(tmp_path):
    draw_unpaired(tmp_path / "set")
    for picture in sorted((tmp_path / "set" / "testB").iterdir())[1:]:
        picture.unlink()
    shown = io.StringIO()
    config = tiny_cyclegan(*EVERY_TWO, "training.iterations=2")
    train(config, tmp_path / "set", tmp_path / "run", console=Console(file=shown, width=300))
    assert "No best checkpoint is kept: set/testA and set/testB hold too few pictures" in shown.getvalue()
    assert not RunFolder(tmp_path / "run").best_record.exists()


def test_a_broken_test_picture_is_told_of_before_the_training(tmp_path):
    draw_unpaired(tmp_path / "set")
    (tmp_path / "set" / "testA" / "zzz.png").write_bytes(b"no picture")
    config = tiny_cyclegan("training.evaluate_every=1000", "training.iterations=1")
    with pytest.raises(DatasetError, match=r"zzz\.png"):
        train(config, tmp_path / "set", tmp_path / "run")
    (tmp_path / "set" / "testA" / "zzz.png").unlink()
    assert train(config, tmp_path / "set", tmp_path / "run").iteration == 1, "nothing was saved that could be lost"
    with pytest.raises(ZorseError, match="already holds files"):
        train(config, tmp_path / "set", tmp_path / "run")


def test_the_best_checkpoint_can_be_found_and_measured(zorse, unpaired, tmp_path, values):
    values.extend([50, 70, 60, 80])
    run = RunFolder(tmp_path / "run")
    train(tiny_cyclegan(*EVERY_TWO, "training.iterations=4"), unpaired, run.root)
    assert find_generator(run.root, "BtoA", "best") == run.best_generators / "G_BA.safetensors"
    code, out, _ = zorse("evaluate", run.root, "--data", unpaired, "--checkpoint", "best", "--json")
    assert code == 0
    measured = json.loads(out)["evaluations"][0]
    assert measured["weights_sha256"] == read_file_card(run.best_generators / "G_AB.safetensors").weights_sha256
    last = read_file_card(run.generators / "G_AB.safetensors").weights_sha256
    assert measured["weights_sha256"] != last


def test_a_run_that_kept_no_best_says_so(zorse, unpaired, tmp_path):
    run = tmp_path / "run"
    train(tiny_cyclegan("training.iterations=2"), unpaired, run)
    for command in (["export", run], ["evaluate", run, "--data", unpaired]):
        code, _, err = zorse(*command, "--checkpoint", "best")
        assert code == 1
        assert "none was kept" in err
