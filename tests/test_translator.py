"""The translator gives back the kind, size, depth and transparency it was given, and says clearly what it cannot do."""

import io
import tracemalloc

import numpy as np
import onnx
import pytest
from PIL import Image

import tiny_onnx
from zorse.backends.onnx.backend import OnnxBackend
from zorse.errors import ConfigError, ImageError, WeightsError
from zorse.imaging.io import Picture, encode_picture
from zorse.model.architecture import ResnetConfig
from zorse.runtime.passes import MIN_SIDE
from zorse.runtime.translator import Translator, working_size


def negate(tensor):
    return -tensor


def brighten(tensor):
    return np.clip(tensor + np.float32(0.25), -1, 1)


@pytest.fixture
def negative():
    return Translator(tiny_onnx.card(keeps_detail=False), negate)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


# The same kind comes back --------------------------------------------------------------------------------------------


def test_pixels_at_their_own_size_are_exact(negative, pixels):
    np.testing.assert_array_equal(negative(pixels, size="keep"), 255 - pixels)
    deep = pixels.astype(np.uint16) * 257
    np.testing.assert_array_equal(negative(deep, size="keep"), 65535 - deep)


def test_paths_and_pillow_images_give_pillow_images(tmp_path, negative, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(pixels)):
        result = negative(source, size="keep")
        assert isinstance(result, Image.Image)
        np.testing.assert_array_equal(np.asarray(result), 255 - pixels)


def test_alpha_is_kept(negative, pixels):
    alpha = pixels[:, :, :1]
    result = negative(np.concatenate([pixels, alpha], axis=2), size="keep")
    np.testing.assert_array_equal(result[:, :, 3:], alpha)
    assert negative(Image.fromarray(result)).mode == "RGBA"


def test_the_network_sees_transparent_parts_as_white():
    seen = []
    spy = Translator(tiny_onnx.card(), lambda tensor: seen.append(tensor) or tensor)
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:8, :, 3] = 255
    result = spy(pixels, size="keep")
    assert seen[0][0, :, :8].max() == -1
    assert seen[0][0, :, 8:].min() == 1
    np.testing.assert_array_equal(result, pixels)


def test_grey_pixels_come_back_in_colour(negative, pixels):
    assert negative(pixels[:, :, 0]).shape == pixels.shape


def test_upright_with_profile_and_exif(negative, pixels):
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = 8
    image.getexif()[0x010E] = "a horse"
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=image.getexif())
    buffer.seek(0)
    result = negative(Image.open(buffer), size="keep")
    np.testing.assert_array_equal(np.asarray(result), 255 - np.rot90(pixels))
    kept = Image.Exif()
    kept.load(result.info["exif"])
    assert dict(kept) == {0x0112: 1, 0x010E: "a horse"}


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 7), (17, 16), (100, 40)])
@pytest.mark.parametrize("size", ["native", "keep", 7, 100])
@pytest.mark.parametrize("keeps_detail", [True, False])
def test_any_size_comes_back_as_it_was(shape, size, keeps_detail):
    translator = Translator(tiny_onnx.card(keeps_detail=keeps_detail), brighten)
    result = translator(np.full((*shape, 3), 100, np.uint8), size=size)
    assert result.shape == (*shape, 3)
    assert set(np.unique(result)) == {132}


# Working size, detail, strength --------------------------------------------------------------------------------------


def test_working_sizes():
    assert working_size(480, 640, "keep", 256) == (480, 640)
    assert working_size(480, 640, "native", 256) == (256, 341)
    assert working_size(480, 640, 120, 256) == (120, 160)
    assert working_size(64, 64, "native", 256) == (256, 256), "small pictures are enlarged"
    assert working_size(1, 5000, "native", 256) == (1, 5000), "but not without bound"
    assert working_size(100, 800, "native", 256) == (128, 1024)
    assert working_size(9000, 1, 8, 256) == (9000, 1)
    assert working_size(3, 9000, 1, 256) == (1, 3000)


