"""Videos that are sound but unusual: time stamps that jump, fields, transparency, phones' metadata, EXIF, odd sizes."""

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import tiny_onnx
from zorse import load
from zorse.errors import ImageError
from zorse.imaging.picture import Picture

av = pytest.importorskip("av")

from av.filter import Graph  # noqa: E402

from test_video import RATE, difference, frames_of, picture, pixels_of  # noqa: E402
from zorse.imaging.video.fields import is_top_first  # noqa: E402
from zorse.imaging.video.rewrite import rewrite_video  # noqa: E402
from zorse.imaging.video.timeline import Timeline  # noqa: E402

DARK, BRIGHT = 40, 200


@pytest.fixture
def negative(tmp_path):
    return load(tiny_onnx.write(tmp_path / "neg.onnx"))


def same(seen):
    return seen.rgb


def flat(level, height=48, width=64):
    return np.full((height, width, 3), level, np.uint8)


def clip(path, frames, *, codec="libx264", sound="aac", start=0, options=None, tone=440):
    """A video, with a tone as long as the pictures; `start` in seconds."""
    with av.open(str(path), "w", container_options={"output_ts_offset": str(start)}) as container:
        video = container.add_stream(codec, rate=RATE, options={"crf": "10"} if codec == "libx264" else {})
        video.height, video.width = frames[0].shape[:2]
        for key, value in (options or {}).items():
            video.options[key] = value
        audio = container.add_stream(sound, rate=48000, layout="mono") if sound else None
        samples = np.sin(np.arange(48000 * len(frames) // RATE) * 2 * np.pi * tone / 48000) * 0.3
        each = 48000 // RATE
        for number, pixels in enumerate(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels)))
            if audio is not None:
                part = np.ascontiguousarray(samples[None, number * each : (number + 1) * each])
                kind, type, scale = (
                    ("s16", np.int16, 32767) if sound in ("mp2", "pcm_s16le") else ("fltp", np.float32, 1)
                )
                sample = av.AudioFrame.from_ndarray((part * scale).astype(type), format=kind, layout="mono")
                sample.sample_rate, sample.pts = 48000, number * each
                container.mux(audio.encode(sample))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path


def joined(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def tone_changes(path, low=440, high=880):
    """Seconds at which the sound goes over from the one tone to the other."""
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    rate = 48000
    for time, samples in frames:
        heard = samples[: len(samples) // 2 * 2].astype(np.float64)
        wave = np.exp(-2j * np.pi * np.arange(len(heard)) / rate * np.array([[low], [high]]))
        at_low, at_high = np.abs((wave * heard).sum(1))
        if at_high > at_low:
            return time
    raise AssertionError("the tone does not change")


def times(path):
    return [frame.time for frame in frames_of(path)]


def begins(path):
    with av.open(str(path)) as container:
        return [float(stream.start_time * stream.time_base) for stream in container.streams]


def notes(result):
    return [(note.outcome, note.what) for note in result.notes]


# Time ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "start"), [("in.ts", 40_000), ("in.mkv", 10), ("in.mov", 10), ("in.ts", 95_442.9)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_that_starts_late_starts_at_once_and_is_as_long(tmp_path, name, start, suffix):
    """The last one passes the end of 33 bits, where the time stamps of transport streams begin anew."""
    source = clip(tmp_path / name, [picture(seed=seed) for seed in range(30)], start=start)
    result = rewrite_video(source, tmp_path / f"out{suffix}", same)
    assert (result.frames, result.notes, result.damage) == (30, [], "")
    before, after = begins(source), begins(tmp_path / f"out{suffix}")
    assert min(after) == pytest.approx(0, abs=2e-3)
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], abs=2e-3)
    np.testing.assert_allclose(np.diff(times(tmp_path / f"out{suffix}")), 1 / RATE, atol=2e-3)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.duration / av.time_base == pytest.approx(30 / RATE, abs=0.1)


