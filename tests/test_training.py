"""The loop: any recipe, schedules, averages, precision, accumulation, interruption, and what it writes."""

import copy
import io
import json
import math
import multiprocessing
import os
import signal

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.optim import SGD

from tiny_training import SIZE, difference, draw_pairs, draw_unpaired, tiny_cyclegan, tiny_pix2pix
from zorse.backends.torch.backend import as_tested
from zorse.backends.torch.safetensors_file import load_generator
from zorse.data.config import PairedConfig
from zorse.data.dataset import open_dataset
from zorse.data.loader import batches, collate
from zorse.errors import ConfigError, DeviceError, TrainingDivergedError
from zorse.model.architecture import ResnetConfig
from zorse.networks.build import build_generator
from zorse.recipes.cyclegan import CycleGAN
from zorse.recipes.recipe import StepResult, detached
from zorse.training.config import LoopConfig
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.loop.loop import TrainingState, fit, make_accelerator, seed_everything
from zorse.training.loop.schedule import learning_rate_factor, update_average
from zorse.training.observers.logging import ConsoleProgress, LossMeans, as_grid
from zorse.training.run import build_recipe, total_iterations, train


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return draw_pairs(tmp_path_factory.mktemp("pairs") / "set")


class Regression:
    """A method of a user's own, known to nobody: G learns B from A by least squares."""

    def __init__(self, network: nn.Module, rate: float = 0.1) -> None:
        self.networks = self.generators = {"G": network}
        self.optimizers = {"G": SGD(network.parameters(), lr=rate)}

    def step(self, batch, iteration, update) -> StepResult:
        loss = F.mse_loss(self.networks["G"](batch["A"]), batch["B"])
        update(loss, self.optimizers["G"])
        return detached({"squares": loss})

    def preview(self, batch, generators):
        return {"fake_B": generators["G"](batch["A"])}

    def state_dict(self):
        return {}

    def load_state_dict(self, state) -> None: ...


