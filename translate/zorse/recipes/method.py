"""What the settings of every method say of it, beside its own."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from zorse.model.architecture import Frozen
from zorse.model.card import Direction, ModelCard

Domain = Literal["A", "B"]


class MethodConfig(Frozen):
    """What Zorse's own methods have in common: one generator `G` from A to B, one discriminator `D` of B, and so on."""

    directions: ClassVar[Mapping[str, Direction]] = {"G": "AtoB"}
    """Which way each of its generators translates."""
    judged: ClassVar[Mapping[str, Domain]] = {"D": "B"}
    """Whose pictures each of its discriminators judges."""
    judges_pairs: ClassVar[bool] = False
    """Whether discriminators see the input beside the picture that they judge."""
    trunk: ClassVar[str | None] = None
    """The pretrained network that its losses look through."""

    @property
    def keeps_scene(self) -> bool:
        """Whether output and input show the same things."""
        return True

    @property
    def pictures_kept(self) -> int:
        """Most generated pictures that it remembers."""
        return 0

    def completed(self, card: ModelCard) -> ModelCard:
        """A generator's card, with what only the method knows."""
        return card