STRIPS = [(1, 300_000), (1, 2_000_000), (8, 100_000), (200, 200_000), (256, 150_000), (1000, 100_000), (33, 1057)]


@pytest.mark.parametrize("strip", STRIPS)
@pytest.mark.parametrize("least", [MIN_SIDE, 256])
def test_a_strip_costs_what_its_pixels_do(strip, least):
    """The network pads to its shortest side; what it computes counts, not what it sees of the strip."""
    seen = working_size(*strip, "auto", 256, least)
    assert working_size(*strip[::-1], "auto", 256, least) == seen[::-1]
    computed = max(seen[0], least) * max(seen[1], least)
    usual = 4 * 256**2
    assert computed <= 1.01 * max(usual, min(strip[0] * strip[1], 64 * 256**2))
    assert max(seen) >= 1000, "and it is not lost"


def test_a_strip_of_no_extreme_shape_is_seen_like_all_others():
    assert working_size(1000, 32_000, "auto", 256) == (256, 8192)
    assert working_size(1080, 50_000, "auto", 256) == (256, 11_852), "a long screenshot"
    assert working_size(200, 6400, "auto", 256, least=256) == (200, 6400)
    assert working_size(1, 300_000, "keep", 256) == (1, 300_000), "who asks for it gets it"


@pytest.mark.parametrize("shape", [(1, 40_000), (40_000, 1)])
def test_the_network_computes_no_more_than_a_strip_has(shape):
    computed = []
    spy = Translator(tiny_onnx.card(native_size=32), lambda tensor: computed.append(tensor[0, 0].size) or tensor)
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(spy(picture), picture)
    assert sum(computed) <= 1.01 * picture[:, :, 0].size


