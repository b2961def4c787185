"""How far a video is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VideoProgress:
    """How far a video is."""

    frames: int = 0
    """Finished ones."""
    total: int | None = None
    """As the file says, or as its length and rate suggest; None where neither is known."""
    seconds: float = 0.0
    """That the finished ones took."""

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest will take; None where that is not known."""
        if self.total is None or not self.frames:
            return None
        return self.seconds / self.frames * max(self.total - self.frames, 0)
