"""Videos: what is translated and what stays, the flicker that is held down, damaged files."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny_onnx
from zorse import load
from zorse.errors import ConfigError, ImageError, MissingExtraError
from zorse.files.jobs import plan
from zorse.runtime.steady import CutDetector, Steady
from zorse.runtime.video import video_receipt

av = pytest.importorskip("av")
from zorse.imaging.video.rewrite import rewrite_video  # noqa: E402  needs av

Interpolation = av.video.reformatter.Interpolation

RATE = 20
EXACTLY = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
TICKS = 100
"""Steps of the time stamps in one frame."""


@pytest.fixture
def negative(tmp_path):
    return load(tiny_onnx.write(tmp_path / "neg.onnx"))


def picture(height=48, width=64, seed=0):
    """Smooth, so that compression leaves it nearly as it is."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(40, 216, (4, 5, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def clip(path, frames, *, times=None, sound="aac", rotation=0, encoder="libx264", format="yuv420p", options=None):
    """A video with a tone of 440 Hz; `times` in ticks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", container_options=options or {}) as container:
        quality = {"crf": "10", "preset": "ultrafast"} if encoder == "libx264" else {}
        video = container.add_stream(encoder, rate=RATE, options=quality)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = format
        video.codec_context.time_base = Fraction(1, RATE * TICKS)
        video.color_range, video.colorspace, video.color_primaries, video.color_trc = 1, 1, 1, 1
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream(sound, rate=48000, layout="mono") if sound else None
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels).reformat(
                format=format, dst_colorspace="ITU709", interpolation=EXACTLY
            )
            frame.pts = times[number] if times else number * TICKS
            frame.time_base = Fraction(1, RATE * TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            samples = np.sin(np.arange(48000 * len(frames) // RATE) * 2 * np.pi * 440 / 48000).astype(np.float32) * 0.3
            for start in range(0, len(samples), 960):
                part = samples[None, start : start + 960]
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48000, start
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def frames_of(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def pixels_of(path):
    return [
        frame.to_ndarray(format="rgb24", src_colorspace="ITU709", interpolation=EXACTLY) for frame in frames_of(path)
    ]


def times_of(path):
    times = np.array([frame.time for frame in frames_of(path)])
    return times - times[0]


def sound_of(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def difference(pixels, others):
    return np.abs(np.asarray(pixels, np.float32) - np.asarray(others, np.float32)).mean()


# What stays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_pictures_change_and_sound_and_times_stay(tmp_path, negative, suffix):
    times = [number * TICKS + (number % 3) * 40 for number in range(12)]  # a phone's uneven steps
    source = clip(tmp_path / "in.mp4", [np.roll(picture(), 2 * number, 1) for number in range(12)], times=times)
    result = negative.video(source, tmp_path / f"out{suffix}", size="keep", steadiness=0)
    assert (result.frames, result.notes, result.damage) == (12, [], "")
    for before, after in zip(pixels_of(source), pixels_of(tmp_path / f"out{suffix}"), strict=True):
        assert difference(255 - before, after) < 3
        assert np.abs(np.mean(255.0 - before - after, axis=(0, 1))).max() < 0.9
    np.testing.assert_allclose(times_of(tmp_path / f"out{suffix}"), times_of(source), atol=1.1e-3)
    assert sound_of(tmp_path / f"out{suffix}") == sound_of(source)
    frame = frames_of(tmp_path / f"out{suffix}")[0]
    assert (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)
    assert frame.format.name == "yuv420p"


def test_other_streams_are_named_as_lost(tmp_path, negative):
    source = clip(tmp_path / "one.mp4", [picture()] * 4, sound=None)
    with av.open(str(source)) as old, av.open(str(tmp_path / "two.mkv"), "w") as new:
        copies = [new.add_stream_from_template(old.streams.video[0]) for _ in range(2)]
        for packet in old.demux(video=0):
            for copy in copies if packet.dts is not None else []:
                twin = av.Packet(bytes(packet))
                twin.pts, twin.dts, twin.time_base = packet.pts, packet.dts, packet.time_base
                twin.is_keyframe, twin.stream = packet.is_keyframe, copy
                new.mux(twin)
    result = negative.video(tmp_path / "two.mkv", tmp_path / "out.mkv", size="keep")
    assert result.frames == 4
    assert [(note.outcome, note.what) for note in result.notes] == [("dropped", "video (h264)")]


def test_the_receipt_says_what_kind_of_file_it_was_and_is(tmp_path, negative):
    clip(tmp_path / "in.avi", [picture()] * 4, encoder="mjpeg", format="yuvj422p")
    made = negative.video(tmp_path / "in.avi", tmp_path / "out.mp4", size="keep")
    receipt = video_receipt(made, tmp_path / "out.mp4")
    assert (receipt.source_format, receipt.format) == ("AVI", "MP4")
    assert [(entry.outcome, entry.what) for entry in receipt.entries] == [
        ("converted", "format"),
        ("converted", "codec"),
        ("converted", "colour resolution"),
        ("kept", "audio (aac)"),
    ]
    assert receipt.told() == [
        "The file is AVI; the result is MP4.",
        "The pictures are MJPEG; those of the result are H264.",
        "The resolution of the colours is 4:2:2; that of the result 4:2:0.",
    ]
    again = negative.video(tmp_path / "out.mp4", tmp_path / "again.mp4", size="keep")
    assert {entry.outcome for entry in video_receipt(again, tmp_path / "again.mp4").entries} == {"kept"}


def test_what_hangs_on_a_video_is_named(tmp_path, negative):
    clip(tmp_path / "in.mp4", [picture()] * 4, sound=None)
    with av.open(str(tmp_path / "in.mp4")) as old, av.open(str(tmp_path / "in.mkv"), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        new.add_attachment("font.ttf", "application/x-truetype-font", b"font")
        new.set_chapters([{"id": 1, "start": 0, "end": 50, "time_base": Fraction(1, 1000), "metadata": {"title": "A"}}])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    made = negative.video(tmp_path / "in.mkv", tmp_path / "out.mp4", size="keep")
    (note,) = made.notes
    assert (note.outcome, note.what) == ("dropped", "attachment (unknown)")
    assert "font.ttf" in note.detail
    assert ("kept", "chapters") in [(note.outcome, note.what) for note in made.kinds]
    again = negative.video(tmp_path / "out.mp4", tmp_path / "again.mp4", size="keep")
    assert again.notes == [], "the track that titles the chapters is not lost"


def test_the_number_of_frames_of_a_late_file_is_right(tmp_path, negative):
    clip(tmp_path / "in.mkv", [picture()] * 8, sound=None, times=[(number + 480) * TICKS for number in range(8)])
    seen = []
    rewrite_video(tmp_path / "in.mkv", tmp_path / "out.mkv", lambda frame: frame.rgb, seen.append)
    assert [progress.total for progress in seen] == [8] * 8


def test_webm_gets_vp9_and_sound_that_it_can_hold(tmp_path, negative):
    source = clip(tmp_path / "in.mp4", [picture()] * 10)
    (note,) = negative.video(source, tmp_path / "out.webm", size="keep").notes
    assert (note.outcome, note.what) == ("converted", "audio (aac)")
    with av.open(str(tmp_path / "out.webm")) as container:
        names = [stream.codec_context.codec.canonical_name for stream in container.streams]
        tone = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert names == ["vp9", "opus"]
    spectrum = np.abs(np.fft.rfft(tone[4800:19200]))
    assert spectrum.argmax() * 48000 / 14400 == pytest.approx(440, abs=4)


def test_old_kinds_of_files_are_read_and_their_sound_is_converted_where_it_must_be(tmp_path, negative):
    source = clip(tmp_path / "in.avi", [picture()] * 10, encoder="mpeg4", sound="pcm_s16le")
    negative.video(source, tmp_path / "out.mp4", size="keep")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.codec_context.codec.canonical_name for stream in container.streams] == ["h264", "aac"]
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(24000, abs=2048)
    assert difference(255 - pixels_of(source)[5], pixels_of(tmp_path / "out.mp4")[5]) < 4


def test_subtitles_and_chapters_and_metadata(tmp_path, negative):
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        container.metadata["title"] = "A horse"
        names = {"title": "The start"}
        container.set_chapters([{"id": 1, "start": 0, "end": 50, "time_base": Fraction(1, 1000), "metadata": names}])
        video = container.add_stream("libx264", rate=RATE)
        video.height, video.width = 48, 64
        text = container.add_mux_stream("subrip")
        text.metadata["language"] = "deu"
        for _ in range(4):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture())))
        container.mux(video.encode(None))
        line = av.Packet(b"Ein Pferd")
        line.stream, line.time_base, line.pts, line.dts, line.duration = text, Fraction(1, 1000), 20, 20, 90
        container.mux(line)

    assert negative.video(tmp_path / "in.mkv", tmp_path / "out.mkv").notes == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.metadata["title"] == "A horse"
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["The start"]
        (subtitles,) = container.streams.subtitles
        assert subtitles.metadata["language"] == "deu"
        assert [bytes(packet) for packet in container.demux(subtitles) if packet.size] == [b"Ein Pferd"]
    (note,) = negative.video(tmp_path / "in.mkv", tmp_path / "out.mp4").notes
    assert (note.outcome, note.what) == ("dropped", "subtitle (subrip)")


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("rotation", [-90, 180])
def test_turned_videos_stay_turned_and_the_network_sees_them_upright(tmp_path, negative, rotation, suffix):
    upright = np.zeros((48, 32, 3), np.uint8) if rotation == -90 else np.zeros((32, 48, 3), np.uint8)
    upright[:16] = 255  # light above
    source = clip(
        tmp_path / "in.mp4", [np.ascontiguousarray(np.rot90(upright, -rotation // 90))] * 3, rotation=rotation
    )
    seen = []

    def look(picture, translate=negative.translate):
        seen.append(picture.rgb)
        return translate(picture, size="keep")

    from zorse.runtime.video import translate_video

    translate_video(look, source, tmp_path / f"out{suffix}")
    assert difference(seen[0], upright) < 12
    after = frames_of(tmp_path / f"out{suffix}")[0]
    assert after.rotation % 360 == rotation % 360
    assert difference(255 - pixels_of(source)[0], pixels_of(tmp_path / f"out{suffix}")[0]) < 12


def test_odd_sizes_are_kept_as_vp9(tmp_path, negative):
    source = clip(tmp_path / "in.webm", [picture(37, 51)] * 2, encoder="libvpx-vp9", sound=None)
    negative.video(source, tmp_path / "out.webm", size="keep")
    (after, *_) = pixels_of(tmp_path / "out.webm")
    assert after.shape == (37, 51, 3)
    assert difference(255 - pixels_of(source)[0], after) < 4


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv"])
@pytest.mark.parametrize("source", ["video", "gif"])
def test_odd_sizes_become_what_phones_play(tmp_path, zorse, suffix, source):
    frames = [picture(37, 51, seed) for seed in range(2)]
    if source == "gif":
        file = tmp_path / "in.gif"
        first, *others = (Image.fromarray(frame) for frame in frames)
        first.save(file, save_all=True, append_images=others)
    else:
        file = clip(tmp_path / "in.webm", frames, encoder="libvpx-vp9", sound=None)
    out = tmp_path / f"out{suffix}"
    code, _, said = zorse("translate", file, "-m", tiny_onnx.write(tmp_path / "neg.onnx"), "-o", out, "--size", "keep")
    assert code == 0
    assert {(frame.format.name, frame.width, frame.height) for frame in frames_of(out)} == {("yuv420p", 52, 38)}
    assert "51x37 became 52x38" in said


def test_ten_bits_stay_ten_bits(tmp_path, negative):
    source = clip(tmp_path / "in.mp4", [picture()] * 2, format="yuv420p10le", sound=None)
    negative.video(source, tmp_path / "out.mp4", size="keep")
    assert frames_of(tmp_path / "out.mp4")[0].format.name == "yuv420p10le"
    assert difference(255 - pixels_of(source)[0], pixels_of(tmp_path / "out.mp4")[0]) < 3


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_quality_decides_on_the_size(tmp_path, zorse, suffix):
    model = tiny_onnx.write(tmp_path / "neg.onnx")
    noisy = [np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8) for number in range(6)]
    source = clip(tmp_path / "in.mp4", noisy, sound=None)

    def size(*options):
        out = tmp_path / f"out{suffix}"
        code, _, errors = zorse("translate", source, "-m", model, "-o", out, "--size", "keep", *options)
        assert code == 0, errors
        return out.stat().st_size

    worst, usual, best = size("--quality", 20), size(), size("--quality", 100)
    assert 2 * worst < usual < best
    assert size("--quality", 80) == usual


def test_an_encoder_without_quality_is_said(tmp_path, negative, monkeypatch):
    from zorse.imaging.video import encoders

    source = clip(tmp_path / "in.mp4", [picture()] * 2, sound=None)
    monkeypatch.setattr(encoders, "_CRF", {})
    with pytest.raises(ImageError, match="Leave --quality out"):
        negative.video(source, tmp_path / "out.mp4", quality=50)
    assert negative.video(source, tmp_path / "out.mp4").frames == 2


def test_large_frames_are_refused_and_allowed(tmp_path, zorse, monkeypatch):
    monkeypatch.setattr("zorse.imaging.io.MAX_PIXELS", 1000)
    model = tiny_onnx.write(tmp_path / "neg.onnx")
    source = clip(tmp_path / "in.mp4", [picture()] * 2, sound=None)
    code, _, errors = zorse("translate", source, "-m", model, "-o", tmp_path / "out.mp4")
    assert code == 1
    assert "64x48 pixels" in errors
    assert "--allow-large" in errors
    assert zorse("translate", source, "-m", model, "-o", tmp_path / "out.mp4", "--allow-large")[0] == 0


def test_an_animated_gif_becomes_a_video(tmp_path, negative):
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=[100, 300, 100])
    negative.video(tmp_path / "in.gif", tmp_path / "out.mp4", size="keep")
    np.testing.assert_allclose(times_of(tmp_path / "out.mp4"), [0, 0.1, 0.4], atol=1e-3)
    assert difference(255 - np.asarray(frames[1].quantize().convert("RGB")), pixels_of(tmp_path / "out.mp4")[1]) < 12


def test_only_a_few_frames_are_held(tmp_path, negative):
    """Frames are written while later ones are read: the file grows during the work."""
    source = clip(tmp_path / "in.mp4", [np.roll(picture(96, 128), number, 1) for number in range(120)], sound=None)
    sizes = []

    def watch(progress):
        sizes.append((tmp_path / ".out.mp4.part").stat().st_size)
        assert progress.total == 120

    noisy = np.random.default_rng(0).integers(0, 256, (120, 96, 128, 3), dtype=np.uint8)
    from zorse.imaging.video.rewrite import rewrite_video

    rewrite_video(source, tmp_path / "out.mp4", lambda _: noisy[len(sizes)], watch)
    assert len(sizes) == 120
    assert sizes[110] > 200_000


# Flicker -------------------------------------------------------------------------------------------------------------


def still_scene(noise, count=12):
    rng = np.random.default_rng(0)
    scene = picture(96, 128).astype(np.float32)
    return [np.clip(np.rint(scene + rng.normal(0, noise, scene.shape)), 0, 255).astype(np.uint8) for _ in range(count)]


def flicker(frames):
    return np.abs(np.diff(np.asarray(frames[4:], np.float32), axis=0)).mean()


@pytest.mark.parametrize("noise", [1, 4])
def test_a_still_scene_flickers_much_less(noise):
    frames = still_scene(noise)
    steady = Steady()
    steadied = [steady(frame, 255 - frame) for frame in frames]
    assert flicker(steadied) < 0.3 * flicker(frames)
    assert difference(np.mean(steadied[6:], axis=0), 255 - np.mean(frames, axis=0)) < 0.5 * noise


def test_no_steadiness_changes_nothing():
    frames = still_scene(4, count=3)
    steady = Steady(0)
    assert all(steady(frame, frame) is frame for frame in frames)


def test_a_moving_scene_leaves_no_trail():
    rng = np.random.default_rng(1)
    scene = np.asarray(Image.fromarray(rng.integers(0, 256, (24, 60, 3), dtype=np.uint8)).resize((480, 96)), np.float32)
    for step in (2, 5):
        clean = [scene[:, step * number :][:, :128] for number in range(12)]
        frames = [np.clip(np.rint(part + rng.normal(0, 2, part.shape)), 0, 255).astype(np.uint8) for part in clean]
        steady = Steady()
        steadied = [steady(frame, frame) for frame in frames]
        assert difference(steadied[6:], clean[6:]) < 1.1 * difference(frames[6:], clean[6:])


def test_what_moves_through_a_still_scene_is_sharp_and_the_rest_is_steady():
    frames = still_scene(2)
    for number, frame in enumerate(frames):
        frame[30:60, 8 * number : 8 * number + 30] = 250
    steady = Steady()
    steadied = [steady(frame, frame) for frame in frames]
    for number in range(4, 12):
        ball = np.s_[30:60, 8 * number : 8 * number + 30]
        trail = np.s_[30:60, max(0, 8 * number - 40) : 8 * number]
        assert difference(steadied[number][ball], frames[number][ball]) < 1
        assert difference(steadied[number][trail], frames[number][trail]) < 3
    assert flicker([frame[70:] for frame in steadied]) < 0.4 * flicker([frame[70:] for frame in frames])


def test_light_that_changes_slowly_is_followed():
    frames = [np.clip(picture(96, 128) * (1 - 0.02 * number), 0, 255).astype(np.uint8) for number in range(20)]
    steady = Steady()
    assert max(difference(steady(frame, frame), frame) for frame in frames) < 3


def test_cuts_are_found_and_nothing_else():
    noise = np.random.default_rng(0)
    wide = picture(96, 400)

    def shown(pixels):
        return np.clip(pixels + noise.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)

    pan = [shown(wide[:, 6 * number :][:, :128]) for number in range(10)]
    darker = [shown(picture(96, 128, seed=3) * (1 - 0.03 * number)) for number in range(10)]
    detector = CutDetector()
    assert [number for number, frame in enumerate([*pan, *darker]) if detector.is_cut(frame)] == [0, 10]


def test_nothing_of_the_scene_before_a_cut_is_left():
    steady = Steady(1)
    before, after = picture(96, 128, seed=1), picture(96, 128, seed=2)
    for _ in range(5):
        steady(before, before)
    np.testing.assert_array_equal(steady(after, after), after)


@pytest.mark.parametrize("steadiness", [-0.1, 1.1, float("nan")])
def test_senseless_steadiness_is_refused(steadiness):
    with pytest.raises(ConfigError, match="between 0"):
        Steady(steadiness)


# Bad input -----------------------------------------------------------------------------------------------------------


def test_what_is_no_video_is_said(tmp_path, negative):
    (tmp_path / "in.mp4").write_bytes(b"no video at all" * 50)
    with pytest.raises(ImageError, match=r"in\.mp4 cannot be read as a video"):
        negative.video(tmp_path / "in.mp4", tmp_path / "out.mp4")
    with pytest.raises(ImageError, match="There is no file"):
        negative.video(tmp_path / "none.mp4", tmp_path / "out.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ImageError, match=r"no video stream \(it holds audio\)"):
        negative.video(tmp_path / "sound.mp4", tmp_path / "out.mp4")
    with pytest.raises(ImageError, match="must end in one of"):
        negative.video(tmp_path / "sound.mp4", tmp_path / "out.xyz")
    assert not list(tmp_path.glob("*out*"))


def test_a_file_that_was_cut_off_gives_what_is_there(tmp_path, zorse):
    model = tiny_onnx.write(tmp_path / "neg.onnx")
    frames = [np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8) for number in range(60)]
    whole = clip(tmp_path / "whole.mp4", frames, options={"movflags": "+faststart"})
    content = whole.read_bytes()
    (tmp_path / "in.mp4").write_bytes(content[: len(content) // 2])
    code, _, errors = zorse("translate", tmp_path / "in.mp4", "-m", model, "-o", tmp_path / "out.mp4", "--size", "keep")
    assert code == 1
    assert "is damaged" in errors
    kept = len(frames_of(tmp_path / "out.mp4"))
    assert 10 < kept < 50
    assert f"{kept} pictures" in errors


def test_after_an_error_in_the_middle_no_file_is_left(tmp_path):
    from zorse.runtime.video import translate_video

    source = clip(tmp_path / "in.mp4", [picture()] * 8)
    calls = []

    def fail(picture):
        calls.append(picture)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return picture

    with pytest.raises(KeyboardInterrupt):
        translate_video(fail, source, tmp_path / "out.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


def test_a_full_disk_is_said(tmp_path, negative, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    from zorse.errors import DiskFull
    from zorse.imaging.video import rewrite

    source = clip(tmp_path / "in.mp4", [picture()] * 4)
    real = av.open

    def opened(file, *arguments, **options):
        return real("/dev/full" if "out" in file else file, *arguments, **options)

    monkeypatch.setattr(rewrite.av, "open", opened)
    with pytest.raises(DiskFull, match="No space left"):
        negative.video(source, tmp_path / "out.mkv")
    assert not list(tmp_path.glob("*out*"))


def test_without_av_the_extra_is_named(tmp_path, negative, monkeypatch):
    monkeypatch.setattr("zorse.system.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"zorse\[video\]"):
        negative.video(tmp_path / "in.mp4", tmp_path / "out.mp4")


def test_without_a_fitting_encoder_it_is_said(tmp_path, negative, monkeypatch):
    from zorse.imaging.video import encoders

    source = clip(tmp_path / "in.mp4", [picture()] * 2)

    def none(name, _mode):
        raise encoders.UnknownCodecError(name)

    monkeypatch.setattr(encoders, "Codec", none)
    with pytest.raises(ImageError, match="none of the encoders libx264"):
        negative.video(source, tmp_path / "out.mp4")


# The command ---------------------------------------------------------------------------------------------------------


def test_a_folder_may_mix_pictures_and_videos(tmp_path, zorse):
    model = tiny_onnx.write(tmp_path / "neg.onnx")
    clip(tmp_path / "in/deep/clip.mp4", [picture()] * 3)
    Image.fromarray(picture()).save(tmp_path / "in/photo.png")
    command = ("translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out", "--size", "keep")
    code, _, errors = zorse(*command)
    assert code == 0, errors
    assert difference(255 - picture(), np.asarray(Image.open(tmp_path / "out/photo.png"))) < 1
    assert difference(255 - picture(), pixels_of(tmp_path / "out/deep/clip.mp4")[2]) < 5
    assert (tmp_path / "out/deep/clip.mp4").stat().st_mtime_ns == (tmp_path / "in/deep/clip.mp4").stat().st_mtime_ns
    assert "2 files were done before" in zorse(*command, "--resume")[2]


def test_names_of_videos(tmp_path):
    for name in ("a.mp4", "b.AVI", "c.gif"):
        (tmp_path / name).touch()

    def targets(*names, out=None):
        return [job.target.name for job in plan([tmp_path / name for name in names], out, "neg")]

    assert targets("a.mp4", "b.AVI") == ["a_neg.mp4", "b_neg.mp4"]
    assert targets("c.gif", out=tmp_path / "c.webm") == ["c.webm"]
    with pytest.raises(ImageError, match="a video's name must end in"):
        targets("a.mp4", out=tmp_path / "a.png")
    with pytest.raises(ConfigError, match="standard output"):
        targets("a.mp4", out=Path("-"))
    with pytest.raises(ConfigError, match="Several pictures"):
        targets("a.mp4", "c.gif", out=tmp_path / "x.mp4")


def test_pictures_need_no_av(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    model = load(tiny_onnx.write(tmp_path / "neg.onnx"))
    assert model(picture(), size="keep").shape == (48, 64, 3)
