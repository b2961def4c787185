"""Spectral normalisation against PyTorch's own."""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrizations

from zorse.networks.spectral import spectral_norm


def test_it_computes_what_pytorchs_computes_and_reads_its_weights():
    plain = nn.Conv2d(3, 5, 4).double()
    torch.manual_seed(0)
    theirs = parametrizations.spectral_norm(copy.deepcopy(plain))
    torch.manual_seed(0)
    ours = spectral_norm(copy.deepcopy(plain))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    for network in (ours, theirs):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (network(x) ** 2).mean().backward()
            optimizer.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_the_weight_stretches_by_one_at_most():
    layer = spectral_norm(nn.Conv2d(4, 8, 3))
    for _ in range(50):
        layer(torch.zeros(1, 4, 3, 3))
    largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
    assert abs(largest - 1) < 1e-3


def test_a_pass_leaves_the_estimates_of_the_pass_before_as_they_were():
    """Compiled code keeps them for its backward, and overwriting them was an error there."""
    layer = spectral_norm(nn.Conv2d(4, 8, 3))
    (norm,) = layer.parametrizations.weight
    kept, image = norm._u, torch.randn(1, 4, 3, 3)
    value = kept.clone()
    layer(image)
    assert norm._u is not kept
    assert torch.equal(kept, value)
    layer.eval()
    kept = norm._u
    layer(image)
    assert norm._u is kept, "at test time it learns nothing"