def test_chapters_move_with_the_start(tmp_path):
    with av.open(str(tmp_path / "in.mkv"), "w", container_options={"output_ts_offset": "10"}) as container:
        chapter = {"id": 1, "start": 10_100, "end": 10_300, "time_base": Fraction(1, 1000), "metadata": {"title": "A"}}
        container.set_chapters([chapter])
        video = container.add_stream("libx264", rate=RATE)
        video.height, video.width = 48, 64
        for _ in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture())))
        container.mux(video.encode(None))
    rewrite_video(tmp_path / "in.mkv", tmp_path / "out.mkv", same)
    with av.open(str(tmp_path / "in.mkv")) as old, av.open(str(tmp_path / "out.mkv")) as new:
        (before,), (after,) = old.chapters(), new.chapters()
        start = Fraction(old.streams.video[0].start_time) * old.streams.video[0].time_base
    assert start == 10
    assert after["start"] * after["time_base"] == before["start"] * before["time_base"] - start


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("starts", [(0, 0), (0, 40_000), (40_000, 0)])
def test_parts_of_a_transport_stream_are_joined_with_the_sound_in_sync(tmp_path, starts, suffix):
    parts = [
        clip(tmp_path / "a.ts", [flat(DARK)] * 30, start=starts[0], tone=440),
        clip(tmp_path / "b.ts", [flat(BRIGHT)] * 30, start=starts[1], tone=880),
    ]
    result = rewrite_video(joined(tmp_path / "in.ts", *parts), tmp_path / f"out{suffix}", same)
    assert (result.frames, result.damage) == (60, "")
    assert ("converted", "time stamps") in notes(result)
    assert any("jump at 1.5 s" in note.detail for note in result.notes)
    shown = times(tmp_path / f"out{suffix}")
    np.testing.assert_allclose(np.diff(shown), 1 / RATE, atol=2e-3)
    levels = [pixels.mean() for pixels in pixels_of(tmp_path / f"out{suffix}")]
    assert max(levels[:30]) < 100 < min(levels[30:])
    assert tone_changes(tmp_path / f"out{suffix}") == pytest.approx(shown[30], abs=0.06)


def test_short_parts_are_joined_too(tmp_path):
    part = clip(tmp_path / "a.ts", [picture(seed=seed) for seed in range(8)])
    result = rewrite_video(joined(tmp_path / "in.ts", *[part] * 4), tmp_path / "out.mp4", same)
    assert result.frames == 32
    np.testing.assert_allclose(np.diff(times(tmp_path / "out.mp4")), 1 / RATE, atol=2e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_program_streams_of_several_parts_are_written(tmp_path, suffix):
    part = clip(tmp_path / "a.mpg", [picture(seed=seed) for seed in range(10)], codec="mpeg2video", sound="mp2")
    result = rewrite_video(joined(tmp_path / "in.mpg", part, part), tmp_path / f"out{suffix}", same)
    assert (result.frames, result.damage) == (20, "")
    np.testing.assert_allclose(np.diff(times(tmp_path / f"out{suffix}")), 1 / RATE, atol=2e-3)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name in ("mp2", "mp3")  # .mp4 calls both so


def test_a_long_pause_in_the_pictures_alone_stays_a_pause():
    timeline = Timeline(Fraction(0), may_jump_ahead=True)
    sound = timeline.clock(Stream("audio"))
    assert timeline.picture(0, Fraction(1, 10), 1) == 0
    for stamp in range(0, 300, 10):
        list(sound(packet(stamp, 10)))
    assert timeline.picture(290, Fraction(1, 10), 1) == 290
    assert timeline.picture(9000, Fraction(1, 10), 1) == 291  # the sound is not there yet: another part


def test_sound_that_jumps_before_the_pictures_waits_for_them():
    timeline = Timeline(Fraction(0), may_jump_ahead=False)
    sound = timeline.clock(Stream("audio"))
    for stamp in range(10):
        assert timeline.picture(stamp, Fraction(1, 10), 1) == stamp
    assert [moved.pts for stamp in range(10) for moved in sound(packet(stamp, 1))] == list(range(10))
    assert list(sound(packet(0, 1))) == []
    assert list(sound(packet(1, 1))) == []
    assert timeline.picture(1, Fraction(1, 10), 1) == 10  # begins 0.1 s after its sound
    assert [moved.pts for moved in sound(packet(2, 1))] == [9, 10, 11]


def test_sound_that_jumps_alone_goes_on():
    timeline = Timeline(Fraction(0), may_jump_ahead=False)
    sound = timeline.clock(Stream("audio"))
    moved = [new.pts for stamp in [0, 1, 2, 0, 1] for new in sound(packet(10 * stamp, 10))]
    assert moved == [0, 10, 20]
    assert [new.pts for new in sound(av.Packet())] == [30, 40, None]


def test_pictures_of_the_part_before_come_late_and_shift_nothing():
    timeline = Timeline(Fraction(0), may_jump_ahead=False)
    old = [*range(50), 20, 50, 51, 22, 23, 24]  # decoders give 50 and 51 after the first one of the next part
    assert [timeline.picture(stamp, Fraction(1, 25), 1) for stamp in old] == [*range(53), 54, 55, 56]
    assert timeline.jumps == [2]


class Stream:
    def __init__(self, type):
        self.type = type


def packet(stamp, duration):
    """Of sound; in tenths of seconds."""
    made = av.Packet(b"x")
    made.pts = made.dts = stamp
    made.duration, made.time_base = duration, Fraction(1, 10)
    return made


# Fields --------------------------------------------------------------------------------------------------------------


def interlaced(path, frames, order, encoder="libx264"):
    """Frames whose rows of the one field are half a frame's time older than the others."""
    with av.open(str(path), "w") as container:
        flags = "+ildct+ilme" if encoder == "libx264" else "+ildct"
        video = container.add_stream(encoder, rate=RATE, options={"flags": flags})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p" if encoder == "libx264" else "yuv422p10le"
        video.codec_context.field_order = {"tff": 2, "bff": 3}[order]
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels).reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, RATE)
            )
            graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
            graph.push(frame)
            container.mux(video.encode(graph.vpull()))
        container.mux(video.encode(None))
    return path


