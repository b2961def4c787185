"""Figures of generated digits, and of several seeds, against restatements."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from zorse.gans.metrics.digit_classifier import (
    Seen,
    accuracy,
    balance_kl,
    classifier_score,
    code_agreement,
    look,
    mutual_information,
    train_classifier,
)
from zorse.gans.metrics.seeds import mean_interval


def seen(*rows: list[float]) -> Seen:
    return Seen(np.zeros((len(rows), 2), np.float32), np.array(rows, np.float32))


def test_intervals_over_seeds_are_those_of_student():
    for values in ([1.0, 2.0], [3.0, 5.0, 4.0], list(range(12)), list(range(17))):
        mean, interval = mean_interval(values)
        expected = scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))
        assert mean == pytest.approx(np.mean(values))
        assert interval == pytest.approx(expected, rel=1e-3)
    assert mean_interval([7.0]) == (7.0, None)


def test_the_score_knows_sharp_and_varied_from_dull():
    assert classifier_score(seen([1, 0], [0, 1])) == pytest.approx(2)
    assert classifier_score(seen([0.5, 0.5], [0.5, 0.5])) == pytest.approx(1)
    assert classifier_score(seen([1, 0], [1, 0])) == pytest.approx(1)


def test_balance_and_accuracy():
    assert balance_kl(seen([1, 0], [0, 1])) == pytest.approx(0)
    assert balance_kl(seen([1, 0], [1, 0])) == pytest.approx(math.log(2))
    assert accuracy(seen([1, 0], [0, 1], [0, 1]), np.array([0, 0, 1])) == pytest.approx(2 / 3)


def test_codes_are_matched_one_to_one():
    codes, classes = np.array([0, 0, 1, 1, 2, 2]), np.array([2, 2, 0, 0, 1, 1])
    assert code_agreement(codes, classes, 3) == 1.0
    assert mutual_information(codes, classes, 3) == pytest.approx(math.log(3))
    assert code_agreement(codes, np.zeros(6, np.int64), 3) == pytest.approx(1 / 3)
    assert mutual_information(codes, np.zeros(6, np.int64), 3) == pytest.approx(0)


def test_the_classifier_learns_and_leaves_the_chance_alone(monkeypatch):
    from zorse.gans.metrics import digit_classifier

    monkeypatch.setattr(digit_classifier, "STEPS", 20)
    monkeypatch.setattr(digit_classifier, "BATCH", 8)

    def draw(first: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(first, first + n) % 2
        return (labels * 1.6 - 0.8).view(-1, 1, 1, 1).expand(-1, 1, 32, 32).contiguous(), labels

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    network = train_classifier(draw, 2)
    assert torch.equal(torch.rand(1), expected)
    pictures, labels = draw(0, 20)
    assert accuracy(look(network, pictures), labels.numpy()) == 1.0
