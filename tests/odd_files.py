"""Odd picture files, made byte by byte: what no library writes."""

import io
import struct
import zlib

import numpy as np

PLANAR, SEPARATE = 284, 2


def saved(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


# TIFF ----------------------------------------------------------------------------------------------------------------


def tiff(pages, order="<"):
    """A TIFF of directories: each a dict tag -> (type, numbers), and blocks of pixels that tag 273 or 324 names."""
    content = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4
    for tags, blocks in pages:
        tags = dict(tags)
        if blocks:
            tags[324 if 322 in tags else 273] = (
                4,
                [len(content) + sum(map(len, blocks[:n])) for n in range(len(blocks))],
            )
            tags[325 if 322 in tags else 279] = (4, [len(block) for block in blocks])
        content += b"".join(blocks)
        content += bytes(len(content) % 2)
        content[link : link + 4] = struct.pack(order + "I", len(content))
        lists, entries, end = b"", b"", len(content) + 6 + 12 * len(tags)
        for tag, (kind, numbers) in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(numbers)}{' BBHI'[kind]}", *numbers)
            if len(packed) > 4:
                packed, lists = struct.pack(order + "I", end + len(lists)), lists + packed + bytes(len(packed) % 2)
            entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
        link = end - 4
        content += struct.pack(order + "H", len(tags)) + entries + bytes(4) + lists
    return bytes(content)


def lzw_of_tiff(data):
    """TIFF's LZW without compression: 9 bits a byte."""
    bits = ""
    for start in range(0, len(data), 250):
        bits += f"{256:09b}" + "".join(f"{byte:09b}" for byte in data[start : start + 250])
    bits += f"{257:09b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def packbits(data):
    parts = (data[start : start + 128] for start in range(0, len(data), 128))
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


COMPRESSIONS = {1: bytes, 5: lzw_of_tiff, 8: zlib.compress, 32773: packbits}


def planar_page(pixels, order="<", compression=1, predictor=1, tile=None, rows=5, **more):
    """A page whose channels lie apart, in strips or square tiles; `more` are further tags as `t274=(3, [6])`."""
    height, width, channels = pixels.shape
    blocks = []
    for channel in np.moveaxis(pixels, 2, 0):
        if tile:
            padded = np.pad(channel, ((0, -height % tile), (0, -width % tile)))
            parts = [padded[y : y + tile, x : x + tile] for y in range(0, height, tile) for x in range(0, width, tile)]
        else:
            parts = [channel[y : y + rows] for y in range(0, height, rows)]
        for part in parts:
            part = np.diff(part, axis=1, prepend=part.dtype.type(0)) if predictor == 2 else part
            stored = part.astype(part.dtype.newbyteorder(order)).tobytes()
            blocks.append(COMPRESSIONS[compression](stored))
    bits = 8 * pixels.dtype.itemsize
    tags = {256: (3, [width]), 257: (3, [height]), 258: (3, [bits] * channels), 259: (3, [compression])}
    tags |= {262: (3, [2]), 277: (3, [channels]), PLANAR: (3, [SEPARATE]), 317: (3, [predictor])}
    tags |= {322: (3, [tile]), 323: (3, [tile])} if tile else {278: (3, [rows])}
    tags |= {338: (3, [2])} if channels == 4 else {}
    return tags | {int(name[1:]): value for name, value in more.items()}, blocks


def grey_page(pixels, **more):
    """A page of one channel; `more` as for `planar_page`."""
    height, width = pixels.shape
    tags = {256: (3, [width]), 257: (3, [height]), 258: (3, [8 * pixels.dtype.itemsize]), 259: (3, [1])}
    tags |= {262: (3, [1]), 277: (3, [1]), 278: (3, [height])}
    return tags | {int(name[1:]): value for name, value in more.items()}, [pixels.tobytes()]


