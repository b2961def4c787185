"""The image pool: which pictures come back, and that a checkpoint brings it back."""

import copy
import io
import random

import torch

from zorse.recipes.pool import ImagePool


def picture(value: float) -> torch.Tensor:
    return torch.full((3, 2, 2), float(value))


def batch(*values: float) -> torch.Tensor:
    return torch.stack([picture(value) for value in values])


def values(images: torch.Tensor) -> list[float]:
    return images[:, 0, 0, 0].tolist()


def test_a_pool_that_is_not_full_returns_what_it_is_given():
    pool = ImagePool(size=3)
    assert values(pool.query(batch(1, 2))) == [1, 2]
    assert values(pool.query(batch(3))) == [3]


def test_a_full_pool_swaps_half_of_the_pictures_for_older_ones():
    pool = ImagePool(size=10)
    pool.query(batch(*range(10)))
    came = [values(pool.query(batch(number)))[0] for number in range(10, 1010)]
    kept_new = sum(value == number for value, number in zip(came, range(10, 1010), strict=True))
    assert 430 < kept_new < 570  # Four standard deviations of 1000 coins.
    assert all(value <= number for value, number in zip(came, range(10, 1010), strict=True))
    swapped = [value for value, number in zip(came, range(10, 1010), strict=True) if value != number]
    assert len(set(swapped)) == len(swapped), "a picture that was handed out is no longer in the pool"


def test_the_choices_are_those_of_the_published_algorithm():
    pool, chance = ImagePool(size=4, seed=7), random.Random(7)
    images: list[float] = []
    for number in range(60):
        wanted: float = number
        if len(images) < 4:
            images.append(number)
        elif chance.uniform(0, 1) > 0.5:
            index = chance.randint(0, 3)
            wanted, images[index] = images[index], number
        assert values(pool.query(batch(number))) == [wanted]


def test_size_zero_returns_the_very_pictures():
    images = batch(1, 2).requires_grad_()
    assert ImagePool(size=0).query(images) is images


def test_pictures_come_without_their_graph():
    images = batch(1, 2).requires_grad_() * 2
    assert not ImagePool(size=5).query(images).requires_grad


def test_a_batch_is_not_kept_alive_by_one_of_its_pictures():
    pool = ImagePool(size=1)
    pool.query(torch.zeros(16, 3, 8, 8))
    (image,) = pool.state_dict()["images"]
    assert image.untyped_storage().nbytes() == image.numel() * image.element_size()


def test_pictures_in_the_pool_do_not_change_with_the_batch_they_came_in():
    pool = ImagePool(size=1)
    images = batch(1)
    pool.query(images)
    images.fill_(9)
    assert pool.state_dict()["images"][0].unique().tolist() == [1]


def test_a_restored_pool_goes_on_with_the_same_choices():
    pool = ImagePool(size=3, seed=1)
    for number in range(20):
        pool.query(batch(number))
    file = io.BytesIO()
    torch.save(pool.state_dict(), file)
    file.seek(0)
    restored = ImagePool(size=3, seed=99)
    restored.load_state_dict(torch.load(file, weights_only=True))
    for number in range(20, 60):
        assert values(restored.query(batch(number, -number))) == values(pool.query(batch(number, -number)))


def test_two_pools_do_not_share_their_chance():
    first, second = ImagePool(size=2, seed=0), ImagePool(size=2, seed=0)
    for number in range(50):
        random.random()
        wanted = values(first.query(batch(number)))
        ImagePool(size=2, seed=0).query(batch(1, 2, 3, 4))
        assert values(second.query(batch(number))) == wanted


def test_pictures_of_another_size_start_the_pool_anew():
    pool = ImagePool(size=2)
    pool.query(batch(1, 2, 3))
    larger = torch.full((4, 3, 4, 4), 5.0)
    assert pool.query(larger).shape == larger.shape
    assert all(image.shape == (3, 4, 4) for image in pool.state_dict()["images"])


def test_a_smaller_pool_keeps_what_fits():
    state = ImagePool(size=5).state_dict()
    state["images"] = [picture(value) for value in range(5)]
    smaller = ImagePool(size=2)
    smaller.load_state_dict(copy.deepcopy(state))
    assert len(smaller.state_dict()["images"]) == 2
