"""The page in headless Chromium, at the widths of a desktop and of a phone.

Needs Playwright (pip install playwright) and Chromium; leaves screenshots to look at. Run with

    ZORSE_SCREENSHOTS=shots python -m pytest tests/browser
"""

import re

import numpy as np
import pytest
from PIL import Image

from browser.chromium import WIDTHS, only_on_demand, open_tab, shoot

PATIENCE = 120_000  # milliseconds; without a GPU Chromium draws the canvas slowly

pytestmark = [*only_on_demand, pytest.mark.timeout(900)]


def told(tab, text):
    tab.locator(".prose.caption:visible", has_text=text).wait_for()


@pytest.fixture
def photo(tmp_path):
    rows, columns = np.mgrid[:480, :640]
    rgb = np.stack([rows // 2, columns * 255 // 640, 255 * ((rows - 240) ** 2 + (columns - 320) ** 2 < 150**2)], axis=2)
    path = tmp_path / "photo.jpg"
    Image.fromarray(rgb.astype(np.uint8)).save(path)
    return path


def test_a_picture_is_translated_compared_and_downloaded(tab, photo, tmp_path):
    shoot(tab, "photo_empty")
    tab.locator("input[type=file]").first.set_input_files(photo)
    told(tab, "horse to zebra")
    shoot(tab, "photo_result")
    with tab.expect_download() as download:
        tab.get_by_text("Download the result").locator("visible=true").click()
    assert download.value.suggested_filename == "photo_horse2zebra.jpg"
    download.value.save_as(tmp_path / "result.jpg")
    with Image.open(tmp_path / "result.jpg") as result, Image.open(photo) as original:
        assert result.size == original.size
        assert np.abs(255 - np.asarray(result, int) - np.asarray(original)).mean() < 3
    tab.get_by_text("Zebra → horse").click()
    told(tab, "zebra to horse")
    tab.get_by_text("More", exact=True).locator("visible=true").click()
    tab.get_by_text("the original's size").locator("visible=true").click()
    shoot(tab, "photo_more")
    tab.get_by_text("Use it as the next input").locator("visible=true").click()
    told(tab, "horse to zebra")
    shoot(tab, "photo_back")


def test_strength_follows_the_arrow_keys(tab, photo):
    tab.locator("input[type=file]").first.set_input_files(photo)
    told(tab, "horse to zebra")
    tab.get_by_text("More", exact=True).locator("visible=true").click()
    with tab.expect_request("**/queue/join*"):
        tab.locator("input[type=range]:visible").first.press("ArrowLeft")


def test_the_divider_follows_the_arrow_keys_and_examples_have_names(tab, photo):
    tab.locator("input[type=file]").first.set_input_files(photo)
    told(tab, "horse to zebra")
    divider = tab.get_by_role("slider", name="How much of before is shown").locator("visible=true")
    places = [divider.bounding_box()["x"]]
    for key in ("ArrowLeft", "ArrowRight", "End"):
        divider.press(key)
        tab.wait_for_timeout(500)
        places.append(divider.bounding_box()["x"])
    assert places[1] < places[0] == pytest.approx(places[2], abs=2)
    assert places[3] > places[2] + 50
    assert divider.get_attribute("aria-valuenow") == "100"
    assert tab.get_by_role("button", name="Example 1").first.is_visible()


def test_the_way_back_is_translated_once(tab, photo):
    tab.locator("input[type=file]").first.set_input_files(photo)
    told(tab, "horse to zebra")
    asked = []
    tab.on("request", lambda sent: asked.append(sent.url) if "queue/join" in sent.url else None)
    tab.get_by_text("Use it as the next input").locator("visible=true").click()
    told(tab, "zebra to horse")
    tab.wait_for_timeout(2000)
    assert len(asked) == 2, "the button, and one translation"


def test_a_photo_shows_its_lines(tab, photo):
    tab.get_by_role("tab", name="Edges → Photo").click()
    tab.get_by_role("tab", name="Use a photo").click()
    with tab.expect_file_chooser() as chooser:
        tab.get_by_text("Drop a photo here to see its edges").click()
    chooser.value.set_files(photo)
    told(tab, "edges to shoes")
    shoot(tab, "edges_of_photo")


def test_a_file_that_is_no_picture_is_told(tab, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    tab.locator("input[type=file]").first.set_input_files(tmp_path / "broken.jpg")
    tab.get_by_text("broken.jpg is not a picture that can be read").wait_for()
    shoot(tab, "error")


def test_strokes_on_the_canvas_become_a_photo(tab):
    tab.get_by_role("tab", name="Edges → Photo").click()
    draw(tab, offset=-40)
    told(tab, "edges to shoes")
    shoot(tab, "draw_result")
    tab.get_by_text("Clothes").locator("visible=true").click()
    told(tab, "edges to clothes")
    tab.locator("#canvas button", has_text="Clear").click()
    tab.locator(".prose.caption:visible", has_text="edges").wait_for(state="detached")
    shoot(tab, "draw_cleared")
    tab.locator("#canvas button", has_text="Symmetric").click()
    draw(tab, offset=40)
    told(tab, "edges to clothes")
    assert ink(tab, "left") == ink(tab, "right") > 100
    draw(tab, offset=80)
    twice = ink(tab, "left")
    tab.locator("#canvas button", has_text="Eraser").click()
    draw(tab, offset=80)
    assert ink(tab, "left") < twice
    tab.locator("#canvas button", has_text="Undo").click()
    assert ink(tab, "left") == twice
    shoot(tab, "draw_symmetric")


def test_the_brush_paints_under_the_lines(tab):
    tab.get_by_role("tab", name="Edges → Photo").click()
    draw(tab, offset=0)
    black = ink(tab, "left")
    tab.get_by_label("Colour of brush and fill").fill("#ff8020")
    assert tab.locator("#canvas button", has_text="Brush").get_attribute("aria-pressed") == "true"
    draw(tab, offset=0)
    told(tab, "edges to shoes")
    assert ink(tab, "left") == black, "the pen's line is over the brush's"
    assert painted(tab, "ff8020") > black
    shoot(tab, "draw_brush")


def test_the_fill_colours_what_the_lines_enclose(tab):
    tab.get_by_role("tab", name="Edges → Photo").click()
    tab.locator("#canvas button", has_text="Symmetric").click()
    tab.locator("#canvas button", has_text="Fill").click()
    tab.get_by_label("Colour of brush and fill").fill("#2050c0")
    assert tab.locator("#canvas button", has_text="Fill").get_attribute("aria-pressed") == "true"
    tab.locator("#canvas canvas").first.click(position={"x": 100, "y": 100})
    tab.get_by_text("The colour would run out there").wait_for()
    assert painted(tab, "2050c0") == 0
    tab.locator("#canvas button", has_text="Pen").click()
    corners = [(0.1, 0.3), (0.4, 0.3), (0.4, 0.7), (0.1, 0.7), (0.1, 0.31)]  # a box with a small gap
    box = tab.locator("#canvas canvas").first.bounding_box()
    for number, (x, y) in enumerate(corners):
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
        if number == 0:
            tab.mouse.down()
    tab.mouse.up()
    black = painted(tab, "000000")
    tab.locator("#canvas button", has_text="Fill").click()
    tab.mouse.click(box["x"] + 0.1 * box["width"] + 4, box["y"] + 0.5 * box["height"])  # hard by a line
    told(tab, "edges to shoes")
    both_boxes = 2 * 0.3 * 512 * 0.4 * 512
    assert 0.9 * both_boxes < painted(tab, "2050c0") < both_boxes
    assert painted(tab, "000000") == black, "the lines are over the paint"
    shoot(tab, "draw_fill")
    tab.locator("#canvas button", has_text="Undo").click()
    assert painted(tab, "2050c0") == 0
    tab.locator("#canvas button", has_text="Redo").click()
    assert painted(tab, "2050c0") > 0.9 * both_boxes


def test_the_translation_follows_the_pen(tab):
    tab.get_by_role("tab", name="Edges → Photo").click()
    draw(tab, offset=0, lift=False)
    told(tab, "edges to shoes")
    tab.mouse.up()


def draw(tab, offset, lift=True):
    """A stroke through the left half of the paper, with the tool that is in the hand."""
    canvas = tab.locator("#canvas canvas").first
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2 + offset
    tab.mouse.move(x - 40, y)
    tab.mouse.down()
    tab.mouse.move(x, y + 20, steps=3)
    tab.mouse.move(x + 40, y, steps=3)
    if lift:
        tab.mouse.up()


def painted(tab, colour):
    """Pixels of a colour, written as in HTML."""
    return tab.evaluate(
        """colour => {
            const { data } = document.querySelector("#canvas canvas").getContext("2d").getImageData(0, 0, 512, 512);
            const wanted = colour.match(/../g).map((part) => parseInt(part, 16));
            let count = 0;
            for (let at = 0; at < data.length; at += 4) count += wanted.every((value, i) => data[at + i] === value);
            return count;
        }""",
        colour,
    )


def ink(tab, half):
    """Dark pixels in one half of the paper."""
    left = 0 if half == "left" else 256
    return tab.evaluate(
        f"""() => document.querySelector("#canvas canvas").getContext("2d").getImageData({left}, 0, 256, 512).data
        .filter((value, index) => index % 4 === 0 && value < 128).length"""
    )


def test_examples_are_translated(tab):
    tab.get_by_role("tab", name="Edges → Photo").click()
    tab.get_by_role("tab", name="Use a sketch").click()
    shoot(tab, "sketch_empty")
    tab.locator(".gallery-item:visible").nth(2).click()
    told(tab, "edges to clothes")
    shoot(tab, "sketch_result")
    tab.get_by_role("tab", name="Horse ↔ Zebra").click()
    tab.locator(".gallery-item:visible").first.click()
    told(tab, "horse to zebra")
    shoot(tab, "horse_result")


@pytest.mark.parametrize("device", list(WIDTHS))
def test_every_tab_in_the_dark(chromium, url, photo, device):
    page = open_tab(chromium, device, PATIENCE, color_scheme="dark")
    page.goto(url)
    page.locator("input[type=file]").first.set_input_files(photo)
    told(page, "horse to zebra")
    ground, ink = (page.evaluate(f"getComputedStyle(document.body).{what}") for what in ("backgroundColor", "color"))
    assert brightness(ground) < 60
    assert brightness(ink) > 180
    for number, button in enumerate(page.get_by_role("tablist").first.get_by_role("tab").all()):
        button.click()
        shoot(page, f"dark_{number}")
    page.close()


def brightness(colour):
    return np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]])
