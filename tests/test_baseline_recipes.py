"""The equations of the baselines against independent restatements in 64 bits, and that the games are playable."""

import math

import numpy as np
import pytest
import torch

from tiny_baselines import tiny
from zorse.errors import ConfigError
from zorse.gans.data.dataset import open_samples, sample_batches
from zorse.gans.networks.affine import random_affine
from zorse.gans.networks.latents import draw_latents, take_apart
from zorse.gans.recipes.acgan import ACGAN
from zorse.gans.recipes.cogan import CoGAN
from zorse.gans.recipes.dcgan import level
from zorse.gans.recipes.gan import GAN
from zorse.gans.recipes.infogan import InfoGAN, _mutual_information
from zorse.gans.recipes.lsgan import LSGAN
from zorse.gans.recipes.sdgan import SDGAN
from zorse.gans.recipes.sngan import SNGAN
from zorse.gans.recipes.tricks import Tricks, TricksConfig
from zorse.gans.recipes.vae import VAE
from zorse.gans.recipes.wgan import WGAN
from zorse.gans.recipes.wgan_gp import WGANGP
from zorse.gans.training.build import build_baseline
from zorse.gans.training.run import fresh_baseline
from zorse.recipes.recipe import plain_update
from zorse.training.config import with_overrides
from zorse.training.loop.loop import fit, make_accelerator


@pytest.fixture
def precise():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def points(n: int = 12) -> dict:
    return {"x": torch.randn(n, 2), "label": torch.zeros(n, dtype=torch.int64), "path_x": []}


def pictures(n: int = 6, channels: int = 1) -> dict:
    x = torch.rand(n, channels, 32, 32) * 2 - 1
    return {"x": x, "y": x.flip(0), "label": torch.arange(n) % 10, "path_x": []}


def step_without_learning(recipe, batch) -> tuple[dict[str, float], list[float]]:
    """The losses of a step that changes nothing, and what was to be backpropagated; draws begin at seed 0."""
    asked: list[float] = []
    torch.manual_seed(0)
    result = recipe.step(batch, 0, lambda loss, optimizer: asked.append(float(loss.detach())))
    torch.manual_seed(0)
    return {name: float(loss) for name, loss in result.losses.items()}, asked


def drawn(recipe, n: int) -> torch.Tensor:
    return draw_latents(recipe.config.generator.latent, n)


def sigmoid(logits: torch.Tensor) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.detach().numpy()))


@pytest.mark.parametrize("objective", ["minimax", "nonsaturating"])
def test_gan(precise, objective):
    recipe, batch = GAN(tiny("gan_ring", f"recipe.objective={objective}").recipe), points()
    assert isinstance(recipe, GAN)
    losses, _ = step_without_learning(recipe, batch)
    D = lambda x: sigmoid(recipe.D(x))  # noqa: E731
    fake = recipe.G(drawn(recipe, 12))
    assert losses["D"] == pytest.approx(-np.log(D(batch["x"])).mean() - np.log(1 - D(fake)).mean())
    judged = D(recipe.G(drawn(recipe, 12)))
    wanted = np.log(1 - judged).mean() if objective == "minimax" else -np.log(judged).mean()
    assert losses["G"] == pytest.approx(wanted)


def test_lsgan(precise):
    recipe, batch = LSGAN(tiny("lsgan_ring").recipe), points()
    losses, _ = step_without_learning(recipe, batch)
    D = lambda x: recipe.D(x).detach().numpy()  # noqa: E731
    fake = recipe.G(drawn(recipe, 12))
    assert losses["D"] == pytest.approx(0.5 * ((D(batch["x"]) - 1) ** 2).mean() + 0.5 * (D(fake) ** 2).mean())
    assert losses["G"] == pytest.approx(0.5 * ((D(recipe.G(drawn(recipe, 12))) - 1) ** 2).mean())


def test_sngan(precise):
    recipe, batch = SNGAN(tiny("sngan_ring").recipe), points()
    recipe.D.eval()
    losses, _ = step_without_learning(recipe, batch)
    D = lambda x: recipe.D(x).detach().numpy()  # noqa: E731
    fake = recipe.G(drawn(recipe, 12))
    wanted = np.maximum(0, 1 - D(batch["x"])).mean() + np.maximum(0, 1 + D(fake)).mean()
    assert losses["D"] == pytest.approx(wanted)
    assert losses["G"] == pytest.approx(-D(recipe.G(drawn(recipe, 12))).mean())


