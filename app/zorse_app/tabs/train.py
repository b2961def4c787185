"""The tab that trains: one side takes pictures in and starts, the other shows what runs and what came of it."""

import gradio as gr

from zorse.system.extras import is_installed
from zorse_app import texts
from zorse_app.service import Service
from zorse_app.tabs.train_begin import begin_training
from zorse_app.tabs.train_watch import watch_trainings
from zorse_app.training_desk import Desk

NEW, MINE = "new", "mine"


def train_tab(service: Service, desk: Desk | None) -> None:
    """Fills the tab.

    Args:
        service: what translates.
        desk: where trainings are kept; without it the tab says why there are none, and what to do.
    """
    if desk is None:
        gr.Markdown(texts.TRAIN_NOT_FOR_STRANGERS if is_installed("train") else texts.TRAIN_NOT_INSTALLED)
        return
    gr.Markdown(texts.TRAIN_INTRO)
    with gr.Tabs(selected=NEW, overflow_behavior="wrap") as ways:
        with gr.Tab(texts.TRAIN_WAY_NEW, id=NEW):
            started = begin_training(service, desk)
        with gr.Tab(texts.TRAIN_WAY_MINE, id=MINE) as mine:
            watch = watch_trainings(service, desk)
    gr.on(
        [started.key.change],
        lambda key: (gr.Tabs(selected=MINE), *watch.show(key)),
        [started.key],
        [ways, *watch.outputs],
        api_visibility="private",
        show_progress="hidden",
    )
    gr.on(
        [mine.select],
        watch.show,
        [watch.chosen],
        watch.outputs,
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )
