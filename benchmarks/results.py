"""The results of a suite as data: flat rows and ratios, in one schema for all suites.

They are written while the suite runs, and read again to measure only what is missing (`--resume`). Other tools are
built on them; docs/benchmarks.md describes every key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..notebook.elements import to_html
from ..notebook.parts import heading
from .cells import CellGroup, TimedCell
from .measure import InterleavedRounds
from .report.results_tables import results_tables
from .rows import belongs_to, cell_key, joined_name, ratio_row, rows_of, shared_point

SCHEMA = 1
FILE = "results.json"
STEADY = "steady_epoch"
# Why a group's rounds ended: they have not, or they never began.
INTERRUPTED, LIMIT = "interrupted", "limit"


@dataclass
class GroupResult:
    """The results of one group of cells.

    Attributes:
        environment: for each backend (`jax`, or `jax on gpu`) the machine, versions and settings.
        rows, ratios: see `rows_of` and `ratio_row`.
        failed: `{"cell", "why"}` for each cell whose worker died.
        plans: the epoch plan of each recipe on each backend.
        rounds: the number of rounds.
        stopped_by: why the rounds ended; `interrupted` while they run, `limit` if there was no time for them.
    """

    environment: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    plans: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    stopped_by: str = INTERRUPTED

    @property
    def complete(self) -> bool:
        return self.stopped_by not in (INTERRUPTED, LIMIT) and not self.failed


@dataclass
class Results:
    """The results of a suite so far.

    Attributes:
        suite: its name.
        arguments: the arguments it was called with; only results with the same arguments can be resumed.
        interleaved: whether all groups were measured in the same rounds.
        groups: the result of each group, by its title.
        extra: further keys that the suite adds.
    """

    suite: str
    arguments: dict[str, Any] = field(default_factory=dict)
    interleaved: bool = True
    groups: dict[str, GroupResult] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for group in self.groups.values() for row in group.rows]

    @property
    def ratios(self) -> list[dict[str, Any]]:
        return [ratio for group in self.groups.values() for ratio in group.ratios]

    @property
    def failed(self) -> list[dict[str, str]]:
        return [failure for group in self.groups.values() for failure in group.failed]

    def __repr__(self) -> str:
        return f"Results of {self.suite}: {len(self.rows)} rows, {len(self.ratios)} ratios, {len(self.failed)} failed"

    def _repr_html_(self) -> str:
        return to_html(heading(f"bench {self.suite}"), *results_tables(self.rows, self.ratios, self.failed))

    def find(self, **columns: Any) -> list[dict[str, Any]]:
        """Return the rows with these column values."""
        return [row for row in self.rows if _matches(row, columns)]

    def median(self, **columns: Any) -> float | None:
        """Return the median of the first row with these column values, or None."""
        return next((row["median"] for row in self.find(**columns)), None)

    def cell_median(self, row: Mapping[str, Any], metric: str) -> float | None:
        """Return the median of another metric of the row's cell, or None where it was not measured."""
        key = cell_key(row)
        return next(
            (other["median"] for other in self.rows if other["metric"] == metric and cell_key(other) == key), None
        )

    def to_json(self) -> dict[str, Any]:
        groups = self.groups.items()
        rounds: Any = {title: group.rounds for title, group in groups}
        stopped: Any = {title: group.stopped_by for title, group in groups}
        if self.interleaved:
            rounds, stopped = max(rounds.values(), default=0), next(iter(stopped.values()), INTERRUPTED)
        return {
            "schema": SCHEMA,
            "suite": self.suite,
            "asked": self.arguments,
            "environment": {
                place: environment for _, group in groups for place, environment in group.environment.items()
            },
            "plans": {name: plan for _, group in groups for name, plan in group.plans.items()},
            "rounds": rounds,
            "stopped_by": stopped,
            "failed": self.failed,
            **self.extra,
            "rows": self.rows,
            "ratios": self.ratios,
        }

    def resume_from(self, earlier: Mapping[str, Any], groups: Sequence[CellGroup]) -> None:
        """Take over each group that is complete in earlier results of the same arguments.

        Raises:
            DataError: the earlier results are of other arguments.
        """
        suite, arguments = earlier.get("suite"), earlier.get("asked", {})
        if (suite, arguments) != (self.suite, json.loads(json.dumps(self.arguments))):
            raise DataError(
                f"{FILE} there is from another measurement (suite {suite}, {_as_text(arguments)}): "
                "choose another `out`, or leave `resume` out"
            )
        self.extra |= {name: earlier[name] for name in ("machine", "uncounted") if name in earlier}
        for group in groups:
            result = _group_from_json(earlier, group)
            if result.complete and all(_has_timing(result, cell) for cell in group.cells):
                self.groups[group.title] = result


