"""Measures that papers print, held against torch-fidelity, closed forms and brute force."""

import math
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch_fidelity
import torchvision
from torch import nn
from torch.utils.data import Dataset

from zorse.errors import DatasetError, WeightsError
from zorse.metrics.features import extract_features
from zorse.metrics.figures import Sets, fid_figure, kid_figure, mean_figure, precision_recall_figures
from zorse.metrics.frechet import frechet_distance, frechet_resamples, frechet_rounds
from zorse.metrics.inception import URL, inception_extractor
from zorse.metrics.kid import kid
from zorse.metrics.manifold import precision_recall, precision_recall_resamples
from zorse.metrics.perceptual import lpips, perceptual_distance
from zorse.metrics.resampling import interval, mean_resamples, recentred

SETS = Sets("some pictures", "6v5/0123abcd")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Frechet distance


def test_frechet_distance_of_gaussians_is_the_closed_form(rng):
    spread_real, spread_fake, shift = np.array([1.0, 2.0, 0.5]), np.array([1.5, 0.5, 0.5]), np.array([0.3, 0.0, -1.0])

    def exactly(spread, mean, n):
        """n points whose sample mean and covariance are just these."""
        points = rng.normal(size=(n, 3))
        points -= points.mean(axis=0)
        points = points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T
        return points * spread + mean

    real, fake = exactly(spread_real, 0, 30), exactly(spread_fake, shift, 40)
    expected = (shift**2).sum() + ((spread_real - spread_fake) ** 2).sum()
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(fake, real) == pytest.approx(expected, rel=1e-9)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert frechet_distance(real @ rotation + 5, fake @ rotation + 5) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_with_more_features_than_pictures(rng):
    real, fake = rng.normal(size=(8, 50)), rng.normal(size=(9, 50)) + 1
    theirs = torch_fidelity.metric_fid
    statistics = [theirs.fid_features_to_statistics(torch.from_numpy(features)) for features in (real, fake)]
    expected = theirs.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)


def test_frechet_resamples_weigh_pictures_as_if_they_were_there_several_times(rng):
    real, fake = rng.normal(size=(5, 3)), rng.normal(size=(6, 3)) + 1
    (value,) = frechet_resamples(real, fake, n_resamples=1, seed=3)
    draws = np.random.default_rng(3)
    drawn = [
        np.repeat(side, draws.multinomial(len(side), np.full(len(side), 1 / len(side))), 0) for side in (real, fake)
    ]
    assert value == pytest.approx(frechet_distance(*drawn), rel=1e-9)


def test_frechet_interval_is_around_the_figure(rng):
    real, fake = rng.normal(size=(30, 6)), rng.normal(size=(30, 6)) + 0.5
    figure = fid_figure(SimpleNamespace(description="", identifier=""), real, fake, SETS).metric
    low, high = figure.interval
    assert low < figure.value < high
    assert interval(frechet_resamples(real, fake, n_resamples=200))[0] > low  # Resamples are too large by themselves.


def test_large_sets_are_resampled_less_often():
    assert frechet_rounds(50, 60, 2000) == 2000
    assert 100 < frechet_rounds(200, 200, 2000) < 2000
    assert frechet_rounds(5000, 5000, 2000) == 100


# Precision and recall


def by_force(real, fake):
    """Kynkaanniemi et al. 2019, equations 1 and 2, word for word."""

    def inside(point, manifold):
        for center in manifold:
            others = sorted(np.linalg.norm(center - other) for other in manifold)
            if np.linalg.norm(point - center) <= others[3]:  # others[0] is the center itself.
                return 1
        return 0

    return np.mean([inside(y, real) for y in fake]), np.mean([inside(x, fake) for x in real])


def test_precision_and_recall_are_the_published_ones(rng):
    real, fake = rng.normal(size=(30, 4)), rng.normal(size=(25, 4)) * 0.7 + 1.2
    precision, recall = precision_recall(real, fake)
    assert (precision, recall) == pytest.approx(by_force(real, fake))
    assert 0 < recall < precision < 1
    assert precision_recall(fake, real) == (recall, precision)


