"""The shipped models: `weights/registry.toml`, their checksums, and the download of those that are not in the package.

Each entry of registry.toml is a table [models.NAME] with the fields of `Entry`.
"""

import difflib
import hashlib
import os
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import Field, TypeAdapter, ValidationError

from zorse.architecture import Frozen
from zorse.errors import ChecksumMismatch, UnknownModel, WeightsError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where the server says it, the bytes in all."""

_CHUNK = 1 << 18


class Entry(Frozen):
    """One shipped model."""

    file: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    """File name inside the weights folder or the cache."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    title: str
    """For people: "Horse to zebra"."""
    task: str
    """As in the card: "horse to zebra"."""
    state: Literal["release", "preview"]
    url: str | None = Field(default=None, pattern=r"^https?://")
    """Where to download a file that is not in the package."""


def weights_folder() -> Path:
    """Where the shipped models are: inside the installed package, or `weights/` of a source checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "weights"
    return installed if installed.is_dir() else package.parent.parent / "weights"


def cache_folder() -> Path:
    """Where downloaded models are kept: $ZORSE_CACHE, or `zorse` in the user's cache folder."""
    if "ZORSE_CACHE" in os.environ:
        return Path(os.environ["ZORSE_CACHE"])
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return Path(os.environ["LOCALAPPDATA"]) / "zorse"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "zorse"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zorse"


def shipped_models() -> dict[str, Entry]:
    """All entries of registry.toml by name, in the file's order; empty if there is no such file.

    Raises:
        WeightsError: registry.toml cannot be understood.
    """
    file = weights_folder() / "registry.toml"
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8")).get("models", {})
        return TypeAdapter(dict[str, Entry]).validate_python(tables)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise WeightsError(f"The list of shipped models {file} cannot be read: {error}") from error


def entry_of(name: str) -> Entry:
    """The entry of a shipped model.

    Raises:
        UnknownModel: no shipped model has that name.
    """
    models = shipped_models()
    if name in models:
        return models[name]
    near = difflib.get_close_matches(name.lower(), models, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    known = ", ".join(models) or "none"
    raise UnknownModel(f"There is no shipped model {name!r} and no such file.{guess} Shipped models: {known}.")


def model_file(name: str) -> Path:
    """The verified file of a shipped model, from the package or the cache.

    Raises:
        UnknownModel: no shipped model has that name.
        ChecksumMismatch: the file is not the published one.
        WeightsError: the file is missing.
    """
    entry = entry_of(name)
    file = find_file(entry)
    if file is None:
        advice = f"Get it with: zorse models download {name}" if entry.url else "Install Zorse again."
        raise WeightsError(f"The file {entry.file} of the model {name!r} is not on this computer. {advice}")
    verify(file, entry.sha256)
    return file


def find_file(entry: Entry) -> Path | None:
    """Where a model's file is, or None."""
    places = [weights_folder() / entry.file, cache_folder() / entry.file]
    return next((place for place in places if place.is_file()), None)


def verify(file: Path, sha256: str) -> None:
    """Compares a file with its published checksum; an unchanged file is read once per process.

    Raises:
        ChecksumMismatch: the file is another one.
    """
    found = _sha256(file, file.stat().st_mtime_ns)
    if found != sha256:
        raise ChecksumMismatch(
            f"{file} is not the published file: its sha256 is {found[:16]}..., not {sha256[:16]}.... It may be "
            "damaged or changed. Delete it, then install or download it again."
        )


def download(name: str, progress: Progress = lambda done, total: None) -> Path:
    """Downloads a model into the cache, unless it is there already; a download that broke off is continued.

    Args:
        name: of a shipped model.
        progress: told after each part.

    Returns:
        The verified file.

    Raises:
        UnknownModel: no shipped model has that name.
        ChecksumMismatch: what came is not the published file.
        WeightsError: the server or the disk failed.
    """
    entry = entry_of(name)
    present = find_file(entry)
    if present is not None:
        verify(present, entry.sha256)
        return present
    if entry.url is None:
        raise WeightsError(
            f"The model {name!r} comes with the package and has no address to download. Install Zorse again."
        )
    target = cache_folder() / entry.file
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fetch(entry.url, part, progress)
        try:
            verify(part, entry.sha256)
        except ChecksumMismatch:
            part.unlink()
            raise
        part.replace(target)
    except (OSError, HTTPException) as error:  # urllib's errors are OSErrors
        raise WeightsError(
            f"Downloading {entry.url} failed ({error}). Check the connection and the free space in {target.parent}, "
            "then try again: it continues where it stopped."
        ) from error
    return target


def fetch(url: str, part: Path, progress: Progress) -> None:
    """Downloads a file: appends what is missing to `part`, or starts anew where the server cannot continue.

    Raises:
        OSError: the server or the disk failed; what came stays in `part`.
        HTTPException: what came is no answer to the request.
    """
    there = part.stat().st_size if part.exists() else 0
    with _answer(url, there) as (body, done, length):
        total = None if length is None else done + length
        with part.open("ab" if done else "wb") as file:
            while chunk := body.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    if total is not None and done < total:
        raise OSError(f"the connection broke off after {done} of {total} bytes")


@contextmanager
def _answer(url: str, start: int) -> Iterator[tuple[BinaryIO, int, int | None]]:
    """The server's answer to a request from byte `start` on: body, its first byte, the length that is announced."""
    try:
        response = _request(url, start)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # "range not satisfiable": the part is complete or wrong; take it from the start
            raise
        error.close()
        start, response = 0, _request(url, 0)
    with response:
        length = response.headers.get("Content-Length")
        yield response, start if response.status == 206 else 0, int(length) if length else None


def _request(url: str, start: int) -> HTTPResponse:
    headers = {"User-Agent": "zorse"} | ({"Range": f"bytes={start}-"} if start else {})
    response: HTTPResponse = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)
    return response


@lru_cache(maxsize=64)
def _sha256(file: Path, modified_ns: int) -> str:
    """`modified_ns` makes a changed file a new key."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
