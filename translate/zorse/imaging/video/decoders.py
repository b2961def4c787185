"""What decodes the pictures of a video."""

from av.codec import CodecContext
from av.codec.codec import Codec, UnknownCodecError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from zorse.imaging.video.frames import DisplayMatrix, display_matrix

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Of codecs that are decoded without their alpha: FFmpeg's other decoders, which are slower."""
_ALPHA_TAG = "ALPHA_MODE"
"""Of streams of such codecs that have an alpha."""


def is_alpha_tag(key: str) -> bool:
    """Whether a key of a stream's metadata tells of an alpha beside the pictures."""
    return key.upper() == _ALPHA_TAG


class Decoder:
    """Decodes a stream of pictures with their alpha."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._with_alpha = _alpha_decoder(stream)
        self._first: VideoFrame | None = None
        if self._with_alpha is None:
            stream.thread_type = "AUTO"

    def __call__(self, packet: "Packet[Stream] | None") -> list[VideoFrame]:
        """The frames that a packet completes; None after the last packet.

        Raises:
            FFmpegError: the packet is damaged.
        """
        if self._with_alpha is None:
            frames = self._stream.decode(packet)
        else:
            frames = self._with_alpha.decode(packet)
            if self._first is None and packet is not None:  # the other decoder knows nothing of the file around it
                self._first = next(iter(self._stream.decode(packet)), None)
        if self._first is None and frames:
            self._first = frames[0]
        return frames

    def matrix(self) -> DisplayMatrix | None:
        """How a player turns or mirrors the frames, as the first one says; after that."""
        return None if self._first is None else display_matrix(self._first)


def _alpha_decoder(stream: VideoStream) -> VideoCodecContext | None:
    old = stream.codec_context
    name = _WITH_ALPHA.get(old.codec.canonical_name)
    has_alpha = any(is_alpha_tag(key) and value.strip() == "1" for key, value in stream.metadata.items())
    if name is None or not has_alpha:
        return None
    try:
        new = CodecContext.create(Codec(name, "r"))
    except UnknownCodecError:
        return None
    if not isinstance(new, VideoCodecContext):
        raise TypeError(f"{name} decodes no pictures")
    new.color_range, new.colorspace = old.color_range, old.colorspace
    new.color_primaries, new.color_trc = old.color_primaries, old.color_trc
    return new
