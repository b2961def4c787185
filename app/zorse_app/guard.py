"""What comes before the page: who may enter, how much may be sent, and which of Gradio's doors stay closed."""

import asyncio
import base64
import binascii
import json
import math
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zorse_app import texts
from zorse_app.guesses import Guesses
from zorse_app.limits import Limits

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

# What the page does not use: fetching other addresses, turning recordings into videos, links to somebody's inputs,
# figures about visitors, and Gradio's tools for developers.
_CLOSED = (
    "/gradio_api/file=http:",
    "/gradio_api/file=https:",
    "/gradio_api/proxy=",
    "/gradio_api/process_recording",
    "/gradio_api/deep_link",
    "/gradio_api/vibe-",
    "/gradio_api/undo-vibe-",
    "/gradio_api/dev/",
    "/monitoring",
)

# Open without a password: is the server alive (says nothing else), and the question that Gradio asks itself at start.
_OPEN = ("/healthz", "/gradio_api/startup-events")

# The browser itself refuses to fetch from, or send to, any other place.
_CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "frame-ancestors 'self'",
    )
)
_HEADERS = {
    "content-security-policy": _CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}

_INVALID_PARAMETERS = -32602  # of JSON-RPC

_PARTIAL = 206

_PATIENCE = 60.0
"""Seconds within which the next part of a request has to come."""

_DRAINED = 4
"""Too large a request is read to its end, so that its sender hears why, up to this many times what is allowed."""


@dataclass(frozen=True)
class Door:
    """Who may enter, and with how much."""

    limits: Limits
    user: tuple[str, str] | None = None
    """Name and password that everything asks for; None for nobody in particular."""
    hosts: frozenset[str] | None = None
    """Names by which the server may be called; None for any. On this computer alone, other names are a website's
    that points its own name here to read along."""
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the server ends: what is new is sent away then."""


class Guard:
    """ASGI middleware; see the module.

    Args:
        app: what is guarded.
        door: who may enter, and with how much.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what is refused, passes on the rest."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no websockets here
        sending = _Sending(send, scope)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, sending)
            return
        body = _Body(receive, _allowed(scope, self._door.limits), headers)
        if body.is_too_large:
            await body.drain()
            await _too_large(body.allowed)(scope, receive, sending)
            return
        if scope["method"] == "POST" and scope["path"].startswith("/gradio_api/") and _is_json(headers):
            content = await body.content()
            request = _parsed(content)
            if not body.is_too_large and _asks_to_fetch(request, scope["path"]):
                await _no_addresses(request)(scope, receive, sending)
                return
        sending.body = body
        try:
            await self._app(scope, body, sending)
        except Exception:  # what an application makes of a request that was cut off is of no interest
            if not (body.is_too_large or body.is_late):
                raise
        if body.is_late and not sending.has_begun:
            sending = _Sending(send, scope)
            await _answer(408, texts.TOO_SLOW, {"Connection": "close"})(scope, receive, sending)
        if body.is_too_large and not sending.has_begun:
            await _too_large(body.allowed)(scope, receive, _Sending(send, scope))

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        path: str = scope["path"]
        if self._door.hosts is not None and _hostname(headers.get("host", "")) not in self._door.hosts:
            return _answer(403, texts.WRONG_HOST)
        if _is_of_another_site(scope["method"], headers):
            return _answer(403, texts.CROSS_SITE)
        if path not in _OPEN and self._door.user is not None:
            address = scope["client"][0] if scope.get("client") else ""
            stranger = self._stranger(headers.get("authorization", ""), self._door.user, address)
            if stranger is not None:
                return stranger
        if self._door.closing.is_set() and scope["method"] == "POST":
            return _answer(503, texts.CLOSING, {"Retry-After": "30"})
        if path.startswith(_CLOSED):
            return _answer(404, texts.CLOSED)
        return None

    def _stranger(self, authorization: str, user: tuple[str, str], address: str) -> JSONResponse | None:
        """The answer to who does not name the user and the password; None for who does."""
        if authorization and (wait := self._guesses.wait(address)):
            return _answer(429, texts.TOO_MANY_GUESSES, {"Retry-After": str(math.ceil(wait))})
        if _names(authorization, user):
            return None
        if authorization:
            self._guesses.was_wrong(address)
        return _answer(401, texts.PASSWORD_NEEDED, {"WWW-Authenticate": 'Basic realm="Zorse", charset="UTF-8"'})


def _names(authorization: str, user: tuple[str, str]) -> bool:
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        given = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return False
    return secrets.compare_digest(given, ":".join(user).encode())


