"""What a set of samples is, as plain data."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from zorse.model.architecture import Frozen

Companion = Literal["none", "same_class", "negative", "edges"]
"""What comes with each sample: nothing; another one of its class (SD-GAN); another sample of a second domain, made from
the first by inverting it or by drawing its edges (CoGAN)."""
MixtureShape = Literal["ring", "grid", "spiral"]


class MixtureConfig(Frozen):
    """Points drawn from Gaussians in the plane; they need no files.

    `ring`: 8 on a circle of radius 2 (Metz et al. 2017); `grid`: 25 at -4, -2, 0, 2, 4 both ways (Srivastava et al.
    2017); `spiral`: 32 along one and a half turns that widen to radius 3.
    """

    kind: Literal["mixture"] = "mixture"
    distribution: MixtureShape = "ring"
    """Where the Gaussians lie."""
    std: PositiveFloat | None = None
    """Standard deviation of each Gaussian; None: 0.02 for the ring, 0.05 for the grid, 0.1 for the spiral."""

    @property
    def companion(self) -> Companion:
        """Points have none."""
        return "none"


class DigitsConfig(Frozen):
    """MNIST or Fashion-MNIST as idx files, packed with gzip or not: train-images-idx3-ubyte.gz and so on."""

    kind: Literal["digits"] = "digits"
    size: Literal[28, 32] = 32
    """Side in pixels; 32 adds two pixels of background all around, so that it can be halved."""
    class_names: tuple[str, ...] = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    """What the labels 0, 1, 2 and so on mean."""
    only: tuple[int, ...] = ()
    """Labels that are taken; none: all. They keep their numbers."""
    companion: Companion = "none"
    """What comes with each sample."""


class PicturesConfig(Frozen):
    """Any folder of pictures; if it (or its `train` folder) holds folders with pictures, each is a class."""

    kind: Literal["pictures"] = "pictures"
    size: Literal[8, 16, 32, 64, 128] = 64
    """Pictures are resized to this short side, in pixels, and cut in the middle."""
    channels: Literal[1, 3] = 3
    """1 makes them grey."""
    flip: bool = True
    """Mirror left to right with probability 0.5."""
    companion: Companion = "none"
    """What comes with each sample."""


SampleDataConfig = Annotated[MixtureConfig | DigitsConfig | PicturesConfig, Field(discriminator="kind")]