# PNG -----------------------------------------------------------------------------------------------------------------


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, bits, colour, rows, *before):
    """A PNG of packed rows, with chunks before the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + pixels + chunk(b"IEND", b"")


# BMP -----------------------------------------------------------------------------------------------------------------


def bmp(width, height, bits, method, pixels, palette=b"", masks=()):
    """A BMP; with four masks of version 3 of the header, with three of the first version."""
    size = 56 if len(masks) == 4 else 40
    packed = struct.pack(f"<{len(masks)}I", *masks)
    start = 14 + 40 + len(packed) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    info = struct.pack(
        "<IiiHHIIiiII", size, width, height, 1, bits, method, len(pixels), 2835, 2835, len(palette) // 4, 0
    )
    return head + info + packed + palette + pixels


def run_lengths(width, height, bits, rng):
    """Random runs, single pixels and jumps: the compressed content, and the numbers that it means (-1 for none)."""
    numbers, content, y = np.full((height, width), -1), b"", 0
    while y < height:
        x = 0
        while x < width and rng.random() > 0.05:
            count = int(rng.integers(1, min(width - x, 20) + 1))
            kind = rng.random()
            if kind < 0.4 and count >= 3:
                row = rng.integers(0, 2**bits, count)
                packed = bytes(row.astype(np.uint8))
                if bits == 4:
                    pairs = np.append(row, 0)[: count + count % 2].reshape(-1, 2)
                    packed = bytes((pairs[:, 0] << 4 | pairs[:, 1]).astype(np.uint8))
                content += bytes([0, count]) + packed + bytes(len(packed) % 2)
                numbers[y, x : x + count] = row
            elif kind < 0.5:
                content += bytes([0, 2, count, 0])
            else:
                value = int(rng.integers(256))
                content += bytes([count, value])
                pair = [value >> 4, value & 15] if bits == 4 else [value, value]
                numbers[y, x : x + count] = (pair * count)[:count]
            x += count
        if y + 2 < height and rng.random() < 0.1:
            content += bytes([0, 0, 0, 2, 0, 1])
            y += 2
        else:
            content += bytes([0, 0])
            y += 1
    return content + bytes([0, 1]), numbers[::-1]


# GIF -----------------------------------------------------------------------------------------------------------------


def lzw_of_gif(numbers):
    """GIF's LZW without compression: 9 bits a number."""
    codes = []
    for start in range(0, len(numbers), 250):
        codes += [256, *numbers[start : start + 250]]
    value = sum(code << 9 * place for place, code in enumerate([*codes, 257]))
    data = value.to_bytes((9 * len(codes) + 9 + 7) // 8, "little")
    parts = (data[start : start + 255] for start in range(0, len(data), 255))
    return b"\x08" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def gif(width, height, frames, palette=None, loop=None):
    """A GIF of frames: dicts of left, top, numbers, and if wanted palette, clear, disposal, duration, interlaced."""
    content = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7 if palette is not None else 0, 0, 0)
    content += b"" if palette is None else palette.tobytes()
    if loop is not None:
        content += b"!\xff\x0bNETSCAPE2.0\3\1" + struct.pack("<H", loop) + b"\0"
    for frame in frames:
        numbers, own, clear = frame["numbers"], frame.get("palette"), frame.get("clear")
        flags = frame.get("disposal", 0) << 2 | (clear is not None)
        content += b"!\xf9\4" + struct.pack("<BHBB", flags, frame.get("duration", 10), clear or 0, 0)
        rows = numbers
        if frame.get("interlaced"):
            rows = np.concatenate([numbers[0::8], numbers[4::8], numbers[2::4], numbers[1::2]])
        size = struct.pack("<HHHH", frame["left"], frame["top"], *numbers.shape[::-1])
        flags = (0x87 if own is not None else 0) | (0x40 if frame.get("interlaced") else 0)
        content += b"," + size + bytes([flags]) + (b"" if own is None else own.tobytes())
        content += lzw_of_gif([int(number) for number in rows.ravel()])
    return content + b";"


def shown(width, height, frames, palette=None):
    """What browsers show of such a GIF: RGBA of each frame."""
    canvas, pictures = np.zeros((height, width, 4), np.uint8), []
    for frame in frames:
        before = canvas.copy()
        colours = frame.get("palette")
        colours = palette if colours is None else colours
        for (y, x), number in np.ndenumerate(frame["numbers"]):
            row, column = frame["top"] + y, frame["left"] + x
            if row < height and column < width and number != frame.get("clear"):
                canvas[row, column] = [*colours[number], 255]
        pictures.append(canvas.copy())
        if frame.get("disposal") == 2:
            rows, columns = frame["numbers"].shape
            canvas[frame["top"] : frame["top"] + rows, frame["left"] : frame["left"] + columns] = 0
        elif frame.get("disposal") == 3:
            canvas = before
    return pictures


# JPEG and ISO files --------------------------------------------------------------------------------------------------


def with_process(jpeg, marker, bits=8):
    """A JPEG whose frame says that it is coded in another way."""
    place = jpeg.index(b"\xff\xc0")
    return jpeg[:place] + bytes([0xFF, marker]) + jpeg[place + 2 : place + 4] + bytes([bits]) + jpeg[place + 5 :]
