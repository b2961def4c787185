"""A static page that translates pictures in the visitor's browser, with a model, ready to be served as it is."""

import hashlib
import json
from pathlib import Path
from typing import Any

from zorse import __version__
from zorse.errors import ExportError
from zorse.files.names import plain_name
from zorse.model.card import Metric, ModelCard, read_card
from zorse.model.model_file import INPUT_NAME, read_network, read_onnx
from zorse.model.registry import Progress
from zorse.runtime.cost import FileCost
from zorse.runtime.passes import padded_side
from zorse_export.npm import NpmPackage, members, tarball
from zorse_export.owned import write_owned

RUNTIME = NpmPackage(
    "onnxruntime-web",
    "1.30.0",
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
)
RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
"""For the processor and for the graphics card; a browser loads three of them."""

MODELS = "models.json"

HEADERS = """# Read by Netlify, Cloudflare Pages and others; other servers are told in their own way.
# With these two headers browsers let the page use several threads.
/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
"""

STATES = {
    "release": "does its job on most pictures",
    "preview": "preview: does its job on some pictures only",
}

_SIDE = 1024  # of the picture for which memory is computed; per pixel it is the same for others


def write_page(
    model: Path, folder: Path, runtime: Path | None = None, progress: Progress = lambda done, total: None
) -> None:
    """Writes the page with a model, or adds the model to a page that is there.

    Nothing is overwritten but what an earlier call has written.

    Args:
        model: an .onnx file that takes uint8 pictures.
        folder: of the page; made if it is missing. Any web server can serve it.
        runtime: the tarball of ONNX Runtime Web (`RUNTIME`); None downloads it once.
        progress: told while it is downloaded.

    Raises:
        WeightsError: the model cannot be read.
        ExportError: the model is of another kind, the runtime cannot be had, or the folder not be written.
    """
    entry, content = _entry(model)
    page = {file.name: file.read_bytes() for file in sorted(_page_folder().iterdir()) if file.is_file()}
    libraries = members(tarball(RUNTIME, runtime, progress), [f"dist/{name}" for name in RUNTIME_FILES])
    known = [other for other in _models_there(folder) if other["name"] != entry["name"]]
    files = {
        **page,
        **{f"ort/{Path(name).name}": library for name, library in libraries.items()},
        "_headers": HEADERS.encode(),
        f"models/{plain_name(entry['name'])}.onnx": content,
        MODELS: json.dumps([*known, entry], indent=2, ensure_ascii=False).encode() + b"\n",
    }
    write_owned(folder, files)


def _entry(model: Path) -> tuple[dict[str, Any], bytes]:
    """What the page knows of a model, and the model."""
    file = read_onnx(model)
    card = read_card(file.metadata, str(model))
    if [(value.name, value.element) for value in file.inputs] != [(INPUT_NAME, "uint8")]:
        raise ExportError(
            f"The page runs models that take uint8 pictures; {model} takes {', '.join(map(str, file.inputs))}. Make "
            f"one of it: zorse export {model} -o NEW.onnx, and give that to --web, or both in one command."
        )
    sha256 = hashlib.sha256(file.content).hexdigest()
    entry = {
        "name": card.name,
        "title": card.task[:1].upper() + card.task[1:],
        # The suffix keeps browsers from using a file that they remember of an earlier export.
        "file": f"models/{plain_name(card.name)}.onnx?{sha256[:12]}",
        "native_size": card.native_size,
        "least_side": padded_side(1, card.size_multiple),
        "keeps_detail": card.keeps_detail,
        "bytes_per_pixel": FileCost(lambda: read_network(model))(_SIDE, _SIDE).memory / _SIDE**2,
        "card": _described(card) | {"File": f"{len(file.content) / 1e6:.1f} MB, sha256 {sha256}"},
    }
    return entry, file.content


def _described(card: ModelCard) -> dict[str, str]:
    """The card in words, for people."""
    data = card.training_data
    lines = {
        "Name": card.name,
        "State": STATES[card.state],
        "Licence": card.licence,
        "Learned from": f"{data.name}: {data.origin}; {data.n_pictures} pictures, {data.licence}" if data else "",
        "Training": card.training,
        "Measured": "; ".join(map(_measured, card.metrics)),
        "Notes": card.notes,
        "Exported by": f"Zorse {__version__}",
    }
    return {term: text for term, text in lines.items() if text}


def _measured(metric: Metric) -> str:
    interval = f" ({metric.interval[0]:.3g} to {metric.interval[1]:.3g})" if metric.interval else ""
    return f"{metric.name}: {metric.value:.3g}{interval}"


def _models_there(folder: Path) -> list[dict[str, Any]]:
    """The models of a page that is there. Whether the list is ours is found out when it is replaced."""
    try:
        entries = json.loads((folder / MODELS).read_text(encoding="utf-8"))
        return [entry for entry in entries if (folder / "models" / f"{plain_name(entry['name'])}.onnx").is_file()]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _page_folder() -> Path:
    """Inside the installed package, or beside it in a source checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "examples"
    return (installed if installed.is_dir() else package.parent / "examples") / "web"
