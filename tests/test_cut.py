"""CUT and FastCUT against the reference implementation, whose step is written out here a second time.

The reference is taesungp/contrastive-unpaired-translation (cut_model.py, patchnce.py, PatchSampleF in networks.py). Its
layer 0 is the picture with reflected borders; the paper's is the picture, and so is ours.
"""

import copy
import math

import pytest
import torch
from torch import nn
from torch.optim import Adam

from tiny_training import SIZE, difference, draw_unpaired
from zorse.backends.torch.safetensors_file import load_generator
from zorse.data.config import UnpairedConfig
from zorse.model.architecture import CompactConfig, PatchGANConfig, ResnetConfig, UnetConfig
from zorse.networks.build import build_generator
from zorse.networks.patch_sampler import PatchSampler
from zorse.recipes.cut import CUT, CUTConfig, fastcut
from zorse.recipes.losses import patch_contrast
from zorse.recipes.recipe import plain_update
from zorse.training.config import LoopConfig, TrainConfig
from zorse.training.loop.checkpoint import read_checkpoint
from zorse.training.run import train

STRIDED = ResnetConfig(base_channels=4, n_blocks=6)
BLURRED = STRIDED.model_copy(update={"downsampling": "blur", "upsampling": "bilinear"})
PATCHGAN = PatchGANConfig(base_channels=4, n_layers=2)
SMALL = {"discriminators": (PATCHGAN,), "n_patches": 40, "embedding_channels": 16}


def batch_of(n: int, seed: int = 1, dtype: torch.dtype = torch.float64):
    chance = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(n, 3, SIZE, SIZE, generator=chance, dtype=torch.float64) * 2 - 1 for _ in range(2))
    return {"A": a.to(dtype), "B": b.to(dtype), "path_A": ["a"] * n, "path_B": ["b"] * n}


class ReferenceCUT:
    """Every pass alone, every gradient allowed until it is cut off where the reference cuts it off."""

    def __init__(self, ours: CUT, nce_layers: tuple[int, ...], lambda_nce: float, nce_idt: bool, flip: bool) -> None:
        self.netG, self.netD, self.netF = copy.deepcopy(ours.G), copy.deepcopy(ours.D), copy.deepcopy(ours.F)
        self.nce_layers, self.lambda_NCE, self.nce_idt, self.flip_equivariance = nce_layers, lambda_nce, nce_idt, flip
        self.optimizer_G, self.optimizer_D, self.optimizer_F = (
            Adam(network.parameters(), lr=0.0002, betas=(0.5, 0.999)) for network in (self.netG, self.netD, self.netF)
        )

    def optimize_parameters(self, real_A: torch.Tensor, real_B: torch.Tensor) -> dict[str, torch.Tensor]:
        flipped = self.flip_equivariance and torch.rand(()).item() < 0.5
        real = torch.cat((real_A, real_B), dim=0) if self.nce_idt else real_A
        fake = self.netG(torch.flip(real, [3]) if flipped else real)
        fake_B, idt_B = fake[: real_A.size(0)], fake[real_A.size(0) :]

        self.optimizer_D.zero_grad()
        loss_D_fake = (self.netD(fake_B.detach()) ** 2).mean()
        loss_D_real = ((self.netD(real_B) - 1) ** 2).mean()
        loss_D = (loss_D_fake + loss_D_real) * 0.5
        loss_D.backward()
        self.optimizer_D.step()

        for parameter in self.netD.parameters():
            parameter.requires_grad = False
        self.optimizer_G.zero_grad()
        self.optimizer_F.zero_grad()
        loss_G_GAN = ((self.netD(fake_B) - 1) ** 2).mean()
        loss_NCE = self.calculate_NCE_loss(real_A, fake_B, flipped)
        losses = {"G": loss_G_GAN, "nce": loss_NCE / self.lambda_NCE, "D": loss_D}
        if self.nce_idt:
            loss_NCE_Y = self.calculate_NCE_loss(real_B, idt_B, flipped)
            losses["nce_identity"] = loss_NCE_Y / self.lambda_NCE
            loss_NCE = (loss_NCE + loss_NCE_Y) * 0.5
        (loss_G_GAN + loss_NCE).backward()
        self.optimizer_G.step()
        self.optimizer_F.step()
        for parameter in self.netD.parameters():
            parameter.requires_grad = True
        return losses

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        features, feature = [image], image
        for layer_id, layer in enumerate(self.netG.layers):
            feature = layer(feature)
            if layer_id in self.nce_layers:
                features.append(feature)
        return features

    def calculate_NCE_loss(self, source: torch.Tensor, target: torch.Tensor, flipped: bool) -> torch.Tensor:
        feat_q = self.encode(target)
        if flipped:
            feat_q = [torch.flip(feature, [3]) for feature in feat_q]
        feat_k = self.encode(source)
        sample_ids = [torch.randperm(feature.shape[2] * feature.shape[3])[:40] for feature in feat_k]
        total = torch.zeros((), dtype=source.dtype)
        for mlp_id, ids in enumerate(sample_ids):
            k = self.sample(feat_k[mlp_id], ids, mlp_id)
            q = self.sample(feat_q[mlp_id], ids, mlp_id)
            total = total + (patch_nce_loss(q, k, source.size(0)) * self.lambda_NCE).mean()
        return total / len(sample_ids)

    def sample(self, feature: torch.Tensor, patch_id: torch.Tensor, mlp_id: int) -> torch.Tensor:
        flat = feature.permute(0, 2, 3, 1).flatten(1, 2)
        x = self.netF.embeddings[mlp_id](flat[:, patch_id, :].flatten(0, 1))
        return x.div(x.pow(2).sum(1, keepdim=True).pow(0.5) + 1e-7)


