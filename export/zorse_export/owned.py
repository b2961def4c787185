"""Folders that a command writes again and again, beside files of their user, which it never overwrites."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from zorse.errors import ExportError
from zorse.system.atomic import replacing

MANIFEST = "zorse.json"
"""Remembers which files are ours, and their sha256."""


def write_owned(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files, all of which are new, ours and unchanged, or already have that content.

    Args:
        folder: made if it is missing.
        files: content by path, relative to the folder, with "/".

    Raises:
        ExportError: a file is there that is not ours or was changed, or the folder cannot be written; in the first
            case nothing has been written.
    """
    try:
        known = _read_manifest(folder)
        wanted = {name: _sha256(content) for name, content in files.items()}
        changed = {name for name in files if _stands_in_the_way(folder / name, {wanted[name], known.get(name)})}
        if changed:
            raise ExportError(
                f"{folder} holds {_listed(changed)}, not written by 'zorse export' or changed since. Nothing was "
                "written. Choose another folder, or move or delete what is there."
            )
        for name, content in files.items():
            with replacing(folder / name) as file:
                file.write(content)
        with replacing(folder / MANIFEST) as file:
            file.write(json.dumps({"files": known | wanted}, indent=2, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise ExportError(
            f"The folder {folder} could not be written ({error.strerror or error}). Choose another one, or free space."
        ) from error


def _stands_in_the_way(file: Path, ours: set[str | None]) -> bool:
    if file.is_dir():
        return True
    return file.is_file() and _sha256(file.read_bytes()) not in ours


def _read_manifest(folder: Path) -> dict[str, str]:
    file = folder / MANIFEST
    if not file.exists():
        return {}
    try:
        files = json.loads(file.read_text(encoding="utf-8"))["files"]
        return {str(name): str(sha256) for name, sha256 in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(
            f"{file} is there but was not written by 'zorse export', or is damaged. Choose another folder, or delete "
            "it if nothing else in the folder is needed."
        ) from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _listed(names: set[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more
