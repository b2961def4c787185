"""Discriminators of several scales and feature matching: the losses of pix2pixHD, written out here a second time.

The reference is NVIDIA/pix2pixHD (pix2pixHD_model.py, networks.py), but for two things. The paper's sums over the
discriminators are means here, which changes nothing but the scale of the whole loss; the authors' code divides the
feature loss by their number a second time. And the discriminator moves first, as in pix2pix.
"""

import copy

import pytest
import torch
from torch import nn
from torch.optim import Adam

from zorse.errors import ConfigError
from zorse.model.architecture import PatchGANConfig, PixelConfig, ProjectedConfig, ResnetConfig
from zorse.networks.build import build_discriminator
from zorse.recipes.losses import feature_matching_loss
from zorse.recipes.pix2pix import Pix2Pix, Pix2PixConfig
from zorse.recipes.recipe import plain_update
from zorse.training.config import with_overrides
from zorse.training.presets import pix2pixhd_facades

SIZE = 48
SCALES = 3
PATCHGAN = PatchGANConfig(base_channels=4, n_layers=2, scales=SCALES)


def reference_forward(D: nn.Module, x: torch.Tensor) -> list[list[torch.Tensor]]:
    """For each scale the result of each block of layers; the last one is the logits."""
    downsample = nn.AvgPool2d(3, stride=2, padding=[1, 1], count_include_pad=False)
    result = []
    for member in D.members:
        outputs = [x]
        for block in (member.layers[:2], member.layers[2:5], member.layers[5:8], member.layers[8:]):
            outputs.append(block(outputs[-1]))
        result.append(outputs[1:])
        x = downsample(x)
    return result


class ReferencePix2PixHD:
    def __init__(self, ours: Pix2Pix) -> None:
        self.netG, self.netD = copy.deepcopy(ours.G), copy.deepcopy(ours.D)
        self.optimizer_G = Adam(self.netG.parameters(), lr=0.0002, betas=(0.5, 0.999))
        self.optimizer_D = Adam(self.netD.parameters(), lr=0.0002, betas=(0.5, 0.999))

    def optimize_parameters(self, label: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
        fake = self.netG(label)
        self.optimizer_D.zero_grad()
        pred_fake = reference_forward(self.netD, torch.cat([label, fake.detach()], 1))
        pred_real = reference_forward(self.netD, torch.cat([label, image], 1))
        loss_D_fake = sum((scale[-1] ** 2).mean() for scale in pred_fake)
        loss_D_real = sum(((scale[-1] - 1) ** 2).mean() for scale in pred_real)
        loss_D = (loss_D_fake + loss_D_real) * 0.5 / SCALES
        loss_D.backward()
        self.optimizer_D.step()

        self.optimizer_G.zero_grad()
        pred_fake = reference_forward(self.netD, torch.cat([label, fake], 1))
        pred_real = reference_forward(self.netD, torch.cat([label, image], 1))
        loss_G_GAN = sum(((scale[-1] - 1) ** 2).mean() for scale in pred_fake)
        loss_G_GAN_Feat = torch.zeros((), dtype=label.dtype)
        for i in range(SCALES):
            for j in range(len(pred_fake[i]) - 1):
                loss_G_GAN_Feat = loss_G_GAN_Feat + (pred_fake[i][j] - pred_real[i][j].detach()).abs().mean()
        loss_G = loss_G_GAN + 10.0 * loss_G_GAN_Feat
        (loss_G / SCALES).backward()
        self.optimizer_G.step()
        l1 = (fake - image).abs().mean()
        return {"G": loss_G_GAN / SCALES, "l1": l1, "D": loss_D, "features": loss_G_GAN_Feat / SCALES}


def test_the_step_is_that_of_the_reference():
    ours = Pix2Pix(
        Pix2PixConfig(
            generator=ResnetConfig(base_channels=4, n_blocks=1),
            discriminators=(PATCHGAN,),
            objective="lsgan",
            lambda_l1=0.0,
            lambda_feature_matching=10.0,
        )
    )
    for network in ours.networks.values():
        network.double()
    reference = ReferencePix2PixHD(ours)
    for number in range(4):
        pictures = {side: torch.rand(2, 3, SIZE, SIZE, dtype=torch.float64) * 2 - 1 for side in "AB"}
        found = ours.step({**pictures, "path_A": ["a"], "path_B": ["b"]}, number, plain_update).losses
        wanted = reference.optimize_parameters(pictures["A"], pictures["B"])
        assert found.keys() == wanted.keys()
        for name in wanted:
            assert found[name].item() == pytest.approx(wanted[name].item(), rel=1e-9), f"{name} in {number}"
    for mine, theirs in ((ours.G, reference.netG), (ours.D, reference.netD)):
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_each_scale_has_weights_of_its_own_and_sees_twice_as_much():
    D = build_discriminator([PATCHGAN.model_copy(update={"norm": "none"})])
    assert len({parameter.data_ptr() for parameter in D.parameters()}) == SCALES * len(list(D.members[0].parameters()))
    image = torch.zeros(1, 3, 192, 192, requires_grad=True)
    sides = []
    for logits in D(image):
        (gradient,) = torch.autograd.grad(
            logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2], image, retain_graph=True
        )
        sides.append(int((gradient.abs().sum((0, 1, 2)) > 0).sum()))
    # The 34x34 patch of n_layers 2; each average of 3x3 pixels with stride 2 turns n pixels into 2n + 1.
    assert sides == [34, 69, 139]


