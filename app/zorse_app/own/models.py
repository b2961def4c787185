"""The models of the visitors who are here: from a file that one sent to a model that only that visitor can use."""

import os
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zorse.errors import WeightsError
from zorse.loading import PICKLES, read_file_card
from zorse.model.card import ModelCard
from zorse.runtime.translator import Translator
from zorse.system.extras import require
from zorse_app import texts
from zorse_app.gate import GatedTranslator
from zorse_app.own.backend import OwnBackend
from zorse_app.own.checks import MOST_BYTES, checked_network
from zorse_app.own.confined import Confines, TooSlow, run_confined
from zorse_app.service import Service
from zorse_app.training_desk.processes import zorse_command
from zorse_app.uploads import Upload

MOST_MODELS = 16
"""Of all visitors together; the one that was brought first makes room."""

_SECONDS = 60.0
_MEMORY = 2 * 10**9
_CONVERTING = Confines(memory=6 * 10**9, seconds=180)
_TRIED_SIDE = 64
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
"""How files of torch.save and pickle begin."""


@dataclass(frozen=True)
class OwnModel:
    """A visitor's model, ready to use."""

    name: str
    """Under which the shelf lends it; nobody can guess it."""
    card: ModelCard


class OwnModels:
    """Takes in models, and forgets them. Safe to use from several threads.

    Args:
        service: whose shelf lends them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._confines = Confines(min(_MEMORY, service.shelf.gate.memory), _SECONDS)
        self._visitors: OrderedDict[str, OwnModel] = OrderedDict()
        self._lock = threading.Lock()

    def bring(self, visitor: str, sent: Upload) -> OwnModel:
        """Takes in a file: it is checked, tried on a small picture, and replaces the visitor's model of before.

        Args:
            visitor: whose it is: the session.
            sent: an .onnx or .safetensors file.

        Raises:
            WeightsError: not a model, or one that this page does not run.
            MissingExtraError: a .safetensors file where PyTorch is not installed.
            Busy, TimeUsedUp: see `Gate.work`.
        """
        folder = self._service.folder / f"own-{secrets.token_hex(16)}"
        folder.mkdir(parents=True)
        try:
            model = self._taken_in(folder, sent)
        except WeightsError as error:  # must not name a path of this computer
            shutil.rmtree(folder, ignore_errors=True)
            raise WeightsError(str(error).replace(f"{folder}{os.sep}", "")) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.forget(visitor)
        with self._lock:
            self._visitors[visitor] = model
            surplus = list(self._visitors)[:-MOST_MODELS]
        for other in surplus:
            self.forget(other)
        return model

    def of(self, visitor: str) -> OwnModel | None:
        """The visitor's model; None where there is none, or none any more."""
        with self._lock:
            return self._visitors.get(visitor)

    def forget(self, visitor: str) -> None:
        """Removes a visitor's model, if there is one."""
        with self._lock:
            model = self._visitors.pop(visitor, None)
        if model is not None:
            self._service.shelf.take_back(model.name)
            shutil.rmtree(self._service.folder / model.name, ignore_errors=True)

    def _taken_in(self, folder: Path, sent: Upload) -> OwnModel:
        """Checked, tried and lent under the name of the folder that it is kept in."""
        plain = re.sub(r"[^\w.-]+", "_", Path(sent.name).stem)[:40]
        file = folder / f"{plain or 'model'}{_suffix(sent)}"
        shutil.copyfile(sent.path, file)
        checked = self._converted(file) if file.suffix == ".safetensors" else file
        network = checked_network(checked)
        file.unlink()
        checked.unlink(missing_ok=True)
        backend = OwnBackend(network, folder / "network", file.name, self._confines)
        gate = self._service.shelf.gate
        with gate.work(self._confines.memory):
            side = -(-_TRIED_SIDE // network.card.size_multiple) * network.card.size_multiple
            try:
                backend(np.zeros((1, 3, side, side), np.float32))
            except MemoryError:
                raise WeightsError(texts.OWN_TOO_HUNGRY.format(name=file.name)) from None
        translator = Translator(network.card, backend, backend.provider)
        self._service.shelf.lend(folder.name, GatedTranslator(translator, gate, self._confines.memory))
        return OwnModel(folder.name, network.card)

    def _converted(self, file: Path) -> Path:
        """The same as an ONNX file, by 'zorse export', which reads nothing but the tensors and the card."""
        read_file_card(file)
        require(texts.OWN_CONVERTING.format(name=file.name), "export")
        target = file.with_suffix(".onnx")
        command = zorse_command("export", str(file), "-o", str(target))
        with self._service.shelf.gate.work(_CONVERTING.memory):
            try:
                ended = run_confined(command, b"", _CONVERTING)
            except TooSlow:
                raise WeightsError(texts.OWN_CONVERTED_TOO_SLOWLY.format(name=file.name)) from None
        if ended.status or not target.is_file():
            reason = ended.errors.strip().removeprefix("Error: ")
            raise WeightsError(reason or texts.OWN_NOT_CONVERTED.format(name=file.name))
        return target


def _suffix(sent: Upload) -> str:
    """Raises a WeightsError for what is no model file by its name or its first bytes."""
    suffix = Path(sent.name).suffix.lower()
    with sent.path.open("rb") as file:
        start = file.read(4)
    if suffix in PICKLES or start == _ZIP or start[:1] == _PICKLE:
        raise WeightsError(texts.OWN_PICKLE.format(name=sent.name))
    if suffix not in (".onnx", ".safetensors"):
        raise WeightsError(texts.OWN_NO_MODEL.format(name=sent.name))
    if sent.path.stat().st_size > MOST_BYTES:
        raise WeightsError(texts.OWN_TOO_LARGE.format(name=sent.name, limit=MOST_BYTES // 10**6))
    return suffix
