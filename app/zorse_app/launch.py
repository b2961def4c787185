"""Starts the page and stops it."""

import contextlib
import errno
import io
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from zorse.backends.onnx.sessions import choose_provider
from zorse.confined.launch import fork_server
from zorse.errors import ConfigError
from zorse.runtime.devices import Setting
from zorse.system.extras import is_installed
from zorse_app import texts
from zorse_app.api import PREFIX, TOOL_ENDPOINT, api_routes, current_visitor
from zorse_app.departures import Departures
from zorse_app.gate import Gate
from zorse_app.guard import LOCAL_HOSTS, Door, Guard
from zorse_app.limits import Limits
from zorse_app.page import build
from zorse_app.service import Service
from zorse_app.shelf import Shelf
from zorse_app.training_desk import Desk, trainings_folder
from zorse_app.visitors_folder import folder_for_visitors

# Fonts of the visitor's own computer: nothing is fetched from the internet.
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_SESSIONS = 128
"""Visitors whose settings Gradio remembers, about 1 MB each; every call by a program counts as one."""

_GLANCE = 0.2
"""Seconds between two looks at whether Ctrl-C was pressed; not every system ends a longer sleep for it."""

_GRACE = 20.0
"""Seconds that what visitors wait for has to come to its end when the page is stopped."""

_STYLE = Path(__file__).with_name("style.css")
_SCRIPT = Path(__file__).with_name("page.js")


@dataclass(frozen=True)
class RunningPage:
    """A page that answers."""

    blocks: gr.Blocks
    url: str
    """Address on this computer."""
    share_url: str | None
    """Public address; None unless asked for and granted."""

    @property
    def api_url(self) -> str:
        """Where the programming interface is documented."""
        return f"{self.url.rstrip('/')}{PREFIX}/docs"

    @property
    def protocol_url(self) -> str | None:
        """Where programs that speak the model context protocol find the tool `translate`; None without `mcp`."""
        return f"{self.url.rstrip('/')}/gradio_api/mcp/" if has_protocol() else None

    def wait(self) -> None:
        """Returns when the page is stopped with Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):  # Gradio's own way to wait would cut the connections at once
            while True:
                time.sleep(_GLANCE)


@contextmanager
def launch(
    host: str = "127.0.0.1",
    port: int = 7860,
    share: bool = False,
    models: Path | None = None,
    limits: Limits | None = None,
    user: tuple[str, str] | None = None,
    runs: Path | None = None,
    setting: Setting | None = None,
) -> Iterator[RunningPage]:
    """Serves the page until the `with` block is left; then what is worked on is finished, if that does not take long,
    and everything that visitors sent is deleted.

    Args:
        host: address to listen on; "0.0.0.0" lets other computers in.
        port: 1..65535.
        share: ask Gradio's servers for a public address that leads here.
        models: a folder with .onnx files to offer beside the shipped models.
        limits: of what visitors may ask for; None for the usual ones.
        user: name and password that the page and the interfaces ask for; None lets everybody in.
        runs: where trainings are kept, which outlive the page; None for the user's data folder. None are offered to
            strangers: where other computers can come in without a password.
        setting: device, threads and memory of the models; None for the usual ones.

    Raises:
        ConfigError: the address cannot be used.
        DeviceError: the device is not here.
        WeightsError: a file in `models` is not a model.
    """
    _check_address(host, port)
    choose_provider((setting or Setting()).device)  # What is not there is told now, and not to each visitor.
    limits = limits or Limits()
    fork_server.warm_up()
    shelf = Shelf(models, Gate(limits, current_visitor), setting)
    hosts = LOCAL_HOSTS | {host.lower()} if is_local(host) and not share else None
    with folder_for_visitors() as folder:
        service = Service(shelf, folder / "results")
        is_private = user is not None or (is_local(host) and not share)
        desk = Desk(runs or trainings_folder()) if is_private and is_installed("train") else None
        blocks = build(service, desk)
        door = Door(limits, user, hosts)
        try:
            with desk.open() if desk else contextlib.nullcontext():
                yield _start(blocks, service, door, host, port, share)
        finally:
            try:
                door.closing.set()
                shelf.gate.wait_until_empty(_GRACE)
            finally:  # also where somebody does not want to wait, and presses Ctrl-C again
                blocks.close(verbose=False)


def is_local(host: str) -> bool:
    """Whether only this computer reaches that address."""
    return host.lower() in LOCAL_HOSTS or host.startswith("127.")


def has_protocol() -> bool:
    """Whether the package for the model context protocol is there."""
    return find_spec("mcp") is not None


def _start(blocks: gr.Blocks, service: Service, door: Door, host: str, port: int, share: bool) -> RunningPage:
    middleware = [Middleware(Departures, stops=service.stops), Middleware(Guard, door=door)]
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Gradio's own news of the server; ours follow
            _, url, share_url = blocks.launch(
                server_name=host,
                server_port=port,
                share=share,
                prevent_thread_lock=True,
                quiet=True,
                inbrowser=False,
                max_file_size=door.limits.request_bytes,
                state_session_capacity=_SESSIONS,
                theme=_theme(),
                css_paths=_STYLE,
                js=_script(),
                footer_links=["api"],
                run_history=False,
                enable_monitoring=False,
                ssr_mode=False,
                mcp_server=has_protocol(),
                app_kwargs={"routes": api_routes(service), "middleware": middleware},
            )
    except Exception as error:  # Gradio asks its own address for an answer: all that HTTP can raise
        raise ConfigError(texts.START_FAILED.format(host=host, port=port, reason=error)) from error
    if blocks.mcp_server_obj is not None:  # Gradio would make a tool of every button
        blocks.mcp_server_obj.tool_to_endpoint = {"translate": f"/{TOOL_ENDPOINT}"}
    return RunningPage(blocks, url, share_url or None)


def _script() -> str:
    """A function, as Gradio wants it, that calls the one in the file with its words."""
    words = {"divider": texts.DIVIDER, "example": texts.EXAMPLE}
    return f"() => ({_SCRIPT.read_text(encoding='utf-8')})({json.dumps(words)})"


def _theme() -> gr.themes.Base:
    """Gradio's own, in tones that can be read: those that it takes for text and buttons are too pale on white."""
    return gr.themes.Default(primary_hue="teal", neutral_hue="slate", font=_FONTS).set(
        body_text_color_subdued="*neutral_500",
        input_placeholder_color="*neutral_500",
        checkbox_border_color_dark="*neutral_500",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
    )


def _check_address(host: str, port: int) -> None:
    """Listens there for a moment: Gradio itself looks at 127.0.0.1 only, and does not say what is wrong."""
    if not 0 < port < 65536:
        raise ConfigError(texts.START_NO_PORT.format(port=port))
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # elsewhere this option would allow to take a port that is in use
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(_advice(host, port, error)) from error


def _advice(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return texts.START_PORT_TAKEN.format(port=port, host=host, other=port + 1)
    if error.errno in (errno.EACCES, errno.EPERM):
        return texts.START_PORT_FORBIDDEN.format(port=port)
    return texts.START_NO_ADDRESS.format(host=host, reason=error)
