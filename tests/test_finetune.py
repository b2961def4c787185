"""Runs that start from models: who starts from what, what waits, what stays as it was."""

import copy
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from foreign_networks import INSTANCE, PatchGAN, Resnet, randomised
from tiny_training import difference, draw_unpaired, own_settings, tiny_cyclegan, tiny_pix2pix
from zorse.backends.torch.backend import TorchBackend
from zorse.backends.torch.onnx_weights import load_onnx_generator
from zorse.backends.torch.safetensors_file import load_generator, save_generator
from zorse.data.dataset import open_dataset
from zorse.data.loader import batches
from zorse.errors import ChecksumMismatch, ConfigError, IncompatibleWeights, WeightsError
from zorse.loading import load
from zorse.model.architecture import CompactConfig, ResnetConfig
from zorse.model.card import ModelCard
from zorse.networks.build import build_generator
from zorse.recipes.cut import CUTConfig
from zorse.training.config import StartingPoint, to_toml, validated, with_overrides
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.loop.loop import TrainingState, fit, make_accelerator
from zorse.training.observers.recorder.alarms import AlarmBoard
from zorse.training.run import build_recipe, train
from zorse.training.start import load_start, start_from

TINY = ResnetConfig(base_channels=4, n_blocks=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("unpaired") / "set")


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run of six steps, whose averages differ from its generators."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(tiny_cyclegan("training.ema_decay=0.5"), data, folder, device="cpu")
    return folder


def checkpoint(folder: Path) -> dict:
    return read_checkpoint(folder / "checkpoints" / "last.pt")


def model_file(path: Path, direction="AtoB", architecture=TINY) -> Path:
    torch.manual_seed(sum(path.name.encode()))
    card = ModelCard(
        name=path.stem, task="a to b", domain_a="a", domain_b="b", direction=direction, architecture=architecture
    )
    save_generator(path, randomised(build_generator(architecture)), card)
    return path


def first_weights(config) -> dict[str, dict]:
    recipe = build_recipe(config.recipe, 0)
    load_start(recipe, config)
    return {name: network.state_dict() for name, network in recipe.networks.items()}


def of_file(path: Path) -> dict:
    return load_generator(path)[0].state_dict()


def test_a_run_is_where_all_four_networks_start(finished):
    config, remarks = start_from(tiny_cyclegan(), [str(finished)])
    assert (remarks, config.training.warm_up) == ((), 0)
    weights, saved = first_weights(config), checkpoint(finished)
    for name in ("G_AB", "G_BA"):
        assert difference(weights[name], saved["averages"][name]) is None
        assert difference(weights[name], saved["networks"][name]) is not None
    for name in ("D_A", "D_B"):
        assert difference(weights[name], saved["networks"][name]) is None


def test_a_run_without_its_checkpoint_still_has_its_generators(finished, tmp_path):
    shutil.copytree(finished / "generators", tmp_path / "generators")
    config, _ = start_from(tiny_cyclegan(), [str(tmp_path)])
    assert {point.network for point in config.start} == {"G_AB", "G_BA"}
    assert difference(first_weights(config)["G_BA"], of_file(finished / "generators" / "G_BA.safetensors")) is None


def test_models_take_the_place_of_their_direction(tmp_path):
    there, back = (model_file(tmp_path / f"{way}.safetensors", way) for way in ("AtoB", "BtoA"))
    config, _ = start_from(tiny_cyclegan(), [str(back), str(there)])
    weights = first_weights(config)
    assert difference(weights["G_AB"], of_file(there)) is None
    assert difference(weights["G_BA"], of_file(back)) is None
    only_back, _ = start_from(tiny_cyclegan(), [str(back)])
    assert [point.network for point in only_back.start] == ["G_BA"]
    with pytest.raises(ConfigError, match=r"would both start G_AB"):
        start_from(tiny_cyclegan(), [str(there), shutil.copy(there, tmp_path / "copy.safetensors")])


def test_what_starts_is_said(tmp_path):
    file = model_file(tmp_path / "model.safetensors")
    config, _ = start_from(tiny_cyclegan("training.iterations=5000"), [str(file)])
    lines = load_start(build_recipe(config.recipe, 0), config)
    assert lines[0] == f"G_AB starts from {file}."
    assert lines[1] == "G_BA, D_A and D_B start fresh."
    assert lines[2].startswith("For 200 iterations the generators wait")
    assert load_start(build_recipe(config.recipe, 0), tiny_cyclegan()) == []


