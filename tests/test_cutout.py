import cv2
import numpy as np
import pytest

from zorse.data.decode import decode
from zorse.imaging import io
from zorse.imaging.cutout import centred, cut_out, on_white

SIDE = 200


def garment(size=(SIDE, 260), colour=(180, 40, 60), ground=(150, 140, 110), middle=None):
    """A photo, a grained shirt on a grained floor, and the shirt's mask."""
    width, height = size
    x, y = middle or (width // 2, height // 2)
    mask = np.zeros((height, width), np.uint8)
    cv2.rectangle(mask, (x - 50, y - 60), (x + 50, y + 70), 1, -1)
    cv2.rectangle(mask, (x - 80, y - 60), (x + 80, y - 20), 1, -1)
    random = np.random.default_rng(0)
    photo = np.where(mask[:, :, None] > 0, colour, ground) + random.normal(0, 8, (height, width, 3))
    return np.clip(photo, 0, 255).astype(np.uint8), mask


def overlap(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_the_object_is_cut_out_along_its_outline():
    photo, mask = garment()
    cutout = cut_out(photo)
    assert cutout.alpha.shape == mask.shape
    assert cutout.certain
    assert cutout.share == pytest.approx(mask.mean(), abs=0.02)
    assert overlap(cutout.alpha > 0.5, mask > 0) > 0.97
    rim = cv2.dilate(mask, np.ones((9, 9))) - cv2.erode(mask, np.ones((9, 9)))
    assert np.array_equal(cutout.alpha[rim == 0], mask[rim == 0]), "nothing is half there but the outline"


def test_the_same_photo_gives_the_same_cut():
    photo, _ = garment()
    first = cut_out(photo)
    cv2.setRNGSeed(5)
    assert np.array_equal(cut_out(photo).alpha, first.alpha)


def test_small_things_of_the_colour_of_the_ground_belong_to_the_object():
    photo, _ = garment()
    photo[120:132, 95:107] = photo[:12, :12]
    assert cut_out(photo).alpha[115:137, 90:112].min() == 1


@pytest.mark.parametrize(
    "photo",
    [
        np.full((SIDE, SIDE, 3), 128, np.uint8),
        np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8),
        garment(colour=(150, 140, 110))[0],
    ],
    ids=["plain", "noise", "the colour of the ground"],
)
def test_what_cannot_be_told_is_not_certain(photo):
    assert not cut_out(photo).certain


def test_a_detail_is_not_certain():
    photo, _ = garment(colour=(150, 140, 110))
    photo[120:140, 90:110] = (20, 20, 200)
    cutout = cut_out(photo)
    assert not cutout.certain
    assert cutout.share < 0.12


def test_an_object_on_white():
    photo, mask = garment()
    white = on_white(photo, mask.astype(np.float32))
    assert np.array_equal(white[mask > 0], photo[mask > 0])
    assert (white[mask == 0] == 255).all()
    assert (on_white(photo, np.full(mask.shape, 0.5, np.float32)) == np.rint(photo / 2 + 127.5)).all()


@pytest.mark.parametrize("middle", [None, (84, 64), (115, 188)], ids=["middle", "left and top", "right and bottom"])
def test_centred_on_a_square_also_beyond_the_photo(middle):
    photo, mask = garment(middle=middle)
    square, alpha = centred(photo, mask.astype(np.float32), margin=0.1)
    height, width = alpha.shape
    assert height == width == pytest.approx(161 / 0.8, abs=1)
    assert square.shape == (height, width, 3)
    assert alpha.sum() == mask.sum()
    x, y, w, h = cv2.boundingRect(alpha.astype(np.uint8))
    assert (x, y) == (pytest.approx(width - x - w, abs=1), pytest.approx(height - y - h, abs=1))
    assert np.array_equal(square[alpha > 0], photo[mask > 0])


def write(path, photo):
    path.parent.mkdir(parents=True, exist_ok=True)
    io.write_picture(path, io.Picture(photo))


def test_the_command_writes_white_or_transparent_pictures_and_names_what_it_leaves_out(zorse, tmp_path):
    photo, _ = garment()
    write(tmp_path / "photos" / "shirts" / "red.png", photo)
    write(tmp_path / "photos" / "fog.png", np.full((SIDE, SIDE, 3), 128, np.uint8))
    code, out, err = zorse("data", "cutout", tmp_path / "photos", tmp_path / "white", "--size", "100")
    assert code == 1
    assert "1 of 2 pictures" in out
    assert "fog.png" in err
    assert "agree by" in err
    white = decode(tmp_path / "white" / "shirts" / "red.jpg")
    assert white.shape == (130, 100, 3)
    assert (white[:5] > 250).all()
    assert np.abs(white[65, 50].astype(int) - (180, 40, 60)).max() < 25

    folder = tmp_path / "photos" / "shirts"
    options = ("--size", "128", "--square", "--format", "png")
    assert zorse("data", "cutout", folder, tmp_path / "clear", *options)[0] == 0
    clear = io.read_picture(tmp_path / "clear" / "red.png")
    assert (clear.height, clear.width) == (128, 128)
    assert clear.alpha is not None
    assert clear.alpha[0].max() == 0
    assert clear.alpha[64, 64] == 255
    again = zorse("data", "cutout", folder, tmp_path / "clear", *options)
    assert again[0] == 1
    assert "exists already" in again[2]
