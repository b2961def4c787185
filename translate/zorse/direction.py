"""Which way a model translates between the two domains that it was trained on."""

from typing import Literal

Direction = Literal["AtoB", "BtoA"]
