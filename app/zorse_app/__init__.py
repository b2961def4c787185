"""Zorse's web page, made with Gradio: `launch` serves it, `build` is the page without a server.

Raises:
    MissingExtraError: on import, where Gradio is not installed.
"""

from zorse.errors import MissingExtraError
from zorse.system.extras import is_installed
from zorse_app import texts

if not is_installed("app"):
    raise MissingExtraError(texts.START_NEEDS, "app")

from zorse_app.launch import RunningPage, is_local, launch
from zorse_app.limits import Limits
from zorse_app.page import build
from zorse_app.service import Service
from zorse_app.shelf import Shelf

__all__ = ["Limits", "RunningPage", "Service", "Shelf", "build", "is_local", "launch"]
