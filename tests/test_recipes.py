"""CycleGAN and pix2pix against the reference implementation, whose steps are written out here a second time.

The reference is junyanz/pytorch-CycleGAN-and-pix2pix (cycle_gan_model.py, pix2pix_model.py, image_pool.py): every pass
alone, every loss spelled out. Its `D_A` judges pictures of domain B and is called `judge_B` here.
"""

import copy
import random
from itertools import chain

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam

from zorse.model.architecture import (
    CompactConfig,
    PatchGANConfig,
    PixelConfig,
    ProjectedConfig,
    ResnetConfig,
    UnetConfig,
)
from zorse.networks.build import build_discriminator
from zorse.recipes.cyclegan import CycleGAN, CycleGANConfig
from zorse.recipes.pix2pix import Pix2Pix, Pix2PixConfig
from zorse.recipes.recipe import frozen, mixes_batch, plain_update, together

SIZE = 32
RESNET = ResnetConfig(base_channels=4, n_blocks=1)
PATCHGAN = PatchGANConfig(base_channels=4, n_layers=2)


def some_batches(count: int, batch_size: int = 1, dtype: torch.dtype = torch.float64, seed: int = 1):
    chance = torch.Generator().manual_seed(seed)
    for number in range(count):
        a, b = (torch.rand(batch_size, 3, SIZE, SIZE, generator=chance, dtype=torch.float64) * 2 - 1 for _ in range(2))
        yield {"A": a.to(dtype), "B": b.to(dtype), "path_A": [f"a{number}"], "path_B": [f"b{number}"]}


def set_requires_grad(networks, requires_grad: bool) -> None:
    for network in networks:
        for parameter in network.parameters():
            parameter.requires_grad = requires_grad


def mean_square(logits: torch.Tensor, target: float) -> torch.Tensor:
    return ((logits - target) ** 2).mean()


def cross_entropy(logits: torch.Tensor, target_is_real: bool) -> torch.Tensor:
    return F.softplus(-logits).mean() if target_is_real else F.softplus(logits).mean()


class ReferencePool:
    def __init__(self, pool_size: int, seed: int) -> None:
        self.pool_size, self.images, self.random = pool_size, [], random.Random(seed)

    def query(self, images: torch.Tensor) -> torch.Tensor:
        if self.pool_size == 0:
            return images
        returned = []
        for image in images:
            image = image.data.unsqueeze(0)
            if len(self.images) < self.pool_size:
                self.images.append(image)
                returned.append(image)
            elif self.random.uniform(0, 1) > 0.5:
                index = self.random.randint(0, self.pool_size - 1)
                returned.append(self.images[index].clone())
                self.images[index] = image
            else:
                returned.append(image)
        return torch.cat(returned, 0)