class Notes:
    """An observer that writes down what it sees."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.ends = 0

    def after_step(self, state, result, batch) -> None:
        self.losses.append(sum(loss.item() for loss in result.losses.values()))
        self.rates.append(next(iter(state.recipe.optimizers.values())).param_groups[0]["lr"])

    def at_end(self, state) -> None:
        self.ends += 1


def lines(count: int, batch_size: int = 4):
    """Points of a line with noise."""
    chance = torch.Generator().manual_seed(3)
    for _ in range(count):
        x = torch.randn(batch_size, 1, generator=chance)
        yield {"A": x, "B": 3 * x + 1 + 0.01 * torch.randn(batch_size, 1, generator=chance)}


def run(recipe, source, total: int, *observers, **settings) -> TrainingState:
    config = LoopConfig(**settings)
    accelerator = make_accelerator(config, "cpu")
    state = TrainingState.fresh(recipe, total, config, accelerator)
    fit(state, source, config, accelerator, observers)
    return state


def test_a_recipe_of_ones_own_is_trained_without_registering_it():
    notes = Notes()
    state = run(Regression(nn.Linear(1, 1)), lines(200), 200, notes, schedule="constant", ema_decay=0.9)
    assert (state.iteration, notes.ends, len(notes.losses)) == (200, 1, 200)
    assert notes.losses[-1] < 1e-3 < notes.losses[0]
    assert state.averages["G"].weight.item() == pytest.approx(3, abs=0.01)
    assert not state.averages["G"].weight.requires_grad


def test_the_run_ends_with_its_batches():
    notes = Notes()
    state = run(Regression(nn.Linear(1, 1)), lines(3), 10, notes)
    assert (state.iteration, notes.ends) == (3, 1)


def test_the_learning_rate_falls_as_published():
    """Constant for the first half, then linearly to zero; the reference: 1 - max(0, epoch - 100) / 100."""
    factors = [learning_rate_factor(iteration, 200, "linear", 0.5) for iteration in range(200)]
    assert factors == pytest.approx([1 - max(0, iteration - 100) / 100 for iteration in range(200)])
    assert min(factors) > 0
    assert learning_rate_factor(0, 10, "linear", 0.0) == 1
    assert learning_rate_factor(5, 10, "linear", 0.0) == pytest.approx(0.5)
    assert {learning_rate_factor(iteration, 10, "linear", 1.0) for iteration in range(10)} == {1.0}


def test_other_schedules():
    cosine = [learning_rate_factor(iteration, 100, "cosine", 0.0) for iteration in range(100)]
    assert cosine == pytest.approx([(1 + math.cos(math.pi * iteration / 100)) / 2 for iteration in range(100)])
    assert {learning_rate_factor(iteration, 100, "constant", 0.0) for iteration in range(100)} == {1.0}


def test_the_loop_sets_the_learning_rate_of_each_iteration():
    notes = Notes()
    run(Regression(nn.Linear(1, 1), rate=0.1), lines(10), 10, notes, schedule="linear", decay_from=0.5)
    assert notes.rates == pytest.approx([0.1] * 6 + [0.08, 0.06, 0.04, 0.02])


def test_the_average_moves_towards_the_weights():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    average = copy.deepcopy(network)
    start, goal = network[0].weight.item(), 5.0
    network[0].weight.data.fill_(goal)
    network[1].running_mean.fill_(7.0)
    network[1].num_batches_tracked.fill_(3)
    update_average(average, network, iteration=10_000, decay=0.9)
    assert average[0].weight.item() == pytest.approx(0.9 * start + 0.1 * goal)
    assert (average[1].running_mean.item(), average[1].num_batches_tracked.item()) == (7.0, 3)
    update_average(average, network, iteration=10_000, decay=0.0)
    assert torch.equal(average[0].weight, network[0].weight)


def test_the_average_soon_forgets_the_initial_weights():
    network = nn.Linear(1, 1, bias=False)
    average = copy.deepcopy(network)
    network.weight.data.fill_(1.0)
    average.weight.data.fill_(0.0)
    for iteration in range(100):
        update_average(average, network, iteration, decay=0.999)
    assert average.weight.item() > 0.99999


def test_gathered_gradients_take_the_step_of_one_larger_batch():
    def images(count: int, batch_size: int):
        chance = torch.Generator().manual_seed(5)
        pictures = torch.rand(count * batch_size, 2, 3, 16, 16, generator=chance)
        return [{"A": part[:, 0], "B": part[:, 1]} for part in pictures.split(batch_size)]

    start = build_generator(ResnetConfig(base_channels=4, n_blocks=1)).double()
    joint, gathered = copy.deepcopy(start), copy.deepcopy(start)
    joint_batches = [{key: value.double() for key, value in batch.items()} for batch in images(2, 2)]
    single_batches = [{key: value.double() for key, value in batch.items()} for batch in images(4, 1)]
    run(Regression(joint), joint_batches, 2, schedule="constant")
    run(Regression(gathered), single_batches, 4, schedule="constant", accumulate=2)
    for mine, other in zip(gathered.parameters(), joint.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)
    assert difference(dict(start.state_dict()), dict(joint.state_dict())) is not None


def test_the_same_seed_gives_the_same_run_and_another_one_does_not(unpaired):
    def weights(seed: int):
        config = tiny_cyclegan(f"training.seed={seed}", "training.iterations=2")
        seed_everything(seed)
        recipe = build_recipe(config.recipe, seed)
        source = batches(open_dataset(config.data, unpaired, seed=seed), 1, 0, 2, num_workers=0)
        run(recipe, source, 2)
        return {name: dict(network.state_dict()) for name, network in recipe.networks.items()}

    assert difference(weights(0), weights(0)) is None
    assert difference(weights(0), weights(1)) is not None


def trained(config, data, **loop):
    """Weights and losses after a few iterations, without a run folder."""
    settings = config.training.model_copy(update=loop)
    seed_everything(0)
    recipe = build_recipe(config.recipe, 0)
    accelerator = make_accelerator(settings, "cpu")
    state = TrainingState.fresh(recipe, 3, settings, accelerator)
    source = batches(open_dataset(config.data, data), settings.batch_size, 0, 3, num_workers=0)
    notes = Notes()
    fit(state, source, settings, accelerator, [notes])
    return recipe, notes.losses


@pytest.mark.parametrize("objective", ["nonsaturating", "wgan_gp"])
def test_bf16_trains_on_the_cpu(unpaired, objective):
    config = tiny_cyclegan(f"recipe.objective={objective}")
    recipe, rough = trained(config, unpaired, precision="bf16")
    _, fine = trained(config, unpaired)
    assert rough != fine
    assert rough == pytest.approx(fine, rel=0.05)
    for network in recipe.networks.values():
        assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_channels_last_computes_the_same(pairs):
    config = tiny_pix2pix('recipe.discriminators=[{kind="patchgan", base_channels=4, n_layers=2, norm="batch"}]')
    recipe, losses = trained(config, pairs, channels_last=True, batch_size=2)
    _, wanted = trained(config, pairs, batch_size=2)
    assert losses == pytest.approx(wanted, rel=1e-4)
    assert recipe.networks["G"].downs[1].layers[1].weight.is_contiguous(memory_format=torch.channels_last)


def test_compile_compiles_every_network(unpaired, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda network: compiled.append(network))
    recipe, _ = trained(tiny_cyclegan(), unpaired, compile=True)
    assert {id(network) for network in compiled} == {id(network) for network in recipe.networks.values()}


def test_runs_of_different_precision_follow_each_other_in_one_process():
    for precision in ("fp32", "bf16", "fp32"):
        accelerator = make_accelerator(LoopConfig(precision=precision), "cpu")
        assert accelerator.mixed_precision == {"fp32": "no"}.get(precision, precision)


def test_what_the_hardware_cannot_do_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r'precision = "fp16" needs a GPU'):
        make_accelerator(LoopConfig(precision="fp16"))
    with pytest.raises(DeviceError, match=r"finds no CUDA device.*--device cpu"):
        make_accelerator(LoopConfig(), "cuda")


class Explosion(Regression):
    """Its loss is infinite in iteration 2."""

    def step(self, batch, iteration, update) -> StepResult:
        result = super().step(batch, iteration, update)
        return StepResult({**result.losses, "wild": torch.tensor(float("nan") if iteration == 2 else 0.0)})


def test_a_loss_that_is_no_number_names_the_pictures_and_saves_nothing():
    source = ({**batch, "path_A": [f"horse{n}.jpg"], "path_B": [f"zebra{n}.jpg"]} for n, batch in enumerate(lines(5)))
    notes = Notes()
    with pytest.raises(TrainingDivergedError, match=r"iteration 2 the loss wild .* horse2.jpg, zebra2.jpg"):
        run(Explosion(nn.Linear(1, 1)), source, 5, notes)
    assert (len(notes.losses), notes.ends) == (2, 0)


class Interrupter(Notes):
    """Presses Ctrl-C during iteration 2, `times` times."""

    def __init__(self, number: signal.Signals, times: int = 1) -> None:
        super().__init__()
        self.number, self.times = number, times

    def after_step(self, state, result, batch) -> None:
        super().after_step(state, result, batch)
        if state.iteration == 2:
            for _ in range(self.times):
                signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_after_its_iteration(number):
    before = signal.getsignal(number)
    notes = Interrupter(number)
    state = run(Regression(nn.Linear(1, 1)), lines(9), 9, notes)
    assert (state.iteration, state.interrupted, notes.ends) == (2, True, 1)
    assert signal.getsignal(number) is before


# Python 3.12 and later warn of forked workers in a process with threads; PyTorch forks them nevertheless.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.skipif(os.name != "posix", reason="these signals are those of POSIX")
def test_signals_to_the_whole_group_leave_the_workers_at_work(unpaired):
    config = tiny_cyclegan()
    source = batches(open_dataset(config.data, unpaired), 1, 0, 8, num_workers=1)
    next(source)
    for number in (signal.SIGINT, signal.SIGTERM):
        for worker in multiprocessing.active_children():
            os.kill(worker.pid, number)
    assert len(list(source)) == 7
    assert not multiprocessing.active_children(), "workers end with their work"


def test_a_second_ctrl_c_stops_at_once():
    notes = Interrupter(signal.SIGINT, times=2)
    with pytest.raises(KeyboardInterrupt):
        run(Regression(nn.Linear(1, 1)), lines(9), 9, notes)
    assert notes.ends == 0


def test_ctrl_c_in_the_last_iteration_is_no_interruption():
    state = run(Regression(nn.Linear(1, 1)), lines(2), 2, Interrupter(signal.SIGINT))
    assert (state.iteration, state.interrupted) == (2, False)


def test_pix2pix_learns_one_pair_by_heart(pairs):
    config = tiny_pix2pix(
        'recipe.generator={kind="unet", base_channels=16, depth=4, dropout=false}',
        'recipe.discriminators=[{kind="patchgan", base_channels=4, n_layers=2, norm="batch"}]',
        "recipe.learning_rate=0.002",
    )
    (batch,) = batches(open_dataset(config.data, pairs), 1, 0, 1, num_workers=0)
    recipe = build_recipe(config.recipe, 0)
    distances = []

    class Watch(Notes):
        def after_step(self, state, result, batch) -> None:
            distances.append(result.losses["l1"].item())

    run(recipe, (batch for _ in range(60)), 60, Watch(), schedule="constant")
    assert distances[-1] < 0.2 * distances[0], f"from {distances[0]:.3f} to {distances[-1]:.3f}"


def test_cyclegan_learns_to_find_back(unpaired):
    """The cycle loss of one pair of pictures falls while the discriminators play against it."""
    config = tiny_cyclegan('recipe.generator={kind="compact", base_channels=8, n_blocks=1}')
    (batch,) = batches(open_dataset(config.data, unpaired), 1, 0, 1, num_workers=0)
    recipe = build_recipe(config.recipe, 0)
    for network in recipe.generators.values():  # Far from the identity that compact generators begin with.
        nn.init.normal_(network.finish[-1].weight, std=0.3)
    cycles = []

    class Watch(Notes):
        def after_step(self, state, result, batch) -> None:
            cycles.append(result.losses["cycle"].item())

    run(recipe, (batch for _ in range(30)), 30, Watch(), schedule="constant")
    assert cycles[-1] < 0.7 * cycles[0], f"from {cycles[0]:.3f} to {cycles[-1]:.3f}"


def test_epochs_are_passes_through_the_data(pairs):
    dataset = open_dataset(PairedConfig(load_size=36, crop_size=SIZE), pairs)
    assert len(dataset) == 6
    config = tiny_pix2pix()
    by_epochs = config.model_copy(update={"training": LoopConfig(epochs=2.5, batch_size=3)})
    assert total_iterations(by_epochs, dataset) == 5
    assert total_iterations(config, dataset) == 6


def test_a_run_writes_its_settings_losses_pictures_and_generators(unpaired, tmp_path):
    config = tiny_cyclegan("training.iterations=5", "training.ema_decay=0.5")
    train(config, unpaired, tmp_path / "run")
    found = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    events = next(name for name in found if name.startswith("tensorboard/"))
    assert found == {
        ".lock",
        "config.toml",
        "metrics.jsonl",
        "checkpoints/last.pt",
        "checkpoints/previous.pt",
        "checkpoints/healthy.pt",
        "generators/G_AB.safetensors",
        "generators/G_BA.safetensors",
        "samples/00000004.png",
        "samples/00000005.png",
        events,
    }
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [2, 4, 5]
    assert lines[0]["losses"].keys() == {"G_AB", "G_BA", "cycle", "identity", "D_A", "D_B"}
    assert lines[0]["learning_rates"] == {"G": 2e-4, "D": 2e-4}
    scalars = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in scalars.Scalars("losses/cycle")] == [2, 4, 5]
    assert scalars.Scalars("losses/cycle")[0].value == pytest.approx(lines[0]["losses"]["cycle"])
    grid = cv2.imread(str(tmp_path / "run" / "samples" / "00000005.png"))
    assert grid.shape == (2 * SIZE, 6 * SIZE, 3), "a row for each of the two test pictures, six columns"
    network, card = load_generator(tmp_path / "run" / "generators" / "G_BA.safetensors")
    assert (card.name, card.task, card.direction) == ("striped2brown", "striped blobs to brown blobs", "BtoA")
    assert card.training.startswith("cyclegan, 5 iterations of batch 1 at 32 x 32 pixels, ")
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    assert difference(dict(saved["averages"]["G_BA"]), dict(network.state_dict())) is None
    assert difference(dict(saved["networks"]["G_BA"]), dict(network.state_dict())) is not None


def test_the_grid_shows_rows_of_samples_in_true_colours():
    red, blue = torch.tensor([1.0, -1, -1]), torch.tensor([-1.0, -1, 1])
    left = torch.stack([red, blue])[:, :, None, None].expand(2, 3, 4, 4)
    grid = as_grid({"real_A": left, "fake_B": -left})
    assert grid.shape == (8, 8, 3)
    assert grid[0, 0].tolist() == [255, 0, 0]
    assert grid[7, 0].tolist() == [0, 0, 255]
    assert grid[0, 7].tolist() == [0, 255, 255]


def test_a_narrow_terminal_shows_all_losses_and_the_time_left():
    class SixLosses(Regression):
        def step(self, batch, iteration, update) -> StepResult:
            (loss,) = super().step(batch, iteration, update).losses.values()
            return StepResult(dict.fromkeys(("G_AB", "G_BA", "cycle", "identity", "D_A", "D_B"), 0 * loss + 0.5))

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system=None, width=80)
    with ConsoleProgress(console, log_every=2) as progress:
        run(SixLosses(nn.Linear(1, 1)), lines(4), 4, progress)
    assert "4/4 0:00:0" in screen.getvalue()
    assert "left 0:00:00" in screen.getvalue()
    assert "G_AB 0.500  G_BA 0.500  cycle 0.500  identity 0.500  D_A 0.500  D_B 0.500" in screen.getvalue()


def test_losses_are_averaged_between_lines_without_losing_digits():
    means = LossMeans()
    for _ in range(1000):
        means.add(StepResult({"loss": torch.tensor(1.0078125, dtype=torch.bfloat16)}))
    assert means.take() == {"loss": 1.0078}
    means.add(StepResult({"loss": torch.tensor(2.0)}))
    assert means.take() == {"loss": 2.0}


def test_samples_show_what_the_saved_generator_will_do_and_do_not_disturb_the_training(pairs, tmp_path):
    """BatchNorm with each picture's own statistics and dropout at test time, as the card says; the same each time."""
    for every in (1, 1000):
        config = tiny_pix2pix("training.iterations=3", f"training.sample_every={every}")
        train(config, pairs, tmp_path / str(every))
    often, seldom = (
        torch.load(tmp_path / every / "checkpoints" / "last.pt", weights_only=True)["networks"]
        for every in ("1", "1000")
    )
    assert difference(often, seldom) is None
    network, card = load_generator(tmp_path / "1" / "generators" / "G.safetensors")
    shown = open_dataset(config.data, pairs, split="test")
    batch = collate([shown.sample(index) for index in range(len(shown))])
    torch.manual_seed(0)
    with torch.inference_mode():
        wanted = as_grid({"fake_B": as_tested(network, card)(batch["A"])})
    grid = cv2.cvtColor(cv2.imread(str(tmp_path / "1" / "samples" / "00000003.png")), cv2.COLOR_BGR2RGB)
    assert np.array_equal(grid[:, SIZE : 2 * SIZE], wanted)


