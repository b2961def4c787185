"""3x3 convolutions by Winograd's algorithm against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zorse.model.architecture import ResnetConfig
from zorse.networks import winograd as module
from zorse.networks.build import build_generator
from zorse.networks.winograd import Conv3x3, winograd


def direct(x, weight, bias, border):
    if border == "reflect":
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(x, weight, bias, padding=1 if border == "zeros" else 0)


def results(function, tensors, border):
    """What the function gives, and its gradients."""
    y = function(*tensors, border)
    probe = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(y)
    return [y.detach(), *torch.autograd.grad(y, [tensor for tensor in tensors if tensor is not None], probe)]


def some_tensors(n, inside, outside, height, width, dtype=torch.float64, bias=True):
    shapes = [(n, inside, height, width), (outside, inside, 3, 3)] + [(outside,)] * bias
    tensors = [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]
    return tensors if bias else [*tensors, None]


@pytest.mark.parametrize("border", ["valid", "zeros", "reflect"])
@pytest.mark.parametrize("shape", [(2, 5, 7, 12, 16), (1, 3, 2, 9, 22), (3, 2, 4, 3, 3)], ids=str)
@pytest.mark.parametrize("most_tiles", [1, 5, 256])
def test_results_and_gradients_are_those_of_the_direct_convolution(monkeypatch, border, shape, most_tiles):
    monkeypatch.setattr(module, "MOST_TILES", most_tiles)
    tensors = some_tensors(*shape)
    for found, wanted in zip(results(winograd, tensors, border), results(direct, tensors, border), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-11)


def test_in_32_bits_the_error_is_that_of_rounding():
    tensors = some_tensors(1, 64, 64, 34, 34)
    exact = results(direct, tensors, "reflect")
    rounded = results(winograd, [tensor.detach().float().requires_grad_() for tensor in tensors], "reflect")
    for found, wanted in zip(rounded, exact, strict=True):
        assert (found.double() - wanted).norm() < 4e-6 * wanted.norm()


def test_without_bias_and_with_gradients_of_one_side_only():
    tensors = some_tensors(1, 3, 4, 8, 8, bias=False)
    for found, wanted in zip(results(winograd, tensors, "zeros"), results(direct, tensors, "zeros"), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-11)
    x, weight, _ = tensors
    winograd(x, weight.detach()).sum().backward()
    winograd(x.detach(), weight).sum().backward()
    assert x.grad.shape == x.shape
    assert weight.grad.shape == weight.shape


def test_pictures_and_weights_may_be_stored_as_channels_last():
    tensors = some_tensors(2, 6, 4, 9, 12)
    moved = [
        tensor.detach().to(memory_format=torch.channels_last).requires_grad_() if tensor.ndim == 4 else tensor
        for tensor in tensors
    ]
    for found, wanted in zip(results(winograd, moved, "reflect"), results(direct, tensors, "reflect"), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-11)


def test_scratch_memory_used_in_inference_mode_serves_training_afterwards(monkeypatch):
    monkeypatch.setattr(module, "_scratch_memory", module._Scratch())
    x, weight, bias = some_tensors(1, 2, 2, 8, 8)
    with torch.inference_mode():
        winograd(x.detach(), weight.detach(), bias.detach())
    winograd(x, weight, bias).sum().backward()
    assert x.grad is not None


def fast_passes(monkeypatch):
    """Counts them."""
    passes = []

    def counted(*arguments):
        passes.append(1)
        return winograd(*arguments)

    monkeypatch.setattr(module, "winograd", counted)
    return passes


def test_the_layer_is_fast_only_where_that_pays_off_and_may_be_done(monkeypatch):
    passes = fast_passes(monkeypatch)
    layer, x = Conv3x3(64, 64, border="reflect"), torch.randn(1, 64, 32, 32)
    quick = layer(x)
    assert len(passes) == 1
    plain = layer.eval()(x)
    torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-5)
    layer.train()
    layer(x[:, :, :16, :16])
    Conv3x3(16, 64)(x[:, :16])
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert len(passes) == 1


def test_residual_blocks_train_with_it_and_keep_the_names_of_their_weights(monkeypatch):
    passes = fast_passes(monkeypatch)
    network = build_generator(ResnetConfig(base_channels=16, n_blocks=1))
    assert {"layers.10.body.1.weight", "layers.10.body.5.bias"} <= set(network.state_dict())
    network(torch.rand(1, 3, 128, 128)).sum().backward()
    assert len(passes) == 2
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_it_is_still_a_conv2d_that_says_what_it_does():
    layer = Conv3x3(4, 8, border="reflect")
    assert isinstance(layer, nn.Conv2d)
    assert (layer.padding, layer.padding_mode) == ((1, 1), "reflect")
    assert Conv3x3(4, 8).padding == (0, 0)