class ReferenceCycleGAN:
    def __init__(self, ours: CycleGAN, pool_size: int, lambda_identity: float) -> None:
        self.G_AB, self.G_BA = copy.deepcopy(ours.G_AB), copy.deepcopy(ours.G_BA)
        self.judge_A, self.judge_B = copy.deepcopy(ours.D_A), copy.deepcopy(ours.D_B)
        self.pool_of_fake_A, self.pool_of_fake_B = ReferencePool(pool_size, 0), ReferencePool(pool_size, 1)
        self.lambda_identity = lambda_identity
        self.optimizer_G = Adam(chain(self.G_AB.parameters(), self.G_BA.parameters()), lr=0.0002, betas=(0.5, 0.999))
        self.optimizer_D = Adam(
            chain(self.judge_B.parameters(), self.judge_A.parameters()), lr=0.0002, betas=(0.5, 0.999)
        )

    def optimize_parameters(self, real_A: torch.Tensor, real_B: torch.Tensor) -> dict[str, torch.Tensor]:
        lambda_A = lambda_B = 10.0
        fake_B = self.G_AB(real_A)
        rec_A = self.G_BA(fake_B)
        fake_A = self.G_BA(real_B)
        rec_B = self.G_AB(fake_A)

        set_requires_grad([self.judge_A, self.judge_B], False)
        self.optimizer_G.zero_grad()
        loss_idt_B = loss_idt_A = torch.zeros(())
        if self.lambda_identity > 0:
            loss_idt_B = (self.G_AB(real_B) - real_B).abs().mean() * lambda_B * self.lambda_identity
            loss_idt_A = (self.G_BA(real_A) - real_A).abs().mean() * lambda_A * self.lambda_identity
        loss_G_AB = mean_square(self.judge_B(fake_B), 1.0)
        loss_G_BA = mean_square(self.judge_A(fake_A), 1.0)
        loss_cycle_A = (rec_A - real_A).abs().mean() * lambda_A
        loss_cycle_B = (rec_B - real_B).abs().mean() * lambda_B
        (loss_G_AB + loss_G_BA + loss_cycle_A + loss_cycle_B + loss_idt_A + loss_idt_B).backward()
        self.optimizer_G.step()

        set_requires_grad([self.judge_A, self.judge_B], True)
        self.optimizer_D.zero_grad()
        loss_judge_B = self.backward_D(self.judge_B, real_B, self.pool_of_fake_B.query(fake_B))
        loss_judge_A = self.backward_D(self.judge_A, real_A, self.pool_of_fake_A.query(fake_A))
        self.optimizer_D.step()
        return {
            "G_AB": loss_G_AB,
            "G_BA": loss_G_BA,
            "cycle": (loss_cycle_A + loss_cycle_B) / 10.0,
            "identity": (loss_idt_A + loss_idt_B) / (10.0 * self.lambda_identity or 1.0),
            "D_A": loss_judge_A,
            "D_B": loss_judge_B,
        }

    @staticmethod
    def backward_D(judge: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        loss_real = mean_square(judge(real), 1.0)
        loss_fake = mean_square(judge(fake.detach()), 0.0)
        loss = (loss_real + loss_fake) * 0.5
        loss.backward()
        return loss


class ReferencePix2Pix:
    def __init__(self, ours: Pix2Pix) -> None:
        self.G, self.D = copy.deepcopy(ours.G), copy.deepcopy(ours.D)
        self.optimizer_G = Adam(self.G.parameters(), lr=0.0002, betas=(0.5, 0.999))
        self.optimizer_D = Adam(self.D.parameters(), lr=0.0002, betas=(0.5, 0.999))

    def optimize_parameters(self, real_A: torch.Tensor, real_B: torch.Tensor) -> dict[str, torch.Tensor]:
        fake_B = self.G(real_A)

        set_requires_grad([self.D], True)
        self.optimizer_D.zero_grad()
        loss_fake = cross_entropy(self.D(torch.cat((real_A, fake_B), 1).detach()), False)
        loss_real = cross_entropy(self.D(torch.cat((real_A, real_B), 1)), True)
        loss_D = (loss_fake + loss_real) * 0.5
        loss_D.backward()
        self.optimizer_D.step()

        set_requires_grad([self.D], False)
        self.optimizer_G.zero_grad()
        loss_G_GAN = cross_entropy(self.D(torch.cat((real_A, fake_B), 1)), True)
        loss_L1 = (fake_B - real_B).abs().mean() * 100.0
        (loss_G_GAN + loss_L1).backward()
        self.optimizer_G.step()
        return {"G": loss_G_GAN, "l1": loss_L1 / 100.0, "D": loss_D}


def compare_runs(ours, reference, pictures, tolerance: float, seeds: bool = False) -> None:
    for number, batch in enumerate(pictures):
        if seeds:
            torch.manual_seed(number)
        found = ours.step(batch, number, plain_update).losses
        if seeds:
            torch.manual_seed(number)
        wanted = reference.optimize_parameters(batch["A"], batch["B"])
        assert found.keys() == wanted.keys()
        for name in wanted:
            assert found[name].item() == pytest.approx(wanted[name].item(), rel=tolerance, abs=tolerance), (
                f"{name} in iteration {number}"
            )


def in_dtype(recipe, dtype: torch.dtype):
    for network in recipe.networks.values():
        network.to(dtype)
    return recipe


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_cyclegan_computes_what_the_reference_computes(dtype, tolerance):
    config = CycleGANConfig(generator=RESNET, discriminators=(PATCHGAN,), pool_size=2)
    ours = in_dtype(CycleGAN(config, seed=0), dtype)
    reference = ReferenceCycleGAN(ours, pool_size=2, lambda_identity=0.5)
    compare_runs(ours, reference, some_batches(6, dtype=dtype), tolerance)
    if dtype == torch.float64:
        for name, theirs in {
            "G_AB": reference.G_AB,
            "G_BA": reference.G_BA,
            "D_A": reference.judge_A,
            "D_B": reference.judge_B,
        }.items():
            for mine, other in zip(ours.networks[name].parameters(), theirs.parameters(), strict=True):
                torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-10)


