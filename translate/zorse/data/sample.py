"""Samples and data sets: what sample number n is depends on the data set's seed and on n alone.

A training run that is resumed, or that loads with more processes, therefore sees exactly the same pictures.
"""

from typing import Protocol, TypedDict

from zorse.data.decode import Picture


class Sample(TypedDict):
    """One picture of each domain. In a paired set they belong together."""

    A: Picture
    """(height, width, 3) uint8."""
    B: Picture
    """Likewise."""
    path_A: str
    path_B: str


class Dataset(Protocol):
    """A source of samples, each a pure function of the data set's seed and the sample's number."""

    def __len__(self) -> int:
        """Samples per epoch."""

    @property
    def n_pictures(self) -> int:
        """Pictures, or pairs, that samples are taken from."""

    @property
    def remarks(self) -> list[str]:
        """How files were matched and what was left out, for people to read."""

    def sample(self, number: int) -> Sample:
        """Sample `number` >= 0; numbers go on over the epochs without end.

        Raises:
            DatasetError: a picture cannot be used.
        """
