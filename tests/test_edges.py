import cv2
import numpy as np
import pytest

from zorse.imaging.edges import EDGE_METHODS, extract_edges, random_edges, thin


def disc(size=128, ground=(230, 225, 220), colour=(120, 60, 40)):
    photo = np.full((size, size, 3), ground, np.uint8)
    cv2.circle(photo, (size // 2, size // 2), size // 4, colour, -1, cv2.LINE_AA)
    return photo


@pytest.mark.parametrize("method", EDGE_METHODS)
def test_the_outline_of_a_disc_is_found_and_nothing_else(method):
    lines = extract_edges(disc(), method)
    assert lines.dtype == np.uint8
    assert lines.shape == (128, 128)
    assert set(np.unique(lines)) == {0, 255}
    y, x = np.nonzero(lines == 0)
    radius = np.hypot(y - 64, x - 64)
    assert len(y) > 100
    assert np.all(np.abs(radius - 32) < 4)


@pytest.mark.parametrize("method", EDGE_METHODS)
def test_a_step_between_colours_of_equal_brightness_is_found(method):
    photo = disc(ground=(0, 130, 0), colour=(255, 0, 0))
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    assert abs(int(grey[0, 0]) - int(grey[64, 64])) < 3
    assert (extract_edges(photo, method) == 0).sum() > 100


def test_more_detail_gives_more_lines():
    rng = np.random.default_rng(0)
    photo = cv2.resize(rng.integers(60, 200, (24, 24, 3), np.uint8), (128, 128), interpolation=cv2.INTER_CUBIC)
    for method in EDGE_METHODS:
        ink = [(extract_edges(photo, method, detail) == 0).sum() for detail in (0.0, 0.5, 1.0)]
        assert ink[0] < ink[1] < ink[2], method


@pytest.mark.parametrize("method", EDGE_METHODS)
def test_an_even_or_faintly_noisy_photo_stays_white(method):
    noisy = (np.random.default_rng(0).normal(128, 2, (64, 64, 3))).astype(np.uint8)
    assert (extract_edges(np.full((64, 64, 3), 77, np.uint8), method, 1.0) == 255).all()
    assert (extract_edges(noisy, method) == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2)])
def test_tiny_photos_are_no_problem(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for method in EDGE_METHODS:
        assert extract_edges(photo, method).shape == shape
    assert random_edges(photo, np.random.default_rng(0)).shape == shape


def test_thick_lines_become_one_pixel_wide_and_stay_connected():
    mask = np.zeros((80, 80), np.uint8)
    cv2.circle(mask, (40, 40), 25, 1, 7)
    cv2.line(mask, (0, 5), (70, 75), 1, 5)
    thinned = thin(mask)
    assert cv2.connectedComponents(thinned)[0] == cv2.connectedComponents(mask)[0]
    assert not (thinned > mask).any()
    solid = cv2.erode(thinned, np.ones((2, 2), np.uint8))
    assert solid.sum() <= 4  # 2x2 blocks are left at crossings only
    assert np.array_equal(thin(thinned), thinned)


def test_random_edges_vary_in_all_that_hands_vary_in():
    drawn = [random_edges(disc(), np.random.default_rng(seed)) for seed in range(40)]
    assert all(lines.shape == (128, 128) and lines.dtype == np.uint8 and lines.max() == 255 for lines in drawn)
    ink = np.array([(255 - lines.astype(float)).sum() / 255 for lines in drawn])
    assert ink.max() > 2 * ink.min()
    assert ink.min() > 60  # the outline never gets lost
    soft = [bool(((lines > 0) & (lines < 255)).any()) for lines in drawn]
    assert any(soft)
    assert not all(soft)


def test_random_edges_depend_on_nothing_but_the_generator():
    first, again = (random_edges(disc(), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, random_edges(disc(), np.random.default_rng(4)))
