"""Training on a GPU, as far as it can be told without one: every recipe, run on a device that is only pretended."""

import pytest
import torch
from torch import nn
from torch.optim import SGD

from pretend_cuda import OnCuda, cuda_accelerator, pretended_cuda
from test_distill import recipe as tiny_distillation
from tiny_baselines import draw_digits, tiny
from tiny_training import SIZE, difference, draw_unpaired, tiny_cyclegan, tiny_pix2pix
from zorse.backends.torch import backend as inference
from zorse.errors import DeviceError
from zorse.gans.data.dataset import open_samples, sample_batches
from zorse.gans.training.run import fresh_baseline
from zorse.model.architecture import PatchGANConfig, ResnetConfig
from zorse.networks.layers import InstanceNorm
from zorse.networks.spectral import spectral_norm
from zorse.recipes.cut import CUT, CUTConfig
from zorse.recipes.recipe import detached
from zorse.training import run
from zorse.training.config import LoopConfig
from zorse.training.loop import checkpoint
from zorse.training.loop.loop import TrainingState, fit, make_accelerator
from zorse.training.observers.recorder.gauges import Gauges

SMALL = "kind='patchgan', base_channels=4"
JUDGE = f"recipe.discriminators=[{{{SMALL}, n_layers=2, augment=true, spectral_norm=true}}]"
COMPACT = "recipe.generator={kind='compact', base_channels=4, n_blocks=2, finish_channels=2}"
SCALES = f"recipe.discriminators=[{{{SMALL}, n_layers=1, scales=2}}]"


def cyclegan(*overrides):
    return run.build_recipe(tiny_cyclegan(*overrides).recipe, 0)


def pix2pix(*overrides):
    return run.build_recipe(tiny_pix2pix(*overrides).recipe, 0)


def cut():
    generator, judges = ResnetConfig(base_channels=4, n_blocks=1), (PatchGANConfig(base_channels=4, n_layers=2),)
    return CUT(CUTConfig(generator=generator, discriminators=judges, n_patches=8, embedding_channels=4))


TRANSLATORS = {
    "cyclegan": lambda: cyclegan(JUDGE),
    "cyclegan, compact": lambda: cyclegan(COMPACT),
    "cyclegan, wgan_gp": lambda: cyclegan("recipe.objective=wgan_gp"),
    "pix2pix": pix2pix,
    "pix2pixhd": lambda: pix2pix("recipe.lambda_feature_matching=10", SCALES),
    "cut": cut,
    "distillation": tiny_distillation,
}
TRICKS = "recipe.tricks={augment=true, d_steps=2, feature_matching=1.0, historical_averaging=0.1, label_noise=0.1}"
BASELINES = {
    "gan_ring": ("recipe.generator.norm=virtual", "recipe.discriminator.minibatch_kernels=2"),
    "cgan_digits": (),
    "dcgan_digits": (TRICKS,),
    "growing_digits": ("recipe.growth=1",),
    "cdcgan_digits": (TRICKS,),
    "lsgan_digits": (),
    "wgan_digits": (),
    "wgan_gp_digits": (),
    "sngan_digits": (),
    "infogan_digits": ("recipe.invariance=0.5", "recipe.lambda_clusters=1.0"),
    "acgan_digits": (),
    "cogan_digits": (),
    "sdgan_digits": (),
    "vae_digits": (),
}


@pytest.fixture
def cuda(monkeypatch):
    with pretended_cuda(monkeypatch) as device:
        yield device


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return draw_digits(tmp_path_factory.mktemp("data") / "digits")


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory):
    return draw_unpaired(tmp_path_factory.mktemp("data") / "unpaired")


class Watch:
    """The flight recorder's gauges, and how often each step waited for the GPU."""

    def __init__(self, device, state):
        self.gauges, self.device, self.waits = Gauges(0.0, 100, state), device, [device.waits]
        self.signals = {}

    def after_step(self, state, result, batch):
        with torch.no_grad():
            self.gauges.add(state, result)
            self.waits.append(self.device.waits)
            self.signals = self.gauges.read(state, result) if state.iteration == state.total else {}

    def at_end(self, state):
        pass


def on_cuda(state):
    networks = [*state.recipe.networks.values(), *state.averages.values()]
    return all(isinstance(tensor, OnCuda) for network in networks for tensor in network.state_dict().values())


def steps(recipe, config, batches, device):
    accelerator = cuda_accelerator(config)
    state = TrainingState.fresh(recipe, config.iterations, config, accelerator)
    watch = Watch(device, state)
    fit(state, batches, config, accelerator, [watch])
    return state, watch


@pytest.mark.parametrize("name", TRANSLATORS)
def test_translators_take_steps_on_cuda(name, cuda):
    config = LoopConfig(iterations=1, batch_size=2, precision="bf16", channels_last=True)
    batch = {side: torch.rand(2, 3, SIZE, SIZE) * 2 - 1 for side in "AB"}
    state, watch = steps(TRANSLATORS[name](), config, [batch], cuda)
    assert state.iteration == 1
    assert on_cuda(state)
    assert watch.signals["movement_G_AB" if "G_AB" in state.averages else "movement_G"] > 0


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_take_steps_on_cuda(name, cuda, digits):
    config = tiny(name, "training.precision=bf16", "training.iterations=1", *BASELINES[name])
    samples = open_samples(config.data, digits)
    accelerator = cuda_accelerator(config.training)
    state = fresh_baseline(config, samples, accelerator)
    fit(state, sample_batches(samples, config.training.batch_size, 0, 1), config.training, accelerator)
    assert state.iteration == 1
    assert on_cuda(state)


