"""Networks: what the papers publish about them, measured; and what a compact generator promises."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zorse.errors import ConfigError
from zorse.model.architecture import (
    CompactConfig,
    PatchGANConfig,
    PixelConfig,
    ProjectedConfig,
    ResnetConfig,
    UnetConfig,
)
from zorse.networks import compact
from zorse.networks.augment import diff_augment
from zorse.networks.build import build_discriminator, build_generator, generator_module
from zorse.networks.efficientnet import load_efficientnet, weights_file
from zorse.networks.layers import EPSILON, InstanceNorm
from zorse.networks.patchgan import receptive_field


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def randomise(network: nn.Module, seed: int) -> None:
    """Weights that are nothing like the initial ones: large enough for every layer to matter, biases included."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            std = math.sqrt(2 / module.weight[0].numel())
            nn.init.normal_(module.weight, 0, std, generator=generator)
            nn.init.normal_(module.bias, 0, 0.3, generator=generator)


# Published parameter counts


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (ResnetConfig(), 11_378_179),
        (ResnetConfig(n_blocks=6), 7_837_699),
        (UnetConfig(), 54_413_955),
        (UnetConfig(depth=7), 41_828_995),
    ],
    ids=["resnet-9", "resnet-6", "unet-256", "unet-128"],
)
def test_generators_have_the_published_number_of_parameters(config, published):
    with torch.device("meta"):
        assert n_parameters(generator_module(config)) == published


@pytest.mark.parametrize(
    ("config", "in_channels", "published"),
    [(PatchGANConfig(), 3, 2_764_737), (PatchGANConfig(norm="batch"), 6, 2_768_705)],
)
def test_patchgan_has_the_published_number_of_parameters(config, in_channels, published):
    assert n_parameters(build_discriminator([config], in_channels)) == published


def test_compact_has_about_a_million_parameters():
    assert 0.8e6 < n_parameters(generator_module(CompactConfig())) < 1.3e6


# Shapes and receptive fields