def test_the_generator_is_the_models(tmp_path):
    wider = ResnetConfig(base_channels=6, n_blocks=0)
    file = model_file(tmp_path / "wider.safetensors", architecture=wider)
    config, remarks = start_from(tiny_cyclegan(), [str(file)])
    assert config.recipe.generator == wider
    assert f"that of {file} instead of the preset's" in remarks[0]
    with pytest.raises(ConfigError, match=r"base_channels=6.*recipe\.generator is set to.*base_channels=4"):
        start_from(tiny_cyclegan(), [str(file)], fixed_generator=True)
    other = model_file(tmp_path / "other.safetensors", "BtoA")
    with pytest.raises(ConfigError, match=r"of one run are alike"):
        start_from(tiny_cyclegan(), [str(file), str(other)])
    deep = model_file(tmp_path / "deep.safetensors", architecture=tiny_pix2pix().recipe.generator)
    with pytest.raises(ConfigError, match=r"crop_size is 36.*multiples of 16"):
        start_from(tiny_cyclegan("data.crop_size=36"), [str(deep)])


def test_one_generator_recipes_take_the_way_from_a_to_b(finished):
    saved = checkpoint(finished)
    cut = tiny_cyclegan().model_copy(
        update={
            "recipe": CUTConfig(
                generator=TINY, discriminators=tiny_cyclegan().recipe.discriminators, embedding_channels=8
            )
        }
    )
    config, _ = start_from(cut, [str(finished)])
    weights = first_weights(config)
    assert difference(weights["G"], saved["averages"]["G_AB"]) is None
    assert difference(weights["D"], saved["networks"]["D_B"]) is None
    config, remarks = start_from(tiny_pix2pix(), [str(finished)])  # Its discriminators look at pairs.
    assert [point.network for point in config.start] == ["G"]
    assert "look at 3 channels" in " ".join(remarks)
    assert config.training.warm_up == 6 // 5


def test_a_folder_of_the_reference_starts_everything(tmp_path):
    networks = {name: randomised(Resnet(4, 1, INSTANCE)) for name in ("G_A", "G_B")}
    networks |= {name: randomised(PatchGAN(3, 4, 2, INSTANCE)) for name in ("D_A", "D_B")}
    for name, network in networks.items():
        torch.save(network.state_dict(), tmp_path / f"latest_net_{name}.pth")
    config, remarks = start_from(tiny_cyclegan(), [str(tmp_path)])
    assert (remarks, config.training.warm_up) == ((), 0)
    recipe = build_recipe(config.recipe, 0)
    load_start(recipe, config)
    seen = torch.rand(1, 3, 32, 32) * 2 - 1
    # Their D_A judges domain B.
    for ours, theirs in {"G_AB": "G_A", "G_BA": "G_B", "D_A": "D_B", "D_B": "D_A"}.items():
        torch.testing.assert_close(recipe.networks[ours](seen), networks[theirs](seen), atol=1e-5, rtol=0)
    config, remarks = start_from(tiny_cyclegan('recipe.discriminators=[{kind="pixel"}]'), [str(tmp_path)])
    assert [point.network for point in config.start] == ["G_AB", "G_BA"]
    assert f"discriminators of {tmp_path} do not fit" in remarks[0]
    with pytest.raises(WeightsError, match="holds discriminators only"):
        start_from(tiny_cyclegan(), [str(tmp_path / "latest_net_D_A.pth")])


@pytest.mark.parametrize("name", ["horse2zebra", "zebra2horse"])
def test_shipped_models_can_be_trained_on(name):
    config, _ = start_from(tiny_cyclegan(), [name])
    assert isinstance(config.recipe.generator, CompactConfig)
    recipe = build_recipe(config.recipe, 0)
    load_start(recipe, config)
    (point,) = config.start
    shipped = load(name, "cpu")
    seen = np.random.default_rng(0).uniform(-1, 1, (1, 3, 32, 48)).astype(np.float32)
    ours = TorchBackend(recipe.networks[point.network], shipped.card, "cpu")(seen)
    np.testing.assert_allclose(ours, shipped.backend(seen), atol=1e-4)


def test_onnx_files_that_cannot_be_trained_on(tmp_path):
    import onnx

    file = tmp_path / "model.onnx"
    file.write_bytes(b"no ONNX at all")
    with pytest.raises(WeightsError, match="cannot be read as an ONNX file"):
        load_onnx_generator(file)
    card = ModelCard(name="x", task="a to b", domain_a="a", domain_b="b", architecture=TINY)
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [], []))
    onnx.helper.set_model_props(model, {"zorse.card": card.model_dump_json()})
    onnx.save(model, file)
    with pytest.raises(IncompatibleWeights, match=r"layers\.1\.weight .* is missing.*Use the \.safetensors"):
        load_onnx_generator(file)