def group_result(
    suite: str,
    group: CellGroup,
    session_info: Mapping[TimedCell, dict[str, Any]],
    failed: Mapping[TimedCell, str],
    rounds: InterleavedRounds[TimedCell],
) -> GroupResult:
    """Return the rows, ratios and failures of one group of cells."""
    result = GroupResult(rounds=rounds.count, stopped_by=rounds.stopped_by)
    for cell in group.cells:
        if cell in failed:
            result.failed.append({"cell": cell.title, "why": failed[cell]})
        if cell in session_info:
            info = session_info[cell]
            result.environment[cell.location] = info["environment"]
            if info["plan"]:  # `fit` as most people call it and a loop by hand have none
                result.plans[_plan_key(cell)] = info["plan"]["name"]
            result.rows += rows_of(suite, cell, info, rounds.samples.get(cell, []))
    for of, over in group.pairs:
        if rounds.samples.get(of) and rounds.samples.get(over):
            result.ratios.append(ratio_row(suite, of, over, session_info, rounds))
    return result


def read(folder: Path) -> dict[str, Any] | None:
    """Read the results that a suite wrote into a folder; None where there are none.

    Raises:
        DataError: the file holds no results of `trivium bench`.
    """
    return read_file(folder / FILE) if (folder / FILE).exists() else None


def read_file(path: Path) -> dict[str, Any]:
    """Read the results in a file.

    Raises:
        DataError: the file holds no results of `trivium bench`.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    required = {"schema", "rows", "ratios"}
    if not isinstance(raw, dict) or not required <= raw.keys():
        raise DataError(f"{path} is no result of `trivium bench` (it has no {', '.join(sorted(required))})")
    if raw["schema"] != SCHEMA:
        raise DataError(f"{path} has schema {raw['schema']!r}, this trivium reads {SCHEMA}")
    return raw


def _group_from_json(earlier: Mapping[str, Any], group: CellGroup) -> GroupResult:
    """Return the part of earlier results that belongs to one group."""
    plan_keys = set(map(_plan_key, group.cells))
    pairs = [{**_pair_columns(*pair), **shared_point(*pair)} for pair in group.pairs]
    stopped, rounds = earlier.get("stopped_by", INTERRUPTED), earlier.get("rounds", 0)
    titles = {cell.title for cell in group.cells}
    return GroupResult(
        {
            name: environment
            for name, environment in earlier["environment"].items()
            if name in {cell.location for cell in group.cells}
        },
        [row for row in earlier["rows"] if any(belongs_to(row, cell) for cell in group.cells)],
        [ratio for ratio in earlier["ratios"] if any(_matches(ratio, pair) for pair in pairs)],
        [failure for failure in earlier.get("failed", []) if failure["cell"] in titles],
        {name: plan for name, plan in earlier.get("plans", {}).items() if name in plan_keys},
        rounds.get(group.title, 0) if isinstance(rounds, dict) else rounds,
        stopped.get(group.title, "interrupted") if isinstance(stopped, dict) else stopped,
    )


def _plan_key(cell: TimedCell) -> str:
    """Return the key of a cell's plan among those of all results."""
    by = "" if cell.runner == "trivium" else f" by {cell.runner}"
    return f"{cell.recipe}{by} on {cell.location}"


def _has_timing(result: GroupResult, cell: TimedCell) -> bool:
    return any(row["metric"] == cell.metric + cell.suffix and belongs_to(row, cell) for row in result.rows)


def _pair_columns(of: TimedCell, over: TimedCell) -> dict[str, str]:
    return {
        "recipe": joined_name(of.recipe, over.recipe),
        "backend": joined_name(of.backend, over.backend),
        "of": of.name,
        "over": over.name,
    }


def _matches(row: Mapping[str, Any], columns: Mapping[str, Any]) -> bool:
    return all(name in row and row[name] == value for name, value in columns.items())


def _as_text(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in arguments.items() if value)
