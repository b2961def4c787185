"""The page without a browser: its functions, its limits, and its endpoints over HTTP."""

import base64
import io
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import gradio_client
import httpx
import numpy as np
import pytest
from gradio_client.exceptions import AppError
from PIL import Image

import tiny_onnx
from live_page import live_page
from page_models import write_page_models
from zorse.errors import ConfigError, ImageError, Stopped, UnknownModel, WeightsError
from zorse.imaging.io import PictureFile, open_pictures, read_picture
from zorse.model.architecture import ResnetConfig
from zorse_app import Service, Shelf, examples, launch, service
from zorse_app.gate import Gate
from zorse_app.limits import Limits, TooLarge
from zorse_app.page import HORSES, PAINTINGS
from zorse_app.service import caption
from zorse_app.sketch import clean_lines, colour_strokes
from zorse_app.uploads import Upload

NATIVE = 64
COMMAND = "from zorse.cli import main; main()"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Every model that the page has a place for and one more, each of them a negation."""
    figures = [{"name": "KID x 1000 (EfficientNet-Lite2)", "value": 91.25, "protocol": "none"}]
    return write_page_models(tmp_path_factory.mktemp("models"), "day2night", native_size=NATIVE, metrics=figures)


@pytest.fixture(scope="module")
def page(models):
    """The page as the command opens it, once for all tests; in its own process, since Gradio leaves sockets open."""
    with live_page(models) as (process, url):
        yield gradio_client.Client(url, verbose=False, analytics_enabled=False)
    assert process.returncode == 0


@pytest.fixture
def zorse_service(models, tmp_path):
    return Service(Shelf(models), tmp_path / "results")


def python(program, *arguments):
    """A Python of its own, which finds what this one finds."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def picture_file(folder, name="horse.jpg", size=(90, 70), **options):
    rows = np.linspace(0, 255, size[1], dtype=np.uint8)[:, None, None]
    path = folder / name
    Image.fromarray(np.broadcast_to(rows, (size[1], size[0], 3)).copy()).save(path, **options)
    return path


def png_url(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def size_of(path):
    picture = read_picture(path)
    return picture.width, picture.height


def upload(path):
    return Upload(path, path.name)


def test_a_photo_keeps_size_and_format(zorse_service, tmp_path):
    outcome = zorse_service.translate_photo(upload(picture_file(tmp_path)), "horse2zebra")
    assert outcome.download.name == "horse_horse2zebra.jpg"
    result = read_picture(outcome.download)
    assert (result.format, result.width, result.height) == ("JPEG", 90, 70)
    assert np.abs(255 - result.rgb.astype(int) - read_picture(tmp_path / "horse.jpg").rgb).max() < 12
    assert size_of(outcome.before) == size_of(outcome.after) == (90, 70)


def test_strength_0_gives_the_picture(zorse_service, tmp_path):
    outcome = zorse_service.translate_photo(upload(picture_file(tmp_path, "a.png")), "horse2zebra", "keep", 0.0)
    assert np.array_equal(read_picture(outcome.download).rgb, read_picture(tmp_path / "a.png").rgb)


def test_large_pictures_are_shown_small_and_downloaded_whole(zorse_service, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "SHOWN_SIDE", 50)
    outcome = zorse_service.translate_photo(upload(picture_file(tmp_path)), "horse2zebra")
    assert size_of(outcome.before) == size_of(outcome.after) == (50, 39)
    assert size_of(outcome.download) == (90, 70)


def test_a_drawing_is_translated_at_the_models_size(zorse_service):
    outcome = zorse_service.translate_drawing(png_url(examples.t_shirt()), "edges2clothes")
    result = read_picture(outcome.download).rgb[:, :, 0]
    assert result.shape == (NATIVE, NATIVE)
    assert 0.02 < (result == 255).mean() < 0.2  # the negation of thin black lines


@pytest.mark.parametrize("drawing", ["", "/etc/passwd", "data:image/png;base64,%%%", "data:image/png;base64,AAAA"])
def test_what_is_no_drawing_is_said(zorse_service, drawing):
    with pytest.raises(ImageError, match="drawing"):
        zorse_service.translate_drawing(drawing, "edges2clothes")


def test_of_an_animation_each_frame_is_translated(zorse_service, tmp_path):
    frames = [Image.new("RGB", (40, 30), (shade, shade, shade)) for shade in (0, 100, 200)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=[50, 70, 90], lossless=True)
    told = []
    outcome = zorse_service.translate_photo(
        upload(tmp_path / "a.webp"), "horse2zebra", "keep", tell=lambda done, _: told.append(done)
    )
    assert told == sorted(told)
    assert told[-1] == 1
    with open_pictures(outcome.download) as file:
        assert [int(frame.rgb.mean().round()) for frame in file] == [255, 155, 55]
        assert file.animation().durations == (50, 70, 90)


def test_what_is_told_how_far_the_work_is_may_end_it(zorse_service, tmp_path):
    with zorse_service.stops.watch("bob") as others, zorse_service.stops.watch("ann") as check:
        zorse_service.stops.stop("ann")
        with pytest.raises(Stopped):
            zorse_service.translate_photo(
                upload(picture_file(tmp_path)), "horse2zebra", tell=lambda done, remaining: check()
            )
        others()
    zorse_service.stops.stop("ann")
    with zorse_service.stops.watch("ann") as check:
        check()


def test_a_video_is_translated_and_a_long_one_refused(zorse_service, tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = 64, 48
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    result, notes = zorse_service.translate_video(upload(tmp_path / "v.mp4"), "horse2zebra")
    assert notes == []
    assert result.name == "v_horse2zebra.mp4"
    with av.open(str(result)) as container:
        shades = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert len(shades) == 6
    assert shades == pytest.approx([55] * 6, abs=4)
    monkeypatch.setattr(service, "MAX_VIDEO_FRAMES", 5)
    with pytest.raises(ImageError, match="6 pictures; this page takes at most 5"):
        zorse_service.translate_video(upload(tmp_path / "v.mp4"), "horse2zebra")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(ImageError, match=r"called\.mp4") as error:
        zorse_service.translate_video(Upload(tmp_path / "bad.mp4", "called.mp4"), "horse2zebra")
    assert str(tmp_path) not in str(error.value)


def test_a_photographed_sketch_becomes_lines_on_white_paper():
    paper = np.full((300, 400), 230.0)
    paper[40:260, 198:204] = 60  # a vertical stroke
    shadow = np.linspace(0.5, 1, 400)
    grain = np.random.default_rng(0).normal(0, 4, paper.shape)
    photo = np.clip(paper * shadow + grain, 0, 255).astype(np.uint8)
    sketch = service.Picture(np.dstack([photo] * 3))
    lines = clean_lines(sketch, 75)
    assert lines.shape == (75, 100)
    rows, columns = np.nonzero(lines == 0)
    assert set(np.unique(lines)) == {0, 255}
    assert set(columns) <= {49, 50, 51}
    assert len(rows) == len(set(rows)) > 45  # one pixel wide, without gaps
    chalk = service.Picture(255 - sketch.rgb)
    assert np.array_equal(clean_lines(chalk, 75), lines)


def painted_sketch(pen=(20, 20, 20)):
    """A box drawn with a pen on paper under warm light, with a broad red stroke across its left side."""
    paper = np.full((400, 400, 3), 255, np.uint8)
    cv2.rectangle(paper, (100, 100), (300, 300), pen, 4)
    cv2.line(paper, (60, 200), (180, 200), (200, 30, 40), 20)
    cv2.line(paper, (100, 100), (100, 300), pen, 4)
    return service.Picture(np.rint(paper * np.array([0.95, 0.9, 0.8])).astype(np.uint8))


@pytest.mark.parametrize("pen", [(20, 20, 20), (20, 40, 160)], ids=["black", "blue"])
def test_broad_strokes_of_colour_are_no_lines_and_thin_ones_are(pen):
    lines, strokes = clean_lines(painted_sketch(pen), 200), colour_strokes(painted_sketch(pen), 200)
    assert lines.shape == strokes.shape[:2] == (200, 200)
    rows, columns = np.nonzero(strokes.min(axis=2) < 255)
    assert (rows.min(), rows.max()) == (pytest.approx(93, abs=2), pytest.approx(106, abs=3))
    assert (columns.min(), columns.max()) == (pytest.approx(23, abs=2), pytest.approx(97, abs=2))
    assert np.abs(strokes[100, 70].astype(int) - (200, 30, 40)).max() <= 3
    assert (lines[100, 140:160] == 0).any(), "the box's right side"
    assert (lines[94:106, 60:95] == 255).all(), "nothing is left of the stroke"
    if pen == (20, 20, 20):
        assert (lines[96:104, 47:54] == 0).any(axis=1).all(), "the pen's line goes on across the stroke"


def test_only_models_that_take_strokes_get_them(tmp_path):
    for name, takes in (("edges2shoes", False), ("edges2clothes", True)):
        card = tiny_onnx.card(name=name, native_size=200, keeps_detail=False, takes_strokes=takes)
        tiny_onnx.write(tmp_path / f"{name}.onnx", model_card=card)
    zorse_service = Service(Shelf(tmp_path), tmp_path / "results")
    drawing = png_url(painted_sketch().rgb)
    with Image.open(zorse_service.translate_drawing(drawing, "edges2clothes").download) as result:
        assert result.getpixel((70, 100)) == pytest.approx((55, 225, 215), abs=4)  # the models are negations
    with Image.open(zorse_service.translate_drawing(drawing, "edges2shoes").download) as result:
        assert result.getpixel((70, 100)) == (0, 0, 0)


def test_more_detail_finds_more_edges(zorse_service, tmp_path):
    rng = np.random.default_rng(1)
    blobs = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).resize(
        (128, 128), Image.Resampling.BICUBIC
    )
    blobs.save(tmp_path / "blobs.png")
    photo = upload(tmp_path / "blobs.png")
    ink = [(zorse_service.lines_of(photo, "edges2shoes", detail) == 0).mean() for detail in (0.0, 1.0)]
    assert 0 < ink[0] < ink[1]
    assert (zorse_service.lines_of(photo, "edges2shoes", 1.0, shortest=40) == 0).mean() < ink[1]
    with pytest.raises(ConfigError, match="detail"):
        zorse_service.lines_of(photo, "edges2shoes", 2)
    with pytest.raises(ConfigError, match="canny, xdog, contour"):
        zorse_service.lines_of(photo, "edges2shoes", method="pencil")


def test_the_caption_tells_the_models_state(models):
    card = Shelf(models).translator("horse2zebra").card
    told = caption(card, "CPUExecutionProvider", 0.5)
    assert told == "**horse to zebra** · preview: does its job on some pictures only · 0.50 s on the CPU"


def test_several_visitors_at_once(zorse_service, tmp_path):
    file = upload(picture_file(tmp_path))
    names = [*HORSES, *PAINTINGS] * 4
    with ThreadPoolExecutor(8) as visitors:
        outcomes = list(visitors.map(lambda name: zorse_service.translate_photo(file, name), names))
    assert len({outcome.download for outcome in outcomes}) == len(names)
    assert [outcome.download.name for outcome in outcomes] == [f"horse_{name}.jpg" for name in names]


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty"), (b"not a picture", "not a picture that can be read"), (b"\xff\xd8\xff\xe0 cut off", "photo.jpg")],
)
def test_files_that_are_no_pictures_are_named_without_their_folder(zorse_service, tmp_path, content, says):
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(ImageError, match=says) as error:
        zorse_service.translate_photo(Upload(tmp_path / "upload", "photo.jpg"), "horse2zebra")
    assert str(tmp_path) not in str(error.value)


