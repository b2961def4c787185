"""Many pictures at once: names and folders stay, one that fails stops nothing, hostile zips are refused."""

import io
import itertools
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

import tiny_onnx
from zorse.errors import ImageError, Stopped, UnknownModel
from zorse_app import Service, Shelf, many
from zorse_app.archives import ArchiveError
from zorse_app.gate import Busy, Gate
from zorse_app.limits import Limits
from zorse_app.many import translate_many
from zorse_app.picture_files import Wish
from zorse_app.tabs.many import told_of
from zorse_app.uploads import Upload

WISH = Wish("tiny", "keep")


@pytest.fixture
def models(tmp_path):
    (tmp_path / "models").mkdir()
    tiny_onnx.write(tmp_path / "models" / "tiny.onnx")
    return tmp_path / "models"


@pytest.fixture
def service(models, tmp_path):
    return Service(Shelf(models), tmp_path / "results")


def picture(shade=55, format="PNG", size=(20, 10)):
    file = io.BytesIO()
    Image.new("RGB", size, (shade,) * 3).save(file, format)
    return file.getvalue()


def zipped(path, files, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return Upload(path, path.name)


def file(path, content):
    path.write_bytes(content)
    return Upload(path, path.name)


def results(batch):
    with zipfile.ZipFile(batch.download) as archive:
        assert archive.testzip() is None
        return {
            name: np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))[0, 0, 0]
            for name in archive.namelist()
            if name != "receipts.json"
        }


def test_names_and_folders_stay(service, tmp_path):
    sent = [
        zipped(tmp_path / "a.zip", {"farm/one/horse.png": picture(10), "farm/two/horse.png": picture(20)}),
        file(tmp_path / "horse.png", picture(30)),
        zipped(tmp_path / "b.zip", {"horse.png": picture(40), "photo.jpeg": picture(50, "JPEG")}),
    ]
    shares = []
    batch = translate_many(service, sent, WISH, lambda share, _: shares.append(share))
    assert results(batch) == {
        "one/horse.png": 245,
        "two/horse.png": 235,
        "horse.png": 225,
        "horse_2.png": 215,
        "photo.jpeg": 205,
    }
    assert (batch.done, batch.total, batch.failures, batch.missing) == (5, 5, [], 0)
    assert "Not in the zip" not in told_of(batch)
    with zipfile.ZipFile(batch.download) as archive:
        receipts = json.loads(archive.read("receipts.json"))
    assert set(receipts) == set(results(batch))
    assert receipts["photo.jpeg"]["entries"][0]["what"] == "format"
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert batch.download.name == "tiny.zip"


def test_a_picture_that_fails_stops_nothing_and_is_listed(service, tmp_path):
    files = {"a.png": picture(), "b.png": b"no picture", "c.png": picture()[:50], "notes.txt": b"x", "d.png": picture()}
    batch = translate_many(service, [zipped(tmp_path / "a.zip", files), file(tmp_path / "z.png", b"")], WISH)
    assert list(results(batch)) == ["a.png", "d.png"]
    assert [name for name, _ in batch.failures] == ["b.png", "c.png", "z.png", "notes.txt"]
    told = told_of(batch)
    assert "2 of 6 files" in told
    assert "Not in the zip: 4" in told
    assert "`b.png`: b.png is not a picture that can be read" in told


def test_another_format_changes_the_ending(service, tmp_path):
    batch = translate_many(
        service, [file(tmp_path / "odd.ppm", picture(10, "PPM")), file(tmp_path / "x", picture())], WISH
    )
    assert list(results(batch)) == ["odd.png", "x.png"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"../../etc/x.png": b"x"}, "outside of its own folder"),
        ({"/etc/x.png": b"x"}, "outside of its own folder"),
        ({"C:\\x.png": b"x"}, "outside of its own folder"),
        ({"bomb.png": bytes(3_000_000)}, "unfolds to more than"),
        ({"x.txt": b"x"}, "none of them a picture"),
        ({}, "nothing in it"),
    ],
)
def test_zips_that_are_refused(models, tmp_path, files, says):
    service = Service(Shelf(models, Gate(Limits(file_bytes=10**6))), tmp_path / "results")
    with pytest.raises(ArchiveError, match=says):
        translate_many(service, [zipped(tmp_path / "a.zip", files, zipfile.ZIP_DEFLATED)], WISH)
    assert not list(tmp_path.glob("**/x.png"))


