"""The report of a history: a part for each machine, with the times of all runs and where they have changed.

Only runs of the same machine are compared, and only those with the same settings of a suite.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..results import SCHEMA
from ..rows import cell_key
from ..trends import history_file
from ..trends.change_points import FEWEST, change_points
from .answers import HISTORY
from .results_reader import ReportPart, Row, checked_part

_OPENING = ("build", "compile", "first_epoch", "layer_answer")
# The arguments that choose what is measured, each in rows of its own.
_CHOOSING = {"recipes", "backends", "formats"}
_SHORT = 8  # letters of a commit

Entry = Mapping[str, Any]


def read(place: Path) -> list[ReportPart]:
    """Return a part of the report for each machine of a history.

    Raises:
        DataError: there is no history, it is damaged, or it is empty.
    """
    path = history_file.file_of(place)
    machines: dict[str, list[Entry]] = {}
    for entry in history_file.read(place):
        machines.setdefault(json.dumps(entry["machine"], sort_keys=True), []).append(entry)
    if not machines:
        raise DataError(f"{path} is empty: run a `trivium bench` with --history {place}")
    return [_part(entries, path) for entries in machines.values()]


def _part(entries: Sequence[Entry], path: Path) -> ReportPart:
    series: dict[str, list[Row]] = {}
    for run, entry in enumerate(entries, 1):
        checked_part({"schema": SCHEMA, "suite": HISTORY, "rows": entry["rows"], "ratios": []}, path)
        for row in entry["rows"]:
            if row["unit"] == "s" and row["median"] > 0 and not row["metric"].startswith(_OPENING):
                series.setdefault(_key(entry, row), []).append({**row, **_run(run, entry)})
    raw = {
        "schema": SCHEMA,
        "suite": HISTORY,
        "asked": {"notes": _notes(entries)},
        "environment": {_machine_name(entries[0]): {**entries[-1]["machine"], "versions": entries[-1].get("versions")}},
        "rows": [row for rows in series.values() for row in rows],
        "ratios": [ratio for rows in series.values() for ratio in _changes(rows)],
    }
    return checked_part(raw, path)


def _key(entry: Entry, row: Row) -> str:
    """Return what tells the times apart that are not to be compared."""
    settings = {name: value for name, value in entry["asked"].items() if name not in _CHOOSING}
    return json.dumps([entry["suite"], row["metric"], settings, cell_key(row)], sort_keys=True, default=str)


def _run(run: int, entry: Entry) -> Row:
    commit = str(entry["commit"])[:_SHORT] if entry.get("commit") else "no commit"
    return {"run": run, "commit": commit + ("+" if entry.get("dirty") else ""), "date": str(entry["date"])[:10]}


def _changes(rows: Sequence[Row]) -> list[Row]:
    """Return a ratio for each change: the times from a run on, over those before it."""
    return [
        {
            **cell_key(rows[change.place]),
            "metric": rows[change.place]["metric"],
            "of": f"since {rows[change.place]['commit']}",
            "over": "before",
            "ratio": change.ratio,
            "low": change.low,
            "high": change.high,
        }
        for change in change_points([row["median"] for row in rows])
    ]


def _notes(entries: Sequence[Entry]) -> list[str]:
    first, last = (_run(0, entries[place]) for place in (0, -1))
    span = f"{first['date']} ({first['commit']}) to {last['date']} ({last['commit']})"
    runs = f"{len(entries)} run{'' if len(entries) == 1 else 's'}"
    notes = [f"{_machine_name(entries[0])}: {runs}, {span}. Runs of other machines are not compared with these."]
    if len(entries) < 2 * FEWEST:
        notes.append(
            f"A change needs {2 * FEWEST} runs of the same suite to be shown: {FEWEST} before it, {FEWEST} after."
        )
    if busy := sum(bool(entry.get("busy")) for entry in entries):
        notes.append(f"The machine was busy before {busy} of them: their times are longer.")
    return notes


def _machine_name(entry: Entry) -> str:
    machine = entry["machine"]
    accelerators = str(machine.get("accelerators", "")).strip("[]").replace("'", "")
    name = f"{machine.get('processor', 'unknown processor')}, {machine.get('cores', '?')} cores"
    return f"{name}, {accelerators}" if accelerators else name