def test_generators_wait_for_fresh_discriminators(data, tmp_path):
    file = model_file(tmp_path / "model.safetensors")
    config, _ = start_from(tiny_cyclegan("training.iterations=4", "training.warm_up=3"), [str(file)])
    accelerator = make_accelerator(config.training, "cpu")
    recipe = build_recipe(config.recipe, 0)
    load_start(recipe, config)
    state = TrainingState.fresh(recipe, 4, config.training, accelerator)
    before = {name: copy.deepcopy(network.state_dict()) for name, network in recipe.networks.items()}
    source = batches(open_dataset(config.data, data), 1, 0, 4, 0)
    fit(state, islice(source, 3), config.training, accelerator)
    for name in ("G_AB", "G_BA"):
        assert difference(recipe.networks[name].state_dict(), before[name]) is None
        assert difference(state.averages[name].state_dict(), before[name]) is None
    assert difference(recipe.networks["D_B"].state_dict(), before["D_B"]) is not None
    fit(state, source, config.training, accelerator)
    assert state.iteration == 4
    for network in (recipe.networks["G_AB"], state.averages["G_AB"]):
        assert difference(network.state_dict(), before["G_AB"]) is not None


FROZEN = ["layers.1", "D_B.layers.0*", "G_BA.*.body.5"]


def test_frozen_layers_keep_their_weights(data, finished, tmp_path):
    config, _ = start_from(tiny_cyclegan(), [str(finished)])
    config = with_overrides(config, [f"training.freeze={FROZEN}"])
    train(config, data, tmp_path / "run", device="cpu")
    before, after = first_weights(config), checkpoint(tmp_path / "run")["networks"]
    kept = {
        f"{network}.{name}"
        for network, weights in before.items()
        for name, tensor in weights.items()
        if torch.equal(tensor, after[network][name])
    }
    frozen = {"G_AB.layers.1", "G_BA.layers.1", "D_B.layers.0", "G_BA.layers.10.body.5"}
    assert kept == {f"{layer}.{leaf}" for layer in frozen for leaf in ("weight", "bias")}


@pytest.mark.parametrize("generator", [TINY, CompactConfig(base_channels=8, n_blocks=1, finish_channels=4)])
def test_the_encoder_can_be_frozen(data, tmp_path, generator):
    file = model_file(tmp_path / "model.safetensors", architecture=generator)
    config, _ = start_from(
        tiny_cyclegan("training.freeze=['encoder']", "training.warm_up=0", "training.iterations=1"),
        [str(file)],
    )
    train(config, data, tmp_path / "run", device="cpu")
    before, after = of_file(file), checkpoint(tmp_path / "run")["networks"]["G_AB"]
    kept = {name.rpartition(".")[0] for name, tensor in before.items() if torch.equal(tensor, after[name])}
    assert kept == ({"layers.1", "layers.4", "layers.7"} if generator == TINY else {"stem.1"})


def test_what_cannot_be_frozen(data, tmp_path):
    with pytest.raises(ConfigError, match=r"'layrs\.1', which fits no layer.*The layers are: G_AB\.layers\.1, "):
        train(tiny_cyclegan('training.freeze=["layrs.1"]'), data, tmp_path / "run", device="cpu")
    with pytest.raises(ConfigError, match=r"leaves nothing to train .* optimizer G"):
        train(tiny_cyclegan('training.freeze=["*"]'), data, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "config.toml").exists()


def test_a_resumed_run_is_the_uninterrupted_one(data, tmp_path):
    file = model_file(tmp_path / "model.safetensors", architecture=ResnetConfig(base_channels=5, n_blocks=1))
    plain = tiny_cyclegan("training.freeze=['layers.1']", "training.schedule=constant")
    config, _ = start_from(with_overrides(plain, ["training.warm_up=2"]), [str(file)])
    train(config, data, tmp_path / "whole", device="cpu")
    train(with_overrides(config, ["training.iterations=3"]), data, tmp_path / "halved", device="cpu")
    file.unlink()  # Not needed any more.
    train(plain, data, tmp_path / "halved", resume=True, device="cpu")  # The command without --from.
    first, second = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "halved")
    for key in ("networks", "averages", "optimizers"):
        assert difference(first[key], second[key]) is None, key
    assert own_settings(tmp_path / "halved") == config


