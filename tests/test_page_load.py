"""A small version of tests/benchmarks/page_load.py: clients at once, every kind of bad request among good ones."""

import sys

import pytest

from benchmarks import page_load


@pytest.mark.skipif(sys.platform != "linux", reason="reads the server's memory from /proc")
def test_good_requests_are_answered_right_and_bad_ones_refused_under_load():
    report = page_load.run(clients=8, good=24, bad=27)
    assert report.wrong == []
    assert report.good == 24
    assert sum(report.refused.values()) == 27
    assert set(report.refused) <= {"200", "400", "403", "404", "413", "422"}
    assert report.memory["most"] - report.memory["start"] < 600 * 10**6
