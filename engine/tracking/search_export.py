"""Sends the results of a search to a tracker: one run for the search, and one below it for each combination.

A combination has its parameters, the score on each fold as if folds were epochs, and their mean and deviation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import OutputError
from ...storage import safe_json
from .description import RunDescription, digest, flat_parameters
from .destination import Destination
from .sender import Sender
from .tracker import FINISHED, Tracker

RESULTS = "results.json"

# What tells a search from all others: the same search that is resumed has more combinations.
_PARTS = ("recipe", "kind", "metric", "folds", "settings", "data")


def read_results(folder: Path) -> dict[str, Any]:
    """Return the results of the search in a folder.

    Raises:
        OutputError: the file holds something else.
        FileError: the file is damaged.
    """
    results = safe_json.read(folder / RESULTS)
    rows = results.get("rows") if isinstance(results, dict) else None
    if not isinstance(rows, list) or not rows or not all(_is_combination(row) for row in rows):
        raise OutputError(f"{folder / RESULTS} is no result of a search")
    return dict(results)


def send_search(
    results: Mapping[str, Any], name: str, destination: Destination, open_one: Callable[[], Tracker]
) -> tuple[str, bool]:
    """Send the results of a search.

    Args:
        results: as `read_results` returns them.
        name: of the search, for people.
        destination: where to.
        open_one: returns a tracker for one run.

    Returns:
        Where a person finds the search, and whether anything was sent that the tracker did not have.
    """
    parent, *combinations = _descriptions(results, name)
    best, *_ = rows = results["rows"]
    tracker = open_one()
    top = Sender(tracker, destination.artifacts)
    top.begin(parent)
    for description, row in zip(combinations, rows, strict=True):
        sender = Sender(open_one(), destination.artifacts)
        sender.begin(description)
        sender.send([{f"fold_{results['metric']}": score} for score in row["scores"]])
        sender.end(FINISHED, _evaluation(row), ())
        top.has_sent |= sender.has_sent
    top.end(FINISHED, {**_evaluation(best), "search/combinations": float(len(rows))}, ())
    return tracker.place, top.has_sent


def _descriptions(results: Mapping[str, Any], name: str) -> Iterator[RunDescription]:
    """Yield the description of the search, then those of its combinations."""
    shared = {part: results.get(part) for part in _PARTS}
    identity = digest(shared)
    yield RunDescription(identity, name, flat_parameters(shared))
    for row in results["rows"]:
        shown = ", ".join(f"{option}={value}" for option, value in row["params"].items())
        parameters = flat_parameters({**row["params"], "epochs": row.get("epochs"), "recipe": results.get("recipe")})
        own = digest({"search": identity, "params": row["params"], "epochs": row.get("epochs")})
        yield RunDescription(own, f"{name}: {shown}"[:200], parameters, identity)


def _evaluation(row: Mapping[str, Any]) -> dict[str, float]:
    names = ("mean", "deviation", "rank")
    return {f"search/{name}": float(row[name]) for name in names if isinstance(row.get(name), (int, float))}


def _is_combination(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("params"), dict) or not isinstance(row.get("scores"), list):
        return False
    return all(isinstance(score, (int, float)) for score in row["scores"])
