"""EXIF blocks as cameras write them: with maker notes that point into the block, GPS and a preview."""

import io
import struct

from PIL import Image

NOTE_VALUE = b"a value that the maker note points to"
PREVIEW = b"\xff\xd8\xff\xe0 the old picture \xff\xd9"
SHORT, LONG, ASCII, UNDEFINED = 3, 4, 2, 7


def exif_block(
    order="<", orientation=6, maker_note=None, gps=True, preview=True, description=b"a horse\0", sides=(60, 40)
):
    """A block whose maker note, if None, is like Canon's: a directory with a value at a place of the whole block."""
    body, links = bytearray(b"II*\0" if order == "<" else b"MM\0*"), {}
    body += struct.pack(f"{order}I", 8)

    def directory(name, entries, last=0):
        """Leaves room for the directory; its values come where `value` puts them."""
        links[name] = len(body), entries, last
        body.extend(bytes(2 + 12 * len(entries) + 4))

    def value(content):
        place = len(body)
        body.extend(content + b"\0" * (len(content) % 2))
        return place

    first = [(0x010E, ASCII, len(description), "description"), (0x0112, SHORT, 1, orientation)]
    first += [(0x8769, LONG, 1, "exif")] + ([(0x8825, LONG, 1, "gps")] if gps else [])
    directory("first", first)
    directory("exif", [(0x927C, UNDEFINED, 0, "note"), (0xA002, SHORT, 1, sides[0]), (0xA003, SHORT, 1, sides[1])])
    places = {"description": value(description), "exif": links["exif"][0]}
    if maker_note is None:
        target = value(NOTE_VALUE)
        maker_note = struct.pack(f"{order}HHHII", 1, 0x0006, ASCII, len(NOTE_VALUE), target) + bytes(4)
    places["note"] = value(maker_note)
    if gps:
        places["gps"] = len(body)
        directory("gps", [(1, ASCII, 2, struct.unpack(f"{order}I", b"N\0\0\0")[0])])
    end = 0
    if preview:
        end = len(body)
        directory("preview", [(0x0103, SHORT, 1, 6), (0x0201, LONG, 1, "picture"), (0x0202, LONG, 1, len(PREVIEW))])
        places["picture"] = value(PREVIEW)
    for name, (start, entries, _) in links.items():
        content = struct.pack(f"{order}H", len(entries))
        for tag, kind, count, what in entries:
            count = len(maker_note) if tag == 0x927C else count
            what = places.get(what, what)
            content += struct.pack(f"{order}HHI", tag, kind, count)
            content += struct.pack(f"{order}HH", what, 0) if kind == SHORT else struct.pack(f"{order}I", what)
        content += struct.pack(f"{order}I", end if name == "first" else 0)
        body[start : start + len(content)] = content
    return b"Exif\0\0" + bytes(body)


def jpeg(pixels, exif=b"", segments=b"", **options):
    """A JPEG with that EXIF and further segments."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif, extra=segments, **options)
    return buffer.getvalue()


def segment(number, content):
    """One of a JPEG."""
    return bytes([0xFF, number]) + struct.pack(">H", len(content) + 2) + content


def note_value(block):
    """What the Canon-like maker note of a block points to; None where it has none."""
    exif = Image.Exif()
    exif.load(block)
    note = exif.get_ifd(0x8769).get(0x927C)
    if note is None:
        return None
    order = "<" if block.removeprefix(b"Exif\0\0").startswith(b"II") else ">"
    _, _, _, size, place = struct.unpack_from(f"{order}HHHII", note)
    return block.removeprefix(b"Exif\0\0")[place : place + size]