def combed(order):
    """A bright bar that moves by 8 pixels between the fields."""
    frames = []
    for number in range(6):
        frame = flat(DARK, 64, 160)
        for half in range(2):
            first_rows = 0 if order == "tff" else 1
            begin = 8 + 8 * (2 * number + half)
            frame[(first_rows + half) % 2 :: 2, begin : begin + 16] = BRIGHT
        frames.append(frame)
    return frames


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(("name", "encoder"), [("in.mp4", "libx264"), ("in.mov", "prores_ks")])
def test_fields_are_translated_one_by_one_and_keep_their_order(tmp_path, order, name, encoder):
    source = interlaced(tmp_path / name, combed(order), order, encoder)
    seen = []

    def change(shown):
        seen.append(shown.rgb)
        return np.iinfo(shown.rgb.dtype).max - shown.rgb

    result = rewrite_video(source, tmp_path / "out.mp4", change, quality=100)
    assert (result.frames, result.notes) == (6, [])
    for number, pixels in enumerate(seen):  # one bar in each, further by 8 each time, the same in all rows
        bar = np.flatnonzero(pixels[2:-2].astype(float).mean((0, 2)) > np.iinfo(pixels.dtype).max / 2)
        assert len(bar) == pytest.approx(16, abs=2)
        assert bar[0] == pytest.approx(8 + 8 * number, abs=2)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = list(container.decode(video=0))
    assert all(frame.interlaced_frame and is_top_first(frame) == (order == "tff") for frame in frames)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(6) / RATE, atol=1e-3)
    for before, after in zip(combed(order), frames, strict=True):
        assert difference(255 - before[:, :, 0], after.to_ndarray(format="rgb24")[:, :, 0]) < 6


def test_webm_gets_progressive_pictures_and_says_so(tmp_path):
    source = interlaced(tmp_path / "in.mp4", combed("tff"), "tff")
    result = rewrite_video(source, tmp_path / "out.webm", same)
    assert (result.frames, notes(result)) == (6, [("converted", "interlaced pictures")])
    for frame in pixels_of(tmp_path / "out.webm"):
        inner = frame[2:-2].astype(float)
        assert np.abs(np.diff(inner, axis=0)).mean() < 2  # no comb
    assert np.abs(np.diff(pixels_of(source)[2].astype(float), axis=0)).mean() > 8


# Transparency --------------------------------------------------------------------------------------------------------


def with_alpha(path, encoder, format, frames=4, size=(48, 64)):
    """Smooth colours, hidden ones too, with an alpha that falls from left to right."""
    height, width = size
    alpha = np.tile(np.linspace(255, 0, width).round().astype(np.uint8), (height, 1))
    rgba = np.dstack([picture(height, width), alpha])
    with av.open(str(path), "w") as container:
        video = container.add_stream(encoder, rate=RATE, options={"crf": "4", "b": "0"} if "vpx" in encoder else {})
        video.height, video.width, video.pix_fmt = height, width, format
        if "vpx" in encoder:
            video.metadata["alpha_mode"] = "1"
        for _ in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=format)))
        container.mux(video.encode(None))
    return path, rgba


