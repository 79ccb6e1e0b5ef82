"""The statistics: intervals that hold what they promise, rounds that are fair to every cell."""

import pytest

from trivium.benchmarks.measure import Ratio, Summary, interleave, ratio, row


def test_a_summary_is_median_and_quartiles():
    assert Summary.of([4.0, 1.0, 3.0, 2.0, 5.0]) == Summary(5, 3.0, 2.0, 4.0)


def test_the_ratio_of_exact_samples_is_exact():
    assert ratio([2.0] * 5, [1.0] * 5) == Ratio(2.0, 2.0, 2.0)


def test_two_identical_workloads_are_called_no_difference(generator):
    """With 95 % intervals at most a few in a hundred may claim one."""
    wrong = sum(
        ratio(*generator.lognormal(0, 0.1, (2, 15)), seed=trial).differs  # the two rows are one workload
        for trial in range(200)
    )
    assert wrong <= 20


def test_a_true_difference_is_found(generator):
    found = 0
    for trial in range(100):
        of, over = generator.lognormal(0, 0.05, (2, 15))
        found += ratio(1.3 * of, over, seed=trial).differs
    assert found >= 95


def test_what_disturbs_a_whole_round_cancels(generator):
    drift = generator.lognormal(0, 1.0, 21)
    found = ratio(2 * drift, drift)
    assert found.ratio == pytest.approx(2)
    # Each median alone varies by more than half.
    assert found.precision < 0.01


def test_unequal_rounds_are_an_error():
    with pytest.raises(ValueError, match="as many rounds of both, received 2 and 1"):
        ratio([1.0, 2.0], [1.0])


def test_every_cell_is_measured_once_a_round_in_changing_order():
    order = []
    cells = {name: lambda name=name: order.append(name) or 1.0 for name in "abc"}
    rounds = interleave(cells, [("a", "b")], budget=0.0, precision=0.5)
    assert rounds.count == 5
    by_round = [tuple(order[i : i + 3]) for i in range(0, 15, 3)]
    assert all(sorted(once) == ["a", "b", "c"] for once in by_round)
    assert len(set(by_round)) > 1


def test_rounds_end_when_the_ratio_is_precise():
    rounds = interleave({"a": lambda: 2.0, "b": lambda: 1.0}, [("a", "b")], budget=60, precision=0.01)
    assert (rounds.count, rounds.stopped_by) == (5, "precision")


def test_rounds_end_when_the_time_is_up(generator):
    def noisy():
        return float(generator.lognormal(0, 2))

    rounds = interleave({"a": noisy, "b": noisy}, [("a", "b")], budget=0.05, precision=1e-9)
    assert rounds.stopped_by == "budget"


def test_progress_never_goes_back_and_ends_at_one():
    shares = []
    interleave(
        {"a": lambda: 1.0}, [], budget=0.001, precision=0.1, after_round=lambda count, share: shares.append(share)
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_row_has_the_schema_of_all_suites():
    where = {"recipe": "r", "backend": "b", "device": "cpu", "runner": "trivium"}
    found = row("s", where, "steady_epoch", "s", [1.0, 2.0, 3.0])
    assert list(found) == ["suite", *where, "metric", "unit", "n", "median", "q1", "q3"]
    assert (found["median"], found["n"]) == (2.0, 3)