def test_cyclegan_without_identity_and_with_a_batch_of_pictures():
    config = CycleGANConfig(generator=RESNET, discriminators=(PATCHGAN,), pool_size=3, lambda_identity=0)
    ours = in_dtype(CycleGAN(config, seed=0), torch.float64)
    reference = ReferenceCycleGAN(ours, pool_size=3, lambda_identity=0)
    compare_runs(ours, reference, some_batches(4, batch_size=2), 1e-10)


@pytest.mark.parametrize("generator_norm", ["instance", "batch"])
def test_cyclegan_keeps_passes_apart_where_batchnorm_mixes_them(generator_norm):
    config = CycleGANConfig(
        generator=RESNET.model_copy(update={"norm": generator_norm}),
        discriminators=(PATCHGAN.model_copy(update={"norm": "batch"}),),
        pool_size=0,
    )
    ours = in_dtype(CycleGAN(config), torch.float64)
    reference = ReferenceCycleGAN(ours, pool_size=0, lambda_identity=0.5)
    compare_runs(ours, reference, some_batches(3, batch_size=2), 1e-10)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("dropout", [False, True])
def test_pix2pix_computes_what_the_reference_computes(dtype, tolerance, dropout):
    config = Pix2PixConfig(
        generator=UnetConfig(base_channels=4, depth=5, dropout=dropout),
        discriminators=(PATCHGAN.model_copy(update={"norm": "batch"}),),
    )
    ours = in_dtype(Pix2Pix(config), dtype)
    reference = ReferencePix2Pix(ours)
    compare_runs(ours, reference, some_batches(5, batch_size=2, dtype=dtype), tolerance, seeds=dropout)
    if dtype == torch.float64:
        for mine, other in zip(ours.G.parameters(), reference.G.parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-10)


def cyclegan(**settings) -> CycleGAN:
    return CycleGAN(CycleGANConfig(**{"generator": RESNET, "discriminators": (PATCHGAN,), **settings}))


def pix2pix(**settings) -> Pix2Pix:
    small = {"generator": UnetConfig(base_channels=4, depth=4), "discriminators": (PATCHGAN,), **settings}
    return Pix2Pix(Pix2PixConfig(**small))


JUDGES = {
    "two": (PATCHGAN, PixelConfig(base_channels=4)),
    "spectral": (PATCHGAN.model_copy(update={"spectral_norm": True, "norm": "none"}),),
    "projected": (ProjectedConfig(base_channels=4, image_size=32), PATCHGAN),
}


@pytest.mark.parametrize("make", [cyclegan, pix2pix])
@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "nonsaturating", "label_smoothing": 0.1},
        {"objective": "lsgan"},
        {"objective": "hinge"},
        {"objective": "wgan_gp"},
        {"objective": "hinge", "discriminators": JUDGES["two"]},
        {"objective": "hinge", "discriminators": JUDGES["spectral"]},
        {"objective": "hinge", "discriminators": JUDGES["projected"], "generator": CompactConfig(base_channels=4)},
    ],
    ids=["nonsaturating", "lsgan", "hinge", "wgan_gp", "two_judges", "spectral_norm", "projected"],
)
def test_a_step_moves_every_network_and_leaves_no_gradient_behind(make, settings):
    recipe = make(**settings)
    before = {
        f"{name}.{key}": value.clone()
        for name, network in recipe.networks.items()
        for key, value in network.named_parameters()
    }
    (batch,) = some_batches(1, batch_size=2, dtype=torch.float32)
    result = recipe.step(batch, 0, plain_update)
    for name, network in recipe.networks.items():
        moved = [not torch.equal(before[f"{name}.{key}"], value) for key, value in network.named_parameters()]
        assert sum(moved) > len(moved) / 2, name
        assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(loss.ndim == 0 and loss.isfinite() and not loss.requires_grad for loss in result.losses.values())