def rgba_of(path):
    """(H, W, 4) float64 of 0..1 of the first frame, with FFmpeg's decoder that knows of the alpha."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        is_vp9 = stream.codec_context.codec.canonical_name == "vp9"
        decoder = av.CodecContext.create("libvpx-vp9", "r") if is_vp9 else stream.codec_context
        frames = [frame for part in container.demux(stream) for frame in decoder.decode(part if part.size else None)]
    pixels = frames[0].to_ndarray(format="rgba64le").astype(float)
    return pixels / pixels.max()


SOURCES = [("in.webm", "libvpx-vp9", "yuva420p"), ("in.mov", "prores_ks", "yuva444p10le"), ("in.mov", "png", "rgba")]
SOURCES = [*SOURCES, ("in.mov", "qtrle", "argb")]


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mov"])
@pytest.mark.parametrize(("name", "encoder", "format"), SOURCES)
def test_transparency_is_kept_where_the_new_file_can_hold_it(tmp_path, negative, name, encoder, format, suffix):
    source, rgba = with_alpha(tmp_path / name, encoder, format)
    result = negative.video(source, tmp_path / f"out{suffix}", size="keep", quality=100)
    assert result.frames == 4
    assert ("dropped", "transparency") not in notes(result)
    after = rgba_of(tmp_path / f"out{suffix}")
    assert difference(255 * after[:, :, 3], rgba[:, :, 3]) < 1
    as_picture = negative.translate(Picture(rgba[:, :, :3], rgba[:, :, 3]), size="keep").rgb
    assert difference(255 * after[:, :, :3], as_picture) < 4


@pytest.mark.parametrize(("name", "encoder", "format"), SOURCES)
def test_elsewhere_white_shows_through_and_it_is_said(tmp_path, name, encoder, format):
    source, rgba = with_alpha(tmp_path / name, encoder, format)
    result = rewrite_video(source, tmp_path / "out.mp4", same)
    assert ("dropped", "transparency") in notes(result)
    opacity = rgba[:, :, 3:] / 255
    wanted = opacity * rgba[:, :, :3].astype(float) + (1 - opacity) * 255
    assert difference(pixels_of(tmp_path / "out.mp4")[0], wanted) < 8
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams.video[0].metadata}


@pytest.mark.parametrize("is_clear", [True, False])
def test_an_opaque_gif_has_no_transparency_to_keep_or_lose(tmp_path, is_clear):
    frames = [Image.fromarray(picture(seed=seed)).convert("RGBA") for seed in range(2)]
    if is_clear:
        for frame in frames:
            frame.putalpha(Image.fromarray(np.tile(np.repeat(np.uint8([0, 255]), 32), (48, 1))))
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=100, disposal=2)
    lost = rewrite_video(tmp_path / "in.gif", tmp_path / "out.mp4", same)
    assert notes(lost) == [("dropped", "transparency")] * is_clear
    rewrite_video(tmp_path / "in.gif", tmp_path / "out.webm", same)
    with av.open(str(tmp_path / "out.webm")) as container:
        tags = {key.lower() for key in container.streams.video[0].metadata}
    assert ("alpha_mode" in tags) == is_clear


def test_turned_transparency_stays_turned(tmp_path):
    source, rgba = with_alpha(tmp_path / "plain.mov", "prores_ks", "yuva444p10le")
    with av.open(str(source)) as old, av.open(str(tmp_path / "in.mov"), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0])
        video.set_display_rotation(-90)
        for part in old.demux(video=0):
            if part.size:
                part.stream = video
                new.mux(part)
    seen = []
    for old, new in (("in.mov", "middle.webm"), ("middle.webm", "out.mov")):

        def look(shown):
            seen.append(shown)
            return shown.rgb

        rewrite_video(tmp_path / old, tmp_path / new, look, quality=100)
    for shown in (seen[0], seen[-1]):
        alpha = shown.alpha / np.iinfo(shown.alpha.dtype).max * 255
        assert difference(alpha, np.rot90(rgba[:, :, 3], -1)) < 1
    assert frames_of(tmp_path / "out.mov")[0].rotation == -90


# Metadata ------------------------------------------------------------------------------------------------------------

PHONE = {
    "com.apple.quicktime.location.ISO6709": "+48.1371+011.5754+519/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15",
    "com.apple.quicktime.creationdate": "2024-05-06T07:08:09+0200",
}


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_a_phones_place_and_date_and_make_are_kept(tmp_path, suffix):
    with av.open(str(tmp_path / "in.mov"), "w", container_options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(PHONE | {"creation_time": "2024-05-06T05:08:09.000000Z"})
        video = container.add_stream("libx264", rate=RATE)
        video.height, video.width = 48, 64
        for _ in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture())))
        container.mux(video.encode(None))
    rewrite_video(tmp_path / "in.mov", tmp_path / f"out{suffix}", same)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        after = container.metadata
    assert {key: after.get(key) for key in PHONE} == PHONE
    assert after["creation_time"].startswith("2024-05-06T05:08:09")


def motion_jpeg(path, orientation):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "A camera"
    shown = flat(DARK, 48, 64)
    shown[:24, :32] = BRIGHT  # above, at the left
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "JPEG", exif=exif, quality=95)
    with av.open(str(path), "w") as container:
        video = container.add_mux_stream("mjpeg", rate=RATE, width=64, height=48)
        video.time_base = Fraction(1, RATE)
        for number in range(3):
            part = av.Packet(file.getvalue())
            part.stream, part.time_base, part.is_keyframe = video, Fraction(1, RATE), True
            part.pts = part.dts = number
            container.mux(part)
    return Image.open(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_motion_jpeg_with_exif_is_seen_and_stays_as_a_viewer_shows_it(tmp_path, orientation):
    from PIL import ImageOps

    shown = np.asarray(ImageOps.exif_transpose(motion_jpeg(tmp_path / "in.avi", orientation)))
    seen = []

    def look(frame):
        seen.append(frame.rgb)
        return frame.rgb

    assert rewrite_video(tmp_path / "in.avi", tmp_path / "middle.mp4", look).frames == 3
    assert rewrite_video(tmp_path / "middle.mp4", tmp_path / "out.mp4", look).frames == 3
    assert difference(seen[0], shown) < 3
    assert difference(seen[-1], shown) < 5


# Sizes and errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_odd_sizes_grow_by_a_pixel_where_browsers_play_it(tmp_path, suffix):
    shown = picture(37, 51)
    Image.fromarray(shown).save(tmp_path / "in.gif", save_all=True, append_images=[Image.fromarray(picture(37, 51, 1))])
    result = rewrite_video(tmp_path / "in.gif", tmp_path / f"out{suffix}", same)
    assert notes(result) == [("converted", "size")]
    assert "51x37 became 52x38" in result.notes[0].detail
    frame = frames_of(tmp_path / f"out{suffix}")[0]
    assert (frame.width, frame.height, frame.format.name) == (52, 38, "yuv420p")
    after = pixels_of(tmp_path / f"out{suffix}")[0]
    assert difference(after[:37, :51], shown) < 12
    assert difference(after[:37, 51], after[:37, 50]) < 12


def test_fewer_bits_are_said(tmp_path):
    source = clip(tmp_path / "in.mp4", [picture()] * 2, sound=None, options={"profile": "high10"})
    with av.open(str(tmp_path / "in.mov"), "w") as container:
        video = container.add_stream("prores_ks", rate=RATE, options={"profile": "4444"})
        video.height, video.width, video.pix_fmt = 48, 64, "yuv444p10le"
        container.mux(video.encode(av.VideoFrame.from_ndarray(picture())))
        container.mux(video.encode(None))
    assert notes(rewrite_video(source, tmp_path / "out.mp4", same)) == []
    result = rewrite_video(tmp_path / "in.mov", tmp_path / "out.mp4", same)
    assert notes(result) == [("converted", "12 bits per colour")]  # as FFmpeg decodes ProRes 4444


@pytest.mark.parametrize(("suffix", "advice"), [(".mp4", "Try .mkv"), (".mkv", "see whether a player")])
def test_what_cannot_be_written_is_not_sent_where_it_is(tmp_path, monkeypatch, suffix, advice):
    from zorse.imaging.video import rewrite

    source = clip(tmp_path / "in.mp4", [picture()] * 2, sound=None)

    def fail(*_):
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(rewrite.PictureStream, "last", fail)
    with pytest.raises(ImageError, match=advice) as raised:
        rewrite_video(source, tmp_path / f"out{suffix}", same)
    assert ("Try .mkv" in str(raised.value)) == (suffix == ".mp4")


def test_ffmpeg_says_nothing_on_the_terminal(tmp_path, capfd):
    broken = clip(tmp_path / "a.ts", [picture(seed=seed) for seed in range(10)])
    content = bytearray(broken.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    (tmp_path / "in.ts").write_bytes(bytes(content))
    rewrite_video(tmp_path / "in.ts", tmp_path / "out.mp4", same)
    interlaced(tmp_path / "fields.mp4", combed("tff"), "tff")
    rewrite_video(tmp_path / "fields.mp4", tmp_path / "out.webm", same)
    assert capfd.readouterr() == ("", "")
