"""The programming interface beside the page: plain HTTP under /api/v1, and the tool `translate` for Gradio's clients.

POST /api/v1/translate   a picture in, a picture out
GET  /api/v1/models      which models there are
GET  /api/v1/docs        this, for people; openapi.json beside it for programs
GET  /healthz            whether the server is alive
"""

import base64
import math
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import anyio
import anyio.to_thread
import gradio as gr
from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from gradio.context import LocalContext
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount, Route

import zorse
from zorse.errors import ConfigError, ImageError, UnknownModel, ZorseError, did_you_mean
from zorse.runtime.devices import usable_cores
from zorse.system.texts import visible
from zorse_app import receipts, texts
from zorse_app.api_page import api_page
from zorse_app.endpoints import add_endpoint, file_data
from zorse_app.gate import Busy, TakesTooLong, TimeUsedUp
from zorse_app.limits import TooLarge
from zorse_app.parts import shown_error, told, upload
from zorse_app.picture_files import PictureFile, Wish, size_of, translate_file
from zorse_app.service import Service

PREFIX = "/api/v1"

TOOL_ENDPOINT = "translate_data_url"
"""The endpoint that language models find as the tool `translate`: what they hold are data URLs, not files."""

_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
    ".heic": "image/heic",
}
_UNREADABLE = 422
_FIELDS = ("picture", "model", "size", "strength")

R = TypeVar("R")

_visitor: ContextVar[str] = ContextVar("visitor", default="")


class Model(BaseModel):
    """One model of the page."""

    name: str
    task: str
    """What it does: "horse to zebra"."""
    state: Literal["release", "preview"]
    """`preview`: does its job on some pictures only."""
    native_size: int
    """Short side, in pixels, of the pictures that it was trained on."""


class Failure(BaseModel):
    """Why there is no result."""

    error: str
    """What was wanted, what came, what to do."""


def current_visitor() -> str:
    """The address of who is being worked for, on this thread; "" for nobody."""
    request = LocalContext.request.get(None)
    if request is not None and request.client is not None:
        return str(request.client.host)
    return _visitor.get()


def api_routes(service: Service) -> list[BaseRoute]:
    """The routes to put beside the page."""

    def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "version": zorse.__version__})

    return [Route("/healthz", health), Mount(PREFIX, plain_api(service))]


def plain_api(service: Service) -> FastAPI:
    """The interface without Gradio.

    Args:
        service: what translates.
    """
    api = FastAPI(
        title=texts.API_TITLE,
        version=zorse.__version__,
        description=texts.API_DESCRIPTION,
        docs_url=None,  # these load scripts from elsewhere
        redoc_url=None,
    )
    crew = _Crew(service)

    @api.post(
        "/translate",
        response_class=Response,
        responses=_ANSWERS,
        summary=texts.API_TRANSLATE,
        description=texts.API_TRANSLATE_NOTE,
    )
    async def translate(
        request: Request,
        picture: Annotated[UploadFile, File(description=texts.API_PICTURE)],
        model: Annotated[str, Form(description=texts.API_MODEL)],
        size: Annotated[str, Form(description=texts.API_SIZE)] = "auto",
        strength: Annotated[float, Form(ge=0, le=1, description=texts.API_STRENGTH)] = 1.0,
    ) -> Response:
        _visitor.set(request.client.host if request.client else "")
        _check_fields(await request.form())
        wish = Wish(model, size_of(size), strength)
        name = visible(Path(picture.filename or "picture").name[:100])
        file = PictureFile(lambda: _all_of(picture), name, picture.size or 0)
        result = await crew.run(lambda: translate_file(service.shelf, file, wish))
        return Response(
            result.content,
            media_type=_MEDIA_TYPES.get(result.suffix, "application/octet-stream"),
            headers={
                "Content-Disposition": f'inline; filename="translated{result.suffix}"',
                receipts.HEADER: receipts.header_value(result.receipt),
            },
        )

    @api.get("/models", summary=texts.API_MODELS)
    def models() -> list[Model]:
        cards = ((name, service.shelf.card(name)) for name in service.shelf.names)
        return [
            Model(name=name, task=card.task, state=card.state, native_size=card.native_size) for name, card in cards
        ]

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(api_page(api.openapi(), PREFIX))

    api.add_exception_handler(ZorseError, _told)
    api.add_exception_handler(RequestValidationError, _misunderstood)
    api.add_exception_handler(HTTPException, _refused)
    api.add_exception_handler(Exception, _unexpected)
    return api