def test_ruined_weights_do_not_replace_the_checkpoint(unpaired, tmp_path, monkeypatch):
    """The losses of the iteration that ruins the weights are still finite."""
    step = CycleGAN.step

    def ruinous_step(recipe, batch, iteration, update) -> StepResult:
        result = step(recipe, batch, iteration, update)
        if iteration == 1:
            next(recipe.D_B.parameters()).data[0] = float("inf")
        return result

    monkeypatch.setattr(CycleGAN, "step", ruinous_step)
    with pytest.raises(TrainingDivergedError, match=r"After iteration 2 the weights of D_B are not finite"):
        train(tiny_cyclegan("training.save_every=1"), unpaired, tmp_path / "run")
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")["iteration"] == 1


def test_samples_are_collated_from_the_test_set(unpaired, tmp_path):
    config = tiny_cyclegan("training.iterations=1")
    train(config, unpaired, tmp_path / "run")
    shown = open_dataset(config.data, unpaired, split="test")
    batch = collate([shown.sample(index) for index in range(len(shown))])
    grid = cv2.cvtColor(cv2.imread(str(tmp_path / "run" / "samples" / "00000001.png")), cv2.COLOR_BGR2RGB)
    assert np.array_equal(grid[:, :SIZE], as_grid({"real_A": batch["A"]}))
