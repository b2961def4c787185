"""The idx files of MNIST and its likes: a header of big-endian numbers, then bytes."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zorse.errors import DatasetError

_UINT8 = 0x08
"""Code of the only type that MNIST and its likes use."""
MOST_BYTES = 2**32


def find_idx(root: Path, name: str) -> Path:
    """The file of that name in a folder, packed or not; instead of "images-idx3" it may say "images.idx3".

    Raises:
        DatasetError: there is none.
    """
    dotted = name.replace("-idx", ".idx")
    for candidate in (name, dotted, f"{name}.gz", f"{dotted}.gz"):
        if (root / candidate).is_file():
            return root / candidate
    came = "does not exist" if not root.exists() else "is a file" if root.is_file() else f"holds no {name}[.gz]"
    raise DatasetError(
        f"A folder with the idx files of MNIST or Fashion-MNIST was wanted, but {root} {came}. It should hold "
        "train-images-idx3-ubyte, train-labels-idx1-ubyte and, if you like, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte, each with or without .gz."
    )


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An idx file of bytes.

    Args:
        path: of the file; a name that ends in .gz is unpacked.
        dimensions: that its array should have: 3 for pictures, 1 for labels.

    Raises:
        DatasetError: it cannot be read, is damaged, or holds something else.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(
            f"{path} cannot be read ({error}). A download that broke off, or not packed with gzip? Get the file again."
        ) from error
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes([0, 0, _UINT8, dimensions]):
        raise DatasetError(
            f"{path} is no idx file of bytes with {dimensions} dimensions, as {path.name} should be: it begins with "
            f"{content[:4].hex(' ') or 'nothing'}, {bytes([0, 0, _UINT8, dimensions]).hex(' ')} was expected."
        )
    shape = tuple(int(side) for side in np.frombuffer(content, ">u4", dimensions, 4))
    wanted = int(np.prod(shape, dtype=np.int64))
    if len(content) - header != wanted:
        raise DatasetError(
            f"{path} says that it holds {' x '.join(map(str, shape))} bytes, but {len(content) - header} follow where "
            f"{wanted} should. A download that broke off? Get the file again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