def test_wgan_measures_a_distance_and_clips_its_critic():
    recipe, batch = WGAN(tiny("wgan_ring").recipe), points(20)
    recipe.step(batch, 0, plain_update)
    clip = recipe.config.clip
    assert max(float(p.detach().abs().max()) for p in recipe.f.parameters()) <= clip * (1 + 1e-6)
    seen = []

    def update(loss, optimizer) -> None:
        seen.append("f" if optimizer is recipe.optimizers["f"] else "G")

    result = recipe.step(batch, 0, update)
    assert seen == ["f"] * 5 + ["G"]
    torch.manual_seed(0)
    result = recipe.step(batch, 0, update)
    torch.manual_seed(0)
    for _ in range(5):
        fake = recipe.G(drawn(recipe, 4))
    distance = recipe.f(batch["x"][16:]).mean() - recipe.f(fake).mean()
    assert float(result.losses["distance"]) == pytest.approx(float(distance.detach()), rel=1e-4)


def test_wgan_gp_penalises_slopes(precise):
    recipe, batch = WGANGP(tiny("wgan_gp_ring", "recipe.n_critic=1").recipe), points()
    losses, asked = step_without_learning(recipe, batch)
    fake = recipe.G(drawn(recipe, 12)).detach()
    share = torch.rand(12, 1)
    between = share * batch["x"] + (1 - share) * fake
    step = 1e-6
    slopes = [
        (recipe.f(between + shift) - recipe.f(between - shift)).detach() / (2 * step)
        for shift in (torch.tensor([step, 0.0]), torch.tensor([0.0, step]))
    ]
    penalty = float(((torch.cat(slopes, 1).norm(dim=1) - 1) ** 2).mean())
    assert losses["penalty"] == pytest.approx(penalty, rel=1e-4)
    assert asked[0] == pytest.approx(-losses["distance"] + 0.1 * penalty, rel=1e-4)


def test_vae_bounds_the_likelihood(precise):
    recipe, batch = VAE(tiny("vae_ring", "recipe.beta=3.0").recipe), points()
    losses, asked = step_without_learning(recipe, batch)
    mu, log_variance = recipe.E(batch["x"])
    posterior = torch.distributions.Normal(mu, torch.exp(log_variance / 2))
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    assert losses["divergence"] == pytest.approx(
        float(torch.distributions.kl_divergence(posterior, prior).sum(1).mean().detach())
    )
    rec = recipe.G(mu + torch.exp(log_variance / 2) * torch.randn_like(mu))
    likelihood = torch.distributions.Normal(rec, recipe.config.sigma).log_prob(batch["x"]).sum(1).mean()
    constant = -2 * math.log(recipe.config.sigma * math.sqrt(2 * math.pi))
    assert losses["reconstruction"] == pytest.approx(float((constant - likelihood).detach()))
    assert asked == [pytest.approx(losses["reconstruction"] + 3 * losses["divergence"])]


def test_acgan(precise):
    recipe, batch = ACGAN(tiny("acgan_digits").recipe), pictures()
    recipe.D.eval(), recipe.G.eval()
    losses, _ = step_without_learning(recipe, batch)

    def class_probability(x) -> np.ndarray:
        logits = recipe.C(recipe.D.features(x)).detach().numpy()
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return shares[np.arange(6), batch["label"].numpy()]

    latent = recipe.config.generator.latent
    fake = recipe.G(draw_latents(latent, 6, batch["label"]))
    D = lambda x: sigmoid(recipe.D(x))  # noqa: E731
    assert losses["D"] == pytest.approx(-np.log(D(batch["x"])).mean() - np.log(1 - D(fake)).mean())
    wanted = -np.log(class_probability(batch["x"])).mean() - np.log(class_probability(fake)).mean()
    assert losses["class_D"] == pytest.approx(wanted)
    fake = recipe.G(draw_latents(latent, 6, batch["label"]))
    assert losses["G"] == pytest.approx(-np.log(D(fake)).mean())
    assert losses["class_G"] == pytest.approx(-np.log(class_probability(fake)).mean())


def test_infogan_bounds_the_information_of_its_codes(precise):
    recipe, batch = (
        InfoGAN(tiny("infogan_digits", "recipe.invariance=0", "recipe.lambda_clusters=0").recipe),
        pictures(),
    )
    recipe.D.eval(), recipe.G.eval()
    losses, asked = step_without_learning(recipe, batch)
    drawn(recipe, 6)
    z = drawn(recipe, 6)
    parts = take_apart(recipe.config.generator.latent, z)
    features = recipe.D.features(recipe.G(z))
    guesses = recipe.Q(features).detach()
    shares = torch.distributions.Categorical(logits=guesses[:, :10])
    discrete = shares.log_prob(parts.categories[0].argmax(1)).mean() + math.log(10)
    normal = torch.distributions.Normal(guesses[:, 10:12], (guesses[:, 12:] / 2).exp())
    continuous = (normal.log_prob(parts.continuous) + math.log(2)).sum(1).mean()
    assert losses["information_discrete"] == pytest.approx(float(discrete))
    assert losses["information_continuous"] == pytest.approx(float(continuous))
    assert asked[1] == pytest.approx(losses["G"] - float(discrete) - 0.1 * float(continuous))


