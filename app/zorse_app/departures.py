"""Visitors who leave: what is done for a request ends when its client hangs up, for a tab when it closes."""

import asyncio
import contextlib
import json
from collections.abc import Callable

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zorse.system.stopping import Stop, stopped_by
from zorse_app.stops import Stops

_WORKS = ("/api/v1/translate", "/gradio_api/run/", "/gradio_api/api/", "/gradio_api/mcp")
"""Where a request is answered with the work that it asks for. Elsewhere Gradio queues it: the connection that tells of
it is another one."""

_QUEUE = "/gradio_api/queue/data"
_CALL = "/gradio_api/call/"
_CANCEL = "/gradio_api/cancel"

_LONGEST = 10_000
"""Bytes of a request to cancel."""


class Departures:
    """ASGI middleware; see the module. Comes first, so that it is told what the server is told.

    Args:
        app: what works.
        stops: ends the work of sessions and events of Gradio's.
    """

    def __init__(self, app: ASGIApp, stops: Stops) -> None:
        self._app, self._stops = app, stops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith(_WORKS):
            stop = Stop()
            with stopped_by(stop):
                await self._watched(scope, receive, send, stop.order)
        elif (name := _told_of(scope)) is not None:
            await self._watched(scope, receive, send, lambda: self._stops.stop(name))
        elif path == _CANCEL:
            await self._app(scope, _Cancelling(receive, self._stops.cancel), send)
        else:
            await self._app(scope, receive, send)

    async def _watched(self, scope: Scope, receive: Receive, send: Send, leave: Callable[[], None]) -> None:
        line = _Line(receive, send, leave)
        try:
            await self._app(scope, line.receive, line.send)
        finally:
            await line.close()
            if line.is_left:  # by now nothing waits for the client any more: what has begun meanwhile was the last
                leave()


class _Line:
    """A request's line to its client: once the body is there, somebody always listens for the client's end."""

    def __init__(self, receive: Receive, send: Send, leave: Callable[[], None]) -> None:
        self._receive, self._send, self._leave = receive, send, leave
        self._listening: asyncio.Task[Message] | None = None
        self._is_answered = False
        self.is_left = False

    async def receive(self) -> Message:
        if self._listening is not None:
            return await asyncio.shield(self._listening)
        message = await self._receive()
        if not message.get("more_body"):
            self._listening = asyncio.create_task(self._listen())
        return message

    async def send(self, message: Message) -> None:
        self._is_answered |= message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening

    async def _listen(self) -> Message:
        message = await self._receive()
        if not self._is_answered:
            self.is_left = True
            self._leave()
        return message


class _Cancelling:
    """The way in of a request to cancel one event: ends its work, too; Gradio only forgets it."""

    def __init__(self, receive: Receive, cancel: Callable[[str], None]) -> None:
        self._receive, self._cancel = receive, cancel
        self._content = b""

    async def __call__(self) -> Message:
        message = await self._receive()
        self._content += message.get("body", b"")[:_LONGEST]
        if not message.get("more_body") and len(self._content) <= _LONGEST:
            with contextlib.suppress(ValueError, RecursionError):
                match json.loads(self._content):
                    case {"event_id": str(event)}:
                        self._cancel(event)
        return message


def _told_of(scope: Scope) -> str | None:
    """The session or event whose news a request asks for; None for another request."""
    path: str = scope["path"]
    if path == _QUEUE:
        return QueryParams(scope["query_string"]).get("session_hash")
    if path.startswith(_CALL) and scope["method"] == "GET":
        return path.rstrip("/").rpartition("/")[2]
    return None