def test_precision_falls_with_bad_pictures_and_recall_with_missing_ones(rng):
    real = rng.normal(size=(60, 3))
    assert precision_recall(real, real) == (1, 1)
    few_kinds = real[:5].repeat(12, axis=0) + 1e-3 * rng.normal(size=(60, 3))
    precision, recall = precision_recall(real, few_kinds)
    assert precision == 1
    assert recall < 0.3
    with_junk = np.concatenate([real[:40], real[:20] + 50])
    assert precision_recall(real, with_junk)[0] == pytest.approx(2 / 3)


def test_intervals_of_precision_hold_the_true_value(rng):
    def sets():
        return rng.normal(size=(40, 4)), rng.normal(size=(40, 4)) * 0.9 + 0.6

    true = np.mean([precision_recall(*sets()) for _ in range(200)], axis=0)
    held = np.zeros(2)
    for _ in range(40):
        real, fake = sets()
        values, draws = precision_recall(real, fake), precision_recall_resamples(real, fake, n_resamples=60)
        for number in range(2):
            low, high = interval(recentred(draws[number], values[number]))
            held[number] += low <= true[number] <= high
    assert (held >= 34).all()


def test_precision_needs_as_many_pictures_as_it_has_neighbours(rng):
    with pytest.raises(DatasetError, match="at least 4 pictures each are compared, but the translated set has 3"):
        precision_recall(rng.normal(size=(5, 2)), rng.normal(size=(3, 2)))


# Figures


def test_every_figure_has_interval_protocol_and_identifier(rng):
    real, fake = rng.normal(size=(6, 3)), rng.normal(size=(5, 3)) + 1
    extractor = SimpleNamespace(name="eyes", description="what eyes see", identifier="eyes-1/24-cubic")
    figures = [
        kid_figure(extractor, real, fake, SETS),
        fid_figure(extractor, real, fake, SETS),
        *precision_recall_figures(extractor, real, fake, SETS),
        mean_figure("score", [1, 2, 4], SETS, better="higher", identifier="score/rgb8", description="a score"),
    ]
    metrics = [figure.metric for figure in figures]
    assert [metric.protocol_id for metric in metrics] == [
        "kid-unbiased-poly3/eyes-1/24-cubic/6v5/0123abcd",
        "fid/eyes-1/24-cubic/6v5/0123abcd",
        "precision-k3/eyes-1/24-cubic/6v5/0123abcd",
        "recall-k3/eyes-1/24-cubic/6v5/0123abcd",
        "score/rgb8/6v5/0123abcd",
    ]
    assert [metric.better for metric in metrics] == ["lower", "lower", "higher", "higher", "higher"]
    for metric in metrics:
        low, high = metric.interval
        assert low <= metric.value <= high
        assert "95 % bootstrap interval" in metric.protocol
        assert metric.protocol.endswith("; some pictures")
    assert metrics[-1].value == pytest.approx(7 / 3)


def test_mean_resamples_spread_like_means_do(rng):
    scores = rng.normal(size=50)
    assert mean_resamples(scores).std() == pytest.approx(scores.std() / math.sqrt(50), rel=0.1)


# torch-fidelity


class Pictures(Dataset):
    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return torch.from_numpy(self.pictures[index].transpose(2, 0, 1).copy())