def test_discrete_codes_are_read_off_moved_samples_and_continuous_ones_off_the_samples():
    recipe = InfoGAN(tiny("infogan_digits").recipe)
    plain = InfoGAN(tiny("infogan_digits", "recipe.invariance=0", "recipe.lambda_clusters=0").recipe)
    recipe.D.eval()
    z = drawn(recipe, 6)
    samples = recipe.G(z)
    features = recipe.D.features(samples)
    assert plain._invariant(samples, features) is features
    moved = recipe._invariant(samples, features)
    assert moved.shape == features.shape
    assert not torch.equal(moved, features)
    other = torch.randn_like(features)
    discrete, continuous = recipe.bounds(features, other, z)
    assert torch.equal(discrete, recipe.bounds(other, other, z)[0])
    assert torch.equal(continuous, recipe.bounds(features, features, z)[1])
    assert not torch.equal(discrete, recipe.bounds(features, features, z)[0])
    with pytest.raises(ConfigError, match="invariance is for pictures"):
        with_overrides(
            tiny("infogan_digits"),
            [
                'data={kind="mixture"}',
                'recipe={kind="infogan", invariance=1, generator={kind="mlp", latent={continuous=1}}}',
            ],
        )


def test_what_two_codes_have_in_common():
    codes = torch.eye(10, dtype=torch.float64).repeat(3, 1)
    assert float(_mutual_information(codes, codes)) == pytest.approx(math.log(10))
    assert float(_mutual_information(codes, torch.full_like(codes, 0.1))) == pytest.approx(0, abs=1e-12)
    half = codes.roll(1, 0)
    half[::2] = codes[::2]  # every second code is another one
    assert 0 < float(_mutual_information(codes, half)) < math.log(10)


def test_q_finds_the_kinds_of_real_pictures_only_where_it_is_asked_to():
    def first_loss(weight):
        torch.manual_seed(0)
        recipe, asked = InfoGAN(tiny("infogan_digits", f"recipe.lambda_clusters={weight}").recipe), []
        recipe.step(pictures(), 0, lambda loss, _: asked.append(loss))
        return float(asked[0].detach())

    assert first_loss(0) == first_loss(0)
    assert 0 < first_loss(0) - first_loss(5) < 5 * math.log(10), "information is taken off what D and Q descend"
    with pytest.raises(ConfigError, match="set invariance"):
        tiny("infogan_digits", "recipe.invariance=0")


def test_random_moves_are_small_differ_and_let_gradients_pass():
    pictures = torch.zeros(6, 1, 32, 32)
    pictures[:, :, 8:24, 14:18] = 1.0
    assert torch.allclose(random_affine(pictures, 0.0), pictures, atol=1e-5)
    pictures.requires_grad_(True)
    moved = random_affine(pictures)
    assert moved.shape == pictures.shape
    assert len({tuple(picture.flatten().tolist()) for picture in moved}) == 6
    assert torch.allclose(moved.sum((1, 2, 3)), pictures.sum((1, 2, 3)), rtol=0.6), "little of it leaves the picture"
    moved.sum().backward()
    assert float(pictures.grad.sum()) == pytest.approx(6 * 32 * 32, rel=1e-3)


def test_a_code_that_can_be_read_off_has_all_its_information():
    recipe = InfoGAN(tiny("infogan_digits").recipe)
    z = drawn(recipe, 4)
    codes = take_apart(recipe.config.generator.latent, z)
    recipe.Q = torch.nn.Identity()
    certain = torch.cat([100 * codes.categories[0], codes.continuous, torch.full((4, 2), -6.0)], 1)
    discrete, continuous = recipe.bounds(certain, certain, z)
    assert float(discrete) == pytest.approx(math.log(10), abs=1e-4)
    density = -0.5 * (-6 + math.log(2 * math.pi))
    assert float(continuous) == pytest.approx(2 * (density + math.log(2)), abs=1e-4)


def test_cogan(precise):
    recipe, batch = CoGAN(tiny("cogan_digits").recipe), pictures()
    recipe.D_A.eval(), recipe.D_B.eval(), recipe.G.eval()
    losses, _ = step_without_learning(recipe, batch)
    fake = recipe.G(drawn(recipe, 6))
    for name, judge, real, channel in (("A", recipe.D_A, "x", 0), ("B", recipe.D_B, "y", 1)):
        D = lambda x: sigmoid(judge(x))  # noqa: B023, E731
        wanted = -np.log(D(batch[real])).mean() - np.log(1 - D(fake[:, [channel]])).mean()
        assert losses[f"D_{name}"] == pytest.approx(wanted)
    again = recipe.G(drawn(recipe, 6))
    assert losses["G_B"] == pytest.approx(-np.log(sigmoid(recipe.D_B(again[:, [1]]))).mean())


