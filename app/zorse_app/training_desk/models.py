"""What a training has made: its states at several moments, to be tried, compared and exported."""

import shutil
import subprocess
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import zorse
from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
from zorse.errors import DatasetError, ExportError, UnknownModel
from zorse.loading import read_file_card
from zorse.metrics.pictures import EvaluationSet, edges_set, paired_set, unpaired_set
from zorse.model.card import Direction
from zorse.runtime.translator import Translator
from zorse_app import texts
from zorse_app.training_desk.pictures import data_config
from zorse_app.training_desk.processes import run_to_its_end, why_it_failed, zorse_command
from zorse_app.training_desk.record import Training

_KEPT_WARM = 6
_EXPORT_PATIENCE = 600.0
"""Seconds that an export may take."""


@dataclass(frozen=True)
class Moment:
    """A state of a training that can be tried."""

    key: str
    """"last", "best", or the iteration."""
    folder: Path
    """Of its generators."""

    @property
    def iteration(self) -> int | None:
        """Of a state that was kept on the way."""
        return int(self.key) if self.key.isdigit() else None


def moments(training: Training) -> list[Moment]:
    """What there is to try: the states kept on the way, the oldest first, then the last and the best one."""
    run = training.folder.run
    folders = [path for path in sorted(run.kept_generators.glob("*")) if path.name.isdigit()]
    # What was kept at the very end is also the last one.
    kept = [Moment(str(int(path.name)), path) for path in folders if int(path.name) < training.wish.iterations]
    found = [*kept, Moment("last", run.generators), Moment("best", run.best_generators)]
    return [moment for moment in found if any(moment.folder.glob("*.safetensors"))]


def directions(training: Training) -> list[Direction]:
    """Which ways its models go."""
    return sorted({read_file_card(file).direction for file in training.folder.run.generators.glob("*.safetensors")})


def model_file(training: Training, moment: str, direction: str) -> Path:
    """The generator of a state.

    Raises:
        UnknownModel: there is none.
    """
    for found in moments(training):
        if found.key == moment:
            for file in sorted(found.folder.glob("*.safetensors")):
                if read_file_card(file).direction == direction:
                    return file
    raise UnknownModel(texts.TRAIN_NO_MOMENT)


def sample_pictures(training: Training, direction: Direction, most: int) -> list[NDArray[np.uint8]]:
    """Some pictures of the set, for a model of this direction: those kept from learning if there are such.

    Returns:
        (H, W, 3) sRGB each.

    Raises:
        DatasetError: a picture cannot be read.
    """
    try:
        pictures = _set(training, direction, "test")
    except DatasetError:
        pictures = _set(training, direction, "train")
    return [example.source for example in pictures.thinned(most).examples()][:most]


def export(training: Training, moment: str, direction: str) -> Path:
    """Make one ONNX file of a state, in a process of its own.

    Raises:
        UnknownModel: there is no such state.
        ExportError: the export failed; what it said is in the message.
    """
    file = model_file(training, moment, direction)
    folder = training.folder.models / f"{moment}-{direction}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        done = run_to_its_end(zorse_command("export", str(file), "-o", str(folder)), training.folder, _EXPORT_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise ExportError(texts.TRAIN_EXPORTED_TOO_SLOWLY.format(minutes=_EXPORT_PATIENCE / 60)) from error
    made = sorted(folder.glob("*.onnx"))
    if done.returncode != 0 or not made:
        said = why_it_failed(done).replace(str(training.folder.root), "")
        raise ExportError(texts.TRAIN_NOT_EXPORTED.format(reason=said))
    return made[0]


class TrainedModels:
    """Translators of trainings' states, kept warm. Safe to use from several threads."""

    def __init__(self) -> None:
        self._warm: OrderedDict[tuple[Path, int], Translator] = OrderedDict()
        self._lock = threading.Lock()

    def translator(self, training: Training, moment: str, direction: str) -> Translator:
        """A state, ready to use.

        Raises:
            UnknownModel: there is none.
            WeightsError: its file is damaged.
        """
        file = model_file(training, moment, direction)
        key = (file, file.stat().st_mtime_ns)  # The last and the best one change while it trains.
        with self._lock:
            if key not in self._warm:
                self._warm[key] = zorse.load(file)
            self._warm.move_to_end(key)
            while len(self._warm) > _KEPT_WARM:
                self._warm.popitem(last=False)
            return self._warm[key]


def _set(training: Training, direction: Direction, split: str) -> EvaluationSet:
    root = training.folder.pictures
    match data_config(training.wish.kind):
        case UnpairedConfig() as config:
            return unpaired_set(root, config, direction, split)
        case PairedConfig() as config:
            return paired_set(root, config.direction, split, config=config)
        case EdgesConfig() as config:
            return edges_set(root, config.native_size, split)
