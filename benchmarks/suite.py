"""The steps that all suites that time epochs share: open sessions, measure in rounds, save, resume an earlier run."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psutil

from ..backends import runtime
from ..backends.workers.executors import LOCAL, Executor
from ..backends.workers.worker import Event, Listener
from ..errors import WorkerError
from ..functions import at_most_every
from ..storage import energy_counters
from .cells import CellGroup, OpenCells, TimedCell, progress_event
from .measure import InterleavedRounds
from .results import LIMIT, GroupResult, Results, group_result
from .statistics import MIN_ROUNDS

SaveResults = Callable[[Results], None]

# A higher load average before we start makes the times unreliable.
_BUSY_LOAD = 0.5
_SECONDS_BETWEEN_SAVES = 5.0


@dataclass(frozen=True)
class BenchmarkOptions:
    """How long, how precisely and where to measure; the same for every suite.

    Attributes:
        budget: seconds of measuring after compilation; divided equally among groups measured one after the other.
        precision: half-width of a ratio's interval, as a share of the ratio, at which to stop early.
        threads: at most this many CPU threads for one operation; the backends' own choice by default.
        executor: provides the workers that measure; on a cluster all of them are on one node.
        ceilings: whether to measure the machine's peak rates, which takes some seconds per backend.
        earlier_results: results of an earlier run with the same arguments, to be completed.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.
        save: called with the results so far, so that an interrupted run is not lost.
        limit: seconds for all, compilation included; groups that it leaves no time for are not measured.
    """

    budget: float = 120.0
    precision: float = 0.05
    threads: int | None = None
    executor: Executor = LOCAL
    ceilings: bool = True
    earlier_results: Mapping[str, Any] | None = None
    listener: Listener = field(default=lambda event: None)
    save: SaveResults = field(default=lambda results: None)
    limit: float = math.inf


class TimeLeft:
    """Divides a limit equally among groups that are measured one after the other.

    Args:
        limit: seconds from now.
        clock: returns seconds.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic):
        self._end = clock() + limit
        self._clock = clock
        self._longest = 0.0

    @property
    def for_another(self) -> bool:
        """Whether a group that takes as long as the slowest so far would end in time."""
        return self._clock() + self._longest < self._end

    @contextlib.contextmanager
    def begin(self, groups: int) -> Iterator[Callable[[], float]]:
        """Measure the first of so many groups; the function tells the seconds that are left of its share."""
        began = self._clock()
        end = began + (self._end - began) / groups
        yield lambda: max(end - self._clock(), 0.0)
        self._longest = max(self._longest, self._clock() - began)


def compare(
    suite: str,
    groups: Sequence[CellGroup],
    arguments: Mapping[str, Any],
    options: BenchmarkOptions,
    *,
    interleaved: bool = True,
    final_calls: Callable[[TimedCell], Sequence[Callable[..., Any]]] = lambda cell: (),
    min_rounds: int = MIN_ROUNDS,
) -> Results:
    """Time the epochs of the cells of all groups.

    A group begins only while `limit` leaves it the time that the slowest so far has taken. Those that do not begin are
    stopped by `limit` in the results, and measured when these are resumed.

    Args:
        arguments: the suite's arguments; earlier results are resumed only if theirs are the same.
        interleaved: measure all groups in the same rounds; otherwise one after the other, with fewer models in memory.
        final_calls: returns the functions of `epoch_session.py` to call for a cell after the rounds.
        min_rounds: the least number of rounds.

    Raises:
        WorkerError: the workers of all cells died.
        TriviumError: something that the user can fix, such as data that do not go with a recipe.
    """
    results = Results(suite, {**arguments, **options.executor.describe()}, interleaved)
    results.extra["load"] = options.executor.call_on_host(load)
    if options.earlier_results:
        results.resume_from(options.earlier_results, groups)
    missing = [group for group in groups if group.title not in results.groups]
    results.groups.update({group.title: results.groups.get(group.title, GroupResult()) for group in groups})
    batches = [missing] if interleaved else [[group] for group in missing]
    time_left = TimeLeft(options.limit)
    for turn, batch in enumerate(filter(None, batches)):
        if not time_left.for_another:
            for group in batch:
                results.groups[group.title].stopped_by = LIMIT
            continue
        listener = options.listener
        if not interleaved:
            listener = _suite_progress(listener, suite, batch[0].title, turn, len(batches))
        share = replace(options, budget=options.budget / len(batches), listener=listener)
        with time_left.begin(len(batches) - turn) as seconds_left:
            _measure(batch, results, share, final_calls, min_rounds, seconds_left)
    options.listener(progress_event("measure" if interleaved else suite, "done", len(batches), len(batches)))
    if results.failed and not results.ratios and not results.rows:
        raise WorkerError(results.failed[0]["why"])
    return results


def _measure(
    groups: Sequence[CellGroup],
    results: Results,
    options: BenchmarkOptions,
    final_calls: Callable[[TimedCell], Sequence[Callable[..., Any]]],
    min_rounds: int,
    seconds_left: Callable[[], float],
) -> None:
    """Open the cells of some groups, measure them in the same rounds, and add their results.

    Args:
        seconds_left: returns the seconds that the limit leaves them, opening included.
    """
    cells = [cell for group in groups for cell in group.cells]
    pairs = [pair for group in groups for pair in group.pairs]
    with OpenCells(options.listener, options.threads, options.executor) as open_cells:

        def update_results(rounds: InterleavedRounds[TimedCell]) -> None:
            for group in groups:
                results.groups[group.title] = group_result(
                    results.suite, group, open_cells.session_info, open_cells.failed, rounds
                )
            results.extra.setdefault("uncounted", {}).update(_uncounted_layers(open_cells.session_info))
            options.save(results)

        open_cells.open(cells)
        if options.ceilings:
            open_cells.measure_ceilings()
            results.extra.setdefault("machine", {}).update(open_cells.ceilings)
        rounds = open_cells.measure(
            pairs,
            budget=min(options.budget, seconds_left()),
            precision=options.precision,
            min_rounds=min_rounds,
            after_round=at_most_every(_SECONDS_BETWEEN_SAVES, update_results),
        )
        open_cells.collect({cell: final_calls(cell) for cell in cells})
        update_results(rounds)


def _suite_progress(listener: Listener, suite: str, title: str, turn: int, turns: int) -> Listener:
    """Return a listener that reports the progress of one group as a share of the whole suite."""

    def report(event: Event) -> None:
        share = event["done"] / event["total"] if event["title"] == "measure" else 0.0
        listener(progress_event(suite, f"{title}, {event['stage']}", turn + share, turns))

    return report


def _uncounted_layers(session_info: Mapping[TimedCell, dict[str, Any]]) -> dict[str, list[str]]:
    """Return the layers of each recipe whose operations are not counted."""
    return {cell.recipe: info["uncounted"] for cell, info in session_info.items() if info["uncounted"]}


def note_energy(results: Results, executor: Executor) -> None:
    """Note in results why the energy of the machine cannot be measured, if it cannot."""
    if reason := executor.call_on_host(energy_counters.why_not):
        results.extra["without"] = {"energy": reason}


def load() -> dict[str, Any]:
    """Return how busy the machine is before we start: its load average over the last minute."""
    average, cores = psutil.getloadavg()[0], runtime.cores()
    return {"average": average, "cores": cores, "busy": average > _BUSY_LOAD}
