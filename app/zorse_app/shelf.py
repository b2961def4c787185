"""The models that the page offers, loaded when they are first used and kept warm."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import zorse
from zorse.errors import UnknownModel, WeightsError
from zorse.gans.onnx_model import SampleModel, draws_samples
from zorse.loading import locate, read_file_card
from zorse.model.card import ModelCard
from zorse.model.registry import find_file, sample_model_file, sample_models, shipped_models
from zorse.runtime.devices import Setting
from zorse_app import texts
from zorse_app.gate import Gate, GatedTranslator

KEPT_WARM = 6
"""Translators held in memory; the one that was unused longest makes room."""


class Shelf:
    """The shipped models that are on this computer, and those of a folder; a folder's model replaces its namesake.

    Safe to use from several threads.

    Args:
        folder: holds .onnx files, each with its card; None for the shipped models alone.
        gate: lets translations in; None for one of its own.
        setting: device, threads and memory of the models.

    Raises:
        WeightsError: no such folder, no model in it, a file that is not a model, or two models of one name.
    """

    def __init__(self, folder: Path | None = None, gate: Gate | None = None, setting: Setting | None = None) -> None:
        self.gate = gate or Gate()
        self._setting = setting or Setting()
        shipped = {name: name for name, entry in shipped_models().items() if find_file(entry)}
        own, self._generators = ({}, {}) if folder is None else _models_in(folder)
        self._sources: dict[str, str | Path] = {**shipped, **own}
        for name, entry in sample_models().items():
            if name not in self._generators and find_file(entry):
                self._generators[name] = SampleModel.load(sample_model_file(name))
        self._warm: OrderedDict[str, GatedTranslator] = OrderedDict()
        self._lent: dict[str, GatedTranslator] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all models, the shipped ones first."""
        return tuple(self._sources)

    @property
    def generators(self) -> Mapping[str, SampleModel]:
        """Those that draw samples from noise, by their names, the folder's first; they are small and stay open."""
        return self._generators

    def lend(self, name: str, translator: GatedTranslator) -> None:
        """Takes in a visitor's own model, for who knows its name; `names` does not show it."""
        with self._lock:
            self._lent[name] = translator

    def take_back(self, name: str) -> None:
        """Forgets a visitor's own model."""
        with self._lock:
            self._lent.pop(name, None)

    def translator(self, name: str) -> GatedTranslator:
        """A model, ready to use.

        Raises:
            UnknownModel: there is no such model here.
            WeightsError: its file is damaged or gone.
        """
        with self._lock:  # held while loading: two requests must not load one model twice
            if name in self._lent:
                return self._lent[name]
            if name not in self._warm:
                how = self._setting
                translator = zorse.load(self._source(name), how.device, how.threads, how.arena)
                self._warm[name] = GatedTranslator(translator, self.gate)
            self._warm.move_to_end(name)
            while len(self._warm) > KEPT_WARM:
                self._warm.popitem(last=False)
            return self._warm[name]

    def card(self, name: str) -> ModelCard:
        """What a model says of itself, read without loading the model.

        Raises:
            UnknownModel: there is no such model here.
            WeightsError: its file is damaged or gone.
        """
        return read_file_card(locate(self._source(name)))

    def way_back(self, name: str, among: Sequence[str]) -> str:
        """The model that undoes another: it takes what that one makes, and makes what that one takes.

        Returns:
            Its name, one of the same architecture if there is one; `name` itself if none of `among` does.

        Raises:
            UnknownModel, WeightsError: as for `card`.
        """
        there = self.card(name)
        cards = {other: self.card(other) for other in among}
        backs = {
            other: back
            for other, back in cards.items()
            if (back.source_domain, back.target_domain) == (there.target_domain, there.source_domain)
        }
        alike = [other for other, back in backs.items() if back.architecture == there.architecture]
        return next(iter([*alike, *backs]), name)

    def _source(self, name: str) -> str | Path:
        if name not in self._sources:
            known = ", ".join(self._sources) or texts.NO_MODELS
            raise UnknownModel(texts.NO_MODEL.format(name=name, known=known))
        return self._sources[name]


def _models_in(folder: Path) -> tuple[dict[str, str | Path], dict[str, SampleModel]]:
    """Those that translate, and those that draw samples."""
    if not folder.is_dir():
        raise WeightsError(texts.START_NO_FOLDER.format(folder=folder))
    models: dict[str, str | Path] = {}
    generators: dict[str, SampleModel] = {}
    files: dict[str, Path] = {}
    for file in sorted(folder.glob("*.onnx")):
        generator = SampleModel.load(file) if draws_samples(file) else None
        name = read_file_card(file).name if generator is None else generator.card.name
        if name in files:
            raise WeightsError(texts.START_SAME_NAME.format(first=files[name], second=file, name=name))
        files[name] = file
        if generator is None:
            models[name] = file
        else:
            generators[name] = generator
    if not files:
        raise WeightsError(texts.START_EMPTY_FOLDER.format(folder=folder))
    return models, generators