@pytest.mark.parametrize(
    ("configs", "channels", "n_maps"),
    [
        ([PatchGANConfig(base_channels=4, n_layers=3)], 6, [4]),
        ([PATCHGAN], 6, [3, 3, 3]),
        ([PixelConfig(base_channels=4)], 6, [2]),
        ([PatchGANConfig(base_channels=4, n_layers=2, downsampling="blur")], 6, [3]),
        ([ProjectedConfig(base_channels=4, image_size=32)], 6, [2, 2, 2, 2]),
        ([PATCHGAN, ProjectedConfig(base_channels=4, image_size=32)], 6, [3, 3, 3, 2, 2, 2, 2]),
        ([ProjectedConfig(base_channels=4, image_size=32)], 3, [2, 2, 2, 2]),
    ],
)
def test_every_discriminator_shows_what_it_sees(configs, channels, n_maps):
    D = build_discriminator(configs, channels)
    maps = D.feature_maps(torch.rand(2, channels, SIZE, SIZE) * 2 - 1)
    assert [len(layers) for layers in maps] == n_maps
    assert all(m.shape[0] == 2 and m.requires_grad for layers in maps for m in layers)


def test_features_are_compared_without_augmentation():
    D = build_discriminator([PATCHGAN.model_copy(update={"augment": ("brightness", "translation")})])
    image = torch.rand(1, 3, SIZE, SIZE) * 2 - 1
    assert feature_matching_loss(D.feature_maps(image), D.feature_maps(image)).item() == 0
    first, second = D(image), D(image)
    assert not torch.equal(first[0], second[0])


def test_matching_sums_over_layers_averages_over_discriminators_and_spares_the_real_picture():
    real = [[torch.zeros(1, 1, 2, 2), torch.zeros(1, 4, 1, 1)], [torch.zeros(1, 1, 1, 1)]]
    fake = [[torch.full((1, 1, 2, 2), 3.0), torch.full((1, 4, 1, 1), -1.0)], [torch.full((1, 1, 1, 1), 0.5)]]
    for maps in (*real, *fake):
        for m in maps:
            m.requires_grad_()
    loss = feature_matching_loss(real, fake)
    assert loss.item() == pytest.approx((3 + 1 + 0.5) / 2)
    loss.backward()
    assert all(m.grad is None for maps in real for m in maps)
    assert all(m.grad is not None for maps in fake for m in maps)


def test_a_crop_too_small_for_the_coarsest_scale_is_an_error_beforehand():
    setting = 'recipe.discriminators=[{kind="patchgan", scales=5}]'
    with pytest.raises(ConfigError, match=r"crop_size is 256, .* scales = 5 judges pictures of at least 384 pixels"):
        with_overrides(pix2pixhd_facades(), [setting])
    smallest = PATCHGAN.smallest_picture
    assert all(m.numel() > 0 for m in build_discriminator([PATCHGAN])(torch.rand(1, 3, smallest, smallest)))
