"""Rounds are fair to every cell, and the harness measures itself."""

import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest

from trivium.benchmarks.measure import interleave, make_row
from trivium.benchmarks.statistics import MIN_ROUNDS, ratio
from trivium.errors import WorkerError

pytestmark = pytest.mark.plain

# Seconds of epochs that trivium measured; see the file for how.
RECORDED = json.loads((Path(__file__).with_name("epochs.json")).read_text())


def test_every_cell_is_measured_once_a_round_in_changing_order():
    order = []
    cells = {name: lambda name=name: order.append(name) or 1.0 for name in "abc"}
    rounds = interleave(cells, [("a", "b")], budget=1e-9, precision=1e-9)
    assert rounds.count == MIN_ROUNDS
    by_round = [tuple(order[first : first + 3]) for first in range(0, len(order), 3)]
    assert all(sorted(once) == ["a", "b", "c"] for once in by_round)
    assert len(set(by_round)) > 1


def test_rounds_end_when_the_ratio_is_precise():
    rounds = interleave({"a": lambda: 2.0, "b": lambda: 1.0}, [("a", "b")], budget=60, precision=0.01)
    assert (rounds.count, rounds.stopped_by) == (MIN_ROUNDS, "precision")


def test_rounds_end_when_the_time_is_up(generator):
    def noisy():
        return float(generator.lognormal(0, 2))

    seconds = itertools.count()
    rounds = interleave(
        {"a": noisy, "b": noisy}, [("a", "b")], budget=30, precision=1e-9, clock=lambda: float(next(seconds))
    )
    assert (rounds.count, rounds.stopped_by) == (30, "budget")


def test_rounds_end_at_the_maximum_when_nothing_is_compared():
    rounds = interleave({"a": lambda: 1.0}, [], budget=60, precision=0.01)
    assert (rounds.count, rounds.stopped_by) == (1_000, "rounds")


def test_progress_never_decreases_and_ends_at_one():
    shares = []
    interleave({"a": lambda: 1.0}, [], budget=0.001, precision=0.1, after_round=lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_cell_whose_worker_dies_is_lost_and_no_other():
    counts = {"a": 0, "b": 0, "c": 0}

    def measure(cell):
        counts[cell] += 1
        if cell == "b" and counts[cell] == 3:
            raise WorkerError("killed")
        return float(len(counts))

    cells = {cell: lambda cell=cell: measure(cell) for cell in counts}
    rounds = interleave(cells, [("a", "b"), ("a", "c")], budget=60, precision=0.01)
    assert rounds.failed == {"b": "killed"}
    assert counts["b"] == 3, "it is not asked again"
    assert {cell: len(samples) for cell, samples in rounds.samples.items()} == {"a": MIN_ROUNDS, "c": MIN_ROUNDS}
    assert rounds.stopped_by == "precision", "what is left decides"


def test_rounds_end_when_every_cell_is_lost():
    def die():
        raise WorkerError("killed")

    rounds = interleave({"a": die, "b": die}, [("a", "b")], budget=60, precision=0.01)
    assert (rounds.count, rounds.samples, set(rounds.failed)) == (0, {}, {"a", "b"})


def test_a_row_has_the_schema_of_all_suites():
    where = {"recipe": "r", "backend": "b", "device": "cpu", "runner": "trivium"}
    row = make_row("s", where, "steady_epoch", "s", [1.0, 2.0, 3.0])
    assert list(row) == ["suite", *where, "metric", "unit", "n", "median", "q1", "q3"]
    assert (row["median"], row["n"]) == (2.0, 3)
    assert make_row("s", where, "steady_epoch", "s", [1.0], batch_size=8)["batch_size"] == 8


# --- the harness measures itself ------------------------------------------------------------------------------------


def test_a_workload_of_known_time_comes_back_within_two_percent():
    def busy(seconds):
        def work():
            began = time.perf_counter()
            while time.perf_counter() - began < seconds:
                pass
            return time.perf_counter() - began

        return work

    known = {"long": 0.02, "short": 0.01}
    rounds = interleave({name: busy(s) for name, s in known.items()}, [("long", "short")], budget=1, precision=1e-6)
    for name, seconds in known.items():
        # The fastest: a machine that is busy with something else prolongs a wait, and is none of the harness' doing.
        assert min(rounds.samples[name]) == pytest.approx(seconds, rel=0.02)


def test_a_known_time_under_recorded_noise_comes_back_within_two_percent():
    estimate = measured_under_noise(1.25, seed=0, precision=0.01, most=900)
    assert estimate.ratio == pytest.approx(1.25, rel=0.02)


def measured_under_noise(factor, seed, precision=0.05, most=120):
    """The ratio found for two cells of which one takes `factor` times as long, each with the noise of recorded epochs.

    Both have the same moments of a recorded run behind each other, as cells of a round have: what slowed that moment
    slows both.
    """
    generator = np.random.default_rng(seed)
    series = [np.asarray(samples) / np.median(samples) for samples in RECORDED["seconds"].values()]

    def rounds_of_noise():
        while True:
            chosen = series[generator.integers(len(series))]
            moment = generator.integers(len(chosen) - 1)
            yield from generator.permutation(chosen[moment : moment + 2])

    noise, seconds = rounds_of_noise(), itertools.count()
    rounds = interleave(
        {"of": lambda: factor * next(noise), "over": lambda: next(noise)},
        [("of", "over")],
        budget=most,
        precision=precision,
        seed=seed,
        clock=lambda: float(next(seconds)),
    )
    return ratio(rounds.samples["of"], rounds.samples["over"])


def test_identical_workloads_are_called_no_difference_under_recorded_noise():
    assert sum(not measured_under_noise(1.0, seed).differs for seed in range(200)) >= 190


def test_a_difference_of_a_tenth_is_detected_under_recorded_noise():
    assert sum(measured_under_noise(1.1, seed).low > 1 for seed in range(100)) >= 90
