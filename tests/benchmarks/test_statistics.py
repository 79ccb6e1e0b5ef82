"""The statistics: intervals keep their level."""

import itertools

import pytest

from trivium.benchmarks.statistics import MIN_ROUNDS, Ratio, Summary, _rejected_ranks, ratio

pytestmark = pytest.mark.plain


def test_a_summary_is_median_and_quartiles():
    assert Summary.of([4.0, 1.0, 3.0, 2.0, 5.0]) == Summary(5, 3.0, 2.0, 4.0)


def test_the_ratio_of_exact_samples_is_exact():
    assert ratio([2.0] * 9, [1.0] * 9) == Ratio(2.0, 2.0, 2.0)


@pytest.mark.parametrize(("rounds", "largest"), [(8, 0), (9, 1), (10, 3), (12, 7), (15, 16), (20, 37)])
def test_the_ranks_are_those_of_the_printed_tables(rounds, largest):
    """Wilcoxon's table for 1 % on both sides together, as in every textbook; 8 is the least that has an entry."""
    assert _rejected_ranks(rounds) == largest


def test_the_normal_approximation_continues_the_exact_ranks():
    """The normal approximation takes over without a step."""
    ranks = [_rejected_ranks(rounds) for rounds in range(45, 57)]
    steps = [later - earlier for earlier, later in itertools.pairwise(ranks)]
    assert min(steps) > 10
    assert max(steps) < 22


def test_the_interval_is_that_of_the_signed_ranks():
    """By hand: eight log-ratios, of whose 36 means of pairs the smallest and the largest are the ends."""
    estimate = ratio([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0], [1.0] * 7 + [2.0])
    assert (estimate.low, estimate.ratio, estimate.high) == pytest.approx((1.0, 1.0, 2.0))


def test_few_rounds_give_the_widest_interval_there_is():
    estimate = ratio([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    assert (estimate.low, estimate.ratio, estimate.high) == pytest.approx((1.0, 2.0, 4.0))
    assert MIN_ROUNDS > 3


def test_the_inverse_ratio_has_the_inverse_interval():
    of, over = [3.0, 5.0, 4.0, 4.5, 6.0, 3.5, 5.5, 4.2, 4.1], [1.0, 2.0, 1.5, 1.2, 2.5, 1.1, 1.9, 1.4, 1.6]
    one, other = ratio(of, over), ratio(over, of)
    assert (one.low, one.ratio, one.high) == pytest.approx((1 / other.high, 1 / other.ratio, 1 / other.low))


def test_two_identical_workloads_are_called_no_difference(generator):
    wrong = sum(ratio(*generator.lognormal(0, 0.1, (2, 15))).differs for _ in range(300))
    assert wrong <= 9, "3 %; one look is wrong in 1 %"


def test_a_true_difference_is_detected(generator):
    of, over = generator.lognormal(0, 0.05, (2, 100, 15))
    assert sum(ratio(1.3 * a, b).differs for a, b in zip(of, over, strict=True)) >= 98


def test_a_disturbance_of_a_whole_round_cancels(generator):
    drift = generator.lognormal(0, 1.0, 21)
    estimate = ratio(2 * drift, drift)
    assert estimate.ratio == pytest.approx(2)
    # Each median alone varies by more than half.
    assert estimate.precision < 0.01


def test_unequal_rounds_are_an_error():
    with pytest.raises(ValueError, match="as many rounds of both, received 2 and 1"):
        ratio([1.0, 2.0], [1.0])