def test_a_step_waits_for_the_gpu_only_to_see_that_its_losses_are_finite(cuda):
    config = LoopConfig(iterations=2)
    batches = [{side: torch.rand(1, 3, SIZE, SIZE) * 2 - 1 for side in "AB"} for _ in range(2)]
    _, watch = steps(cyclegan(JUDGE), config, batches, cuda)
    assert [after - before for before, after in zip(watch.waits, watch.waits[1:], strict=False)] == [1, 1]


def test_a_whole_run_on_cuda_and_its_end_after_a_break(cuda, unpaired, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "make_accelerator", cuda_accelerator)
    monkeypatch.setattr(
        inference, "usable_device", lambda device: torch.device("cuda:0" if device == "cuda" else "cpu")
    )
    every = [f"training.{name}=2" for name in ("save_every", "sample_every", "evaluate_every", "log_every")]
    settings = ["training.precision=bf16", COMPACT, *every]
    run.train(tiny_cyclegan(*settings, "training.iterations=2"), unpaired, tmp_path / "run")
    state = run.train(tiny_cyclegan(*settings, "training.iterations=4"), unpaired, tmp_path / "run", resume=True)
    assert on_cuda(state)
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 2
    saved = checkpoint.read_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")
    assert (
        difference(saved["averages"]["G_AB"], {k: t.cpu() for k, t in state.averages["G_AB"].state_dict().items()})
        is None
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.cat([x, torch.ones(3)]),
        lambda x: x[torch.tensor([0, 1])],
        lambda x: nn.Linear(3, 3)(x),
        lambda x: torch.empty(3, device=x.device).uniform_(generator=torch.Generator()),
        lambda x: torch.from_numpy(x.numpy()),
    ],
    ids=["sum", "cat", "index", "module", "generator", "numpy"],
)
def test_what_is_on_the_wrong_device_is_seen(wrong, cuda):
    with pytest.raises((RuntimeError, TypeError), match="device"):
        wrong(torch.ones(3, device="cuda:0"))


class Doubling:
    """Looks through its network, moves it, and looks again: in 32 and in 16 bits the same has to be seen."""

    def __init__(self):
        self.G = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.G.weight)
        self.networks = self.generators = {"G": self.G}
        self.optimizers = {"G": SGD(self.G.parameters(), lr=1.0)}
        self.seen = []

    def step(self, batch, iteration, update):
        for _ in range(3):
            loss = -self.G(batch["x"]).float().sum()
            self.seen.append(-loss.item())
            update(loss, self.optimizers["G"])
        return detached({"G": loss})

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_that_a_step_has_moved_are_looked_through_as_they_are(precision):
    config = LoopConfig(iterations=1, precision=precision, schedule="constant")
    accelerator, recipe = make_accelerator(config, "cpu"), Doubling()
    fit(TrainingState.fresh(recipe, 1, config, accelerator), [{"x": torch.ones(1, 1)}], config, accelerator)
    assert recipe.seen == [1.0, 2.0, 3.0]


def test_a_compiled_run_goes_on_uncompiled_and_the_other_way_round(tmp_path, monkeypatch):
    compiled = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda network: compiled(network, backend="eager"))
    for number, settings in enumerate(({}, {"compile": True}, {})):
        config = LoopConfig(iterations=number + 1, schedule="constant", **settings)
        accelerator, recipe = make_accelerator(config, "cpu"), Doubling()
        state = TrainingState.fresh(recipe, number + 1, config, accelerator)
        if number:
            checkpoint.restore_checkpoint(tmp_path / f"{number - 1}.pt", state, accelerator)
        fit(state, [{"x": torch.ones(1, 1)}], config, accelerator)
        checkpoint.save_checkpoint(tmp_path / f"{number}.pt", state, accelerator, "")
        assert recipe.seen == [3.0 * number + step for step in (1, 2, 3)]


def test_spectral_norms_are_estimated_in_32_bits_whatever_the_precision():
    layer = spectral_norm(nn.Linear(64, 64)).eval()
    expected = layer.weight
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, expected)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 3, 1, 1)])
def test_instance_norm_on_cuda_is_that_of_the_cpu(affine, shape, cuda):
    norm, x = InstanceNorm(3, affine).requires_grad_(False), torch.randn(shape)
    expected = norm(x)
    torch.testing.assert_close(norm.to("cuda:0")(x.to("cuda:0")).cpu(), expected, atol=1e-4, rtol=0)


def test_chance_of_more_gpus_than_there_are_now(monkeypatch):
    restored = []
    state = checkpoint._chance_state() | {"cuda": [torch.zeros(16, dtype=torch.uint8)] * 2}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: restored.append(device))
    checkpoint._restore_chance(state)
    assert restored == [0]


def test_too_little_memory_is_told_with_what_to_do(unpaired, tmp_path, monkeypatch):
    def step(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has ...")

    monkeypatch.setattr(run.CycleGAN, "step", step)
    with pytest.raises(DeviceError, match=r"CUDA out of memory.*training\.batch_size.*--plan"):
        run.train(tiny_cyclegan(), unpaired, tmp_path / "run")
