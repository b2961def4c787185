"""What all tests in the browser share."""

from browser.test_page import chromium, tab, url

__all__ = ["chromium", "tab", "url"]
