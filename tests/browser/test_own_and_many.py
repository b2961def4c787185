"""A visitor's own model, and many pictures, in headless Chromium; see test_page.py for how to run it."""

import time
import zipfile

import numpy as np
import pytest
from PIL import Image

import tiny_onnx
from browser.chromium import WIDTHS, fits, only_on_demand, open_tab, shoot

pytestmark = [*only_on_demand, pytest.mark.timeout(900)]


@pytest.fixture
def photo(tmp_path):
    rows, columns = np.mgrid[:300, :400]
    rgb = np.stack([rows // 2, columns // 2, (rows + columns) // 4], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def test_a_model_is_dropped_and_used(tab, photo, tmp_path):
    tab.get_by_role("tab", name="Your model").click()
    shoot(tab, "own_empty")
    card = tiny_onnx.card(name="mine", task="day to night", notes="<b>Mine</b>", training="an hour")
    files = tab.locator("#own_file input[type=file]")
    files.set_input_files(tiny_onnx.write(tmp_path / "mine.onnx", model_card=card))
    tab.get_by_text("day to night").locator("visible=true").first.wait_for()
    assert tab.get_by_text("<b>Mine</b>").locator("visible=true").count() == 1
    tab.locator("#own_picture input[type=file]").first.set_input_files(photo)
    tab.locator(".prose.caption:visible", has_text="day to night").wait_for()
    shoot(tab, "own_result")
    tab.locator("#own_file button[aria-label='Clear']").click()
    tab.get_by_text("forgotten when you close this page").wait_for()
    tab.wait_for_timeout(1000)
    assert tab.locator(".toast-body").count() == 0


def test_a_stop_is_quick_and_no_error(tab, tmp_path):
    card = tiny_onnx.card(name="slow", native_size=1500)
    tab.get_by_role("tab", name="Your model").click()
    tab.locator("#own_file input[type=file]").set_input_files(
        tiny_onnx.write(tmp_path / "slow.onnx", tiny_onnx.slow, card)
    )
    tab.locator("#own_card h3").wait_for()
    Image.new("RGB", (1500, 1500)).save(tmp_path / "large.png")
    tab.locator("#own_picture input[type=file]").first.set_input_files(tmp_path / "large.png")
    tab.wait_for_timeout(4000)
    started = time.monotonic()
    tab.get_by_role("button", name="Stop").locator("visible=true").click()
    tab.locator(".toast-body").get_by_text("You stopped this.").wait_for()
    assert time.monotonic() - started < 10
    shoot(tab, "stopped")
    assert tab.locator(".toast-body.error").count() == 0
    assert tab.locator(".toast-body").get_by_text("Error").count() == 0


def test_a_pickle_is_refused(tab, tmp_path):
    tab.get_by_role("tab", name="Your model").click()
    (tmp_path / "model.onnx").write_bytes(b"PK\x03\x04 archive")
    tab.locator("#own_file input[type=file]").set_input_files(tmp_path / "model.onnx")
    tab.get_by_text("is a pickle file").wait_for()
    shoot(tab, "own_pickle")


def test_many_pictures_become_a_zip(tab, photo, tmp_path):
    with zipfile.ZipFile(tmp_path / "farm.zip", "w") as archive:
        archive.write(photo, "farm/a/one.jpg")
        archive.write(photo, "farm/b/two.jpg")
        archive.writestr("farm/b/broken.jpg", b"no picture")
    tab.get_by_role("tab", name="Many pictures").click()
    shoot(tab, "many_empty")
    tab.locator("#many_files input[type=file]").set_input_files([tmp_path / "farm.zip", photo])
    tab.locator("#many_files").get_by_text("farm").first.wait_for()
    tab.wait_for_timeout(2000)
    tab.get_by_role("button", name="Translate all").click()
    tab.get_by_text("Translated: 3 of 4 files.").wait_for()
    shoot(tab, "many_result")
    with tab.expect_download() as download:
        tab.get_by_text("Download the zip").click()
    download.value.save_as(tmp_path / "result.zip")
    with zipfile.ZipFile(tmp_path / "result.zip") as archive:
        assert archive.namelist() == ["a/one.jpg", "b/two.jpg", "photo.jpg", "receipts.json"]


def test_the_documentation_of_the_interface(chromium, url):
    for device in WIDTHS:
        page = open_tab(chromium, device, 30_000)
        page.goto(f"{url}api/v1/docs")
        page.get_by_text("POST /api/v1/translate").wait_for()
        assert fits(page)
        shoot(page, "api_docs")
        page.close()
