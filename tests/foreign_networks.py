"""The networks of pytorch-CycleGAN-and-pix2pix and CUT, restated, with their names for the weights."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

Norm = Callable[[int], nn.Module]

BATCH: Norm = nn.BatchNorm2d
INSTANCE: Norm = nn.InstanceNorm2d


def instance_affine(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


def instance_tracked(channels: int) -> nn.Module:
    """As the program made it in 2018."""
    return nn.InstanceNorm2d(channels, track_running_stats=True)


def no_norm(channels: int) -> nn.Module:
    return nn.Identity()


NORMS = {
    "instance": INSTANCE,
    "batch": BATCH,
    "instance affine": instance_affine,
    "instance tracked": instance_tracked,
    "none": no_norm,
}


def biased(norm: Norm) -> bool:
    return norm not in (BATCH, no_norm)


def outer(taps: list[float]) -> torch.Tensor:
    one = torch.tensor(taps) / sum(taps)
    return one[:, None] * one


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", outer([1.0, 2.0, 1.0]).repeat(channels, 1, 1, 1))

    def forward(self, x):
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), self.filt, stride=2, groups=x.shape[1])


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", 4 * outer([1.0, 3.0, 3.0, 1.0]).repeat(channels, 1, 1, 1))

    def forward(self, x):
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(padded, self.filt, stride=2, padding=2, groups=x.shape[1])[:, :, 1:-1, 1:-1]


class Block(nn.Module):
    def __init__(self, channels: int, norm: Norm, dropout: bool) -> None:
        super().__init__()

        def convolution():
            return [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=biased(norm)), norm(channels)]

        extra = [nn.Dropout(0.5)] if dropout else []
        self.conv_block = nn.Sequential(*convolution(), nn.ReLU(), *extra, *convolution())

    def forward(self, x):
        return x + self.conv_block(x)


class Resnet(nn.Module):
    def __init__(self, ngf, n_blocks, norm: Norm, dropout=False, blur_down=False, blur_up=False, channels=3) -> None:
        super().__init__()
        bias = biased(norm)
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(channels, ngf, 7, bias=bias), norm(ngf), nn.ReLU()]
        for c in (ngf, 2 * ngf):
            stride = 1 if blur_down else 2
            layers += [nn.Conv2d(c, 2 * c, 3, stride=stride, padding=1, bias=bias), norm(2 * c), nn.ReLU()]
            layers += [Downsample(2 * c)] if blur_down else []
        layers += [Block(4 * ngf, norm, dropout) for _ in range(n_blocks)]
        for c in (4 * ngf, 2 * ngf):
            if blur_up:
                layers += [Upsample(c), nn.Conv2d(c, c // 2, 3, padding=1, bias=bias)]
            else:
                layers += [nn.ConvTranspose2d(c, c // 2, 3, stride=2, padding=1, output_padding=1, bias=bias)]
            layers += [norm(c // 2), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, channels, 7), nn.Tanh())

    def forward(self, x):
        return self.model(x)


class UnetBlock(nn.Module):
    def __init__(self, outside, inside, norm: Norm, inner=None, dropout=False, outermost=False, channels=3) -> None:
        super().__init__()
        bias = biased(norm)
        down = nn.Conv2d(channels if outermost else outside, inside, 4, 2, 1, bias=bias)
        up_from = inside if inner is None else 2 * inside
        self.outermost = outermost
        if outermost:
            up = nn.ConvTranspose2d(up_from, channels, 4, 2, 1)
            self.model = nn.Sequential(down, inner, nn.ReLU(), up, nn.Tanh())
            return
        up = nn.ConvTranspose2d(up_from, outside, 4, 2, 1, bias=bias)
        middle = [] if inner is None else [norm(inside), inner]
        after = [nn.Dropout(0.5)] if dropout else []
        self.model = nn.Sequential(nn.LeakyReLU(0.2), down, *middle, nn.ReLU(), up, norm(outside), *after)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Unet(nn.Module):
    def __init__(self, ngf, depth, norm: Norm, dropout=False) -> None:
        super().__init__()
        block = UnetBlock(8 * ngf, 8 * ngf, norm)
        for _ in range(depth - 5):
            block = UnetBlock(8 * ngf, 8 * ngf, norm, block, dropout)
        for c in (4 * ngf, 2 * ngf, ngf):
            block = UnetBlock(c, 2 * c, norm, block)
        self.model = UnetBlock(3, ngf, norm, block, outermost=True)

    def forward(self, x):
        return self.model(x)


class PatchGAN(nn.Module):
    def __init__(self, channels, ndf, n_layers, norm: Norm, blur=False) -> None:
        super().__init__()
        widths = [ndf * min(2**n, 8) for n in range(n_layers + 1)]
        stride = 1 if blur else 2

        def halved(c):
            return [Downsample(c)] if blur else []

        layers = [nn.Conv2d(channels, ndf, 4, stride, 1), nn.LeakyReLU(0.2), *halved(ndf)]
        for before, after in pairwise(widths[:-1]):
            layers += [nn.Conv2d(before, after, 4, stride, 1, bias=biased(norm)), norm(after), nn.LeakyReLU(0.2)]
            layers += halved(after)
        last = widths[-1]
        layers += [nn.Conv2d(widths[-2], last, 4, 1, 1, bias=biased(norm)), norm(last), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Conv2d(last, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)


class Pixel(nn.Module):
    def __init__(self, channels, ndf, norm: Norm) -> None:
        super().__init__()
        bias = biased(norm)
        self.net = nn.Sequential(
            nn.Conv2d(channels, ndf, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(ndf, 2 * ndf, 1, bias=bias),
            norm(2 * ndf),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * ndf, 1, 1, bias=bias),
        )

    def forward(self, x):
        return self.net(x)


def randomised(network: nn.Module) -> nn.Module:
    """Strong weights, none of them at its initial value."""
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif name.endswith("filt") or not tensor.is_floating_point():
            continue
        else:
            tensor.normal_(0, 0.3 if tensor.ndim == 1 else tensor[0].numel() ** -0.5)
    return network
