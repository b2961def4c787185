"""Files of one pinned npm package, from the npm registry or from a copy at hand."""

import base64
import hashlib
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from zorse.errors import ChecksumMismatch, ExportError
from zorse.model.registry import Progress, cache_folder, fetch

REGISTRY = "https://registry.npmjs.org"


@dataclass(frozen=True)
class NpmPackage:
    """One version of a package; `npm pack NAME@VERSION` makes the same file as `file_name`."""

    name: str
    version: str
    sha512: str
    """Base64, as in the registry's `dist.integrity` behind "sha512-"."""

    @property
    def file_name(self) -> str:
        """Of its tarball."""
        return f"{self.name}-{self.version}.tgz"

    @property
    def url(self) -> str:
        """Of its tarball, in the registry that npm is told to use."""
        registry = os.environ.get("npm_config_registry") or REGISTRY  # noqa: SIM112  (npm writes it in small letters)
        return f"{registry.rstrip('/')}/{self.name}/-/{self.file_name}"


def tarball(package: NpmPackage, given: Path | None, progress: Progress = lambda done, total: None) -> Path:
    """The verified tarball of a package: the given one, the one in the cache, or a new download.

    Args:
        package: which one.
        given: a copy of the tarball; None takes the cache or the registry.
        progress: told while it is downloaded.

    Raises:
        ChecksumMismatch: the file is another one.
        ExportError: it is not there, or cannot be downloaded.
    """
    if given is not None:
        _verify(given, package)
        return given
    target = cache_folder() / package.file_name
    if not target.is_file():
        _download(package, target, progress)
    _verify(target, package)
    return target


def members(tarball: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The content of files inside a verified tarball, by their paths in the package."""
    found = {}
    with tarfile.open(tarball, "r|gz") as archive:  # read once, from beginning to end
        for entry in archive:
            name = entry.name.removeprefix("package/")
            if name in names and (file := archive.extractfile(entry)) is not None:
                found[name] = file.read()
    return found


def _download(package: NpmPackage, target: Path, progress: Progress) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fetch(package.url, part, progress)
        try:
            _verify(part, package)
        except ChecksumMismatch:
            part.unlink()
            raise
        part.replace(target)
    except (OSError, HTTPException) as error:
        raise ExportError(
            f"{package.file_name}, which the page runs models with, could not be downloaded from {package.url} "
            f"({error}). Try again where that address can be reached, or fetch the file elsewhere ('npm pack "
            f"{package.name}@{package.version}') and give it with --web-runtime {package.file_name}."
        ) from error


def _verify(file: Path, package: NpmPackage) -> None:
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha512").digest()
    except OSError as error:
        raise ExportError(
            f"{file} cannot be read ({error.strerror or error}); {package.file_name} was expected, as 'npm pack "
            f"{package.name}@{package.version}' makes it."
        ) from error
    found = base64.b64encode(digest).decode()
    if found != package.sha512:
        raise ChecksumMismatch(
            f"{file} is not {package.name} {package.version} as npm publishes it: its sha512 is {found[:16]}..., not "
            f"{package.sha512[:16]}.... Delete it, or get it again with 'npm pack {package.name}@{package.version}'."
        )
