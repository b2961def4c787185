"""What came of a training: its states tried on a picture, compared with each other, and made into one file."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from zorse.errors import ConfigError
from zorse.imaging.io import Picture
from zorse.model.card import Direction
from zorse.system.extras import is_installed
from zorse_app import texts
from zorse_app.endpoints import add_endpoint, file_data
from zorse_app.gate import GatedTranslator
from zorse_app.parts import (
    ONE_AT_A_TIME,
    nothing,
    picture_input,
    progress_of,
    result_view,
    shown,
    told,
    upload,
    visitor,
)
from zorse_app.service import Service
from zorse_app.training_desk import Desk, Training
from zorse_app.training_desk.models import TrainedModels, export, moments, sample_pictures
from zorse_app.training_report import size

_COMPARED = 3
"""Pictures of the set that states are compared on."""
_SHOWN_SIDE = 512


@dataclass(frozen=True)
class Choice:
    """Which result."""

    moment: gr.Radio
    way: gr.Radio


def try_results(service: Service, desk: Desk, chosen: gr.Radio) -> Choice:
    """Translates with a state, and compares all of them."""
    warm = TrainedModels()
    gr.Markdown(texts.TRAIN_STEP_TRY)
    with gr.Row():
        with gr.Column():
            picture = picture_input(texts.TRAIN_TRY_PICTURE, texts.TRAIN_TRY_PICTURE_HINT)
            moment = gr.Radio(label=texts.TRAIN_MOMENT, choices=[], info=texts.TRAIN_MOMENT_HINT)
            way = gr.Radio(label=texts.TRAIN_WAY, choices=[])
        with gr.Column():
            result = result_view(service)
    compare = gr.Button(texts.TRAIN_COMPARE)
    gr.Markdown(texts.TRAIN_COMPARE_HINT, elem_classes="caption")
    gallery = gr.Gallery(
        label=texts.TRAIN_COMPARED, columns=3, object_fit="contain", height="auto", interactive=False, visible=False,
        buttons=["fullscreen"], elem_id="compared",
    )  # fmt: skip

    @told
    def try_picture(
        key: str | None,
        moment: str | None,
        way: str | None,
        picture: dict[str, Any] | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[Any, ...]:
        if picture is None or not key or not moment or not way:
            return nothing()
        training = desk.training(key)
        with service.stops.watch(visitor(request)) as check, _lent(service, warm, training, moment, way) as name:
            return shown(service.translate_photo(upload(picture), name, tell=progress_of(progress, check)))

    gr.on(
        [picture.change, moment.input, way.input],
        try_picture,
        [chosen, moment, way, picture],
        result.components,
        preprocess=False,
        api_visibility="private",
        show_progress_on=result.slider,
        **ONE_AT_A_TIME,
    )

    @told
    def compare_all(
        key: str | None,
        way: str | None,
        picture: dict[str, Any] | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> Any:
        if not key or not way:
            raise ConfigError(texts.TRAIN_NOTHING_TO_COMPARE)
        training = desk.training(key)
        found = moments(training)
        own = None if picture is None else upload(picture)
        samples = [] if own else sample_pictures(training, _direction(way), _COMPARED)
        rows: list[list[tuple[Any, str]]] = [[] for _ in range(1 if own else len(samples))]
        with service.stops.watch(visitor(request)) as check:
            for number, moment in enumerate(found):
                check()
                progress(number / len(found))
                title = moment_title(moment.key)
                with _lent(service, warm, training, moment.key, way) as name:
                    if own:
                        outcome = service.translate_photo(own, name)
                        rows[0] += [] if rows[0] else [(str(outcome.before), texts.TRAIN_ORIGINAL)]
                        rows[0].append((str(outcome.after), title))
                    for row, rgb in zip(rows, samples, strict=False):
                        translated = service.shelf.translator(name).translate(Picture(rgb))
                        row += [] if row else [(_small(Image.fromarray(rgb)), texts.TRAIN_ORIGINAL)]
                        row.append((_small(Image.fromarray(translated.rgb)), title))
        return gr.Gallery([entry for row in rows for entry in row], columns=len(found) + 1, visible=True)

    compare.click(
        compare_all,
        [chosen, way, picture],
        gallery,
        preprocess=False,
        api_visibility="private",
        show_progress_on=gallery,
        **ONE_AT_A_TIME,
    )
    chosen.change(
        lambda: (None, gr.Gallery(value=None, visible=False)),
        None,
        [picture, gallery],
        api_visibility="private",
        show_progress="hidden",
    )

    @told
    def translate_file(key: str, moment: str, way: Direction, picture: gr.FileData) -> gr.FileData:
        with _lent(service, warm, desk.training(key), moment, way) as name:
            return file_data(service.translate_photo(upload(dict(picture)), name).download)

    @told
    def compare_file(key: str, way: Direction, picture: gr.FileData) -> dict[str, gr.FileData]:
        training, states = desk.training(key), {}
        for found in moments(training):
            with _lent(service, warm, training, found.key, way) as name:
                translated = service.translate_photo(upload(dict(picture)), name).download
                states[found.key] = file_data(translated)
        return states

    which = {"key": texts.API_TRAIN_KEY, "moment": texts.API_TRAIN_MOMENT, "way": texts.API_TRAIN_WAY}
    picture_of = {"picture": texts.API_PICTURE}
    add_endpoint(translate_file, "train_try", texts.API_TRAIN_TRY, which | picture_of, texts.API_RESULT)
    which.pop("moment")
    add_endpoint(compare_file, "train_compare", texts.API_TRAIN_COMPARE, which | picture_of, texts.API_TRAIN_STATES)
    return Choice(moment, way)


def take_results(service: Service, desk: Desk, chosen: gr.Radio, moment: gr.Radio, way: gr.Radio) -> None:
    """Exports a state as one file."""
    gr.Markdown(texts.TRAIN_STEP_TAKE)
    if not is_installed("export"):
        gr.Markdown(texts.TRAIN_EXPORT_MISSING)
        return
    gr.Markdown(texts.TRAIN_TAKE_HINT)
    with gr.Row():
        make = gr.Button(texts.TRAIN_EXPORT)
        download = gr.DownloadButton(texts.TRAIN_EXPORT_EMPTY, interactive=False, variant="primary")
    made = gr.Markdown(elem_classes="caption")

    @told
    def take(
        key: str | None,
        moment: str | None,
        way: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio looks for it in the signature
    ) -> tuple[Any, str]:
        if not key or not moment or not way:
            raise ConfigError(texts.TRAIN_NOTHING_TO_EXPORT)
        progress(None, desc=texts.TRAIN_EXPORTING)
        file = _exported(service, desk.training(key), moment, way)
        note = texts.TRAIN_EXPORTED.format(name=file.name, size=size(file.stat().st_size))
        label = texts.TRAIN_EXPORT_DOWNLOAD.format(name=file.name)
        return gr.DownloadButton(label, value=str(file), interactive=True), note

    make.click(
        take,
        [chosen, moment, way],
        [download, made],
        preprocess=False,  # The choices that are shown are not those that the tab was built with.
        api_visibility="private",
        show_progress_on=made,
        concurrency_id="train_export",
        concurrency_limit=1,
    )
    gr.on(
        [chosen.change, moment.change, way.change],
        lambda: (gr.DownloadButton(texts.TRAIN_EXPORT_EMPTY, value=None, interactive=False), ""),
        None,
        [download, made],
        api_visibility="private",
        show_progress="hidden",
    )

    @told
    def export_file(key: str, moment: str, way: Direction) -> gr.FileData:
        return file_data(_exported(service, desk.training(key), moment, way))

    which = {"key": texts.API_TRAIN_KEY, "moment": texts.API_TRAIN_MOMENT, "way": texts.API_TRAIN_WAY}
    add_endpoint(export_file, "train_export", texts.API_TRAIN_EXPORT, which, texts.API_TRAIN_FILE)


def _exported(service: Service, training: Training, moment: str, way: str) -> Path:
    """A copy of the model file: Gradio hands out nothing but what lies in the visitors' folder."""
    file = export(training, moment, way)
    folder = service.new_folder()
    return Path(shutil.copy(file, folder / file.name))


@contextmanager
def _lent(service: Service, warm: TrainedModels, training: Training, moment: str, way: str) -> Iterator[str]:
    """Inside, the service knows a state of a training by the name that is given."""
    name = f"{training.key}-{moment}-{way}-{secrets.token_hex(4)}"
    service.shelf.lend(name, GatedTranslator(warm.translator(training, moment, way), service.shelf.gate))
    try:
        yield name
    finally:
        service.shelf.take_back(name)


def _direction(way: str) -> Direction:
    if way not in ("AtoB", "BtoA"):
        raise ConfigError(texts.TRAIN_NO_WAY.format(way=way))
    return "AtoB" if way == "AtoB" else "BtoA"


def moment_title(key: str) -> str:
    """A state as visitors know it."""
    return texts.TRAIN_MOMENTS["kept"].format(iteration=f"{int(key):,}") if key.isdigit() else texts.TRAIN_MOMENTS[key]


def _small(picture: Image.Image) -> Image.Image:
    picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    return picture
