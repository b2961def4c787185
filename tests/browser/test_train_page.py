"""The tab that trains in headless Chromium, from two zips to a downloaded model, on a desktop and on a phone.

Run with

    ZORSE_SCREENSHOTS=shots python -m pytest tests/browser/test_train_page.py
"""

import zipfile

import pytest

import tiny_onnx
from browser import chromium
from browser.chromium import WIDTHS, only_on_demand
from tiny_page import serve
from tiny_training import draw_unpaired
from zorse_app.training_desk import Desk

PATIENCE = 280_000  # milliseconds
STEPS = 200  # enough for a pause on a fast machine

pytestmark = [*only_on_demand, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """Six brown and six striped blobs, and one more file that is no picture."""
    folder = tmp_path_factory.mktemp("zips")
    drawn = draw_unpaired(folder / "drawn")
    for side, name in (("A", "brown"), ("B", "striped")):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for file in sorted((drawn / f"train{side}").iterdir()):
                archive.write(file, f"{name}/{file.name}")
            if side == "A":
                archive.writestr(f"{name}/broken.jpg", b"no picture")
    return folder / "brown.zip", folder / "striped.zip"


@pytest.fixture(scope="module", params=list(WIDTHS))
def tab(request, tmp_path_factory):
    """The tab of a page with a folder of trainings of its own."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "models").mkdir()
    tiny_onnx.write(folder / "models" / "day2night.onnx", model_card=tiny_onnx.card(name="day2night"))
    with serve(folder / "runs", STEPS, folder / "models") as url, chromium.open_chromium() as browser:
        page = chromium.open_tab(browser, request.param, PATIENCE)
        visit(page, url)
        yield page
        Desk(folder / "runs").end_all_at_once()


def visit(page, url):
    page.goto(url)
    page.get_by_role("tab", name="Train", exact=True).click()
    page.get_by_role("tab", name="New training").wait_for()


def shoot(tab, name):
    chromium.shoot(tab, f"train_{name}")
    assert chromium.fits(tab)


def uploads(tab):
    return tab.locator("[role=tabpanel]:visible input[data-testid=file-upload]")


def chip(tab, text):
    tab.locator(".training .chip", has_text=text).wait_for()


def test_from_two_zips_to_a_downloaded_model(tab, zips, tmp_path):
    shoot(tab, "1_empty")
    tab.get_by_label("The first kind shows").fill("brown blobs")
    tab.get_by_label("The second kind shows").fill("striped blobs")
    for number, file in enumerate(zips):
        uploads(tab).nth(number).set_input_files(file)
        tab.get_by_text(file.name).wait_for()
    tab.get_by_role("button", name="Look at my pictures").click()
    tab.get_by_text("Not yet, but this can be fixed for you.").wait_for()
    shoot(tab, "2_report")
    tab.get_by_role("button", name="Fix it for me").click()
    tab.get_by_text("You can start.").wait_for()
    tab.get_by_text("Measured on this computer").wait_for()
    shoot(tab, "3_fixed_and_measured")
    tab.get_by_label("Normal").check()
    tab.get_by_role("button", name="Start training").click()
    chip(tab, "learning")
    tab.locator("#samples img").wait_for()
    shoot(tab, "4_learning")

    tab.get_by_role("button", name="Pause").click()
    chip(tab, "paused")
    shoot(tab, "5_paused")
    visit(tab, tab.url)  # the visitor comes back later
    tab.get_by_role("tab", name="My trainings").click()
    chip(tab, "paused")
    tab.get_by_role("button", name="Go on").click()
    chip(tab, "finished")

    tab.get_by_role("button", name="Compare all states").click()
    tab.locator("#compared img").nth(11).wait_for()
    uploads(tab).last.set_input_files(picture_of(zips[0], tmp_path))
    tab.locator(".prose.caption:visible", has_text="brown blobs to striped blobs").wait_for()
    tab.get_by_role("button", name="Make the model file").click()
    button = tab.get_by_text("Download brown-blobs2striped-blobs.onnx")
    button.wait_for()
    shoot(tab, "6_finished")
    with tab.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").stat().st_size > 1000

    tab.get_by_role("button", name="Delete").click()
    tab.get_by_text("This cannot be undone.").wait_for()
    shoot(tab, "7_sure")
    tab.get_by_role("button", name="Yes, delete it").click()
    tab.get_by_text("Nothing here yet").wait_for()


def picture_of(archive, folder):
    with zipfile.ZipFile(archive) as opened:
        name = next(name for name in opened.namelist() if "broken" not in name)
        return opened.extract(name, folder)
