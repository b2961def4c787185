"""A server of two places and its counters, in a process of its own: Gradio leaves sockets open in its process.

python small_site.py MODELS FOLDER: prints its port, serves until it is told to end.
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

QUEUE = 4
"""Pictures that may wait."""


def main(models, folder):
    import gradio as gr
    import uvicorn
    from gradio.routes import App
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from zorse_app import Service, Shelf, api, gate
    from zorse_app.departures import Departures
    from zorse_app.guard import Door, Guard
    from zorse_app.limits import Limits
    from zorse_app.tabs.photo import photo_tab

    gate.usable_cores = api.usable_cores = lambda: 2
    shelf = Shelf(models, gate.Gate(Limits(queue=QUEUE, memory=10**9), api.current_visitor))
    service = Service(shelf, folder / "results")
    with gr.Blocks(analytics_enabled=False) as page:
        photo_tab(service, [name for name in shelf.names if name in ("endless", "negative")], "model", "photo")
        api.add_endpoints(service)
    page.queue(max_size=QUEUE, api_open=False)
    page.max_file_size = None
    routes = [
        *api.api_routes(service),
        Route("/counts", lambda _: JSONResponse([shelf.gate.working, shelf.gate.waiting])),
    ]
    middleware = [Middleware(Departures, stops=service.stops), Middleware(Guard, door=Door(service.limits))]
    app = App.create_app(page, app_kwargs={"routes": routes, "middleware": middleware})
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listener])


class Site:
    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def counts(self):
        """How many work, and how many wait."""
        return tuple(httpx.get(f"{self.url}/counts", timeout=60).json())

    def settle_at(self, working, waiting):
        for _ in range(400):
            if (counts := self.counts()) == (working, waiting):
                return
            time.sleep(0.05)
        pytest.fail(f"{counts[0]} work and {counts[1]} wait, instead of {working} and {waiting}")


@contextmanager
def small_site(models, folder):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "GRADIO_TEMP_DIR": str(folder / "uploads")}
    command = [sys.executable, __file__, str(models), str(folder)]
    with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE) as process:
        try:
            site = Site(int(process.stdout.readline()))
            site.settle_at(0, 0)
            httpx.get(f"{site.url}/gradio_api/startup-events", timeout=60)  # as Gradio asks itself when it launches
            yield site
        finally:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
