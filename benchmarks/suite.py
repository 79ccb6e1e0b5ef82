"""What all suites that time epochs have in common: open, measure in rounds, keep, go on where an earlier run ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..backends import runtime
from ..backends.workers.executors import LOCAL, Executor
from ..backends.workers.worker import Event, Listener
from ..errors import WorkerError
from .cells import Cell, Cells, Group, stage
from .measure import Rounds
from .results import Found, Results, found_of
from .statistics import LEAST_ROUNDS

Keep = Callable[[Results], None]

# More than this many processes wanting to run, before anything of ours does, and the times are not to be trusted.
_BUSY_LOAD = 0.5
_SECONDS_BETWEEN_KEEPING = 5.0


@dataclass(frozen=True)
class Effort:
    """How much is measured, and what is done with it meanwhile; the same for every suite.

    Attributes:
        budget: seconds of measuring, after everything is compiled; shared alike among groups that take turns.
        precision: half-width of a ratio's interval at which to stop earlier.
        threads: at most this many CPU threads for one operation; the backends' own choice by default.
        executor: whose workers measure; on a cluster all are on one node of it.
        ceilings: whether to measure what the machine can do at most, which takes some seconds a backend.
        kept: earlier results of the same question, to be filled up.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.
        keep: called with the results so far, so that what is stopped half-way is not lost.
    """

    budget: float = 120.0
    precision: float = 0.05
    threads: int | None = None
    executor: Executor = LOCAL
    ceilings: bool = True
    kept: Mapping[str, Any] | None = None
    listener: Listener = field(default=lambda event: None)
    keep: Keep = field(default=lambda results: None)


def compare(
    suite: str,
    groups: Sequence[Group],
    asked: Mapping[str, Any],
    effort: Effort,
    *,
    together: bool = True,
    afterwards: Callable[[Cell], Sequence[str]] = lambda cell: (),
    least: int = LEAST_ROUNDS,
) -> Results:
    """Time the epochs of all groups' cells.

    Args:
        asked: the question; earlier results are gone on with only when it is the same.
        together: measure all groups in the same rounds; otherwise one after the other, so that fewer models are held.
        afterwards: of each cell what to ask it after the rounds: names of functions of `session.py`.
        least: rounds.

    Raises:
        WorkerError: every cell was lost.
        TriviumError: something that the user can mend, such as data that do not go with a recipe.
    """
    results = Results(suite, {**asked, **effort.executor.describe()}, together)
    results.more["load"] = effort.executor.ask(f"{__name__}:load")
    if effort.kept:
        results.take_over(effort.kept, groups)
    missing = [group for group in groups if group.title not in results.groups]
    results.groups.update({group.title: results.groups.get(group.title, Found()) for group in groups})
    batches = [missing] if together else [[group] for group in missing]
    for turn, batch in enumerate(filter(None, batches)):
        listener = effort.listener if together else _turn(effort.listener, suite, batch[0].title, turn, len(batches))
        share = replace(effort, budget=effort.budget / len(batches), listener=listener)
        _measure(batch, results, share, afterwards, least)
    effort.listener(stage("measure" if together else suite, "done", len(batches), len(batches)))
    if results.failed and not results.ratios and not results.rows:
        raise WorkerError(results.failed[0]["why"])
    return results


def _measure(
    groups: Sequence[Group],
    results: Results,
    effort: Effort,
    afterwards: Callable[[Cell], Sequence[str]],
    least: int,
) -> None:
    """Open the cells of some groups, measure them in the same rounds, and take in what is found."""
    cells = [cell for group in groups for cell in group.cells]
    pairs = [pair for group in groups for pair in group.pairs]
    with Cells(effort.listener, effort.threads, effort.executor) as opened:

        def take(rounds: Rounds[Cell]) -> None:
            for group in groups:
                results.groups[group.title] = found_of(results.suite, group, opened.opened, opened.failed, rounds)
            results.more.setdefault("uncounted", {}).update(_uncounted(opened.opened))
            effort.keep(results)

        opened.open(cells)
        if effort.ceilings:
            opened.measure_ceilings()
            results.more.setdefault("machine", {}).update(opened.ceilings)
        keeping = _now_and_then(take)
        rounds = opened.measure(
            pairs, budget=effort.budget, precision=effort.precision, least=least, after_round=keeping
        )
        opened.ask_all({cell: afterwards(cell) for cell in cells})
        take(rounds)


def _turn(listener: Listener, suite: str, title: str, turn: int, turns: int) -> Listener:
    """Tells of one group's measuring as a part of the whole suite's."""

    def tell(event: Event) -> None:
        share = event["done"] / event["total"] if event["title"] == "measure" else 0.0
        listener(stage(suite, f"{title}, {event['stage']}", turn + share, turns))

    return tell


def _now_and_then(take: Callable[[Rounds[Cell]], None]) -> Callable[[Rounds[Cell]], None]:
    """`take`, but not so often that it would be felt."""
    last = time.monotonic()

    def taken(rounds: Rounds[Cell]) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_KEEPING:
            take(rounds)
            last = time.monotonic()

    return taken


def _uncounted(opened: Mapping[Cell, dict[str, Any]]) -> dict[str, list[str]]:
    """Of each recipe the layers that its operations leave out."""
    return {cell.recipe: told["uncounted"] for cell, told in opened.items() if told["uncounted"]}


def load() -> dict[str, Any]:
    """How busy the machine is, before anything of ours is: processes that want to run, in the last minute."""
    average, cores = os.getloadavg()[0], runtime.cores()
    return {"average": average, "cores": cores, "busy": average > _BUSY_LOAD}
