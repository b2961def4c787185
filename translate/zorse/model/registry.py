"""The shipped models: `weights/registry.toml`, their checksums, and the download of those that are not in the package.

Each entry of registry.toml is a table [models.NAME] with the fields of `Entry`, a table [samples.NAME] with the same
fields for a generator that draws samples from noise, or a table [official.NAME] with those of `Official`: a generator
that the authors of CycleGAN or pix2pix have published, which is called "official/NAME" here.
"""

import hashlib
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from zorse.errors import ChecksumMismatch, UnknownModel, WeightsError, did_you_mean
from zorse.model.architecture import Frozen
from zorse.model.card import Direction

if TYPE_CHECKING:
    from http.client import HTTPResponse

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where the server says it, the bytes in all."""

_CHUNK = 1 << 18

Kind = TypeVar("Kind")


class Entry(Frozen):
    """One shipped model."""

    file: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    """File name inside the weights folder or the cache."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the file."""
    title: str
    """For people: "Horse to zebra"."""
    task: str
    """As in the card: "horse to zebra"; what its samples show where it draws them from noise."""
    state: Literal["release", "preview"]
    """See `ModelCard.state`."""
    url: str | None = Field(default=None, pattern=r"^https?://")
    """Where to download a file that is not in the package."""


class Official(Frozen):
    """A published checkpoint of pytorch-CycleGAN-and-pix2pix; `zorse.legacy.official` converts it."""

    url: str = Field(pattern=r"^https?://")
    """Of the checkpoint."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of the checkpoint; None where its publisher gives none, so that nobody can tell whether what came is genuine."""
    domain_a: str
    """See `ModelCard`."""
    domain_b: str
    """Likewise."""
    direction: Direction
    """Likewise."""
    keeps_detail: bool
    """Likewise."""
    data: str
    """Name of the set that it was trained on."""
    data_origin: str
    """See `TrainingData.origin`."""
    data_licence: str
    """See `TrainingData.licence`."""

    @property
    def task(self) -> str:
        """As in the card."""
        source, target = (self.domain_a, self.domain_b) if self.direction == "AtoB" else (self.domain_b, self.domain_a)
        return f"{source} to {target}"


OFFICIAL = "official/"
"""Before the names of published checkpoints."""


def weights_folder() -> Path:
    """Where the shipped models are: inside the installed package, or `weights/` of a source checkout."""
    package = Path(__file__).resolve().parents[1]
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
    """All shipped models of registry.toml by name, in the file's order; empty if there is no such file.

    Raises:
        WeightsError: registry.toml cannot be understood.
    """
    return _tables("models", TypeAdapter(dict[str, Entry]))


def sample_models() -> dict[str, Entry]:
    """All shipped generators that draw samples from noise, by name, in the file's order.

    Raises:
        WeightsError: registry.toml cannot be understood.
    """
    return _tables("samples", TypeAdapter(dict[str, Entry]))


def official_models() -> dict[str, Official]:
    """All published checkpoints of registry.toml by name ("official/horse2zebra"), in the file's order.

    Raises:
        WeightsError: registry.toml cannot be understood.
    """
    entries = _tables("official", TypeAdapter(dict[str, Official]))
    return {f"{OFFICIAL}{name}": entry for name, entry in entries.items()}


def _tables(group: str, entries: TypeAdapter[dict[str, Kind]]) -> dict[str, Kind]:
    file = weights_folder() / "registry.toml"
    try:
        return entries.validate_python(tomllib.loads(file.read_text(encoding="utf-8")).get(group, {}))
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
    if name in sample_models():
        raise UnknownModel(f"{name!r} draws samples from noise and translates nothing: zorse sample {name}")
    guess, known = did_you_mean(name, models), ", ".join(models) or "none"
    raise UnknownModel(f"There is no shipped model {name!r} and no such file.{guess} Shipped models: {known}.")


def official_entry(name: str) -> Official:
    """The entry of a published checkpoint.

    Raises:
        UnknownModel: there is none of that name.
    """
    models = official_models()
    if name in models:
        return models[name]
    guess, known = did_you_mean(name, models), ", ".join(models) or "none"
    raise UnknownModel(f"There is no published checkpoint {name!r}.{guess} Known are: {known}.")


def official_file(name: str) -> Path:
    """Where the converted model of a published checkpoint is kept, or will be."""
    return cache_folder() / f"{name.replace('/', '-')}.safetensors"


def model_file(name: str) -> Path:
    """The file of a model: a shipped one, verified, from the package or the cache, or a published one, converted.

    Raises:
        UnknownModel: no shipped model has that name.
        ChecksumMismatch: the file is not the published one.
        WeightsError: the file is missing.
    """
    if name.startswith(OFFICIAL):
        official_entry(name)
        converted = official_file(name)
        if not converted.is_file():
            raise WeightsError(f"The model {name!r} is not on this computer. Get it with: zorse models download {name}")
        return converted
    return _verified(name, entry_of(name))


def sample_model_file(name: str) -> Path:
    """The verified file of a shipped generator that draws samples from noise.

    Raises:
        UnknownModel: no such generator has that name.
        ChecksumMismatch: the file is not the published one.
        WeightsError: the file is missing.
    """
    models = sample_models()
    if name not in models:
        raise UnknownModel(
            f"There is no shipped generator of samples {name!r} and no such file. Shipped ones: "
            f"{', '.join(models) or 'none'}."
        )
    return _verified(name, models[name])


def _verified(name: str, entry: Entry) -> Path:
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
    return fetch_whole(entry.url, cache_folder() / entry.file, entry.sha256, progress)


def fetch_whole(url: str, target: Path, sha256: str | None, progress: Progress = lambda done, total: None) -> Path:
    """Downloads a file, which appears complete or not at all; what broke off is continued.

    Args:
        url: where it is.
        target: where it shall be.
        sha256: that it must have; None: any.
        progress: told after each part.

    Returns:
        The file.

    Raises:
        ChecksumMismatch: what came is not the published file.
        WeightsError: the server or the disk failed, or a web page came instead of the file.
    """
    from http.client import HTTPException  # all that speaks HTTP is imported where it is needed: it takes a while

    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fetch(url, part, progress)
        try:
            _check_no_page(part, url)
            if sha256 is not None:
                verify(part, sha256)
        except WeightsError:
            part.unlink()
            raise
        part.replace(target)
    except (OSError, HTTPException) as error:  # urllib's errors are OSErrors
        raise WeightsError(
            f"Downloading {url} failed ({error}). Check the connection and the free space in {target.parent}, then try "
            "again: it continues where it stopped."
        ) from error
    return target


def _check_no_page(file: Path, url: str) -> None:
    """Servers answer with a page where a file has gone, and so do the gates of hotels and offices."""
    with file.open("rb") as content:
        start = content.read(64).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise WeightsError(
            f"A model was wanted from {url}, but a web page came. Open the address in a browser: the file may have "
            "moved, or this network may want you to sign in first."
        )


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
    import urllib.error

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


def _request(url: str, start: int) -> "HTTPResponse":
    import urllib.request

    headers = {"User-Agent": "zorse"} | ({"Range": f"bytes={start}-"} if start else {})
    response: HTTPResponse = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)
    return response


@lru_cache(maxsize=64)
def _sha256(file: Path, modified_ns: int) -> str:
    """`modified_ns` makes a changed file a new key."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
