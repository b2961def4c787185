"""Sheets and films of what a generator draws: per class, on the way between two latents, code by code, in sums."""

import re

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zorse.errors import ConfigError
from zorse.gans.networks.latents import take_apart
from zorse.gans.sampling.sampler import Sampler, as_pixels
from zorse.gans.sheets import Pixels, Points, plane, sheet

STEPS = 10
"""From one end of an interpolation or a code to the other."""
CHUNK = 4096
"""Training pictures that are compared at a time."""
ROOM = 1.25
"""Side of a drawing of the plane, relative to the farthest point."""
_TERM = re.compile(r"([+-])([0-9]+(?:,[0-9]+)*)")


def drawn(sampler: Sampler, latents: Tensor, columns: int | None = None, real: Points | None = None) -> Pixels:
    """What these latents give: pictures in rows, or points in the plane.

    Args:
        sampler: draws.
        latents: (N, size), N >= 1.
        columns: pictures in a row; None: as square as may be.
        real: points to draw beside generated ones.
    """
    samples = sampler.draw(latents)
    if not sampler.card.draws_points:
        return sheet(as_pixels(samples), columns)
    points = samples.numpy()
    seen = points if real is None else real
    return plane(real, points, ROOM * max(float(np.abs(seen).max()), 1e-3))


def samples_sheet(sampler: Sampler, n: int, label: int | None, seed: int, real: Points | None = None) -> Pixels:
    """N samples; of a class, if one is named, otherwise a column for each class where the generator takes labels."""
    return drawn(sampler, sheet_latents(sampler, n, label, seed), _columns(sampler, label), real)


def sheet_latents(sampler: Sampler, n: int, label: int | None, seed: int) -> Tensor:
    """The latents (N, size) of the samples on such a sheet, row by row."""
    columns = _columns(sampler, label)
    if columns is None:
        return _fixed(sampler, n, label, seed)
    rows = max(1, round(n / columns))
    return sampler.latents(rows * columns, list(range(columns)) * rows, seed)


def _columns(sampler: Sampler, label: int | None) -> int | None:
    """One for each class; None where samples of classes are not told apart."""
    told_apart = label is None and not sampler.card.draws_points
    return sampler.card.latent.classes or None if told_apart else None


def check_label(sampler: Sampler, label: int) -> None:
    """See that the generator takes labels, and this one.

    Raises:
        ConfigError: it does not.
    """
    classes, names = sampler.card.latent.classes, sampler.card.class_names
    if classes == 0:
        sampler.latents(1, [label])
    if not 0 <= label < classes:
        known = ", ".join(f"{number} ({name})" for number, name in enumerate(names[:classes]))
        raise ConfigError(
            f"The label {label} was wanted, but {sampler.card.name!r} knows {known}. Choose one of these."
        )


def interpolation_sheet(sampler: Sampler, rows: int, label: int | None, seed: int, *, spherical: bool) -> Pixels:
    """In each row the way from one sample to another."""
    ends = _fixed(sampler, 2 * rows, label, seed)
    ways = [sampler.between(ends[2 * row], ends[2 * row + 1], STEPS, spherical=spherical) for row in range(rows)]
    return drawn(sampler, torch.cat(ways), columns=STEPS)


def walk(sampler: Sampler, stops: int, label: int | None, seed: int, *, spherical: bool) -> list[Pixels]:
    """Frames of a walk over some latents and back to the first one.

    Args:
        sampler: draws pictures.
        stops: latents on the way.
        label: of all of them; None: each has its own.
        seed: of the latents.
        spherical: go round the origin, not through it.

    Raises:
        ConfigError: the generator draws points.
    """
    _pictures_only(sampler, "A walk")
    ends = _fixed(sampler, stops, label, seed)
    legs = [
        sampler.between(ends[stop], ends[(stop + 1) % stops], STEPS + 1, spherical=spherical)[:-1]
        for stop in range(stops)
    ]
    return [sheet(picture[None], 1, smallest=128) for picture in as_pixels(sampler.draw(torch.cat(legs)))]