def patch_nce_loss(feat_q: torch.Tensor, feat_k: torch.Tensor, batch_size: int) -> torch.Tensor:
    num_patches, dim = feat_q.shape
    feat_k = feat_k.detach()
    l_pos = torch.bmm(feat_q.view(num_patches, 1, -1), feat_k.view(num_patches, -1, 1)).view(num_patches, 1)
    feat_q, feat_k = feat_q.view(batch_size, -1, dim), feat_k.view(batch_size, -1, dim)
    l_neg = torch.bmm(feat_q, feat_k.transpose(2, 1))
    l_neg = l_neg.masked_fill(torch.eye(feat_q.size(1), dtype=torch.bool)[None], -10.0).view(-1, feat_q.size(1))
    out = torch.cat((l_pos, l_neg), dim=1) / 0.07
    return nn.functional.cross_entropy(out, torch.zeros(num_patches, dtype=torch.long), reduction="none")


@pytest.mark.parametrize(
    ("generator", "nce_layers"),
    [(BLURRED, (4, 8, 12, 16)), (STRIDED, (4, 7, 10, 14))],
    ids=["antialiased", "strided"],
)
@pytest.mark.parametrize("variant", ["cut", "fastcut"])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_step_is_that_of_the_reference(generator, nce_layers, variant, batch_size):
    cut = variant == "cut"
    torch.manual_seed(5)
    # With weights as small as Xavier's, biases that norms cancel out move by nothing but rounding.
    ours = CUT((CUTConfig if cut else fastcut)(generator=generator, initialisation="normal", **SMALL))
    for network in ours.networks.values():
        network.double()
    reference = ReferenceCUT(ours, nce_layers, lambda_nce=1.0 if cut else 10.0, nce_idt=cut, flip=not cut)
    for number in range(4):
        batch = batch_of(batch_size, seed=number)
        torch.manual_seed(number)
        found = ours.step(batch, number, plain_update).losses
        torch.manual_seed(number)
        wanted = reference.optimize_parameters(batch["A"], batch["B"])
        assert found.keys() == wanted.keys()
        for name in wanted:
            assert found[name].item() == pytest.approx(wanted[name].item(), rel=1e-9), f"{name} in {number}"
    for mine, theirs in ((ours.G, reference.netG), (ours.F, reference.netF), (ours.D, reference.netD)):
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-8)


