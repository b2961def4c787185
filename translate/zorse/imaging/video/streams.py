"""Sound and subtitles on their way from one file into another: copied, or sound converted where it must be."""

from collections.abc import Iterator
from typing import Protocol

from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from zorse.imaging.video.formats import VideoFormat
from zorse.imaging.video.timeline import is_last

_SOUND_RATES = {"libopus": 48000}
"""Samples per second, of encoders that do not take any."""

_LAYOUTS = {1: "mono", 2: "stereo"}
"""Of channels, as old files do not name them."""


class Carrier(Protocol):
    """Brings the packets of one stream into the new file."""

    converts_to: str
    """FFmpeg's name of what the stream becomes; empty where it is copied."""

    def __call__(self, packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        """What to write for a packet; the last one is empty.

        Raises:
            FFmpegError: the packet cannot be decoded.
        """


def carrier(stream: Stream, output: OutputContainer, format: VideoFormat) -> Carrier | None:
    """Makes room for a stream in the new file; None if that cannot hold it."""
    codec = codec_name(stream)
    # Uncompressed sound in .mp4 is new: hardly a player knows it.
    if codec in output.supported_codecs and not (format.muxer == "mp4" and codec.startswith("pcm_")):
        return _Copied(stream, output)
    if isinstance(stream, AudioStream):
        return _Converted(stream, output, format.sound_encoder)
    return None


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of what a stream holds; empty where FFmpeg does not know it."""
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else ""


class _Copied:
    converts_to = ""

    def __init__(self, stream: Stream, output: OutputContainer) -> None:
        self._stream = output.add_stream_from_template(stream)
        self._stream.metadata.update(stream.metadata)
        self._stream.disposition = stream.disposition

    def __call__(self, packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        if packet.dts is not None:
            packet.stream = self._stream
            yield packet


class _Converted:
    def __init__(self, stream: AudioStream, output: OutputContainer, encoder: str) -> None:
        rate = _SOUND_RATES.get(encoder, stream.rate)
        layout = _LAYOUTS.get(stream.codec_context.channels, stream.layout.name)
        made = output.add_stream(encoder, rate=rate, layout=layout)
        if not isinstance(made, AudioStream):
            raise TypeError(f"{encoder} encodes no sound")
        self._source, self._stream, self.converts_to = stream, made, codec_name(made)
        self._stream.metadata.update(stream.metadata)

    def __call__(self, packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        for frame in self._source.decode(packet):
            yield from self._stream.encode(frame)
        if is_last(packet):
            yield from self._stream.encode(None)
