"""Interlaced video: each frame holds two pictures, the fields, one in every other row, taken one after the other.

A network shall see neither both at once nor half the rows. So each field is completed to a whole picture (FFmpeg's
bwdif, which keeps the field's own rows as they are), and of two translations the fields' rows are woven into one frame.
"""

from collections.abc import Iterator

from av.video.frame import VideoFrame

from zorse.imaging.video.filters import filter_graph, filtered
from zorse.imaging.video.frames import plane_rows

_LEAST_SIDE = 4
"""Pixels, for bwdif."""


def is_interlaced(frame: VideoFrame) -> bool:
    """Whether a decoded frame holds two fields."""
    return frame.interlaced_frame and min(frame.width, frame.height) >= _LEAST_SIDE


def is_top_first(frame: VideoFrame) -> bool:
    """Whether the field in the rows 0, 2, 4 ... of an interlaced frame was taken first."""
    return bool(list(filtered(filter_graph(frame, ("select", "eq(interlace_type,TOPFIRST)")), frame)))


class Deinterlacer:
    """Makes progressive frames of interlaced ones; a frame or two behind.

    Args:
        frame: one like those to come.
        top_first: as `is_top_first` says.
        each_field: whether each frame becomes two, the field that was taken first and the other; else one.
    """

    def __init__(self, frame: VideoFrame, top_first: bool, each_field: bool) -> None:
        mode = "mode=send_field:deint=all" if each_field else "mode=send_frame:deint=interlaced"
        self._graph = filter_graph(frame, ("bwdif", f"{mode}:parity={'tff' if top_first else 'bff'}"))

    def __call__(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """The next frame, or None after the last one."""
        yield from filtered(self._graph, frame)


def woven(first: VideoFrame, second: VideoFrame, top_first: bool) -> VideoFrame:
    """One interlaced frame, at the time of the first, of the rows of two pictures."""
    for target, source in zip(first.planes, second.planes, strict=True):
        begin = 1 if top_first else 0
        plane_rows(target)[begin::2] = plane_rows(source)[begin::2]
    (flagged,) = filtered(filter_graph(first, ("setfield", "tff" if top_first else "bff")), first)
    return flagged
