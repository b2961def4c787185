"""What several tabs are made of: pictures in, models to choose from, results, and errors that a visitor can read."""

import html
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.utils import get_upload_folder

from zorse.errors import ImageError, Stopped, ZorseError
from zorse.system.texts import visible
from zorse_app import texts
from zorse_app.picture_files import Tell
from zorse_app.service import Outcome, Service
from zorse_app.uploads import Upload

# Translations wait for each other: each uses all cores.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "translate", "concurrency_limit": 1, "trigger_mode": "always_last"}

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class ResultView:
    """The components that show one `Outcome`."""

    slider: gr.ImageSlider
    caption: gr.Markdown
    download: gr.DownloadButton

    @property
    def components(self) -> list[gr.components.Component]:
        """In the order of `shown`."""
        return [self.slider, self.caption, self.download]


def present_models(service: Service, models: Sequence[str]) -> list[str]:
    """Those of the models that are here; says on the page which are not."""
    present = [name for name in models if name in service.shelf.names]
    missing = ", ".join(name for name in models if name not in present)
    if missing:
        gr.Markdown((texts.PARTLY_MISSING if present else texts.MISSING).format(names=missing))
    return present


def picture_input(label: str, hint: str) -> gr.Image:
    """Where a picture is dropped, pasted or chosen; its value is a file, as it was sent."""
    return gr.Image(
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False),
        label=label,
        placeholder=hint,
        buttons=[],
        height="min(320px, 64vw)",
    )


def model_choice(models: Sequence[str], label: str) -> gr.Radio:
    """One of the models by the titles that the page gives them; its value is the name."""
    choices = [(texts.MODEL_TITLES.get(name, name), name) for name in models]
    return gr.Radio(choices, value=models[0], label=label)


def result_view(service: Service) -> ResultView:
    """Where a result is compared with its picture, explained and downloaded, or stopped on its way; empty at first."""
    slider = gr.ImageSlider(
        type="filepath", label=texts.RESULT, interactive=False, buttons=["fullscreen"], max_height=560
    )
    caption = gr.Markdown(label=texts.ABOUT_RESULT, elem_classes="caption")
    with gr.Row():
        download = download_button(texts.DOWNLOAD)
        stop_button(service)
    return ResultView(slider, caption, download)


def download_button(label: str) -> gr.DownloadButton:
    """Works as long as there is a file to download."""
    button = gr.DownloadButton(label, interactive=False, variant="primary", scale=3)
    button.change(
        lambda file: gr.update(interactive=file is not None),
        button,
        button,
        preprocess=False,
        queue=False,
        api_visibility="private",
        show_progress="hidden",
    )
    return button


def stop_button(service: Service) -> None:
    """Ends what goes on for the visitor who presses it."""
    button = gr.Button(texts.STOP, scale=1, min_width=80)

    def stop(request: gr.Request) -> None:
        service.stops.stop(visitor(request))

    # Not in the queue: there it would wait for what it shall end.
    button.click(stop, None, None, queue=False, api_visibility="private")


def visitor(request: gr.Request) -> str:
    """Who asks: one open page, or one client of the API."""
    return request.session_hash or ""


def progress_of(progress: gr.Progress, check: Callable[[], None]) -> Tell:
    """Shows on the page how far the work is, and ends it where `check` raises."""

    def tell(done: float, remaining: float | None) -> None:
        check()
        progress(done, desc=None if remaining is None else texts.PROGRESS.format(seconds=remaining))

    return tell


def shown(outcome: Outcome) -> tuple[Any, ...]:
    """Values of a `ResultView`'s components."""
    pictures = (str(outcome.before), str(outcome.after))
    return pictures, outcome.caption, str(outcome.download)


def nothing() -> tuple[Any, ...]:
    """Values of a `ResultView`'s components while there is no picture."""
    return None, "", None


def upload(payload: dict[str, Any]) -> Upload:
    """A picture component's raw value. Its path is opened only if it leads to what a visitor uploaded."""
    path = payload.get("path")
    if not isinstance(path, str) or not Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise ImageError(texts.NOT_UPLOADED)
    return Upload(Path(path), visible(str(payload.get("orig_name") or Path(path).name)))


def told(function: Callable[P, R]) -> Callable[P, R | Any]:
    """Turns Zorse's errors into messages on the page; others go to the log and are only mentioned.

    To be stopped is no error: the page stays as it is, and says so.
    """

    @wraps(function)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R | Any:
        try:
            return function(*args, **kwargs)
        except Stopped:
            gr.Info(texts.STOPPED)
            return gr.skip()
        except ZorseError as error:
            message = str(error)
        except Exception:
            _log.exception("The page could not answer")
            message = texts.UNEXPECTED
        raise shown_error(message)

    return answered


def shown_error(message: object) -> gr.Error:
    """A message on the page, nothing in the terminal. Quotes stay: programs get the message as well."""
    return gr.Error(html.escape(visible(str(message)), quote=False), print_exception=False)
