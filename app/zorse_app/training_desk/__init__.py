"""Trainings that the page starts, as files on the disk and processes of their own.

Nothing here knows of the page, and nothing imports torch: a training is `zorse train` in another process, which goes on
when the page is closed, reloaded or gone. All that there is to know of it is in its folder, so that a page that is
started later finds it again.
"""

from zorse_app.training_desk.desk import Desk, DeskError
from zorse_app.training_desk.places import trainings_folder
from zorse_app.training_desk.record import Kind, Speed, State, Training, Wish

__all__ = ["Desk", "DeskError", "Kind", "Speed", "State", "Training", "Wish", "trainings_folder"]