@pytest.mark.parametrize(("n_layers", "published"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_patchgan_receptive_field_measured(n_layers, published):
    """The pixels that one logit's gradient reaches."""
    discriminator = build_discriminator([PatchGANConfig(base_channels=2, n_layers=n_layers, norm="none")])
    image = torch.zeros(1, 3, 384, 384, requires_grad=True)
    logits = discriminator(image)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    reached = image.grad[0].abs().sum(0) > 0
    rows, columns = torch.nonzero(reached.any(1)).flatten(), torch.nonzero(reached.any(0)).flatten()
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (published, published)
    assert receptive_field(n_layers) == published


def test_receptive_field_needs_a_layer():
    with pytest.raises(ConfigError, match="n_layers >= 1"):
        receptive_field(0)


def test_patchgan_turns_256_pixels_into_30_logits():
    assert build_discriminator([PatchGANConfig(base_channels=4)])(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)


def test_pixel_discriminator_judges_each_pixel_alone():
    discriminator = build_discriminator([PixelConfig(base_channels=8, norm="none")])
    image = torch.rand(1, 3, 12, 20)
    logits = discriminator(image)
    assert logits.shape == (1, 1, 12, 20)
    changed = image.clone()
    changed[:, :, 5, 7] += 0.5
    difference = discriminator(changed) != logits
    assert torch.nonzero(difference[0, 0]).tolist() == [[5, 7]]


def test_several_discriminators_judge_one_picture():
    configs = [PatchGANConfig(base_channels=4), PixelConfig(base_channels=4)]
    shapes = [tuple(logits.shape) for logits in build_discriminator(configs)(torch.rand(1, 3, 64, 64))]
    assert shapes == [(1, 1, 6, 6), (1, 1, 64, 64)]


def test_a_gan_without_discriminator_is_refused():
    with pytest.raises(ConfigError, match="at least one discriminator"):
        build_discriminator([])


@pytest.mark.parametrize(
    "config",
    [
        ResnetConfig(base_channels=4, n_blocks=0),
        ResnetConfig(base_channels=4, n_blocks=2, dropout=True, norm="batch"),
        ResnetConfig(base_channels=4, n_blocks=1, upsampling="resize", in_channels=1, out_channels=2, norm="none"),
        UnetConfig(base_channels=2, depth=3),
        UnetConfig(base_channels=2, depth=6, norm="instance", in_channels=4),
        CompactConfig(base_channels=8, n_blocks=2, finish_channels=4, norm="none"),
    ],
)
def test_generators_keep_the_size_of_the_picture(config):
    generator = build_generator(config).eval()
    height, width = 2 * config.size_multiple, 3 * config.size_multiple
    with torch.inference_mode():
        translated = generator(torch.rand(2, config.in_channels, height, width) * 2 - 1)
    assert translated.shape == (2, config.out_channels, height, width)
    assert translated.abs().max() <= 1


@pytest.mark.parametrize("depth", [3, 5, 8])
def test_unet_halves_down_to_its_bottleneck_and_skips_every_other_level(depth):
    base = 2
    generator = generator_module(UnetConfig(base_channels=base, depth=depth, dropout=False)).eval()
    sides: list[int] = []
    channels_in: list[int] = []
    for down in generator.downs:
        down.register_forward_hook(lambda _module, _inputs, output: sides.append(output.shape[-1]))
    for up in generator.ups:
        up.register_forward_hook(lambda _module, inputs, _output: channels_in.append(inputs[0].shape[1]))
    with torch.inference_mode():
        generator(torch.zeros(1, 3, 2**depth, 2**depth))
    widths = [base * min(2**level, 8) for level in range(depth)]
    assert sides == [2 ** (depth - level - 1) for level in range(depth)]
    # The innermost map comes alone, every further one beside the skip of its level.
    assert channels_in == [widths[-1], *(2 * width for width in widths[-2:0:-1])]


def test_unet_drops_out_in_three_levels_next_to_the_bottleneck():
    generator = generator_module(UnetConfig(base_channels=2))
    dropped = [any(isinstance(layer, nn.Dropout) for layer in up.layers) for up in generator.ups]
    assert dropped == [False, True, True, True, False, False, False]
    assert not any(isinstance(module, nn.Dropout) for module in generator_module(UnetConfig(dropout=False)).modules())


def test_resize_upsampling_has_no_transposed_convolution():
    published, resized = (generator_module(ResnetConfig(upsampling=kind)) for kind in ("transposed", "resize"))
    assert sum(isinstance(module, nn.ConvTranspose2d) for module in published.modules()) == 2
    assert not any(isinstance(module, nn.ConvTranspose2d) for module in resized.modules())
    assert n_parameters(published) == n_parameters(resized)


# Initialisation and normalisation


@pytest.mark.parametrize("config", [ResnetConfig(n_blocks=2), UnetConfig(depth=6), CompactConfig()])
def test_generators_start_from_normal_weights_of_two_hundredths(config):
    generator = build_generator(config)
    for module in generator.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            n = module.weight.numel()
            assert abs(module.weight.mean()) < 5 * 0.02 / math.sqrt(n)
            assert abs(module.weight.std() - 0.02) < 5 * 0.02 / math.sqrt(2 * n)
            assert module.bias is None or not module.bias.any()
        if isinstance(module, nn.BatchNorm2d):
            assert abs(module.weight.mean() - 1) < 5 * 0.02 / math.sqrt(len(module.weight))
            assert module.weight.std() > 0
            assert not module.bias.any()


def test_patchgan_starts_from_normal_weights_of_two_hundredths():
    weights = torch.cat([p.flatten() for p in build_discriminator([PatchGANConfig()]).parameters() if p.ndim == 4])
    assert abs(weights.std() - 0.02) < 1e-4
    # The share of a normal distribution within one standard deviation tells it from a uniform one (0.577).
    assert abs((weights.abs() < 0.02).float().mean() - 0.6827) < 2e-3


def test_spectral_norm_bounds_every_convolution():
    discriminator = build_discriminator([PatchGANConfig(base_channels=8, spectral_norm=True, norm="none")])
    for _ in range(20):  # Each pass in training mode takes one step of the power iteration.
        discriminator(torch.rand(1, 3, 64, 64))
    convolutions = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item() for layer in convolutions]
    assert len(norms) == 5
    assert norms == pytest.approx([1] * 5, rel=0.05)


def norm_by_formula(x, grad, weight, bias):
    """Result and gradients of an affine instance normalisation, in 64 bits."""
    x, weight, bias = (tensor.detach().double().contiguous().requires_grad_() for tensor in (x, weight, bias))
    centred = x - x.mean((2, 3), keepdim=True)
    normalised = centred / (centred.square().mean((2, 3), keepdim=True) + EPSILON).sqrt()
    y = normalised * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)
    return y, *torch.autograd.grad(y, (x, weight, bias), grad.double().contiguous())


DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-4), (torch.float64, 1e-10), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("shape", [(1, 16, 16, 16), (2, 16, 16, 16), (1, 96, 9, 7), (3, 1, 2, 2)], ids=str)
@pytest.mark.parametrize("x_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("grad_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_instance_norm_and_its_gradients_are_right_in_every_layout(shape, dtype, bound, x_format, grad_format, device):
    torch.manual_seed(0)
    norm = InstanceNorm(shape[1], affine=True).to(device, dtype)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = (torch.randn(shape, device=device, dtype=dtype) * 4 + 1).contiguous(memory_format=x_format).requires_grad_()
    grad = torch.randn(shape, device=device, dtype=dtype).contiguous(memory_format=grad_format)
    y = norm(x)
    found = y, *torch.autograd.grad(y, (x, norm.weight, norm.bias), grad)
    for ours, exact in zip(found, norm_by_formula(x, grad, norm.weight, norm.bias), strict=True):
        assert ((ours - exact).abs().max() / exact.abs().max()).item() < bound


def test_instance_norm_keeps_a_constant_picture_finite():
    assert torch.isfinite(InstanceNorm(3)(torch.full((1, 3, 8, 8), 0.7))).all()


def test_instance_norm_is_exact_on_flat_maps_in_either_memory_format():
    x = torch.full((1, 8, 256, 256), 0.9)
    x[:, :, 100:103, 100:103] = -0.9
    x += 1e-3 * torch.randn(x.shape)
    exact = nn.InstanceNorm2d(8)(x.double())
    for memory_format in (torch.contiguous_format, torch.channels_last):
        found = InstanceNorm(8)(x.contiguous(memory_format=memory_format))
        assert (found - exact).abs().max() < 1e-4


def test_norms_are_what_the_config_says():
    def norms(norm: str) -> set[type]:
        generator = generator_module(ResnetConfig(base_channels=4, n_blocks=1, norm=norm))
        return {type(module) for module in generator.modules()} & {nn.BatchNorm2d, InstanceNorm}

    assert norms("batch") == {nn.BatchNorm2d}
    assert norms("instance") == {InstanceNorm}
    assert norms("none") == set()


# The compact generator


def test_compact_changes_nothing_when_its_last_convolution_is_zero():
    generator = generator_module(CompactConfig(base_channels=16, n_blocks=2))
    randomise(generator, seed=0)
    nn.init.zeros_(generator.finish[-1].weight)
    nn.init.zeros_(generator.finish[-1].bias)
    levels = torch.arange(256).float() / 127.5 - 1
    image = levels.view(1, 1, 16, 16).repeat(1, 3, 1, 1)
    with torch.inference_mode():
        translated = generator(image)
    torch.testing.assert_close(translated, image, atol=2e-6, rtol=0)
    assert torch.equal(to_levels(translated), to_levels(image))


def to_levels(image):
    return ((image + 1) * 127.5).round().byte()


@pytest.mark.parametrize("level", [-1.0, 1.0])
def test_compact_keeps_the_gradient_of_black_and_white_pixels_while_training(level):
    generator = generator_module(CompactConfig(base_channels=8, n_blocks=1, finish_channels=4))
    last = generator.finish[-1]
    nn.init.zeros_(last.weight)
    picture = torch.full((1, 3, 16, 16), level)
    for change in (-0.1, 0.0, 0.1):
        nn.init.constant_(last.bias, change)
        generator.zero_grad()
        generator.train()(picture).mean().backward()
        scale_gradient, *change_gradients = last.bias.grad.tolist()
        assert scale_gradient * level > 0.02
        assert min(change_gradients) > 0.02
        assert generator.eval()(picture).abs().max() <= 1


SIDE = 256
WINDOW = 64
"""In the middle of the picture, where padding at its borders has the least say."""
GRID = [(u, v) for u in range(0, WINDOW, WINDOW // 4) for v in range(0, WINDOW, WINDOW // 4) if u or v]
"""Frequencies of the patterns that repeat every 2 or 4 pixels."""


def flat_picture(seed: int):
    return torch.full((1, 3, SIDE, SIDE), -0.3 + 0.2 * seed)


def smooth_picture(seed: int):
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed)) * 1.2 - 0.6
    return F.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True)


