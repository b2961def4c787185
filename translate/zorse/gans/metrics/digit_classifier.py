"""Zorse's own small classifier of 32 x 32 grey pictures: through it, generated digits are judged.

Figures through it are named after it, and compare only with figures through one that was trained likewise on the same
data: they are no Inception score and no FID.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam

NAME = "small digit classifier"
FEATURES = 64
STEPS = 800
BATCH = 128
SEED = 0


class DigitClassifier(nn.Module):
    """Three convolutions and two linear layers; 99 % on MNIST after a minute on a CPU."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_block(1, 16),
            *_block(16, 32),
            *_block(32, 64),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, 32, 32) in [-1, 1] -> features (N, 64) and logits (N, classes)."""
        features = self.trunk(pictures)
        return features, self.head(features)


@dataclass(frozen=True)
class Seen:
    """What the classifier says of pictures."""

    features: NDArray[np.float32]
    """(N, 64)."""
    probabilities: NDArray[np.float32]
    """(N, classes)."""


Draw = Callable[[int, int], tuple[Tensor, Tensor]]
"""(first, n) -> pictures (n, 1, 32, 32) in [-1, 1] and labels (n,), in an order that is mixed well."""


def train_classifier(
    draw: Draw, classes: int, tell: Callable[[int, int], None] = lambda done, of: None
) -> DigitClassifier:
    """A classifier trained on these pictures, always with the same seed; the caller's chance is left alone.

    Args:
        draw: gives training batches.
        classes: how many.
        tell: is called with steps done and steps in all.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(SEED)
        network = DigitClassifier(classes)
        optimizer = Adam(network.parameters())
        for step in range(STEPS):
            pictures, labels = draw(step * BATCH, BATCH)
            for group in optimizer.param_groups:
                group["lr"] = 2e-3 * (1 - step / STEPS)
            loss = F.cross_entropy(network(pictures)[1], labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            tell(step + 1, STEPS)
    return network.eval().requires_grad_(False)


def look(network: DigitClassifier, pictures: Tensor) -> Seen:
    """What the classifier says of (N, 1, 32, 32) in [-1, 1]."""
    with torch.inference_mode():
        parts = [network(part) for part in torch.split(pictures, 500)]
    features, logits = (torch.cat(list(each)) for each in zip(*parts, strict=True))
    return Seen(features.numpy(), logits.softmax(1).numpy())


def accuracy(seen: Seen, labels: NDArray[np.int64]) -> float:
    """Share of pictures that are taken for what they should be."""
    return float((seen.probabilities.argmax(1) == labels).mean())


def balance_kl(seen: Seen) -> float:
    """KL(classes seen || uniform), in nats: 0 where all are equally frequent."""
    shares = np.bincount(seen.probabilities.argmax(1), minlength=seen.probabilities.shape[1]) / len(seen.probabilities)
    present = shares[shares > 0]
    return float((present * np.log(present * len(shares))).sum())


def classifier_score(seen: Seen) -> float:
    """exp E[KL(p(y | x) || p(y))]: 1 at worst, the number of classes at best.

    Source: the Inception score of Salimans et al. 2016, section 4, through this classifier.
    """
    p = np.clip(seen.probabilities.astype(np.float64), 1e-12, 1)
    return float(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean()))


def code_agreement(codes: NDArray[np.int64], classes: NDArray[np.int64], n: int) -> float:
    """Share of samples whose class is the one that their code mostly shows, each class going to at most one code.

    Args:
        codes: (N,) drawn from.
        classes: (N,) seen.
        n: values of both.
    """
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((n, n), np.int64)
    np.add.at(table, (codes, classes), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(codes))


def mutual_information(codes: NDArray[np.int64], classes: NDArray[np.int64], n: int) -> float:
    """I(code; class) of the samples, in nats; log n at most."""
    table = np.zeros((n, n))
    np.add.at(table, (codes, classes), 1.0 / len(codes))
    independent = table.sum(1, keepdims=True) * table.sum(0, keepdims=True)
    present = table > 0
    return float((table[present] * np.log(table[present] / independent[present])).sum())


def _block(before: int, after: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(before, after, 3, padding=1)
    yield nn.BatchNorm2d(after)
    yield nn.ReLU()
    yield nn.MaxPool2d(2)
