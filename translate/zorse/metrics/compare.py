"""Two results of `zorse evaluate` side by side: what is better, what is worse, and what chance could have made.

Figures of one protocol were resampled alike, so that the difference of two models is known for each resample. How hard
the drawn pictures are cancels out: differences are seen that are much smaller than the intervals of the figures. In
simulations each figure called 1 to 5 % of equal models different.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 8 (paired samples).
"""

import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from zorse.errors import ConfigError
from zorse.metrics.evaluation import Evaluation, Report, unpacked
from zorse.metrics.resampling import interval, recentred
from zorse.model.architecture import Frozen
from zorse.model.card import Metric

Verdict = Literal["better", "worse", "undecided", "not comparable"]
"""Of the second result, compared with the first."""


class ComparedFigure(Frozen):
    """One figure of two results."""

    name: str
    first: float
    second: float
    difference: float | None = None
    """Second minus first; none where figures do not compare."""
    interval: tuple[float, float] | None = None
    """95 % confidence interval of the difference, by paired bootstrap."""
    verdict: Verdict
    reason: str = ""
    """Why figures do not compare."""
    protocol_id: str = ""
    """Of both; empty where they differ."""


class ComparedModels(Frozen):
    """Two evaluations, figure by figure."""

    first: str
    """Name of the model."""
    second: str
    direction: str
    figures: tuple[ComparedFigure, ...]
    alone: tuple[str, ...]
    """Figures that only one of both has."""

    @property
    def n_comparable(self) -> int:
        """Figures with a verdict on the models."""
        return sum(figure.verdict != "not comparable" for figure in self.figures)


class Comparison(Frozen):
    """What `zorse compare` found: one entry for each translation that both results measured."""

    first: str
    """File of the first result."""
    second: str
    models: tuple[ComparedModels, ...]


def read_report(file: Path) -> Report:
    """What `zorse evaluate -o` wrote.

    Raises:
        ConfigError: there is no such file, or it holds something else.
    """
    wanted = "A JSON file written by 'zorse evaluate RUN|MODEL --data DIR -o FILE.json' was wanted"
    try:
        return Report.model_validate_json(file.read_bytes())
    except OSError as error:
        came = "is a folder" if file.is_dir() else f"cannot be read ({error.strerror or error})"
        raise ConfigError(f"{wanted}, but {file} {came}. Measure the model with that command first.") from error
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            f"{wanted}, but {file} is something else ({problem['msg'].rstrip('.')}). Measure the model with that "
            "command first."
        ) from error


def compare(first: Path, second: Path) -> Comparison:
    """Compare two results of `zorse evaluate`.

    Args:
        first: JSON file of the result to start from.
        second: JSON file of the result to judge.

    Raises:
        ConfigError: a file is no such result, or they measured nothing of the same kind.
    """
    before, after = read_report(first), read_report(second)
    pairs = _matched(before.evaluations, after.evaluations)
    if not pairs:
        ways = [" and ".join(sorted({each.direction for each in report.evaluations})) for report in (before, after)]
        raise ConfigError(
            f"{first} holds figures of {ways[0] or 'nothing'}, {second} of {ways[1] or 'nothing'}: there is nothing to "
            "compare. Measure models of the same direction."
        )
    return Comparison(
        first=str(first), second=str(second), models=tuple(_compare_models(*pair, first, second) for pair in pairs)
    )


def _matched(first: Sequence[Evaluation], second: Sequence[Evaluation]) -> list[tuple[Evaluation, Evaluation]]:
    """Evaluations of the same direction; if both results have but one, these, whatever their directions are called."""
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    by_direction = {evaluation.direction: evaluation for evaluation in second}
    return [(each, by_direction[each.direction]) for each in first if each.direction in by_direction]


def _compare_models(first: Evaluation, second: Evaluation, first_file: Path, second_file: Path) -> ComparedModels:
    before, after = _by_name(first.metrics), _by_name(second.metrics)
    resamples = _unpacked(first, first_file), _unpacked(second, second_file)
    return ComparedModels(
        first=first.model,
        second=second.model,
        direction=second.direction,
        figures=tuple(
            _compare_figures(before[name], after[name], *(draws.get(name) for draws in resamples))
            for name in before
            if name in after
        ),
        alone=tuple(name for name in before | after if not (name in before and name in after)),
    )


def _by_name(metrics: Sequence[Metric]) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def _unpacked(evaluation: Evaluation, file: Path) -> Mapping[str, NDArray[np.float64]]:
    try:
        return {name: unpacked(text) for name, text in evaluation.resamples.items()}
    except (binascii.Error, ValueError) as error:
        raise ConfigError(
            f"The resamples in {file} are damaged ({error}). Measure the model again with 'zorse evaluate'."
        ) from error


def _compare_figures(
    first: Metric,
    second: Metric,
    first_draws: NDArray[np.float64] | None,
    second_draws: NDArray[np.float64] | None,
) -> ComparedFigure:
    reason = _why_not(first, second, first_draws, second_draws)
    if reason or first_draws is None or second_draws is None:
        return ComparedFigure(
            name=first.name, first=first.value, second=second.value, verdict="not comparable", reason=reason
        )
    difference = second.value - first.value
    low, high = interval(recentred(second_draws - first_draws, difference))
    return ComparedFigure(
        name=first.name,
        first=first.value,
        second=second.value,
        difference=difference,
        interval=(low, high),
        verdict=_verdict(low, high, second.better == "higher"),
        protocol_id=first.protocol_id,
    )


def _why_not(
    first: Metric,
    second: Metric,
    first_draws: NDArray[np.float64] | None,
    second_draws: NDArray[np.float64] | None,
) -> str:
    """Why two figures of one name do not compare; nothing if they do."""
    if not first.protocol_id or not second.protocol_id:
        return "a figure without protocol identifier (Zorse 0.1.0): measure again"
    if first.protocol_id != second.protocol_id:
        return f"other protocols: {first.protocol_id} and {second.protocol_id}"
    if first_draws is None or second_draws is None or len(first_draws) != len(second_draws):
        return "no resamples in common: measure both again with one version of Zorse"
    return ""


def _verdict(low: float, high: float, higher_is_better: bool) -> Verdict:
    if low <= 0 <= high:
        return "undecided"
    return "better" if (low > 0) == higher_is_better else "worse"
