"""What a data set is and how its pictures are cut, as plain data."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from zorse.model.architecture import Frozen
from zorse.model.card import Direction
from zorse.system.import_paths import ImportPath

Suffix = Annotated[str, Field(pattern=r"^\.\w+$"), AfterValidator(str.lower)]
"""End of a file's name, with its dot."""


class Stage(Frozen):
    """Crops of another size, from a certain moment of the run on."""

    after: float = Field(gt=0, lt=1)
    """Share of the run after which they are cut."""
    load_size: PositiveInt
    """Short side, in pixels, after resizing, from then on."""
    crop_size: PositiveInt
    """Side, in pixels, of the square cut out at random, from then on."""


class Crops(Frozen):
    """How a picture becomes a square for training: resize, cut at random, mirror.

    Splits other than `train` are resized to `crop_size` and cut in the middle, without chance.
    """

    load_size: PositiveInt = 286
    """Short side, in pixels, after resizing; the aspect ratio is kept. 286 in both papers."""
    crop_size: PositiveInt = 256
    """Side, in pixels, of the square cut out at random. 256 in both papers."""
    scale: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    """`load_size` is multiplied with a random factor of this range; (1, 1) in both papers."""
    flip: bool = True
    """Mirror left to right with probability 0.5."""
    in_memory: bool = False
    """Decode all training pictures before the first step and keep them as 8-bit pixels, those larger than `load_size`
    asks for shrunk to that: no step waits for the disk. A thousand pictures of 256 x 256 take 0.2 GB."""
    readers: dict[Suffix, ImportPath] = Field(default={})
    """Functions of others that read files, by the ends of the files' names: {".dcm" = "mypackage.read:read_dicom"}.
    Each takes a path and gives sRGB pixels, uint8 or uint16 of shape (H, W, C), C = 1 (grey), 3 (RGB) or 4 (RGBA)."""
    stages: tuple[Stage, ...] = ()
    """Larger crops later in the run, which learns from small ones first: much faster (Karras et al. 2018)."""

    def at(self, share: float) -> Self:
        """These settings as they are after that share of the run, without stages."""
        sizes = {"load_size": self.load_size, "crop_size": self.crop_size}
        for stage in self.stages:
            if stage.after <= share:
                sizes = {"load_size": stage.load_size, "crop_size": stage.crop_size}
        return self.model_copy(update={**sizes, "stages": ()})

    @property
    def native_size(self) -> int:
        """`load_size` at the end of the run: what the generator is made for."""
        return self.at(1.0).load_size

    @property
    def load_sizes(self) -> range:
        """Short sides, in pixels, that a picture may be resized to before the crop."""
        smallest, largest = (round(self.load_size * factor) for factor in self.scale)
        return range(smallest, largest + 1)

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale goes from the smaller to the larger factor, not {self.scale}")
        if self.load_sizes[0] < self.crop_size:
            raise ValueError(
                f"a crop of {self.crop_size} pixels does not fit into pictures whose short side is "
                f"{self.load_sizes[0]} (load_size times the smaller scale): raise load_size or lower crop_size"
            )
        return self

    @model_validator(mode="after")
    def _stages_grow(self) -> Self:
        begins = [0.0, *(stage.after for stage in self.stages)]
        crops = [self.crop_size, *(stage.crop_size for stage in self.stages)]
        for values, name in ((begins, "after"), (crops, "crop_size")):
            if any(later <= earlier for earlier, later in pairwise(values)):
                raise ValueError(f"{name} must grow from stage to stage, but it is {', '.join(map(str, values))}")
        for stage in self.stages:
            smallest = self.at(stage.after).load_sizes[0]
            if smallest < stage.crop_size:
                raise ValueError(
                    f"a crop of {stage.crop_size} pixels does not fit into pictures whose short side is {smallest} "
                    f"(load_size times the smaller scale) in the stage after {stage.after} of the run: raise its "
                    "load_size or lower its crop_size"
                )
        return self


class UnpairedConfig(Crops):
    """Two sets of pictures that share nothing but their domains (Zhu et al. 2017).

    Folders, the first that exist: `trainA` and `trainB`, `train/A` and `train/B`, `A` and `B`, or, in alphabetical
    order, the only two folders there are.
    """

    kind: Literal["unpaired"] = "unpaired"
    folder_a: str | None = None
    """Folder of domain A, relative to the data folder or absolute, if none of the usual names."""
    folder_b: str | None = None
    """Folder of domain B, likewise."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.folder_a is None) != (self.folder_b is None):
            raise ValueError("folder_a and folder_b belong together: give both or none")
        return self


class PairedConfig(Crops):
    """Pictures with their counterparts (Isola et al. 2017): AB files, left half A and right half B, or two folders.

    AB files are in `train`, or directly in the data folder. Two folders (named as for unpaired sets) are matched by
    file name without its extension.
    """

    kind: Literal["paired"] = "paired"
    direction: Direction = "AtoB"
    """`BtoA` swaps the sides, so that a sample's `A` is always what the generator gets and `B` what it should draw."""


class EdgesConfig(Crops):
    """Photos, in `train` or directly in the data folder, subfolders included; A is drawn from B by edge extraction."""

    kind: Literal["edges"] = "edges"
    strokes: float = Field(default=0.0, ge=0, le=1)
    """Share of the training pictures whose lines come with strokes of the photo's colours, so that whoever draws can
    choose them. Evaluations have lines alone."""


DataConfig = Annotated[UnpairedConfig | PairedConfig | EdgesConfig, Field(discriminator="kind")]