def test_mirrored_pictures_come_up_every_other_time():
    """Otherwise the test above would not have met both cases."""
    torch.manual_seed(0)
    recipe = CUT(fastcut(generator=STRIDED, **SMALL))
    (left, right), batch = (torch.ones(2, 3, SIZE, SIZE // 2).split(1)), batch_of(1, dtype=torch.float32)
    batch["A"] = torch.cat([-left, right], dim=3)
    seen = []
    recipe.G.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0, 0, 0, 0].item()))
    for number in range(30):
        recipe.step(batch, number, plain_update)
    assert 8 <= seen.count(1.0) <= 22
    assert seen.count(1.0) + seen.count(-1.0) == 30


def test_both_domains_are_normalised_together():
    """BatchNorm sees pictures of A and B in one batch, as in the authors' program."""
    batch = batch_of(1, dtype=torch.float32)
    recipe = CUT(CUTConfig(generator=ResnetConfig(base_channels=4, n_blocks=1, norm="batch"), **SMALL))
    seen = []
    recipe.G.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    recipe.step(batch, 0, plain_update)
    torch.testing.assert_close(seen[0], torch.cat([batch["A"], batch["B"]]))


@pytest.mark.parametrize(("kind", "expected"), [("normal", 0.02), ("xavier", 0.02 * (2 / (9 * 64 + 9 * 64)) ** 0.5)])
def test_fresh_weights_are_drawn_as_the_settings_say(kind, expected):
    config = CUTConfig(
        generator=ResnetConfig(base_channels=16, n_blocks=4),
        discriminators=(PatchGANConfig(base_channels=16),),
        initialisation=kind,
    )
    recipe = CUT(config)
    blocks = torch.cat([p.flatten() for name, p in recipe.G.named_parameters() if p.shape == (64, 64, 3, 3)])
    assert blocks.std().item() == pytest.approx(expected, rel=0.05)
    first = next(recipe.D.parameters())
    assert first.shape == (16, 3, 4, 4)
    wanted = 0.02 if kind == "normal" else 0.02 * (2 / (16 * 3 + 16 * 16)) ** 0.5
    assert first.std().item() == pytest.approx(wanted, rel=0.15)
    assert CUTConfig().initialisation == "xavier"


def test_contrast_by_hand():
    key = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    query = torch.tensor([[[0.6, 0.8], [0.0, 1.0]]])
    first = -math.log(math.exp(0.6 / 0.5) / (math.exp(0.6 / 0.5) + math.exp(0.8 / 0.5)))
    second = -math.log(math.exp(1 / 0.5) / (math.exp(1 / 0.5) + 1))
    assert patch_contrast(query, key, temperature=0.5).item() == pytest.approx((first + second) / 2, rel=1e-6)


def test_contrast_knows_no_patches_of_other_pictures():
    q, k = (nn.functional.normalize(torch.randn(3, 9, 8), dim=2) for _ in range(2))
    apart = torch.stack([patch_contrast(q[i : i + 1], k[i : i + 1]) for i in range(3)]).mean()
    torch.testing.assert_close(patch_contrast(q, k), apart)


def test_contrast_moves_the_query_towards_its_key_and_leaves_the_key_alone():
    q, k = (nn.functional.normalize(torch.randn(1, 9, 8), dim=2).requires_grad_() for _ in range(2))
    before = patch_contrast(q, k)
    before.backward()
    assert k.grad is None
    assert patch_contrast(q - 0.01 * q.grad, k) < before


def test_contrast_is_computed_in_32_bits_under_autocast():
    q, k = (nn.functional.normalize(torch.randn(1, 64, 32), dim=2) for _ in range(2))
    with torch.autocast("cpu", torch.bfloat16):
        loss = patch_contrast(q, k)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, patch_contrast(q, k))


