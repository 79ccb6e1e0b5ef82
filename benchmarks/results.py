"""What a suite found, as data: flat rows and ratios in one schema for all suites.

It is written while the suite runs, and read again to fill what is missing (`--resume`). Other tools are built on it;
docs/benchmarks.md says what every key holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError
from .cells import Cell, Group
from .measure import Rounds
from .rows import about, both, is_of, ratio_row, rows_of, varied

SCHEMA = 1
FILE = "results.json"
STEADY = "steady_epoch"


@dataclass
class Found:
    """What the rounds of one group gave.

    Attributes:
        environment: for each backend (`jax`, or `jax on gpu`) the machine, versions and settings.
        rows, ratios: see `rows_of` and `ratio_row`.
        failed: `{"cell", "why"}` of each cell that was lost.
        plans: for each recipe on a backend how its epochs were run.
        rounds: how many.
        stopped_by: what ended them; `interrupted` while they run.
    """

    environment: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    plans: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    stopped_by: str = "interrupted"

    @property
    def complete(self) -> bool:
        return self.stopped_by != "interrupted" and not self.failed


@dataclass
class Results:
    """What a suite found so far.

    Attributes:
        suite: its name.
        asked: what it was asked for; only results of the same can be resumed.
        together: whether all groups were measured in the same rounds.
        groups: what was found of each, by its title.
        more: whatever else the suite tells.
    """

    suite: str
    asked: dict[str, Any] = field(default_factory=dict)
    together: bool = True
    groups: dict[str, Found] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [each for found in self.groups.values() for each in found.rows]

    @property
    def ratios(self) -> list[dict[str, Any]]:
        return [each for found in self.groups.values() for each in found.ratios]

    @property
    def failed(self) -> list[dict[str, str]]:
        return [each for found in self.groups.values() for each in found.failed]

    def find(self, **wanted: Any) -> list[dict[str, Any]]:
        """The rows with these values."""
        return [each for each in self.rows if _agrees(each, wanted)]

    def median(self, **wanted: Any) -> float | None:
        """The median of the row with these values, or None where there is none."""
        return next((each["median"] for each in self.find(**wanted)), None)

    def beside(self, row: Mapping[str, Any], metric: str) -> float | None:
        """The median of another metric of the cell that a row is of, or None where it was not measured."""
        wanted = about(row)
        return next((each["median"] for each in self.rows if each["metric"] == metric and about(each) == wanted), None)

    def to_json(self) -> dict[str, Any]:
        groups = self.groups.items()
        rounds: Any = {title: found.rounds for title, found in groups}
        stopped: Any = {title: found.stopped_by for title, found in groups}
        if self.together:
            rounds, stopped = max(rounds.values(), default=0), next(iter(stopped.values()), "interrupted")
        return {
            "schema": SCHEMA,
            "suite": self.suite,
            "asked": self.asked,
            "environment": {place: each for _, found in groups for place, each in found.environment.items()},
            "plans": {name: plan for _, found in groups for name, plan in found.plans.items()},
            "rounds": rounds,
            "stopped_by": stopped,
            "failed": self.failed,
            **self.more,
            "rows": self.rows,
            "ratios": self.ratios,
        }

    def take_over(self, kept: Mapping[str, Any], groups: Sequence[Group]) -> None:
        """Take what earlier results of the same question have of each group that is whole in them.

        Raises:
            DataError: they are of another question.
        """
        suite, asked = kept.get("suite"), kept.get("asked", {})
        if (suite, asked) != (self.suite, json.loads(json.dumps(self.asked))):
            raise DataError(
                f"{FILE} there is of another measurement (suite {suite}, {_said(asked)}): "
                "choose another --out, or leave --resume out"
            )
        self.more |= {name: kept[name] for name in ("machine", "uncounted") if name in kept}
        for group in groups:
            found = _taken(kept, group)
            if found.complete and all(_measured(found, cell) for cell in group.cells):
                self.groups[group.title] = found


def found_of(
    suite: str, group: Group, opened: Mapping[Cell, dict[str, Any]], failed: Mapping[Cell, str], rounds: Rounds[Cell]
) -> Found:
    """What the rounds gave for the cells of one group."""
    found = Found(rounds=rounds.count, stopped_by=rounds.stopped_by)
    for cell in group.cells:
        if cell in failed:
            found.failed.append({"cell": cell.title, "why": failed[cell]})
        if cell in opened:
            told = opened[cell]
            found.environment[cell.place] = told["environment"]
            if told["plan"]:  # `fit` on arrays and a loop by hand have none
                found.plans[f"{cell.recipe} on {cell.place}"] = told["plan"]["name"]
            found.rows += rows_of(suite, cell, told, rounds.samples.get(cell, []))
    for of, over in group.pairs:
        if rounds.samples.get(of) and rounds.samples.get(over):
            found.ratios.append(ratio_row(suite, of, over, opened, rounds))
    return found


def read(folder: Path) -> dict[str, Any] | None:
    """The results that a suite left in a folder, or None where there are none.

    Raises:
        DataError: what is there is no results of ours.
    """
    return read_file(folder / FILE) if (folder / FILE).exists() else None


def read_file(path: Path) -> dict[str, Any]:
    """The results in a file.

    Raises:
        DataError: there are none of ours in it.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    wanted = {"schema", "rows", "ratios"}
    if not isinstance(found, dict) or not wanted <= found.keys():
        raise DataError(f"{path} is no result of `trivium bench` (it has no {', '.join(sorted(wanted))})")
    if found["schema"] != SCHEMA:
        raise DataError(f"{path} has schema {found['schema']!r}, this trivium reads {SCHEMA}")
    return found


def _taken(kept: Mapping[str, Any], group: Group) -> Found:
    """What flat results hold of one group."""
    recipes = {f"{cell.recipe} on {cell.place}" for cell in group.cells}
    compared = [{**_compared(*pair), **varied(*pair)} for pair in group.pairs]
    stopped, rounds = kept.get("stopped_by", "interrupted"), kept.get("rounds", 0)
    titles = {cell.title for cell in group.cells}
    return Found(
        {name: each for name, each in kept["environment"].items() if name in {cell.place for cell in group.cells}},
        [each for each in kept["rows"] if any(is_of(each, cell) for cell in group.cells)],
        [each for each in kept["ratios"] if any(_agrees(each, pair) for pair in compared)],
        [each for each in kept.get("failed", []) if each["cell"] in titles],
        {name: plan for name, plan in kept.get("plans", {}).items() if name in recipes},
        rounds.get(group.title, 0) if isinstance(rounds, dict) else rounds,
        stopped.get(group.title, "interrupted") if isinstance(stopped, dict) else stopped,
    )


def _measured(found: Found, cell: Cell) -> bool:
    return any(each["metric"] == cell.metric + cell.suffix and is_of(each, cell) for each in found.rows)


def _compared(of: Cell, over: Cell) -> dict[str, str]:
    return {
        "recipe": both(of.recipe, over.recipe),
        "backend": both(of.backend, over.backend),
        "of": of.name,
        "over": over.name,
    }


def _agrees(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in found and found[name] == value for name, value in wanted.items())


def _said(asked: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in asked.items() if value)
