"""CycleGAN as published, restated plainly: what Zorse's training step is measured against.

Written after junyanz/pytorch-CycleGAN-and-pix2pix (networks.py, cycle_gan_model.py, image_pool.py): every pass of every
network alone and with PyTorch's stock layers, every loss spelled out, one step of each of the two optimizers. Its `D_A`
judges pictures of domain B; here it is called `judge_B`.
"""

import random
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim import Adam

LAMBDA_A = LAMBDA_B = 10.0
LAMBDA_IDENTITY = 0.5


class ResnetBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3, padding=0, bias=True),
            nn.InstanceNorm2d(channels, affine=False, track_running_stats=False),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3, padding=0, bias=True),
            nn.InstanceNorm2d(channels, affine=False, track_running_stats=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


def resnet_generator(ngf: int = 64, n_blocks: int = 9) -> nn.Module:
    """(N, 3, H, W) in [-1, 1] -> the same."""
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3),
        nn.Conv2d(3, ngf, kernel_size=7, padding=0, bias=True),
        nn.InstanceNorm2d(ngf, affine=False, track_running_stats=False),
        nn.ReLU(True),
    ]
    for level in range(2):
        width = ngf * 2**level
        layers += [
            nn.Conv2d(width, width * 2, kernel_size=3, stride=2, padding=1, bias=True),
            nn.InstanceNorm2d(width * 2, affine=False, track_running_stats=False),
            nn.ReLU(True),
        ]
    layers += [ResnetBlock(ngf * 4) for _ in range(n_blocks)]
    for level in range(2):
        width = ngf * 2 ** (2 - level)
        layers += [
            nn.ConvTranspose2d(width, width // 2, kernel_size=3, stride=2, padding=1, output_padding=1, bias=True),
            nn.InstanceNorm2d(width // 2, affine=False, track_running_stats=False),
            nn.ReLU(True),
        ]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, kernel_size=7, padding=0), nn.Tanh()]
    return _initialised(nn.Sequential(*layers))


def patch_discriminator(ndf: int = 64, n_layers: int = 3) -> nn.Module:
    """(N, 3, H, W) in [-1, 1] -> logits (N, 1, h, w)."""
    layers: list[nn.Module] = [nn.Conv2d(3, ndf, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
    width = ndf
    for level in range(1, n_layers + 1):
        inside, width = width, ndf * min(2**level, 8)
        layers += [
            nn.Conv2d(inside, width, kernel_size=4, stride=2 if level < n_layers else 1, padding=1, bias=True),
            nn.InstanceNorm2d(width, affine=False, track_running_stats=False),
            nn.LeakyReLU(0.2, True),
        ]
    layers += [nn.Conv2d(width, 1, kernel_size=4, stride=1, padding=1)]
    return _initialised(nn.Sequential(*layers))


def _initialised(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            nn.init.constant_(module.bias, 0.0)
    return network


class ImagePool:
    def __init__(self, pool_size: int, seed: int) -> None:
        self.pool_size, self.images, self.random = pool_size, [], random.Random(seed)

    def query(self, images: Tensor) -> Tensor:
        returned = []
        for image in images:
            image = torch.unsqueeze(image.data, 0)
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
    """Two generators, two discriminators, two optimizers.

    Args:
        ngf: channels of the generators' first convolution.
        n_blocks: residual blocks of the generators.
        ndf: channels of the discriminators' first convolution.
    """

    def __init__(self, ngf: int = 64, n_blocks: int = 9, ndf: int = 64) -> None:
        self.G_AB, self.G_BA = resnet_generator(ngf, n_blocks), resnet_generator(ngf, n_blocks)
        self.judge_B, self.judge_A = patch_discriminator(ndf), patch_discriminator(ndf)
        self.fake_A_pool, self.fake_B_pool = ImagePool(50, 0), ImagePool(50, 1)
        self.optimizer_G = Adam(chain(self.G_AB.parameters(), self.G_BA.parameters()), lr=0.0002, betas=(0.5, 0.999))
        self.optimizer_D = Adam(
            chain(self.judge_B.parameters(), self.judge_A.parameters()), lr=0.0002, betas=(0.5, 0.999)
        )

    def optimize_parameters(self, real_A: Tensor, real_B: Tensor) -> dict[str, float]:
        """One step; the losses by Zorse's names."""
        # forward
        fake_B = self.G_AB(real_A)
        rec_A = self.G_BA(fake_B)
        fake_A = self.G_BA(real_B)
        rec_B = self.G_AB(fake_A)

        # the generators
        self.set_requires_grad(False)
        self.optimizer_G.zero_grad()
        idt_A, idt_B = self.G_BA(real_A), self.G_AB(real_B)
        loss_idt_A = (idt_A - real_A).abs().mean() * LAMBDA_A * LAMBDA_IDENTITY
        loss_idt_B = (idt_B - real_B).abs().mean() * LAMBDA_B * LAMBDA_IDENTITY
        loss_G_AB = ((self.judge_B(fake_B) - 1.0) ** 2).mean()
        loss_G_BA = ((self.judge_A(fake_A) - 1.0) ** 2).mean()
        loss_cycle_A = (rec_A - real_A).abs().mean() * LAMBDA_A
        loss_cycle_B = (rec_B - real_B).abs().mean() * LAMBDA_B
        loss_G = loss_G_AB + loss_G_BA + loss_cycle_A + loss_cycle_B + loss_idt_A + loss_idt_B
        loss_G.backward()
        self.optimizer_G.step()

        # the discriminators
        self.set_requires_grad(True)
        self.optimizer_D.zero_grad()
        loss_D_B = self.backward_D(self.judge_B, real_B, self.fake_B_pool.query(fake_B))
        loss_D_A = self.backward_D(self.judge_A, real_A, self.fake_A_pool.query(fake_A))
        self.optimizer_D.step()
        return {
            "G_AB": loss_G_AB.item(),
            "G_BA": loss_G_BA.item(),
            "cycle": (loss_cycle_A + loss_cycle_B).item() / LAMBDA_A,
            "identity": (loss_idt_A + loss_idt_B).item() / (LAMBDA_A * LAMBDA_IDENTITY),
            "D_A": loss_D_A.item(),
            "D_B": loss_D_B.item(),
        }

    def set_requires_grad(self, requires_grad: bool) -> None:
        for parameter in chain(self.judge_A.parameters(), self.judge_B.parameters()):
            parameter.requires_grad = requires_grad

    @staticmethod
    def backward_D(judge: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        loss_real = ((judge(real) - 1.0) ** 2).mean()
        loss_fake = (judge(fake.detach()) ** 2).mean()
        loss = (loss_real + loss_fake) * 0.5
        loss.backward()
        return loss