def test_a_smaller_working_size_keeps_the_detail(pixels):
    result = Translator(tiny_onnx.card(native_size=8), brighten)(pixels // 2 + 40)
    np.testing.assert_array_equal(result, np.rint(pixels // 2 + 40 + 0.25 * 127.5).astype(np.uint8))


def test_domains_that_share_no_detail_get_the_enlarged_translation(pixels):
    result = Translator(tiny_onnx.card(native_size=8, keeps_detail=False), brighten)(pixels // 2 + 40)
    assert np.abs(np.diff(result.astype(int), axis=1)).max() < 40
    assert np.abs(np.diff(pixels.astype(int) // 2, axis=1)).max() > 100


def test_strength_blends(negative, pixels):
    np.testing.assert_array_equal(negative(pixels, size="keep", strength=0), pixels)
    np.testing.assert_array_equal(negative(pixels, size=16, strength=0), pixels)
    half = negative(pixels, size="keep", strength=0.5)
    assert np.abs(half.astype(int) - 127.5).max() <= 0.5
    quarter = negative(pixels, size="keep", strength=0.25).astype(int)
    assert np.abs(quarter - (0.75 * pixels + 0.25 * (255 - pixels.astype(int)))).max() <= 0.51


# What cannot be done -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["big", 0, -3, True, 1.5])
def test_senseless_sizes(negative, pixels, size):
    with pytest.raises(ConfigError, match="size"):
        negative(pixels, size=size)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_senseless_strengths(negative, pixels, strength):
    with pytest.raises(ConfigError, match="strength"):
        negative(pixels, strength=strength)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), bool),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_pictures(negative, array):
    with pytest.raises(ImageError, match="was expected"):
        negative(array)


@pytest.mark.parametrize("image", [None, 3, ["a.png"]])
def test_what_is_no_picture_at_all(negative, image):
    with pytest.raises(ImageError, match=f"The picture is a {type(image).__name__}; wanted: a path"):
        negative(image)


def test_too_little_memory_says_what_to_do(pixels):
    def exhausted(tensor):
        raise MemoryError

    with pytest.raises(ImageError, match=r"53x37 .* more memory .* smaller size"):
        Translator(tiny_onnx.card(), exhausted)(pixels)


def test_wide_pictures_take_no_more_memory_than_others(negative):
    def peak(height, width):
        picture = np.zeros((height, width, 3), np.uint8)
        tracemalloc.start()
        negative(picture)
        amount = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return amount

    assert peak(300, 20_000) < 1.5 * peak(2_400, 2_500)


def test_a_network_that_gives_another_size_or_no_numbers(pixels):
    with pytest.raises(WeightsError, match="same size"):
        Translator(tiny_onnx.card(), lambda tensor: tensor[:, :, ::2])(pixels)
    with pytest.raises(WeightsError, match="not numbers"):
        Translator(tiny_onnx.card(), lambda tensor: tensor * np.nan)(pixels)


def test_a_model_of_other_channels():
    with pytest.raises(WeightsError, match="1 channels into 3"):
        Translator(tiny_onnx.card(architecture=ResnetConfig(in_channels=1)), negate)


# Model files ---------------------------------------------------------------------------------------------------------


def test_an_onnx_file_translates(tmp_path, pixels):
    backend = OnnxBackend(tiny_onnx.write(tmp_path / "m.onnx", tiny_onnx.negation), device="cpu", threads=1)
    assert backend.provider == "CPUExecutionProvider"
    assert backend.card == tiny_onnx.card()
    translator = Translator(backend.card, backend, backend.provider)
    np.testing.assert_array_equal(translator(pixels, size="keep"), 255 - pixels)


def test_instance_norm_runs_at_any_size(tmp_path):
    backend = OnnxBackend(tiny_onnx.write(tmp_path / "m.onnx", tiny_onnx.instance_norm), threads=1)
    translator = Translator(backend.card, backend)
    for shape in [(1, 1, 3), (1, 500, 3), (33, 65, 3)]:
        assert translator(np.full(shape, 90, np.uint8)).shape == shape


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "empty"), (b"no model at all", "damaged or not an ONNX model"), (None, "no model file")]
)
def test_files_that_are_no_models(tmp_path, content, says):
    file = tmp_path / "m.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WeightsError, match=says) as raised:
        OnnxBackend(file)
    assert str(file) in str(raised.value)


def test_a_truncated_model(tmp_path):
    file = tiny_onnx.write(tmp_path / "m.onnx", tiny_onnx.instance_norm)
    file.write_bytes(file.read_bytes()[:150])
    with pytest.raises(WeightsError, match="damaged"):
        OnnxBackend(file)


def test_a_model_without_card_or_with_other_inputs(tmp_path):
    with pytest.raises(WeightsError, match="no Zorse model card"):
        OnnxBackend(tiny_onnx.write(tmp_path / "a.onnx", with_card=False))
    with pytest.raises(WeightsError, match="one input 'image'"):
        OnnxBackend(tiny_onnx.write(tmp_path / "b.onnx", input_name="pixels"))


def test_a_model_that_needs_other_files(tmp_path, monkeypatch):
    model = onnx.load(tiny_onnx.write(tmp_path / "m.onnx", tiny_onnx.instance_norm))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match="weights in other files"):
        OnnxBackend("m.onnx")


def test_a_network_that_fails_on_a_picture(tmp_path):
    backend = OnnxBackend(tiny_onnx.write(tmp_path / "m.onnx"), threads=1)
    with pytest.raises(WeightsError, match=r"cannot compute pictures of shape \(1, 5, 8, 8\)"):
        backend(np.zeros((1, 5, 8, 8), np.float32))


def test_bytes_from_translate_are_a_picture(negative, pixels):
    translated = negative.translate(Picture(pixels), size="keep")
    with Image.open(io.BytesIO(encode_picture(translated, ".png"))) as image:
        np.testing.assert_array_equal(np.asarray(image), 255 - pixels)