def test_the_gradient_penalty_is_part_of_the_critics_loss():
    torch.manual_seed(1)
    with_penalty = cyclegan(objective="wgan_gp", lambda_gradient_penalty=10, pool_size=0)
    torch.manual_seed(1)
    without = cyclegan(objective="wgan_gp", lambda_gradient_penalty=0, pool_size=0)
    (batch,) = some_batches(1, dtype=torch.float32)
    losses = [recipe.step(batch, 0, plain_update).losses["D_A"].item() for recipe in (with_penalty, without)]
    # A critic with weights of N(0, 0.02) is flat: its gradient is far below 1, and the penalty close to 1.
    assert losses[0] - losses[1] == pytest.approx(10, rel=0.2)


def test_cyclegan_previews_both_cycles():
    recipe = cyclegan()
    (batch,) = some_batches(1, batch_size=2, dtype=torch.float32)
    with torch.no_grad():
        shown = recipe.preview(batch, recipe.generators)
        assert list(shown) == ["real_A", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"]
        torch.testing.assert_close(shown["rec_A"], recipe.G_BA(recipe.G_AB(batch["A"])))
        torch.testing.assert_close(shown["rec_B"], recipe.G_AB(recipe.G_BA(batch["B"])))


def test_pix2pix_previews_input_result_and_truth_with_the_generators_it_is_given():
    recipe = pix2pix()
    (batch,) = some_batches(1, dtype=torch.float32)
    shown = recipe.preview(batch, {"G": nn.Identity()})
    assert list(shown) == ["real_A", "fake_B", "real_B"]
    assert shown["fake_B"] is batch["A"]


def test_frozen_networks_pass_gradients_on_but_get_none_and_are_given_back_as_they_were():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    network[0].weight.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)

    def broken_step() -> None:
        with frozen(network):
            network(x).sum().backward()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        broken_step()
    assert x.grad is not None
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network.parameters()] == [False, True, True, True]


@pytest.mark.parametrize("norm", ["instance", "none", "batch"])
@pytest.mark.parametrize("judges", [1, 2])
def test_together_gives_what_two_passes_give(norm, judges):
    configs = (PATCHGAN.model_copy(update={"norm": norm}), PixelConfig(base_channels=4, norm=norm))[:judges]
    network = build_discriminator(configs).double()
    first, second = (batch["A"] for batch in some_batches(2, batch_size=2))
    apart = copy.deepcopy(network)
    joint = together(network, first, second * 0.1)
    assert mixes_batch(network) == (norm == "batch")
    for found, wanted in zip(joint, (apart(first), apart(second * 0.1)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def test_together_is_one_pass_where_it_can_be():
    passes = []
    network = nn.Sequential(nn.Conv2d(3, 1, 1))
    network.register_forward_hook(lambda *_: passes.append(1))
    together(network, torch.zeros(1, 3, 4, 4), torch.zeros(3, 3, 4, 4))
    assert len(passes) == 1


def test_a_recipes_state_is_its_image_pools():
    recipe, other = cyclegan(pool_size=3), cyclegan(pool_size=3)
    for number, batch in enumerate(some_batches(6, dtype=torch.float32)):
        recipe.step(batch, number, plain_update)
    other.load_state_dict(recipe.state_dict())
    for name in ("pool_A", "pool_B"):
        for mine, theirs in zip(recipe.state_dict()[name]["images"], other.state_dict()[name]["images"], strict=True):
            assert torch.equal(mine, theirs)
    assert other.state_dict()["pool_A"]["chance"] == recipe.state_dict()["pool_A"]["chance"]
    assert pix2pix().state_dict() == {}
