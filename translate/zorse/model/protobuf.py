"""The form in which protocol buffers are stored: a message is a sequence of fields, each a number and a value.

ONNX files are such messages. The package onnx, which reads them too, takes longer to import than a small model takes to
be opened; this is the little of it that opening a model needs.

Source: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

Part = bytes | memoryview

_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
"""Wire types: how a field's value is stored."""
_LAST = 127
"""Bytes up to this one end an integer. Most integers have one byte, and are then read at once."""
_WIDTHS = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}


class Field(NamedTuple):
    """One field of a message."""

    number: int
    value: memoryview
    """Text, an array, or a message; without number and length."""
    whole: memoryview
    """With number and length, as another message may take it over."""
    amount: int
    """Of a field that is an integer; else 0."""


def fields(message: Part) -> Iterator[Field]:
    """The fields of a message, in their order.

    Raises:
        ValueError: it is no message, or its end is missing.
    """
    message = memoryview(message)
    position, end = 0, len(message)
    try:
        while position < end:
            start, amount = position, 0
            key, first = message[position], position + 1
            if key > _LAST:
                key, first = _varint(message, position)
            wire, position = key & 7, first
            if wire == _BYTES:
                length, first = message[position], position + 1
                if length > _LAST:
                    length, first = _varint(message, position)
                position = first + length
            elif wire == _NUMBER:
                amount, position = _integer(message, position)
            else:
                position += _WIDTHS[wire]
            if position > end:
                raise ValueError("its end is missing")
            yield Field(key >> 3, message[first:position], message[start:position], amount)
    except (IndexError, KeyError) as error:
        raise ValueError("it is not made of protocol-buffers fields, or its end is missing") from error


def texts(message: Part, number: int) -> list[str]:
    """The values of a repeated text field."""
    return [str(field.value, "utf-8") for field in fields(message) if field.number == number]


def text(message: Part, number: int) -> str:
    """The value of a text field; empty where it is missing."""
    return next(iter(texts(message, number)), "")


def inside(message: Part, number: int) -> memoryview:
    """The message in a field; empty where it is missing."""
    return next((field.value for field in fields(message) if field.number == number), memoryview(b""))


def integers(message: Part, number: int) -> list[int]:
    """The values of a repeated integer field, which are stored one by one or all in one piece."""
    found: list[int] = []
    for field in fields(message):
        if field.number == number and field.whole[0] & 7 == _BYTES:
            found += _packed(field.value)
        elif field.number == number:
            found.append(field.amount)
    return found


def encode(number: int, parts: Iterable[Part]) -> list[Part]:
    """A field that holds text, an array, or a message; in parts, so that large ones are copied only when joined."""
    parts = list(parts)
    return [_encoded_varint(number << 3 | _BYTES), _encoded_varint(sum(map(len, parts))), *parts]


def encode_text(number: int, value: str) -> list[Part]:
    """A text field."""
    return encode(number, [value.encode()])


def encode_integer(number: int, value: int) -> Part:
    """An integer field."""
    return _encoded_varint(number << 3 | _NUMBER) + _encoded_varint(value)


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """An integer in groups of 7 bits, the lowest first; the eighth bit says that more follow. And where it ends."""
    result = shift = 0
    while shift < 64:
        byte = message[position]
        position += 1
        result |= (byte & 127) << shift
        if byte <= _LAST:
            return result, position
        shift += 7
    raise IndexError


def _integer(message: memoryview, position: int) -> tuple[int, int]:
    """The same with a sign: of 64 bits, the first one says that the number is negative."""
    value, position = _varint(message, position)
    return value - (value >> 63 << 64), position


def _packed(values: memoryview) -> Iterator[int]:
    position = 0
    while position < len(values):
        amount, position = _integer(values, position)
        yield amount


def _encoded_varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    groups.append(value)
    return bytes(groups)
