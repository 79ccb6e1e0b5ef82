"""Slow-downs are distinguished from noise."""

import pytest

from trivium.benchmarks.baseline import compare
from trivium.benchmarks.measure import make_row
from trivium.errors import DataError

pytestmark = pytest.mark.plain

WHERE = {"recipe": "cnn/simple", "backend": "jax", "device": "cpu", "runner": "trivium"}


def results(samples, metric="steady_epoch", unit="s", **at):
    return {"rows": [make_row("epochs", WHERE, metric, unit, samples, **at)]}


STEADY = [1.0, 1.01, 0.99, 1.02, 0.98]


def slowdowns(before, after, factor):
    """The sentences for what has become slower by more than the factor."""
    return [change.sentence() for change in compare(before, after) if change.is_slowdown(factor)]


def times(factor):
    return [factor * seconds for seconds in STEADY]


def test_a_longer_time_is_named():
    (line,) = slowdowns(results(STEADY), results(times(1.25)), 1.1)
    assert line == "slower: cnn/simple on jax, trivium, steady_epoch: 1.25 s against 1 s before, 1.25 times"


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (times(1.05), "within the factor"),
        (times(0.5), "faster"),
        ([0.5, 1.2, 1.2, 2.0, 0.9], "within the noise"),
        ([1.25], "measured once"),
    ],
)
def test_times_within_the_factor_or_the_noise_are_not_named(after, why):
    assert slowdowns(results(STEADY), results(after), 1.1) == [], why


@pytest.mark.parametrize(
    ("after", "unit", "verdict"),
    [
        (times(1.25), "s", "slower"),
        (times(0.5), "s", "faster"),
        (times(2), "GFLOP/s", "more"),
        (STEADY, "s", "no difference"),
        ([1.25], "s", ""),
    ],
)
def test_every_change_has_its_ratio_and_a_verdict(after, unit, verdict):
    (change,) = compare(results(STEADY, unit=unit), results(after, unit=unit))
    assert change.verdict == verdict
    assert change.ratio == pytest.approx(after[0])
    if verdict:
        assert change.low < change.ratio < change.high


def test_only_times_are_compared_and_only_the_same_ones():
    assert slowdowns(results(STEADY, "gflops", "GFLOP/s"), results(times(2), "gflops", "GFLOP/s"), 1.1) == []
    before = {"rows": results(STEADY, batch_size=8)["rows"] + results(times(3), batch_size=16)["rows"]}
    assert slowdowns(before, results(times(2), batch_size=16), 1.1) == []
    assert len(slowdowns(before, results(times(2), batch_size=8), 1.1)) == 1


def test_results_of_something_else_are_refused():
    with pytest.raises(DataError, match="no measurement in common"):
        slowdowns(results(STEADY, "compile"), results(STEADY), 1.1)