def add_endpoints(service: Service) -> None:
    """Gives the page under construction the endpoint `translate` and, for language models, the same with data URLs."""
    crew = _Crew(service)

    async def translate(picture: gr.FileData, model: str, size: str = "auto", strength: float = 1.0) -> gr.FileData:
        def file() -> PictureFile:
            sent = upload(dict(picture))
            return PictureFile(sent.path.read_bytes, sent.name, sent.path.stat().st_size)

        return await crew.run_for_page(partial(_translated, service, file, model, size, strength))

    async def translate_data_url(picture: str, model: str, size: str = "auto", strength: float = 1.0) -> gr.FileData:
        def file() -> PictureFile:
            content = _from_data_url(picture)
            return PictureFile(lambda: content, texts.SENT_PICTURE, len(content))

        return await crew.run_for_page(partial(_translated, service, file, model, size, strength))

    model = texts.API_ONE_OF.format(names=", ".join(service.shelf.names))
    how = {"model": model, "size": texts.API_SIZE, "strength": texts.API_STRENGTH}
    for function, name, description, picture in (
        (translate, "translate", texts.API_TRANSLATE_FILE, texts.API_PICTURE),
        (translate_data_url, TOOL_ENDPOINT, texts.API_TOOL, texts.API_DATA_URL),
    ):
        # Not in the queue: the gate is one already, and what speaks the protocol need not call this server over HTTP.
        add_endpoint(function, name, description, {"picture": picture} | how, texts.API_RESULT, queue=False)


@told
def _translated(
    service: Service, file: Callable[[], PictureFile], model: str, size: str, strength: float
) -> gr.FileData:
    result = translate_file(service.shelf, file(), Wish(model, size_of(size), strength))
    target = service.new_folder() / f"translated{result.suffix}"
    target.write_bytes(result.content)
    return file_data(target)


def _from_data_url(url: str) -> bytes:
    kind, _, content = url.partition(";base64,")
    if not kind.startswith("data:"):
        raise ImageError(texts.NO_DATA_URL)
    try:
        return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise ImageError(texts.NO_DATA_URL) from error


def _check_fields(form: Iterable[str]) -> None:
    for field in form:
        if field not in _FIELDS:
            guess = did_you_mean(field, _FIELDS)
            raise ConfigError(texts.API_UNKNOWN_FIELD.format(field=field, guess=guess, known=", ".join(_FIELDS)))


class _Crew:
    """Threads for work that waits at the gate, apart from those that serve the page; as many as the gate lets wait."""

    def __init__(self, service: Service) -> None:
        self._most = service.limits.queue + usable_cores()
        self._busy = 0

    async def run(self, work: Callable[[], R]) -> R:
        """Does it on a thread.

        Raises:
            Busy: all threads have work.
        """
        if self._busy >= self._most:
            raise Busy
        self._busy += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))
        finally:
            self._busy -= 1

    async def run_for_page(self, work: Callable[[], R]) -> R:
        """Does it on a thread, for Gradio.

        Raises:
            gr.Error: all threads have work.
        """
        try:
            return await self.run(work)
        except Busy as busy:
            raise shown_error(busy) from None


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": texts.API_RESULT,
        "headers": {receipts.HEADER: {"description": texts.API_RECEIPT, "schema": {"type": "string"}}},
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")},
    },
    **{status: {"model": Failure, "description": reason} for status, reason in texts.API_FAILURES.items()},
}


def _all_of(picture: UploadFile) -> bytes:
    picture.file.seek(0)
    return picture.file.read()


def _status(error: ZorseError) -> int:
    match error:
        case Busy():
            return 503
        case TimeUsedUp():
            return 429
        case TooLarge() | TakesTooLong():
            return 413
        case UnknownModel():
            return 404
        case ImageError() | ConfigError():
            return _UNREADABLE
        case _:
            return 500


def _failure(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(Failure(error=visible(message)).model_dump(), status, headers)


def _told(_: Request, error: Exception) -> Response:
    match error:
        case TimeUsedUp(wait=wait):
            return _failure(_status(error), str(error), {"Retry-After": str(math.ceil(wait))})
        case Busy():
            return _failure(_status(error), str(error), {"Retry-After": "10"})
        case ZorseError():
            return _failure(_status(error), str(error))
    raise error


def _unexpected(_: Request, __: Exception) -> Response:
    """Starlette writes the details to the terminal."""
    return _failure(500, texts.UNEXPECTED)


def _misunderstood(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = "; ".join(
        texts.API_PROBLEM.format(field=detail["loc"][-1], problem=detail["msg"]) for detail in error.errors()
    )
    return _failure(_UNREADABLE, texts.API_MISUNDERSTOOD.format(problems=problems))


def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _failure(error.status_code, str(error.detail))
