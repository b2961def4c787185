"""The page's layout: which tabs there are."""

import gradio as gr

from zorse_app import texts
from zorse_app.api import add_endpoints
from zorse_app.service import Service
from zorse_app.tabs.edges import edges_tab
from zorse_app.tabs.lab import lab_tab
from zorse_app.tabs.many import many_tab
from zorse_app.tabs.own_model import own_model_tab
from zorse_app.tabs.photo import photo_tab
from zorse_app.tabs.train import train_tab
from zorse_app.training_desk import Desk

HORSES = ("horse2zebra", "zebra2horse")
PAINTINGS = ("photo2monet", "photo2vangogh", "monet2photo")
EDGES = ("edges2shoes", "edges2clothes")

_HOUR = 3600  # after it, in seconds, uploads and results are deleted, also while the page runs


def build(service: Service, desk: Desk | None = None) -> gr.Blocks:
    """The page, ready to launch; see `zorse_app.launch` for the rest of its settings.

    Args:
        service: what translates.
        desk: where trainings are kept; without it the page says why it offers none.
    """
    page = gr.Blocks(title=texts.NAME, analytics_enabled=False, delete_cache=(_HOUR // 6, _HOUR))
    with page:
        gr.Markdown(texts.HEADING, elem_id="heading")
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab(texts.TAB_HORSES):
                photo_tab(service, HORSES, texts.DIRECTION, "horse_zebra")
            with gr.Tab(texts.TAB_PAINTINGS):
                photo_tab(service, PAINTINGS, texts.DIRECTION, "photo_painting")
            with gr.Tab(texts.TAB_EDGES):
                edges_tab(service, EDGES)
            others = [name for name in service.shelf.names if name not in HORSES + PAINTINGS + EDGES]
            if others:
                with gr.Tab(texts.TAB_OTHERS):
                    photo_tab(service, others, texts.MODEL, "own_models")
            with gr.Tab(texts.TAB_OWN_MODEL):
                own_model_tab(service)
            with gr.Tab(texts.TAB_MANY):
                many_tab(service)
            with gr.Tab(texts.TAB_TRAIN):
                train_tab(service, desk)
            with gr.Tab(texts.TAB_LAB):
                lab_tab(service)
        add_endpoints(service)
    page.queue(max_size=service.limits.queue, api_open=False)
    return page
