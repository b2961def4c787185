"""The page of `zorse export --web` in headless Chromium: it computes what Zorse computes, and nothing leaves it.

Needs Playwright (pip install playwright), Chromium, and npm for ONNX Runtime Web. ZORSE_SCREENSHOTS=DIR leaves pictures
of the page, at the widths of a desktop and of a phone, light and dark.
"""

import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

import tiny_app_model
import tiny_onnx
import zorse
from browser.chromium import WIDTHS, fits, needs_chromium, open_tab, shoot
from zorse_export.web import RUNTIME, write_page

NPM = shutil.which("npm")
PATIENCE = 30_000  # milliseconds

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(NPM is None, reason="npm, which fetches ONNX Runtime Web, is not installed"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    flat = tiny_onnx.card(name="flat", keeps_detail=False)
    return [tiny_app_model.write(folder / "night.onnx"), tiny_app_model.write(folder / "flat.onnx", flat)]


@pytest.fixture(scope="module")
def site(tmp_path_factory, models):
    folder = tmp_path_factory.mktemp("site")
    pack = [NPM, "pack", "--silent", "--prefer-offline", f"{RUNTIME.name}@{RUNTIME.version}"]
    try:
        done = subprocess.run(pack, cwd=folder, capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip("npm took more than four minutes")
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch ONNX Runtime Web: {done.stderr.strip()[-300:]}")
    for model in models:
        write_page(model, folder / "site", folder / RUNTIME.file_name)
    yield folder / "site"
    shutil.rmtree(folder)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        """The test's output is no place for a server's log."""


class Isolating(Quiet):
    """With the headers that let a page use threads."""

    def end_headers(self):
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@pytest.fixture(params=[Quiet], ids=lambda handler: handler.__name__.lower())
def url(request, site):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(request.param, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def tab(chromium, url):
    """A tab with the page; when it is closed, no request has left this computer and no script has failed."""
    page = open_tab(chromium, "desktop", PATIENCE)
    outside, failures = [], []
    page.on("request", lambda sent: outside.append(sent.url) if not sent.url.startswith((url, "blob:")) else 0)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(url)
    page.locator("#settings").wait_for()
    yield page
    page.close()
    assert (outside, failures) == ([], [])


def save(path, channels=3):
    rows, columns = np.mgrid[:150, :210]
    planes = [columns, rows, 255 * ((rows - 70) ** 2 + (columns - 90) ** 2 < 50**2), np.where(columns < 60, 0, 255)]
    Image.fromarray(np.stack(planes[:channels], axis=2).astype(np.uint8)).save(path, quality=95)
    return path


def choose(tab, picture, size="48 px", model="night"):
    """Translates; gives the path of the downloaded result."""
    tab.locator("#model").select_option(index=["night", "flat"].index(model))
    tab.get_by_label(size, exact=True).check()
    tab.set_input_files("#file", picture)
    tab.locator("#download").wait_for()
    with tab.expect_download() as download:
        tab.locator("#download").click()
    result = picture.with_name(download.value.suggested_filename)
    download.value.save_as(result)
    return result


def assert_same_pixels(found, wanted):
    with Image.open(found) as picture:
        pixels = np.asarray(picture.convert("RGBA" if wanted.mode == "RGBA" else "RGB")).astype(int)
    expected = np.asarray(wanted)
    assert pixels.shape == expected.shape
    if wanted.mode == "RGBA":  # browsers do not keep the colours of what nobody sees
        pixels, expected = (np.where(array[:, :, 3:] > 0, array, 0) for array in (pixels, expected))
    assert np.abs(pixels - expected).max() <= 1


@pytest.mark.parametrize(
    ("model", "size", "channels"),
    [("night", "48 px", 3), ("night", "full size", 3), ("night", "96 px", 4), ("flat", "32 px", 3)],
)
def test_the_pixels_are_those_of_zorse(tab, models, tmp_path, model, size, channels):
    picture = save(tmp_path / "photo.png", channels)
    file = next(file for file in models if file.stem == model)
    wanted = zorse.load(file)(picture, size="keep" if size == "full size" else int(size.split()[0]))
    result = choose(tab, picture, size, model)
    assert result.name == f"photo_{model}.png"
    assert_same_pixels(result, wanted)
    told = tab.locator("#status").inner_text()
    assert "processor, 1 thread" in told
    assert ("the change was enlarged" in told) == (model == "night" and size != "full size")


@pytest.mark.parametrize("url", [Isolating], indirect=True)
def test_threads_where_the_server_allows_them(tab, models, tmp_path):
    picture = save(tmp_path / "photo.png")
    assert_same_pixels(choose(tab, picture, "full size"), zorse.load(models[0])(picture, size="keep"))
    threads = tab.evaluate("Math.min(navigator.hardwareConcurrency, 8)")
    assert f"processor, {threads} thread" in tab.locator("#status").inner_text()


def test_what_does_not_fit_into_memory_goes_in_tiles_and_the_page_says_so(chromium, url, tmp_path):
    page = chromium.new_page()
    page.add_init_script("Object.defineProperty(navigator, 'deviceMemory', { get: () => 1e-4 })")
    page.goto(url)
    page.locator("#settings").wait_for()
    choose(page, save(tmp_path / "photo.jpg"), "full size")
    assert (tmp_path / "photo_night.jpg").is_file()
    assert "tiles with blended borders" in page.locator("#status").inner_text()
    page.close()


def test_problems_cancelling_and_another_picture(tab, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    tab.set_input_files("#file", tmp_path / "broken.png")
    tab.get_by_text("cannot read broken.png as a picture").wait_for()
    assert tab.locator("#drop").is_visible()
    # The model never comes, so there is time to cancel.
    tab.route("**/models/*", lambda _route: None)
    tab.set_input_files("#file", save(tmp_path / "photo.png"))
    tab.locator("#cancel").click()
    tab.get_by_text("Cancelled.").wait_for()
    tab.unroute_all()
    tab.get_by_label("full size").check()
    tab.locator("#download").wait_for()
    tab.locator("#another").click()
    assert tab.locator("#drop").is_visible()


def test_keyboard_alone(tab, tmp_path):
    def focused():
        return tab.evaluate("document.activeElement.id || document.activeElement.name")

    visited = []
    for _ in range(6):
        tab.keyboard.press("Tab")
        visited.append(focused())
    assert visited[:3] == ["model", "size", "file"]
    choose(tab, save(tmp_path / "photo.png"))
    tab.locator("#divide").focus()
    tab.keyboard.press("Home")
    assert tab.locator("#compare").evaluate("figure => figure.style.getPropertyValue('--divide')") == "0%"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", list(WIDTHS))
def test_it_fits_on_the_screen(chromium, url, tmp_path, device, scheme):
    page = open_tab(chromium, device, PATIENCE, color_scheme=scheme)
    page.goto(url)
    page.locator("#settings").wait_for()
    shoot(page, f"web_{scheme}_empty")
    choose(page, save(tmp_path / "photo.png"))
    shoot(page, f"web_{scheme}_result")
    page.locator("summary").click()
    assert fits(page)
    page.close()
