"""All checks of a data set, and what they add up to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zorse.data.config import DataConfig
from zorse.data.doctor import copy_checks, domain_checks, file_checks, label_checks, pair_checks
from zorse.data.doctor.findings import Finding, Severity
from zorse.data.doctor.sets import find_set
from zorse.data.doctor.survey import Survey, survey

CHECKS: tuple[Callable[[Survey], Iterator[Finding]], ...] = (
    file_checks.unreadable,
    file_checks.unusable_shape,
    file_checks.not_a_pair,
    pair_checks.unmatched,
    pair_checks.ambiguous_name,
    pair_checks.unequal_sides,
    pair_checks.swapped,
    pair_checks.unrelated,
    copy_checks.equal_sides,
    copy_checks.copies,
    label_checks.dark,
    file_checks.constant,
    domain_checks.alike,
    domain_checks.drawings,
    label_checks.label_maps,
    domain_checks.grey,
    domain_checks.grey_domain,
    domain_checks.imbalance,
    domain_checks.few,
    domain_checks.no_test,
    file_checks.small,
    file_checks.elongated,
    file_checks.rotated,
    file_checks.transparent,
    file_checks.deep,
    file_checks.cmyk,
    file_checks.animated,
    file_checks.skipped,
)
"""In the order in which their findings are told, within each severity."""


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is known of a data set, and what is wrong with it."""

    survey: Survey
    findings: tuple[Finding, ...]
    """Errors first, then warnings, then notes."""

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity is severity]


def diagnose(
    root: Path, config: DataConfig, on_file: Callable[[int, int], None] = lambda done, total: None
) -> Diagnosis:
    """Read all pictures of a set, and check them.

    Args:
        root: folder of the set.
        config: its kind, where its folders are, and how it will be cut; see `sets.guess_config`.
        on_file: told after each file how many are done, and how many there are.

    Raises:
        DatasetError: there is no such set, or a folder of it holds no pictures.
    """
    found = survey(find_set(root, config), on_file)
    return Diagnosis(found, check(found))


def check(found: Survey) -> tuple[Finding, ...]:
    """All findings on what is known of a set."""
    findings = [finding for look in CHECKS for finding in look(found)]
    return tuple(finding for severity in Severity for finding in findings if finding.severity is severity)