def test_a_broken_zip_is_called_one(service, tmp_path):
    sent = zipped(tmp_path / "a.zip", {"a.png": picture()})
    sent.path.write_bytes(sent.path.read_bytes()[:-40])
    with pytest.raises(ArchiveError, match="not a zip file, or only a part of one"):
        translate_many(service, [sent], WISH)


def test_a_bomb_among_good_files_costs_only_itself(models, tmp_path):
    service = Service(Shelf(models, Gate(Limits(file_bytes=10**6, pixels=1000))), tmp_path / "results")
    bomb = zipped(tmp_path / "bomb.zip", {"a.png": picture(), "bomb.png": bytes(3_000_000)}, zipfile.ZIP_DEFLATED)
    large = file(tmp_path / "large.png", picture(size=(100, 100)))
    batch = translate_many(service, [bomb, large, file(tmp_path / "good.png", picture())], WISH)
    assert list(results(batch)) == ["a.png", "good.png"]
    assert [(name, "MB" in why or "pixels" in why) for name, why in batch.failures] == [
        ("bomb.zip", True),
        ("large.png", True),
    ]
    assert (batch.total, batch.missing) == (4, 2)


def test_what_is_done_when_it_is_stopped_stays(service, tmp_path):
    sent = [file(tmp_path / f"{number}.png", picture()) for number in range(5)]
    calls = iter(range(100))

    def check():
        if next(calls) >= 4:  # before and in each picture
            raise Stopped

    batch = translate_many(service, sent, WISH, check=check)
    assert list(results(batch)) == ["0.png", "1.png"]
    told = told_of(batch)
    assert "2 of 5 files" in told
    assert "You stopped this" in told
    assert "Not in the zip: 3" in told


def test_time_that_is_used_up_keeps_what_is_done(models, tmp_path):
    ticks = itertools.count()  # each look at the clock takes a second
    gate = Gate(Limits(seconds=8), lambda: "ann", lambda: float(next(ticks)))
    service = Service(Shelf(models, gate), tmp_path / "results")
    batch = translate_many(service, [file(tmp_path / f"{number}.png", picture()) for number in range(6)], WISH)
    assert 0 < batch.done < 6
    assert list(results(batch)) == [f"{number}.png" for number in range(batch.done)]
    assert f"{batch.done} of 6 files" in told_of(batch)
    assert "You have used up" in told_of(batch)


def test_a_full_line_is_waited_for(service, tmp_path, monkeypatch):
    monkeypatch.setattr(many, "_PATIENCE", 0)
    answers = iter([Busy(), Busy(), None])
    real = many.translate_file

    def busy_at_first(*arguments):
        answer = next(answers)
        if answer is not None:
            raise answer
        return real(*arguments)

    monkeypatch.setattr(many, "translate_file", busy_at_first)
    batch = translate_many(service, [file(tmp_path / "a.png", picture())], WISH)
    assert (batch.done, batch.failures) == (1, [])


def test_what_makes_no_sense(service, tmp_path, monkeypatch):
    with pytest.raises(ImageError, match="Upload a file"):
        translate_many(service, [], WISH)
    sent = [file(tmp_path / "a.png", picture())]
    with pytest.raises(UnknownModel):
        translate_many(service, sent, Wish("cat2dog"))
    monkeypatch.setattr(many, "MOST_FILES", 1)
    with pytest.raises(ImageError, match="at most 1"):
        translate_many(service, sent * 2, WISH)