def test_sdgan_pairs_share_who_they_show():
    recipe = SDGAN(tiny("sdgan_digits").recipe)
    seen = []
    recipe.G.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    batch = pictures()
    recipe.step(batch, 0, plain_update)
    first, second = seen[0].chunk(2)
    identity = recipe.config.generator.latent.identity
    assert torch.equal(first[:, :identity], second[:, :identity])
    assert not torch.isclose(first[:, identity:], second[:, identity:]).any()
    one, other = recipe.D(batch["x"], batch["y"]), recipe.D(batch["x"], batch["x"])
    assert one.shape == (6, 1)
    assert not torch.equal(one, other)


def test_growth_is_a_function_of_the_iteration():
    assert [level(i, 100) for i in (0, 99, 100, 125, 150, 199, 200, 225)] == [0, 0, 0, 0.5, 1, 1, 1, 1.5]


# Tricks


def test_labels_are_smoothed_on_one_side_only_and_noise_goes_inwards():
    logits = torch.zeros(1000, 1)
    tricks = Tricks(TricksConfig(label_smoothing=0.1), {})
    assert tricks.real_targets(logits).unique().tolist() == [pytest.approx(0.9)]
    assert tricks.fake_targets(logits).unique().tolist() == [0.0]
    tricks = Tricks(TricksConfig(label_noise=0.2), {})
    real, fake = tricks.real_targets(logits), tricks.fake_targets(logits)
    assert 0.8 <= float(real.min()) < 0.82 < 0.98 < float(real.max()) <= 1
    assert 0 <= float(fake.min()) < 0.02 < 0.18 < float(fake.max()) <= 0.2
    flipped = Tricks(TricksConfig(label_flips=0.25), {}).real_targets(logits)
    assert float(flipped.mean()) == pytest.approx(0.75, abs=0.06)


def test_historical_averaging_measures_the_way_from_the_mean():
    network = torch.nn.Linear(1, 1, bias=False)
    tricks = Tricks(TricksConfig(historical_averaging=2.0), {"G": network})
    passed = []
    for value in (1.0, 4.0, 10.0):
        network.weight.data.fill_(value)
        passed.append(float(torch.as_tensor(tricks.look_back("G")).detach()))
    assert passed == [0.0, pytest.approx(2 * (4 - 1) ** 2), pytest.approx(2 * (10 - 2.5) ** 2)]


def test_matched_features_and_several_steps_of_the_discriminator():
    recipe = build_baseline(tiny("gan_ring", "recipe.tricks.feature_matching=3.0", "recipe.tricks.d_steps=4").recipe)
    batch, seen = points(12), []

    def update(loss, optimizer) -> None:
        seen.append(next(name for name, known in recipe.optimizers.items() if known is optimizer))

    torch.manual_seed(0)
    result = recipe.step(batch, 0, update)
    assert seen == ["D"] * 4 + ["G"]
    real, fake = batch["x"][9:], result.pictures["fake"]
    gap = recipe.D.features(real).mean(0) - recipe.D.features(fake).mean(0)
    assert float(result.losses["features"]) == pytest.approx(3 * float((gap**2).sum().detach()), rel=1e-4)


@pytest.mark.parametrize(
    "trick",
    [
        "recipe.tricks.augment=true",
        "recipe.tricks.historical_averaging=0.1",
        "recipe.discriminator.minibatch_kernels=4",
        'recipe.generator.norm="virtual"',
        "recipe.tricks.label_flips=0.1",
    ],
)
def test_every_trick_trains(trick):
    recipe = build_baseline(tiny("dcgan_digits", trick).recipe)
    for iteration in range(2):
        result = recipe.step(pictures(), iteration, plain_update)
    assert all(math.isfinite(float(loss)) for loss in result.losses.values())


# Learning


@pytest.mark.parametrize("method", ["gan", "wgan_gp", "vae"])
def test_methods_find_where_the_points_are(method):
    """In a few steps: most points come within the ring's reach, and spread over it."""
    steps = 50 if method == "wgan_gp" else 180
    overrides = ["training.batch_size=192"] if method == "wgan_gp" else []
    config = tiny(f"{method}_ring", f"training.iterations={steps}", "training.ema_decay=0", *overrides)
    samples, accelerator = open_samples(config.data, None), make_accelerator(config.training, "cpu")
    state = fresh_baseline(config, samples, accelerator)
    before = state.recipe.preview(points(500), state.averages)["fake"]
    fit(state, sample_batches(samples, config.training.batch_size, 0, steps), config.training, accelerator)
    after = state.recipe.preview(points(500), state.averages)["fake"]
    assert float(before.norm(dim=1).mean()) < 1, "it begins in the middle"
    assert 1.0 < float(after.norm(dim=1).mean()) < 3.0
