"""A server on this computer that gives one file, as whole or as broken as a test wants it."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        served = self.server
        served.asked.append(self.headers.get("Range"))
        start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if served.ranges else 0
        if start and start >= len(served.content):
            self.send_error(416)
            return
        body = served.content[start:]
        self.send_response(206 if served.ranges and start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: served.cut])

    def log_message(self, *arguments):
        pass


@contextmanager
def file_server():
    """Serves `content`; with `ranges`, from the byte that is asked for; `cut` bytes at most in one answer.

    `asked` lists the ranges that were asked for, `address` is where it is.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.ranges, server.cut, server.asked = b"", True, None, []
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
