"""Chromium for the tests of pages: where it is, how it is started, and where pictures of a page go.

Needs Playwright (pip install playwright). ZORSE_SCREENSHOTS names the folder of the pictures.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

SHOTS = os.environ.get("ZORSE_SCREENSHOTS")
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}

_PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(_PROGRAM is None, reason="Chromium is not installed")
only_on_demand = [
    pytest.mark.skipif(SHOTS is None, reason="slow: set ZORSE_SCREENSHOTS to a folder to run these"),
    needs_chromium,
    pytest.mark.filterwarnings("default"),
]


@contextmanager
def open_chromium():
    """A browser without windows."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=_PROGRAM, args=_ARGUMENTS)
        yield browser
        browser.close()


def open_tab(browser, device, patience, **options):
    """A tab of the size of that device in WIDTHS; it waits so many milliseconds for what shall come."""
    width, height = WIDTHS[device]
    tab = browser.new_page(viewport={"width": width, "height": height}, has_touch=device == "phone", **options)
    tab.set_default_timeout(patience)
    return tab


def fits(tab):
    """Whether nothing of the page lies beyond the right side of the screen."""
    return tab.evaluate("document.documentElement.scrollWidth") <= tab.viewport_size["width"]


def shoot(tab, name):
    """Leave a picture of the whole page, if pictures are wanted, once all has settled."""
    if SHOTS is None:
        return
    tab.wait_for_timeout(1500)
    folder = Path(SHOTS)
    folder.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=folder / f"{name}_{tab.viewport_size['width']}.png", full_page=True)
