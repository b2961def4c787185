"""The GAN lab in headless Chromium; see test_page for how to run it."""

import re

import pytest

from browser.chromium import only_on_demand, shoot

pytestmark = [*only_on_demand, pytest.mark.timeout(900)]


def step_of(tab):
    return int(re.search(r"Step (\d+)", tab.locator("#lab_status").inner_text())[1])


def test_a_game_is_played_paused_and_stepped(tab):
    tab.get_by_role("tab", name="GAN lab").click()
    tab.locator("#lab_play").click()
    tab.locator("#lab_plane img").wait_for()
    first = tab.locator("#lab_plane img").get_attribute("src")
    tab.wait_for_function("src => document.querySelector('#lab_plane img').src !== src", arg=first)
    tab.locator("#lab_pause").click()
    tab.wait_for_timeout(3000)  # until the present slice is over
    paused = step_of(tab)
    tab.wait_for_timeout(2000)
    assert step_of(tab) == paused
    tab.locator("#lab_step").click()
    tab.get_by_text(f"Step {paused + 1}").wait_for()
    shoot(tab, "lab")
    tab.get_by_label("WGAN-GP").click()
    tab.get_by_text("Step 0").wait_for()


def test_the_shipped_generator_is_moved_by_sliders(tab):
    tab.get_by_role("tab", name="GAN lab").click()
    tab.get_by_role("tab", name="Draw samples").click()
    sheet = tab.locator("#lab_sheet img")
    first = sheet.get_attribute("src")
    tab.get_by_label("number input for Seed").locator("visible=true").fill("7")
    tab.wait_for_function("src => document.querySelector('#lab_sheet img').src !== src", arg=first)
    shoot(tab, "lab_samples")