def natural_picture(seed: int):
    """Noise whose amplitude falls with the frequency, as in photographs: it has some of every pattern."""
    noise = torch.fft.fft2(torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)))
    frequency = torch.fft.fftfreq(SIDE)
    radius = (frequency[:, None] ** 2 + frequency**2).sqrt().clamp(min=1 / SIDE)
    picture = torch.fft.ifft2(noise / radius).real
    return 0.3 * picture / picture.std()


def change_spectrum(generator: nn.Module, image) -> np.ndarray:
    """Energy of what the generator changes, by frequency: (WINDOW, WINDOW)."""
    with torch.inference_mode():
        change = (generator(image) - image)[0].double().numpy()
    start = (SIDE - WINDOW) // 2
    part = change[:, start : start + WINDOW, start : start + WINDOW]
    fade = np.hanning(WINDOW + 1)[:WINDOW]
    part = (part - part.mean((1, 2), keepdims=True)) * fade[:, None] * fade
    return (np.abs(np.fft.fft2(part)) ** 2).sum(0)


def grid_amplitude(spectrum: np.ndarray) -> float:
    """Of the strongest grid pattern, in units of half the value range."""
    return math.sqrt(max(spectrum[u, v] for u, v in GRID)) / (WINDOW / 2) ** 2


def grid_share(spectrum: np.ndarray) -> float:
    """Energy of all grid patterns as a share of the whole change."""
    return sum(spectrum[u, v] for u, v in GRID) / spectrum.sum()


def grid_prominence(spectrum: np.ndarray) -> float:
    """Energy of grid patterns relative to the frequencies around them: about 1 when they are nothing special."""
    around = [
        spectrum[(u + i) % WINDOW, (v + j) % WINDOW]
        for u, v in GRID
        for i in range(-5, 6)
        for j in range(-5, 6)
        if max(abs(i), abs(j)) >= 3
    ]
    return float(np.mean([spectrum[u, v] for u, v in GRID]) / np.mean(around))


def random_generator(config, seed: int) -> nn.Module:
    generator = generator_module(config).eval()
    randomise(generator, seed)
    return generator


small_resnet = ResnetConfig(base_channels=16, n_blocks=2)
CHECKERBOARD_FREE = [CompactConfig(), small_resnet.model_copy(update={"upsampling": "resize"})]


def without_box_filter(monkeypatch):
    monkeypatch.setattr(compact, "box_filter", lambda features: features)


@pytest.mark.parametrize("seed", range(2))
def test_compact_draws_no_grid_on_a_flat_picture(seed, monkeypatch):
    generator, picture = random_generator(CompactConfig(), seed), flat_picture(seed)
    assert grid_amplitude(change_spectrum(generator, picture)) < 1e-5
    without_box_filter(monkeypatch)
    assert grid_amplitude(change_spectrum(generator, picture)) > 0.1


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("config", CHECKERBOARD_FREE, ids=["compact", "resnet-resize"])
def test_no_checkerboards_with_any_weights(config, seed):
    generator = random_generator(config, seed)
    assert grid_share(change_spectrum(generator, smooth_picture(seed))) < 0.01
    assert grid_prominence(change_spectrum(generator, natural_picture(seed))) < 2