def test_places_are_drawn_once_for_all_pictures_and_never_twice():
    sampler = PatchSampler([3, 5], embedding_channels=8, n_patches=50)
    maps = [torch.rand(2, 3, 10, 10), torch.rand(2, 5, 4, 6)]
    large, small = sampler.draw_places(maps)
    assert (len(large), len(small)) == (50, 24), "a small map is compared everywhere"
    assert len(set(large.tolist())) == 50
    assert sorted(small.tolist()) == list(range(24))
    embedded = sampler(maps, [large, small])
    assert [tuple(e.shape) for e in embedded] == [(2, 50, 8), (2, 24, 8)]
    torch.testing.assert_close(embedded[0].norm(dim=2), torch.ones(2, 50), rtol=1e-2, atol=0)
    at = large[7].item()
    alone = sampler.embeddings[0](maps[0][1, :, at // 10, at % 10])
    torch.testing.assert_close(embedded[0][1, 7], alone / alone.norm(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("config", "shapes"),
    [
        (STRIDED, [(3, 32), (8, 16), (16, 8), (16, 8), (16, 8)]),
        (BLURRED, [(3, 32), (8, 32), (16, 16), (16, 8), (16, 8)]),
        (ResnetConfig(base_channels=4, n_blocks=0), [(3, 32), (8, 16), (16, 8)]),
        (UnetConfig(base_channels=4, depth=5), [(3, 32), (4, 16), (8, 8), (16, 4), (32, 2)]),
        (UnetConfig(base_channels=4, depth=3), [(3, 32), (4, 16), (8, 8), (16, 4)]),
        (CompactConfig(base_channels=4), [(3, 32), (4, 8), (4, 8), (4, 8)]),
        (CompactConfig(base_channels=4, n_blocks=1), [(3, 32), (4, 8), (4, 8)]),
    ],
)
def test_every_generator_shows_what_it_encodes(config, shapes):
    generator = build_generator(config)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    maps = generator.encode(image)
    assert torch.equal(maps[0], image)
    assert [(m.shape[1], m.shape[2]) for m in maps] == shapes
    assert generator.encoded_channels == tuple(channels for channels, _ in shapes)


@pytest.mark.parametrize("generator", [UnetConfig(base_channels=4, depth=4), CompactConfig(base_channels=4)])
@pytest.mark.parametrize("objective", ["hinge", "wgan_gp"])
def test_every_network_learns_with_any_generator(generator, objective):
    recipe = CUT(CUTConfig(generator=generator, objective=objective, **SMALL))
    before = {name: copy.deepcopy(network.state_dict()) for name, network in recipe.networks.items()}
    result = recipe.step(batch_of(1, dtype=torch.float32), 0, plain_update)
    assert all(loss.isfinite() and not loss.requires_grad for loss in result.losses.values())
    for name, network in recipe.networks.items():
        assert difference(before[name], network.state_dict()) is not None, name
        assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


def tiny_cut(iterations: int) -> TrainConfig:
    return TrainConfig(
        name="brown2striped",
        domain_a="brown blobs",
        domain_b="striped blobs",
        data=UnpairedConfig(load_size=36, crop_size=SIZE),
        recipe=fastcut(
            generator=CompactConfig(base_channels=4, n_blocks=2),
            discriminators=(PATCHGAN.model_copy(update={"augment": ("saturation", "translation", "cutout")}),),
            identity=True,
        ),
        training=LoopConfig(schedule="constant", num_workers=0, sample_every=3, save_every=3, iterations=iterations),
    )


def test_a_run_goes_on_bit_for_bit_and_leaves_one_generator_with_its_card(tmp_path):
    data = draw_unpaired(tmp_path / "set")
    train(tiny_cut(iterations=3), data, tmp_path / "parts", device="cpu")
    train(tiny_cut(iterations=6), data, tmp_path / "parts", resume=True, device="cpu")
    train(tiny_cut(iterations=6), data, tmp_path / "once", device="cpu")
    parts, once = (read_checkpoint(tmp_path / run / "checkpoints" / "last.pt") for run in ("parts", "once"))
    for part in ("networks", "averages", "optimizers", "recipe", "chance"):
        assert difference(parts[part], once[part]) is None
    (file,) = (tmp_path / "parts" / "generators").iterdir()
    _, card = load_generator(file)
    assert (file.name, card.name, card.direction) == ("G.safetensors", "brown2striped", "AtoB")
    assert (card.task, card.keeps_detail) == ("brown blobs to striped blobs", True)
    assert card.training.startswith("cut, 6 iterations")
    assert (tmp_path / "parts" / "samples" / "00000006.png").exists()