def _is_of_another_site(method: str, headers: Headers) -> bool:
    """Whether a page of another website asks, by a script, or to send something; to follow a link is allowed.

    Browsers say so where they reach this server by https or on their own computer. Elsewhere the page's address tells:
    it has to be the name by which this server is called. That is unknown behind a proxy that calls it by a local one.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None:
        return site == "cross-site" and (origin is not None or method not in ("GET", "HEAD", "OPTIONS"))
    host = headers.get("host", "")
    if origin is None or _hostname(host) in LOCAL_HOSTS:
        return False
    names = {host.lower(), headers.get("x-forwarded-host", "").lower()} - {""}
    return origin.lower().partition("://")[2] not in names


class _Body:
    """A request's body on its way in: counted, and read ahead where it must be looked at."""

    def __init__(self, receive: Receive, allowed: int, headers: Headers) -> None:
        length = headers.get("content-length", "")
        self.allowed = allowed
        self.is_too_large = length.isdecimal() and int(length) > allowed
        self._is_hopeless = length.isdecimal() and int(length) > _DRAINED * allowed
        self._receive = receive
        self.is_late = False
        """Nothing came for too long; who waits for it is told that the sender has gone."""
        self._is_whole = False
        self._count = 0
        self._ahead: list[Message] = []

    async def __call__(self) -> Message:
        """The next part; beyond the limit, the news that the sender has gone."""
        if self._ahead:
            return self._ahead.pop(0)
        try:
            message = await (self._receive() if self._is_whole else asyncio.wait_for(self._receive(), _PATIENCE))
        except TimeoutError:
            self.is_late = True
            return {"type": "http.disconnect"}
        self._is_whole = not message.get("more_body")
        self._count += len(message.get("body", b""))
        if self._count > self.allowed:
            self.is_too_large = True
            return {"type": "http.disconnect"}
        return message

    async def content(self) -> bytes:
        """All of it; the application gets it afterwards."""
        messages = []
        while True:
            message = await self()
            messages.append(message)
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        self._ahead = messages
        return b"".join(message.get("body", b"") for message in messages)

    async def drain(self) -> None:
        """Reads what is not wanted, up to a point."""
        while not self._is_hopeless and self._count <= _DRAINED * self.allowed:
            message = await self._receive()
            self._count += len(message.get("body", b""))
            if not message.get("more_body"):
                return


class _Sending:
    """The way out: adds headers, and holds back answers to a request that was cut off here."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self.body: _Body | None = None
        self.has_begun = False
        self._send = send
        self._asked = frozenset(scope["headers"])

    async def __call__(self, message: Message) -> None:
        if not self.has_begun and self.body is not None and (self.body.is_too_large or self.body.is_late):
            return
        if message["type"] == "http.response.start":
            self.has_begun = True
            if message["status"] == _PARTIAL:  # Gradio repeats the request's headers there, passwords too
                message["headers"] = [header for header in message["headers"] if tuple(header) not in self._asked]
            MutableHeaders(scope=message).update(_HEADERS)
        await self._send(message)


def _allowed(scope: Scope, limits: Limits) -> int:
    """Bytes of a request: files come to /upload, where several may come at once; the rest is read into memory."""
    if scope["path"].startswith("/gradio_api/upload"):
        return limits.request_bytes
    return limits.file_bytes * 4 // 3 + 10**6  # as a data URL


def _answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


def _too_large(allowed: int) -> JSONResponse:
    return _answer(413, texts.REQUEST_TOO_LARGE.format(limit=allowed // 10**6))


def _is_json(headers: Headers) -> bool:
    """Gradio reads everything as JSON that does not say that it is something else."""
    return not headers.get("content-type", "").startswith("multipart/form-data")


def _hostname(host: str) -> str:
    """Without the port; IPv6 without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None  # Gradio will say that it is no JSON


def _asks_to_fetch(request: Any, path: str) -> bool:
    """Whether a request names the address of a file that Gradio would fetch for it.

    Such files are named by "path" in Gradio's own requests, by any argument in those of the model context protocol.
    """
    is_protocol = path.startswith("/gradio_api/mcp")
    return any(
        isinstance(value, str) and value.lower().startswith(("http:", "https:"))
        for key, value in _items(request)
        if is_protocol or key == "path"
    )


def _no_addresses(request: Any) -> JSONResponse:
    """The refusal as the sender understands it: the model context protocol speaks JSON-RPC."""
    if isinstance(request, dict) and "jsonrpc" in request:
        error = {"code": _INVALID_PARAMETERS, "message": texts.NO_ADDRESSES}
        return JSONResponse({"jsonrpc": "2.0", "id": request.get("id"), "error": error})
    return _answer(400, texts.NO_ADDRESSES)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Each key with its value, of all objects in a JSON value."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