@pytest.mark.parametrize("seed", range(2))
def test_checkerboards_of_other_upsampling_would_be_seen(seed, monkeypatch):
    """Control: the measures of the test above tell networks that draw checkerboards."""
    transposed = random_generator(small_resnet, seed)
    assert grid_share(change_spectrum(transposed, smooth_picture(seed))) > 0.1
    assert grid_prominence(change_spectrum(transposed, natural_picture(seed))) > 5
    without_box_filter(monkeypatch)
    unfiltered = random_generator(CompactConfig(), seed)
    assert grid_share(change_spectrum(unfiltered, smooth_picture(seed))) > 0.1
    assert grid_prominence(change_spectrum(unfiltered, natural_picture(seed))) > 5


# The frozen trunk and what stands on it


def unfolded_features(state, image, first_strided: tuple[int, ...]):
    """EfficientNet-Lite written plainly from its published weights, BatchNorm as a layer of its own."""

    def layer(x, convolution, norm, stride=1):
        weight = state[f"{convolution}.weight"]
        side, kernel = x.shape[-1], weight.shape[-1]
        padding = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        x = F.pad(x, [padding // 2, padding - padding // 2] * 2)
        x = F.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])
        statistics = (state[f"{norm}.running_mean"], state[f"{norm}.running_var"])
        return F.batch_norm(x, *statistics, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)

    x = F.relu6(layer((image * 127.5 + 127.5 - 127) / 128, "_conv_stem", "_bn0", 2))
    for block in range(1 + max(int(key.split(".")[1]) for key in state if key.startswith("_blocks."))):
        name = f"_blocks.{block}"
        before = x
        if f"{name}._expand_conv.weight" in state:
            x = F.relu6(layer(x, f"{name}._expand_conv", f"{name}._bn0"))
        x = F.relu6(layer(x, f"{name}._depthwise_conv", f"{name}._bn1", 2 if block in first_strided else 1))
        x = layer(x, f"{name}._project_conv", f"{name}._bn2")
        x = x + before if x.shape == before.shape else x
    return F.relu6(layer(x, "_conv_head", "_bn1")).mean((2, 3))


@pytest.mark.parametrize(("variant", "first_strided"), [("lite0", (1, 3, 5, 11)), ("lite2", (1, 4, 7, 15))])
def test_folded_batch_norm_changes_no_feature(variant, first_strided):
    state = torch.load(weights_file(variant), map_location="cpu", weights_only=True)
    image = torch.rand(2, 3, 96, 96) * 2 - 1
    with torch.inference_mode():
        features = load_efficientnet(variant)(image)
        expected = unfolded_features(state, image, first_strided)
    assert features.shape == (2, 1280)
    assert expected.std() > 0.05
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-3)


def test_projected_discriminator_judges_at_four_strides():
    discriminator = build_discriminator([ProjectedConfig(base_channels=8, image_size=64)])
    logits = discriminator(torch.rand(2, 3, 48, 80) * 2 - 1)
    assert [tuple(part.shape) for part in logits] == [(2, 1, side, side) for side in (16, 8, 4, 2)]


def test_projected_discriminator_learns_its_heads_only():
    discriminator = build_discriminator([ProjectedConfig(base_channels=8, image_size=64)])
    (trunk,) = discriminator._trunk
    assert all(name.startswith("heads.") for name in discriminator.state_dict())
    assert all(name.startswith("heads.") for name, _ in discriminator.named_parameters())
    image = (torch.rand(1, 3, 64, 64) * 2 - 1).requires_grad_()
    sum(part.mean() for part in discriminator(image)).backward()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in discriminator.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in trunk.parameters())
    discriminator.train()
    assert not trunk.training
    discriminator.to("meta")
    assert all(parameter.is_meta for parameter in trunk.parameters())


def test_diff_augment_keeps_the_shape_and_passes_the_gradient():
    image = (torch.rand(4, 3, 24, 40) * 2 - 1).requires_grad_()
    augmented = diff_augment(image)
    assert augmented.shape == image.shape
    augmented.sum().backward()
    assert torch.isfinite(image.grad).all()
    assert (image.grad.abs().sum((1, 2, 3)) > 0).all()


def test_diff_augment_treats_each_picture_differently():
    image = (torch.rand(1, 3, 32, 32) * 2 - 1).repeat(6, 1, 1, 1)
    augmented = diff_augment(image)
    assert all(not torch.equal(augmented[0], other) for other in augmented[1:])
    assert not torch.equal(augmented, image)
