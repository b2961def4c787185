"""The change of a small picture comes back to a large one along its contours, and nothing of it is lost."""

import tracemalloc

import cv2
import numpy as np
import pytest

import tiny_onnx
from zorse.imaging.tensor import resize, to_tensor
from zorse.runtime import guided
from zorse.runtime.guided import linear_change
from zorse.runtime.translator import Translator

SIDE, SMALL = 240, 48


@pytest.fixture
def scene():
    """A dark disc with a sharp rim on a light ground, both with fine grain."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = np.hypot(x - 110, y - 125) < 70
    picture = np.where(disc[:, :, None], (60, 40, 30), (170, 190, 150)) + rng.normal(0, 6, (SIDE, SIDE, 3))
    return np.clip(picture, 0, 255).astype(np.uint8), disc


def brighten_dark(tensor):
    """A network that makes the disc lighter and leaves the ground as it is."""
    dark = np.clip(-2 * tensor.mean(1, keepdims=True), 0, 1)
    return (tensor + np.float32(0.5) * dark).astype(np.float32)


def plain(picture, backend):
    """The change enlarged smoothly: what there would be without a guide."""
    seen = to_tensor(resize(picture, SMALL, SMALL))
    change = (backend(seen) - seen)[0].transpose(1, 2, 0)
    return to_tensor(picture)[0].transpose(1, 2, 0) + resize(np.ascontiguousarray(change), SIDE, SIDE)


def test_a_change_ends_at_the_contour(scene):
    picture, disc = scene
    wanted = brighten_dark(to_tensor(picture))[0].transpose(1, 2, 0)
    result = Translator(tiny_onnx.card(native_size=SMALL), brighten_dark)(picture)
    guided_error, plain_error = (
        np.abs(found - wanted).mean(2) for found in (result / 127.5 - 1, plain(picture, brighten_dark))
    )
    rim = cv2.dilate(disc.astype(np.uint8), np.ones((9, 9))) - cv2.erode(disc.astype(np.uint8), np.ones((9, 9))) > 0
    assert guided_error[rim].mean() < 0.5 * plain_error[rim].mean()
    assert guided_error[~rim].mean() < 0.5 / 127.5, "elsewhere it is right to half a level"


def test_what_is_wiped_out_is_wiped_out_at_full_resolution():
    """A network that makes everything grey must not leave thin stripes behind."""
    stripes = np.where((np.arange(SIDE) // 15 % 2)[None, :, None], 230, 20).astype(np.uint8)
    picture = np.broadcast_to(stripes, (SIDE, SIDE, 3)).copy()
    result = Translator(tiny_onnx.card(native_size=SMALL), np.zeros_like)(picture)
    left = np.abs(result / 127.5 - 1)[20:-20, 20:-20]
    assert left.mean() < 0.03
    assert np.abs(plain(picture, np.zeros_like))[20:-20, 20:-20].mean() > 2 * left.mean()


def test_what_colours_do_not_explain_is_kept(scene):
    """Stripes painted on a plain coat: at the small size the fit gives the change exactly."""
    rng = np.random.default_rng(1)
    picture = rng.uniform(-1, 1, (3, 70, 40)).astype(np.float32)
    change = rng.uniform(-1, 1, (3, 70, 40)).astype(np.float32)
    slopes, offsets = linear_change(picture, change)
    np.testing.assert_allclose((slopes * picture[None]).sum(1) + offsets, change, atol=1e-5)


def test_a_linear_change_is_found():
    picture = np.random.default_rng(0).uniform(-1, 1, (3, 40, 40)).astype(np.float32)
    mixing = np.array([[-1, 0.5, 0], [0, 0.3, 0], [0.2, 0, -0.5]], np.float32)
    slopes, offsets = linear_change(picture, np.einsum("ij,jhw->ihw", mixing, picture) + np.float32(0.25))
    np.testing.assert_allclose(slopes, np.broadcast_to(mixing[:, :, None, None], slopes.shape), atol=0.1)
    np.testing.assert_allclose(offsets, 0.25, atol=0.1)


def test_strips_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    picture, change = (rng.uniform(-1, 1, (3, 75, 20)).astype(np.float32) for _ in range(2))
    in_strips = linear_change(picture, change)
    monkeypatch.setattr(guided, "STRIP", 1000)
    whole = linear_change(picture, change)
    np.testing.assert_allclose(in_strips.slopes, whole.slopes, atol=1e-5)


@pytest.mark.parametrize("shape", [(75, 200), (1, 700), (70, 1)])
def test_columns_do_not_change_a_bit(monkeypatch, shape):
    rng = np.random.default_rng(0)
    picture, change = (rng.uniform(-1, 1, (3, *shape)).astype(np.float32) for _ in range(2))
    whole = linear_change(picture, change)
    monkeypatch.setattr(guided, "COLUMNS", 32)
    np.testing.assert_array_equal(linear_change(picture, change).slopes, whole.slopes)


def test_a_wide_picture_takes_no_more_memory_than_a_tall_one():
    def peak(height, width):
        picture = np.zeros((3, height, width), np.float32)
        tracemalloc.start()
        linear_change(picture, picture)
        amount = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return amount

    assert peak(64, 8192) < 1.1 * peak(8192, 64) + 25e6


def test_noise_of_a_flat_area_has_no_slope():
    picture = np.random.default_rng(0).normal(0.2, 0.004, (3, 30, 30)).astype(np.float32)
    change = np.random.default_rng(1).normal(0.5, 0.05, (3, 30, 30)).astype(np.float32)
    assert np.abs(linear_change(picture, change).slopes).max() < 0.2


@pytest.mark.parametrize("shape", [(1, 700), (700, 1), (3, 400)])
def test_the_thinnest_pictures(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    result = Translator(tiny_onnx.card(native_size=8), lambda tensor: tensor)(picture, size=1)
    np.testing.assert_array_equal(result, picture)


def test_semi_transparent_pixels_change_as_the_network_saw_them():
    """Over white, as the network sees them: half-transparent black is grey and gets the change of grey."""
    picture = np.zeros((96, 96, 4), np.uint8)
    picture[..., 3] = np.where(np.arange(96) < 48, 255, 128)[None]
    changed = Translator(tiny_onnx.card(native_size=48), lambda tensor: tensor * np.float32(0.5))(picture)
    seen_black, seen_grey = changed[48, 10, 0], changed[48, 85, 0]
    assert abs(int(seen_black) - 64) <= 1
    assert seen_grey <= 1, "grey over white stays grey: nothing is added to the black below"
