"""Lessons: what they say holds, and the command that tells them."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from zorse.gans.lessons import blur, collapse, distances, guard, rotation, saturation, smoothing
from zorse.gans.lessons.catalogue import LESSONS, Entry, hold
from zorse.gans.recipes.game import minus_log_d


@pytest.fixture
def quick(monkeypatch):
    """Lessons that take a fraction of a second; what they show is then half learned."""
    monkeypatch.setattr(saturation, "LOOKS", (0, 3, 6))
    for lesson, steps in ((rotation, 40), (distances, 4), (smoothing, 4), (blur, 4), (collapse, 2)):
        monkeypatch.setattr(lesson, "STEPS", steps)
    monkeypatch.setattr(distances, "SHIFTS", (0.0, 1.0))
    for name, steps in (("HEALTHY", 4), ("STEPS", 4), ("EVERY", 2)):
        monkeypatch.setattr(guard, name, steps)


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_tells_figures_and_draws(quick, zorse, tmp_path, name):
    picture = tmp_path / f"{name}.png"
    code, out, _ = zorse("lesson", name, "-o", picture)
    assert code == 0
    assert LESSONS[name].title in out
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    assert pixels.shape[1] > 600
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def test_the_saturating_gradient_is_d_and_the_other_one_the_rest():
    curves = saturation._by_confidence()
    for (believed, slope), wanted in zip(curves.values(), (lambda d: d, lambda d: 1 - d), strict=True):
        assert np.allclose(slope, wanted(np.array(believed)), atol=1e-5)


def test_while_d_learns_alone_only_the_saturating_gradient_vanishes():
    torch.manual_seed(0)
    believed, norms = saturation._in_game()
    saturating, other = norms.values()
    assert believed[-1] < 0.01
    assert saturating[-1] < 0.1 * max(saturating)
    assert other[-1] > 0.5 * max(other)


def test_both_at_once_go_outwards_by_the_formula():
    at_once, in_turn, _, averaging = (rotation._played(way).norm(dim=1) for way in rotation.WAYS)
    wanted = math.sqrt(2) * (1 + rotation.RATE**2) ** (rotation.STEPS / 2)
    assert at_once[-1] == pytest.approx(wanted, rel=1e-3)
    assert in_turn.max() < 1.6
    assert averaging[-1] < 0.6 * averaging[0]


def test_only_the_critic_measures_how_far():
    torch.manual_seed(0)
    near, far = distances._measure(0.5), distances._measure(1.0)
    assert near.js == pytest.approx(math.log(2), abs=0.01)
    assert far.js == pytest.approx(math.log(2), abs=0.01)
    assert far.slope_js < 0.05 < 0.5 < far.slope_earth_mover
    assert far.earth_mover > near.earth_mover + 0.2


def test_smoothed_fakes_take_the_push_away():
    torch.manual_seed(0)
    fakes = torch.full((64, 1), smoothing.FAKE_AT)
    one_sided, two_sided = (float(smoothing._slope(smoothing._trained(0.9, b), fakes).mean()) for b in (0.0, 0.1))
    assert one_sided > 4
    assert two_sided < 1


def test_a_slope_is_that_of_the_loss():
    class Line(torch.nn.Module):
        def forward(self, x):
            return 2 * x

    slope = smoothing._slope(Line(), torch.zeros(3, 1))
    x = torch.zeros((), requires_grad=True)
    minus_log_d(2 * x).backward()
    assert torch.allclose(slope, x.grad.expand(3, 1))


def test_a_lesson_is_the_same_each_time_and_leaves_chance_alone(quick):
    entry: Entry = LESSONS["blur"]
    first = hold(entry).table
    torch.rand(7)
    before = torch.get_rng_state()
    assert hold(entry).table == first
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_name_all_are_listed(zorse):
    code, out, _ = zorse("lesson")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(LESSONS)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "hint"),
    [
        (("rotaton",), 1, "'rotation'"),
        (("rotation", "-o", "picture.xyz"), 1, ".png"),
        (("-o", "picture.png"), 2, "NAME"),
    ],
)
def test_what_cannot_be_told_is_said(zorse, arguments, exit_code, hint):
    code, _, err = zorse("lesson", *arguments)
    assert code == exit_code
    assert hint in err
