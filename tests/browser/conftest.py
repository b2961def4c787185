"""What the tests in the browser share: the page with tiny models, and a browser that opens it."""

import pytest

from browser.chromium import WIDTHS, fits, open_chromium, open_tab
from live_page import live_page
from page_models import write_page_models

PATIENCE = 120_000  # milliseconds; without a GPU Chromium draws the canvas slowly


@pytest.fixture(scope="module")
def chromium():
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The address of a page whose models are negations."""
    models = write_page_models(tmp_path_factory.mktemp("models"), native_size=256)
    with live_page(models) as (_, address):
        yield f"{address}/"


@pytest.fixture(params=list(WIDTHS))
def tab(request, chromium, url):
    """A tab with the page; when it is closed, no request has left this computer."""
    page = open_tab(chromium, request.param, PATIENCE)
    outside = []
    page.on("request", lambda sent: outside.append(sent.url) if not sent.url.startswith((url, "data:", "blob:")) else 0)
    page.goto(url)
    page.get_by_text("Your picture").first.wait_for()
    yield page
    assert fits(page)
    page.close()
    assert outside == []
