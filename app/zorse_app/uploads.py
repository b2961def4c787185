"""What visitors send."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Upload:
    """A file that a visitor sent."""

    path: Path
    name: str
    """As it was called on the visitor's computer."""
