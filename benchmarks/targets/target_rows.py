"""The figures of many trainings to a target, as flat rows and ratios.

A seed that did not reach the target has no time to it. It counts as the slowest of its backend, so that a backend does
not look faster by failing. The median is then a true time as long as most seeds reached the target; otherwise there is
none. MLPerf instead takes the mean without the fastest and the slowest run, which may be one that did not converge; a
median allows two of five, and is what all suites have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..measure import make_row
from ..statistics import MIN_ROUNDS, ratio
from .seed_run import SeedRun

METRIC, EPOCHS, ENERGY, REACHED = "time_to_target", "epochs_to_target", "energy_to_target", "seeds_reached"


def rows(suite: str, recipe: str, runs: Sequence[SeedRun]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one backend: how many seeds reached the target, and if most did, what it took to reach it.

    Args:
        runs: of the backend, at least one.
    """
    where = {"recipe": recipe, "backend": runs[0].backend, "device": runs[0].device, "runner": "trivium"}
    if is_reached(runs):
        yield make_row(suite, where, METRIC, "s", times(runs))
        yield make_row(suite, where, EPOCHS, "1", [float(each.epochs) for each in runs])
        if joules := _energies(runs):
            yield make_row(suite, where, ENERGY, "J", joules)
    yield make_row(suite, where, REACHED, "1", [float(sum(each.reached for each in runs))])
    yield make_row(suite, where, "initialization", "s", [each.initialization for each in runs])
    if compiling := [each.compile for each in runs if each.compile is not None]:
        yield make_row(suite, where, "compile", "s", compiling)


def ratio_row(suite: str, recipe: str, of: Sequence[SeedRun], over: Sequence[SeedRun]) -> dict[str, Any]:
    """Return the ratio of the times of two backends, paired by seed: equal seeds have equal weights and batches."""
    interval = ratio(times(of), times(over))
    places = (of[0].device, over[0].device)
    return {
        "suite": suite,
        "recipe": recipe,
        "backend": f"{of[0].backend} ÷ {over[0].backend}",
        "device": places[0] if places[0] == places[1] else " ÷ ".join(places),
        "of": of[0].backend,
        "over": over[0].backend,
        "metric": METRIC,
        **vars(interval),
    }


def is_reached(runs: Sequence[SeedRun]) -> bool:
    """Return whether more than half of the seeds reached the target, so that their median time is one."""
    return 2 * sum(each.reached for each in runs) > len(runs)


def times(runs: Sequence[SeedRun]) -> list[float]:
    """Return the seconds of each seed to the target; one that did not reach it counts as the slowest of all."""
    return _with_failures(runs, [each.seconds for each in runs])


def _energies(runs: Sequence[SeedRun]) -> list[float]:
    """Return the joules of each seed, as `times` returns the seconds; empty if those of one are unknown."""
    joules = [each.joules for each in runs if each.joules is not None]
    return _with_failures(runs, joules) if len(joules) == len(runs) else []


def _with_failures(runs: Sequence[SeedRun], values: Sequence[float]) -> list[float]:
    """Return the values, with the largest of all for each seed that did not reach the target."""
    return [value if run.reached else max(values) for run, value in zip(runs, values, strict=True)]


def confidence(seeds: int) -> float:
    """Return the level of the intervals of so many seeds: below 95 % for few.

    With fewer than eight, an interval reaches from the smallest ratio to the largest. It leaves out the true one when
    all ratios lie on one side of it.
    """
    return 0.95 if seeds >= MIN_ROUNDS else 1 - math.ldexp(2.0, -seeds)