def test_limits(models, tmp_path):
    file = upload(picture_file(tmp_path, size=(300, 300)))

    def translate(size="native", **limits):
        limited = Service(Shelf(models, Gate(Limits(**limits))), tmp_path / "results")
        return limited.translate_photo(file, "horse2zebra", size)

    translate("keep", pixels=300 * 300)
    with pytest.raises(TooLarge, match="pixels"):
        translate(pixels=200 * 200)
    with pytest.raises(TooLarge, match="MB"):
        translate(file_bytes=100)
    with pytest.raises(TooLarge, match="smaller size to work at"):
        translate(400, pixels=300 * 300)


def test_what_is_too_much_work_is_refused_before_it_is_decoded(zorse_service, tmp_path, monkeypatch):
    Image.new("RGB", (70_000, 2)).save(tmp_path / "strip.png")
    frames = [Image.new("RGB", (4, 4), (shade, 0, 0)) for shade in range(20)]
    frames[0].save(tmp_path / "frames.gif", save_all=True, append_images=frames[1:])
    monkeypatch.setattr(PictureFile, "frame", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(TooLarge, match="sides of at most"):
        zorse_service.translate_photo(upload(tmp_path / "strip.png"), "horse2zebra")
    with pytest.raises(TooLarge, match="sides of at most"):
        zorse_service.translate_sketch(upload(tmp_path / "strip.png"), "edges2shoes")
    monkeypatch.setattr("zorse_app.limits._PRODUCTS", 1)
    with pytest.raises(TooLarge, match="fewer frames"):
        zorse_service.translate_photo(upload(tmp_path / "frames.gif"), "horse2zebra")


def test_nothing_drawn_is_said(zorse_service, tmp_path):
    Image.new("RGB", (80, 80), "white").save(tmp_path / "blank.png")
    with pytest.raises(ImageError, match="No lines"):
        zorse_service.translate_sketch(upload(tmp_path / "blank.png"), "edges2shoes")


@pytest.mark.parametrize("settings", [{"size": 0}, {"strength": 2.0}])
def test_settings_that_make_no_sense(zorse_service, tmp_path, settings):
    with pytest.raises(ConfigError):
        zorse_service.translate_photo(upload(picture_file(tmp_path)), "horse2zebra", **settings)


def test_unknown_models_are_named_with_the_known_ones(zorse_service, tmp_path):
    with pytest.raises(UnknownModel, match="horse2zebra"):
        zorse_service.translate_photo(upload(picture_file(tmp_path)), "cat2dog")


def test_names_of_downloads_are_safe(zorse_service, tmp_path):
    file = Upload(picture_file(tmp_path), '../../a "b"\n/<c>.jpg')
    assert zorse_service.translate_photo(file, "horse2zebra").download.name == "c_horse2zebra.jpg"


def test_folders_without_usable_models(tmp_path):
    with pytest.raises(WeightsError, match="not a folder"):
        Shelf(tmp_path / "none")
    with pytest.raises(WeightsError, match=r"no \.onnx"):
        Shelf(tmp_path)
    for name in ("a", "b"):
        tiny_onnx.write(tmp_path / f"{name}.onnx")
    with pytest.raises(WeightsError, match=r"a\.onnx.*b\.onnx.*'tiny'"):
        Shelf(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"broken")
    with pytest.raises(WeightsError, match=r"a\.onnx"):
        Shelf(tmp_path)


def test_the_way_back_is_the_model_that_makes_what_the_other_takes(models):
    shelf = Shelf(models)
    assert shelf.way_back("horse2zebra", HORSES) == "zebra2horse"
    assert shelf.way_back("photo2monet", PAINTINGS) == "monet2photo"
    assert shelf.way_back("monet2photo", PAINTINGS) == "photo2monet"
    assert shelf.way_back("day2night", shelf.names) == "day2night"
    with pytest.raises(UnknownModel, match="night2day"):
        shelf.way_back("night2day", shelf.names)


def test_the_way_back_is_of_the_same_size_where_there_is_one(tmp_path):
    standard = {"architecture": ResnetConfig()}
    back = {"domain_a": "light pictures", "domain_b": "dark pictures"}
    kinds = {"there": {}, "back": back, "there-standard": standard, "back-standard": back | standard}
    for name, changes in kinds.items():
        tiny_onnx.write(tmp_path / f"{name}.onnx", model_card=tiny_onnx.card(name=name, **changes))
    shelf = Shelf(tmp_path)
    assert shelf.way_back("there", list(kinds)) == "back"
    assert shelf.way_back("there-standard", list(kinds)) == "back-standard"
    assert shelf.way_back("there-standard", ["there-standard", "back"]) == "back"


def test_the_least_used_translator_makes_room(models):
    shelf = Shelf(models)
    first = shelf.translator("horse2zebra")
    assert shelf.translator("horse2zebra") is first
    others = [name for name in shelf.names if name != "horse2zebra"]
    for name in others[:5]:
        shelf.translator(name)
    assert shelf.translator("horse2zebra") is first
    for name in others[:6]:
        shelf.translator(name)
    assert shelf.translator("horse2zebra") is not first


def test_the_page_answers_over_http(page, models, tmp_path):
    file = gradio_client.handle_file(picture_file(tmp_path, "farm.png"))
    slider, told, download = page.predict(file, "zebra2horse", 1, "native", api_name="/horse_zebra")
    assert Path(download).name == "farm_zebra2horse.png"
    assert size_of(download) == (90, 70)
    assert [size_of(side) for side in slider] == [(90, 70)] * 2
    assert "zebra to horse" in told
    assert "painting" not in told
    _, told, _ = page.predict(file, "day2night", 0.5, "512", api_name="/own_models")
    assert "day to night" in told
    lines, _, told, _ = page.predict(file, "edges2shoes", 1, 4, "canny", api_name="/edges")
    assert size_of(lines) == (NATIVE * 90 // 70, NATIVE)
    assert "edges to shoes" in told


def test_a_drawing_over_http(page, tmp_path):
    Image.fromarray(examples.sneaker()).convert("RGB").save(tmp_path / "drawing.png")
    _, told, download = page.predict(png_url(examples.sneaker()), "edges2shoes", api_name="/draw")
    assert "edges to shoes" in told
    assert Path(download).name == "drawing_edges2shoes.png"
    drawing = gradio_client.handle_file(tmp_path / "drawing.png")
    _, told, download = page.predict(drawing, "edges2shoes", api_name="/sketch")
    assert Path(download).name == "drawing_edges2shoes.png"


def test_an_empty_page_shows_nothing(page):
    slider, told, download = page.predict(None, "horse2zebra", 1, "native", api_name="/horse_zebra")
    assert (slider, told, download) == (None, "", None)


def test_errors_over_http_tell_what_is_wrong_and_no_paths(page, tmp_path):
    (tmp_path / "<b>bad.jpg").write_bytes(b"no picture")
    with pytest.raises(AppError) as error:
        page.predict(
            gradio_client.handle_file(tmp_path / "<b>bad.jpg"), "horse2zebra", 1, "native", api_name="/horse_zebra"
        )
    assert "not a picture that can be read" in str(error.value)
    assert "tmp" not in str(error.value)
    assert "<b>" not in str(error.value)
    with pytest.raises(AppError, match="There is no model 'nope' on this page"):
        page.predict(png_url(examples.sneaker()), "nope", api_name="/translate_data_url")


def test_files_of_the_server_cannot_be_asked_for(page, models):
    stolen = {"path": str(models / "horse2zebra.onnx"), "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError) as error:
        page.predict(stolen, "horse2zebra", 1, "native", api_name="/horse_zebra")
    assert str(models) not in str(error.value)


def test_a_port_in_use_is_said(models):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} on 127.0.0.1 is in use"), launch(port=port, models=models):
            pass


@pytest.mark.parametrize(
    ("host", "port", "says"), [("192.0.2.1", 7860, "not an address"), ("127.0.0.1", 70000, "exist")]
)
def test_addresses_that_cannot_be_used(models, host, port, says):
    with pytest.raises(ConfigError, match=says), launch(host, port, models=models):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such request")
def test_a_request_to_end_deletes_what_visitors_sent(models, tmp_path):
    with live_page(models, environment={"TMPDIR": str(tmp_path)}) as (process, url):
        with httpx.Client(base_url=url) as visitor:
            visitor.post("/gradio_api/upload", files={"files": ("mine.png", b"secret")}).raise_for_status()
        assert any(file.read_bytes() == b"secret" for file in tmp_path.rglob("mine.png"))
        process.terminate()
        process.wait(timeout=120)
        assert process.returncode == -signal.SIGTERM
        assert not list(tmp_path.rglob("mine.png"))


def test_the_command_without_gradio_says_what_to_install():
    with python(f"import sys; sys.modules['gradio'] = None; {COMMAND}", "ui") as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "pip install 'zorse[app]'" in errors
    assert "Traceback" not in errors


def test_a_page_is_built_without_torch_and_says_what_is_missing(tmp_path):
    tiny_onnx.write(tmp_path / "h.onnx", model_card=tiny_onnx.card(name="horse2zebra"))
    program = f"""
import sys
from pathlib import Path
import zorse_app, zorse_app.shelf
zorse_app.shelf.shipped_models = dict
folder = Path({str(tmp_path)!r})
page = zorse_app.build(zorse_app.Service(zorse_app.Shelf(folder), folder))
print("torch" in sys.modules, page.get_config_file())
"""
    with python(program) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output.startswith("False")
    assert "Not part of this installation: zebra2horse." in output
    assert "(photo2monet, photo2vangogh, monet2photo) are not part of this installation" in output
    assert "Further models" not in output


def test_the_caption_says_what_the_result_could_not_hold(zorse_service, tmp_path):
    Image.new("CMYK", (40, 30)).save(tmp_path / "a.tif")
    outcome = zorse_service.translate_photo(upload(tmp_path / "a.tif"), "horse2zebra")
    assert outcome.caption.split("\n\n")[1:] == ["The four inks \\(CMYK\\) become RGB."]


def test_what_a_strangers_file_says_is_not_markdown(zorse_service, tmp_path):
    link = "[x](http://y)<b>"
    Image.new("RGB", (40, 30)).save(tmp_path / "a.webp", icc_profile=b"not a profile")
    outcome = zorse_service.translate_photo(Upload(tmp_path / "a.webp", f"a.{link}"), "horse2zebra")
    assert len(outcome.caption.split("\n\n")) > 1
    assert link not in outcome.caption