class TwelveCells(torch_fidelity.FeatureExtractorBase):
    """Stands in for Inception-v3, whose weights are a download: mean colours of 2 x 2 cells, mixed."""

    def __init__(self, name, features_list, **kwargs):
        super().__init__(name, features_list)
        self.mix = torch.randn(12, 12, generator=torch.Generator().manual_seed(0))

    @staticmethod
    def get_provided_features_list():
        return ("2048",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "2048"

    @staticmethod
    def can_be_compiled():
        return False

    def forward(self, pictures):
        assert pictures.dtype == torch.uint8
        cells = nn.functional.adaptive_avg_pool2d(pictures.float() / 255, 2).flatten(1)
        return (cells @ self.mix,)


torch_fidelity.register_feature_extractor("zorse-test-cells", TwelveCells)


def test_figures_are_those_of_torch_fidelity(rng):
    real, fake = (list(rng.integers(0, top, (n, 16, 20, 3), dtype=np.uint8)) for top, n in ((256, 40), (230, 45)))
    theirs = torch_fidelity.calculate_metrics(
        input1=Pictures(fake),
        input2=Pictures(real),
        feature_extractor="zorse-test-cells",
        fid=True,
        kid=True,
        prc=True,
        kid_subsets=400,
        kid_subset_size=20,
        cuda=False,
        save_cpu_ram=True,
        verbose=False,
    )
    extractor = inception_extractor(registered="zorse-test-cells")
    ours = [extract_features(pictures, extractor) for pictures in (real, fake)]
    assert frechet_distance(*ours) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert precision_recall(*ours) == pytest.approx((theirs["precision"], theirs["recall"]))
    # Theirs is a mean over random subsets, ours is of all pictures at once: they differ by sampling alone.
    tolerance = 4 * theirs["kernel_inception_distance_std"] / math.sqrt(400)
    assert kid(*ours) == pytest.approx(theirs["kernel_inception_distance_mean"], abs=tolerance)
    assert tolerance < 0.2 * kid(*ours)


def test_inception_takes_pictures_of_different_sizes(rng):
    extractor = inception_extractor(registered="zorse-test-cells")
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((16, 20), (9, 8), (30, 30))]
    together = extract_features(pictures, extractor)
    alone = np.concatenate([extract_features([picture], extractor) for picture in pictures])
    np.testing.assert_array_equal(together, alone)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty cache, and no internet."""

    def unreachable(*args, **kwargs):
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize(("measure", "name"), [(inception_extractor, "FID"), (lpips, "LPIPS")])
def test_weights_that_cannot_be_downloaded(offline, measure, name):
    with pytest.raises(WeightsError, match=f"{name} needs weights .* put it at {offline}") as caught:
        measure()
    assert "Name or service not known" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_damaged_in_the_cache(offline):
    offline.mkdir(parents=True)
    file = offline / URL.rsplit("/", 1)[-1]
    file.write_bytes(b"half a download")
    with pytest.raises(WeightsError, match=rf"{file} is damaged \(.*\)\. Delete it\."):
        inception_extractor()


# Perceptual distances


@pytest.fixture
def alexnet(monkeypatch):
    """AlexNet's convolutions with random weights, where torchmetrics expects the downloaded ones."""
    torch.manual_seed(1)
    layers = [
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    ]
    features = nn.Sequential(*layers)
    monkeypatch.setattr(torchvision.models, "alexnet", lambda weights: SimpleNamespace(features=features))
    return features


def test_lpips_sees_the_pictures_as_published(alexnet, rng):
    real, fake = (rng.integers(0, 256, (64, 80, 3), dtype=np.uint8) for _ in range(2))
    measured = lpips()
    weights = torch.load(
        f"{torchvision.__path__[0]}/../torchmetrics/functional/image/lpips_models/alex.pth",
        map_location="cpu",
        weights_only=True,
    )
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    x, y = (
        (torch.from_numpy(p.transpose(2, 0, 1)[None] / np.float32(127.5) - 1) - shift) / scale for p in (real, fake)
    )
    expected = torch.zeros(())
    with torch.inference_mode():
        for number, layer in enumerate(alexnet):
            x, y = layer(x), layer(y)
            if number in (1, 4, 7, 9, 11):
                linear = weights[f"lin{(1, 4, 7, 9, 11).index(number)}.model.1.weight"]
                unit_x, unit_y = (z / (z.square().sum(1, keepdim=True) + 1e-8).sqrt() for z in (x, y))
                expected = expected + (linear * (unit_x - unit_y).square()).sum(1).mean()
    assert measured.measure(real, fake) == pytest.approx(float(expected), rel=1e-4)
    assert measured.measure(real, real) == 0
    with pytest.raises(DatasetError, match="one is 40 x 20"):
        measured.measure(np.zeros((20, 40, 3), np.uint8), np.zeros((20, 40, 3), np.uint8))


def test_perceptual_distance_grows_with_the_damage(rng):
    measure = perceptual_distance().measure
    real = np.kron(rng.integers(0, 256, (6, 6, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    noise = rng.normal(size=real.shape)
    damaged = [np.clip(real + strength * noise, 0, 255).astype(np.uint8) for strength in (0, 10, 30, 90)]
    distances = [measure(real, fake) for fake in damaged]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances == sorted(distances)
    assert measure(damaged[2], real) == pytest.approx(distances[2], rel=1e-4)
    assert distances[-1] < 2