def test_the_run_folder_tells_its_start_and_repeats_it(data, tmp_path):
    file = model_file(tmp_path / "model.safetensors")
    config, _ = start_from(tiny_cyclegan("training.iterations=2", "training.warm_up=1"), [str(file)])
    train(config, data, tmp_path / "run", device="cpu")
    saved = own_settings(tmp_path / "run")
    assert saved == config
    assert (saved.training.warm_up, saved.start[0].network, saved.start[0].model) == (1, "G_AB", str(file))
    _, card = load_generator(tmp_path / "run" / "generators" / "G_AB.safetensors")
    assert f"Started from: G_AB model.safetensors (sha256 {saved.start[0].sha256[:16]})." in card.training
    train(saved, data, tmp_path / "again", device="cpu")
    assert difference(checkpoint(tmp_path / "run")["networks"], checkpoint(tmp_path / "again")["networks"]) is None
    torch.manual_seed(3)
    model_file(tmp_path / "other.safetensors").replace(file)
    with pytest.raises(ChecksumMismatch, match=r"model\.safetensors has changed since it was chosen"):
        train(saved, data, tmp_path / "third", device="cpu")


def test_starting_points_that_make_no_sense(tmp_path):
    with pytest.raises(ConfigError, match=r"warm_up is 6 of 6 iterations, so the generators would never learn"):
        tiny_cyclegan("training.warm_up=6")
    file = str(model_file(tmp_path / "model.safetensors"))

    def start(config, **settings):
        return config.model_copy(update={"start": (StartingPoint(**{"network": "G_AB", "model": file} | settings),)})

    with pytest.raises(ConfigError, match=r"names the network 'G', which the recipe does not have"):
        first_weights(start(tiny_cyclegan(), network="G"))
    with pytest.raises(WeightsError, match="holds no network at 'netG'"):
        first_weights(start(tiny_cyclegan(), place="netG"))
    with pytest.raises(IncompatibleWeights, match=r"G_AB cannot start .* layers\.1\.weight has shape"):
        first_weights(start(tiny_cyclegan('recipe.generator={kind="resnet", base_channels=5, n_blocks=1}')))
    with pytest.raises(WeightsError, match="does not exist"):
        start_from(tiny_cyclegan(), [str(tmp_path / "none.safetensors")])
    torch.save({"config": "", "networks": {}, "averages": {}}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="no checkpoint that this version of Zorse can start from"):
        start_from(tiny_cyclegan(), [str(tmp_path / "x.pt")])


def test_the_command(zorse, data, tmp_path):
    config = tmp_path / "tiny.toml"
    config.write_text(to_toml(tiny_cyclegan("training.iterations=2")), encoding="utf-8")
    file = model_file(tmp_path / "model.safetensors")
    out = tmp_path / "run"
    command = ["train", config, "--data", data, "--out", out, "--device", "cpu"]
    code, text, _ = zorse(*command, "--from", file)
    assert (code, f"G_AB starts from {file}." in text) == (0, True)
    assert 'network = "G_AB"' in (out / "config.toml").read_text()
    assert zorse(*command, "--from", file, "--resume")[0] == 2
    assert zorse(*command, "--resume", "--set", "training.iterations=3")[0] == 0
    code, _, complaint = zorse(*command, "--from", file, "--set", "recipe.generator.base_channels=5")
    assert (code, "Leave that setting out" in complaint) == (1, True)
    code, _, complaint = zorse(*command, "--from", tmp_path / "nothing.pth")
    assert (code, "There is no file" in complaint) == (1, True)


@pytest.mark.parametrize("plan", [(), ("--plan",)])
def test_a_run_by_epochs_is_not_all_warm_up(plan, zorse, data, tmp_path):
    """How many iterations epochs are is only known beside the pictures."""
    config = tmp_path / "tiny.toml"
    by_epochs = tiny_cyclegan().model_dump(exclude_none=True)
    del by_epochs["training"]["iterations"]
    config.write_text(to_toml(validated(by_epochs)), encoding="utf-8")
    command = ["train", config, "--data", data, "--out", tmp_path / "run", "--device", "cpu", "--no-check", *plan]
    command += ["--from", model_file(tmp_path / "model.safetensors"), "--set", "training.epochs=1"]
    code, _, complaint = zorse(*command)
    assert code == 1
    assert "training.warm_up is 200, but the run has 6 iterations, so the generators would never learn." in complaint
    assert not (tmp_path / "run").exists()


def test_discriminators_may_win_while_the_generators_wait():
    def raised(warm_up: int) -> list[int]:
        board = AlarmBoard(keeps_scene=True, total=1000, warm_up=warm_up)
        accuracy = {iteration: 1.0 if iteration <= 250 else 0.7 for iteration in range(50, 1000, 50)}
        return [event.iteration for i, value in accuracy.items() for event in board.update(i, {"accuracy_D_A": value})]

    assert raised(0)[0] == 250
    assert raised(200) == []
