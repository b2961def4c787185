"""FFmpeg's filters for frames."""

from collections.abc import Iterator

from av.error import BlockingIOError, EOFError
from av.filter import Graph
from av.video.frame import VideoFrame


def filter_graph(frame: VideoFrame, *filters: tuple[str, str]) -> Graph:
    """Filters, FFmpeg's names and arguments, one behind the other, for frames like this one."""
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    nodes = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    return graph


def filtered(graph: Graph, frame: VideoFrame | None) -> Iterator[VideoFrame]:
    """What comes out when a frame goes in, or None after the last one."""
    graph.push(frame)
    while True:
        try:
            yield graph.vpull()
        except (BlockingIOError, EOFError):
            return