def traversal_sheet(sampler: Sampler, rows: int, label: int | None, seed: int) -> Pixels:
    """For each code of InfoGAN a block: every row has its own noise, along a row only that code changes.

    Raises:
        ConfigError: the generator has no codes, or draws points.
    """
    _pictures_only(sampler, "A traversal of codes")
    latent = sampler.card.latent
    if not latent.categories and not latent.continuous:
        raise ConfigError(
            f"The generator {sampler.card.name!r} ({sampler.card.method}) has no codes to go through: take one that "
            "was trained as infogan, or --interpolate."
        )
    base, blocks = _fixed(sampler, rows, label, seed), []
    for code, values in enumerate(latent.categories):
        settings = [_with_category(sampler, base, code, value) for value in range(values)]
        blocks.append(torch.stack(settings, 1).flatten(0, 1))
    for code in range(latent.continuous):
        settings = [_with_continuous(sampler, base, code, float(value)) for value in np.linspace(-1, 1, STEPS)]
        blocks.append(torch.stack(settings, 1).flatten(0, 1))
    sheets = [drawn(sampler, block, columns=len(block) // rows) for block in blocks]
    width, gap = max(each.shape[1] for each in sheets), 8
    padded = [
        cv2.copyMakeBorder(s, 0, gap, 0, width - s.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3) for s in sheets
    ]
    return np.vstack(padded)[:-gap].astype(np.uint8)


def arithmetic_sheet(sampler: Sampler, sum_of: str, n: int, label: int | None, seed: int) -> Pixels:
    """mean(a) - mean(b) + mean(c) of latents: a column of samples for each term, then that of the sum.

    Args:
        sampler: draws pictures.
        sum_of: terms of sample numbers, as in "1,4,9-2,3+5": numbers count the samples of the sheet, from 0, row by
            row; each term is the mean of its latents.
        n: samples on the sheet, see `samples_sheet`; label and seed likewise.
        label: of all of them.
        seed: of the sheet.

    Raises:
        ConfigError: no such sum, or the generator draws points.

    Source: Radford et al. 2016, section 6.3.2.
    """
    _pictures_only(sampler, "Arithmetic")
    text = sum_of.replace(" ", "")
    text = text if text.startswith("-") else f"+{text}"
    terms = _TERM.findall(text)
    if not terms or "".join(sign + numbers for sign, numbers in terms) != text:
        raise ConfigError(
            f"{sum_of!r} is no sum of samples. Write numbers of samples, counted from 0 row by row, with commas within "
            'a term: "1,4,9-2,3+5" is mean(1, 4, 9) - mean(2, 3) + mean(5).'
        )
    members = [[int(number) for number in numbers.split(",")] for _, numbers in terms]
    latents = sheet_latents(sampler, n, label, seed)
    if (highest := max(map(max, members))) >= len(latents):
        raise ConfigError(
            f"The sum names sample {highest}, but the sheet has {len(latents)}, counted from 0. Choose others, or a "
            "larger sheet with -n."
        )
    total = torch.zeros_like(latents[0])
    for (sign, _), numbers in zip(terms, members, strict=True):
        mean = latents[numbers].mean(0)
        total += mean if sign == "+" else -mean
    noise = sampler.card.latent.noise
    total[noise:] = latents[members[0][0]][noise:]  # Labels and codes are those of the first sample.
    height = max(map(len, members))
    columns = [[numbers[min(row, len(numbers) - 1)] for row in range(height)] for numbers in members]
    table = torch.stack(
        [torch.stack([latents[i] for i in column]) for column in columns] + [total.expand(height, -1)], 1
    )
    return drawn(sampler, table.flatten(0, 1), columns=len(members) + 1)


def neighbours_sheet(sampler: Sampler, latents: Tensor, training: NDArray[np.uint8], columns: int = 8) -> Pixels:
    """Each sample with the training picture that is nearest to it, pixel by pixel, at its right: is it a copy?

    Args:
        sampler: draws pictures.
        latents: (N, size).
        training: (M, H, W, 3), as the generator's own pictures.
        columns: pairs in a row.

    Raises:
        ConfigError: pictures of another size, as those of CoGAN, which draws pairs; or the generator draws points.
    """
    _pictures_only(sampler, "A search for neighbours")
    pictures = as_pixels(sampler.draw(latents))
    if pictures.shape[1:] != training.shape[1:]:
        (height, width), (known_height, known_width) = pictures.shape[1:3], training.shape[1:3]
        raise ConfigError(
            f"{sampler.card.name!r} draws {width}x{height} pixels, but the training pictures have "
            f"{known_width}x{known_height}: they cannot be compared. (CoGAN draws pairs, side by side.)"
        )
    drawn_ones = torch.from_numpy(pictures).flatten(1).float()
    known = torch.split(torch.from_numpy(training).flatten(1), CHUNK)
    distances = torch.cat([torch.cdist(drawn_ones, part.float()) for part in known], dim=1)
    nearest = distances.argmin(1).numpy()
    return sheet(np.concatenate([pictures, training[nearest]], axis=2), min(columns, len(pictures)))


def _fixed(sampler: Sampler, n: int, label: int | None, seed: int) -> Tensor:
    if label is None:
        return sampler.latents(n, seed=seed)
    check_label(sampler, label)
    return sampler.latents(n, [label] * n, seed)


def _with_category(sampler: Sampler, latents: Tensor, code: int, value: int) -> Tensor:
    parts = take_apart(sampler.card.latent, latents.clone())
    parts.categories[code].zero_()[:, value] = 1.0
    return parts.joined()


def _with_continuous(sampler: Sampler, latents: Tensor, code: int, value: float) -> Tensor:
    parts = take_apart(sampler.card.latent, latents.clone())
    parts.continuous[:, code] = value
    return parts.joined()


def _pictures_only(sampler: Sampler, what: str) -> None:
    if sampler.card.draws_points:
        raise ConfigError(f"{what} is for pictures, but {sampler.card.name!r} draws points in the plane.")
