"""Zips from visitors: what is taken out of them, and what is refused."""

import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from zorse_app.archives import ArchiveError, Contents, ZipLimits, read_pictures, unpack_pictures


def jpeg(value=100, side=24):
    file = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), value, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def zipped(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as opened:
        for name, content in entries.items():
            opened.writestr(name, content)
    return path


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(path, limits=None):
    with pytest.raises(ArchiveError) as refusal:
        list(read_pictures(path, "holiday.zip", limits))
    assert "holiday.zip" in str(refusal.value)
    return str(refusal.value)


def test_several_zips_go_into_one_folder_and_nothing_is_overwritten(tmp_path):
    contents = Contents()
    for number, value in enumerate((10, 200)):
        archive = zipped(
            tmp_path / f"{number}.zip", {f"part{number}/0.jpg": jpeg(value), f"part{number}/1.jpg": jpeg(value)}
        )
        unpack_pictures(archive, archive.name, tmp_path / "out", None, contents)
    assert names_in(tmp_path / "out") == ["0.jpg", "0_.jpg", "1.jpg", "1_.jpg"]
    assert contents.pictures == 4
    assert (tmp_path / "out" / "0.jpg").read_bytes() == jpeg(10)


def test_pictures_keep_their_subfolders_but_not_the_folder_around_all_of_them(tmp_path):
    entries = {"set/train/a.jpg": jpeg(), "set/test/b.PNG": jpeg(), "set/notes.txt": b"", "__MACOSX/set/._a.jpg": b"x"}
    contents = Contents()
    unpack_pictures(zipped(tmp_path / "a.zip", entries), "a.zip", tmp_path / "out", None, contents)
    assert names_in(tmp_path / "out") == ["test/b.PNG", "train/a.jpg"]
    assert (contents.pictures, contents.left_out) == (2, ["set/notes.txt"])
    assert contents.n_bytes == 2 * len(jpeg())


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg", "C:\\evil.jpg", "..\\evil.jpg"])
def test_names_that_lead_out_of_the_folder_are_refused_before_anything_is_written(tmp_path, name):
    archive = zipped(tmp_path / "a.zip", {"good.jpg": jpeg(), name: jpeg()})
    with pytest.raises(ArchiveError, match="outside of its own folder"):
        unpack_pictures(archive, "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.parent.glob("evil.jpg"))


def test_strange_names_can_be_written_and_stay_different(tmp_path):
    long = "x" * 300
    entries = {f"{long}1.jpg": jpeg(), f"{long}2.jpg": jpeg(), 'a?:"<b>.jpg': jpeg(), ".hidden.jpg": jpeg()}
    entries |= {"A.jpg": jpeg(), "a.jpg": jpeg()}  # the same file on some systems
    unpack_pictures(zipped(tmp_path / "a.zip", entries), "a.zip", tmp_path / "out")
    written = names_in(tmp_path / "out")
    assert len({name.lower() for name in written}) == len(entries)
    assert all(len(name) < 120 and not set(name) & set('?:"<>') and not name.startswith(".") for name in written)


def test_the_same_strange_name_becomes_the_same_in_two_zips(tmp_path):
    for side in "AB":
        zipped(tmp_path / f"{side}.zip", {f"{side}/{'ä' * 200}?.jpg": jpeg(), f"{side}/b.jpg": jpeg()})
        unpack_pictures(tmp_path / f"{side}.zip", side, tmp_path / side)
    assert names_in(tmp_path / "A") == names_in(tmp_path / "B")


def test_a_bomb_is_stopped_by_what_unfolds_whatever_it_claims(tmp_path):
    path = zipped(tmp_path / "a.zip", {"bomb.jpg": b"\0" * 10**7})
    assert "more than 1 MB" in refused(path, ZipLimits(file_bytes=10**6))
    assert "more than 0.005 GB" in refused(path, ZipLimits(total_bytes=5 * 10**6))
    data = path.read_bytes()  # the size that the directory claims becomes 100 bytes
    at = data.index(b"PK\x01\x02") + 24
    path.write_bytes(data[:at] + struct.pack("<I", 100) + data[at + 4 :])
    with pytest.raises(ArchiveError):
        list(read_pictures(path, "holiday.zip", ZipLimits(file_bytes=10**6)))


def test_what_is_taken_from_several_zips_counts_together(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.jpg": b"\0" * 600})
    contents, limits = Contents(), ZipLimits(total_bytes=1000)
    list(read_pictures(path, "a.zip", limits, contents))
    with pytest.raises(ArchiveError, match="unfolds to more"):
        list(read_pictures(path, "a.zip", limits, contents))


def test_what_is_no_zip_of_pictures_is_explained(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"Rar!\x1a\x07 not a zip")
    assert "not a zip file" in refused(path)
    assert "there is nothing in it" in refused(zipped(path, {}))
    assert "none of them a picture" in refused(zipped(path, {"a.doc": b"x", "b/c.exe": b"x"}))
    assert "at most 3" in refused(zipped(path, {f"{n}.jpg": b"" for n in range(4)}), ZipLimits(files=3))
    assert "deep" in refused(zipped(path, {f"{'d/' * 70}a.jpg": b""}))
    whole = zipped(path, {"a.jpg": jpeg(), "b.jpg": jpeg()}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "part of one" in refused(path)
    path.write_bytes(whole[:60] + bytes(40) + whole[100:])
    assert "damaged" in refused(path)


def test_deep_folders_are_unpacked_and_very_long_paths_refused(tmp_path):
    deep = "/".join(f"folder{number}" for number in range(12))
    path = zipped(tmp_path / "deep.zip", {f"{deep}/a.jpg": b"a", f"{deep}/further/b.jpg": b"b"})
    unpack_pictures(path, "deep.zip", tmp_path / "out")
    assert (tmp_path / "out" / "a.jpg").read_bytes() == b"a"
    assert (tmp_path / "out" / "further" / "b.jpg").read_bytes() == b"b"
    assert "long names" in refused(zipped(tmp_path / "long.zip", {f"{'d' * 90}/" * 20 + "a.jpg": b""}))


def test_a_locked_zip_is_told(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.jpg": jpeg()})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the local header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(bytes(data))
    assert "password" in refused(path)
