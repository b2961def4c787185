"""Pixels become tensors and come back exactly; padding and resizing hold for every shape."""

import numpy as np
import pytest

from zorse.imaging.tensor import crop, padded_places, resize, to_pixels, to_tensor


def ramp(dtype):
    levels = np.iinfo(dtype).max + 1
    return np.arange(levels, dtype=dtype).reshape(1, -1, 1).repeat(3, axis=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_comes_back(dtype):
    tensor = to_tensor(ramp(dtype))
    assert tensor.dtype == np.float32
    assert (tensor.min(), tensor.max()) == (-1, 1)
    np.testing.assert_array_equal(to_pixels(tensor, dtype), ramp(dtype))


def test_layout_is_batch_channel_height_width():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, 5, 7)
    assert tensor[0, 2, 4, 1] == pytest.approx(pixels[4, 1, 2] / 127.5 - 1, abs=1e-6)


def test_pixels_are_clipped_and_rounded_to_the_nearest():
    values = np.array([-3, -1, 0.4 / 127.5 - 1, 0.6 / 127.5 - 1, 1, 9], np.float32).reshape(1, 1, 1, 6)
    assert to_pixels(values).ravel().tolist() == [0, 0, 0, 1, 255, 255]


def test_to_pixels_leaves_the_tensor_alone():
    tensor = to_tensor(ramp(np.uint8))
    before = tensor.copy()
    to_pixels(tensor)
    np.testing.assert_array_equal(tensor, before)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (50, 1), (3, 7), (16, 16), (17, 31), (2, 5000)])
@pytest.mark.parametrize("multiple", [1, 4, 256])
def test_padding_reaches_the_multiple_and_crop_undoes_it(height, width, multiple):
    tensor = np.random.default_rng(0).standard_normal((1, 3, height, width)).astype(np.float32)
    padded = tensor[:, :, padded_places(height, multiple, minimum=16)][..., padded_places(width, multiple, minimum=16)]
    rows, columns = padded.shape[2:]
    assert rows % multiple == columns % multiple == 0
    assert 16 <= rows < max(height, 16) + multiple
    assert 16 <= columns < max(width, 16) + multiple
    np.testing.assert_array_equal(crop(padded, height, width), tensor)


def test_padding_mirrors_where_it_can_and_repeats_where_it_must():
    assert padded_places(5, 8).tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert padded_places(2, 8).tolist() == [0, 1, 1, 1, 1, 1, 1, 1]


def test_downsizing_averages_areas():
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2 * 254).astype(np.uint8)
    assert set(np.unique(resize(checkerboard, 32, 32))) == {127}
    assert set(np.unique(resize(checkerboard, 32, 200)[:, 8:-8])) == {127}, "one axis shrinks, the other grows"


def test_upsizing_is_smooth_and_in_place():
    slope = np.linspace(0, 1, 16, dtype=np.float32)[None].repeat(16, axis=0)
    large = resize(slope, 64, 64)
    assert np.all(np.diff(large[32, 8:-8]) > 0)
    assert np.abs(resize(large, 16, 16) - slope)[2:-2, 2:-2].max() < 0.005


@pytest.mark.parametrize("shape", [(1, 1), (1, 40_000), (40_000, 1), (3, 7)])
@pytest.mark.parametrize("target", [(1, 1), (2, 9), (40, 3)])
def test_any_size_to_any_size(shape, target):
    pixels = np.full((*shape, 3), 77, np.uint8)
    resized = resize(pixels, *target)
    assert resized.shape == (*target, 3)
    assert set(np.unique(resized)) == {77}
