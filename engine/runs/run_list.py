"""List the runs below a folder from their records: state, progress, and best value of each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import OutputError
from . import run_lock
from .history import History
from .run_record import HISTORY, RECORD, read_history, read_record

# The state of a run whose record says `running` while no process has locked its folder.
DIED = "died"
# Runs are in `runs/NAME`, or some folders deeper.
_DEPTH = 4


@dataclass(frozen=True)
class StoredRun:
    """A run on disk.

    Attributes:
        folder: of the run.
        record: the content of `run.json`.
        history: of the finished epochs.
        state: `running`, `interrupted`, `failed`, `finished`, or `died` if its process is gone.
    """

    folder: Path
    record: Mapping[str, Any]
    history: History
    state: str

    @property
    def epochs(self) -> int | None:
        """The number of epochs to train."""
        epochs = self.record["settings"].get("epochs")
        return epochs if isinstance(epochs, int) else None

    @property
    def best(self) -> tuple[str, float, int] | None:
        """The metric to judge the run by, its best value, and the epoch from 1; None before the first epoch."""
        if not len(self.history):
            return None
        metric, epoch = self.history.monitor, self.history.best_epoch
        return metric, self.history[metric][epoch - 1], epoch

    @property
    def seconds_per_epoch(self) -> float | None:
        """The median seconds of the epochs after the first; None where there was only one, or the run goes on."""
        value = _numbers(_part(self.record, "timings")).get("steady_epoch")
        return value if value is not None and math.isfinite(value) else None

    @property
    def stopped(self) -> str | None:
        """When and why a callback ended the run, and which weights are kept."""
        return _text(self.record.get("stopped"))

    @property
    def evaluations(self) -> dict[str, dict[str, float]]:
        """The metrics on the test split, and those on the part of a series that was trained on, where there are any."""
        names = {"test": "evaluation", "trained on": "training_evaluation"}
        parts = {title: _numbers(_part(self.record, name)) for title, name in names.items()}
        return {title: metrics for title, metrics in parts.items() if metrics}

    def to_json(self) -> dict[str, Any]:
        best = None
        if self.best:
            metric, value, epoch = self.best
            best = {"metric": metric, "value": value if math.isfinite(value) else None, "epoch": epoch}
        return {
            "folder": str(self.folder),
            "state": self.state,
            "recipe": _text(self.record.get("recipe")),
            "backend": _text(_part(self.record, "environment").get("backend")),
            "epochs_done": len(self.history),
            "epochs": self.epochs,
            "best": best,
            "seconds_per_epoch": self.seconds_per_epoch,
            **({"stopped": self.stopped} if self.stopped else {}),
            **({"error": _text(self.record["error"])} if "error" in self.record else {}),
        }


def read(folder: Path) -> StoredRun:
    """Read the run in a folder.

    Raises:
        OutputError: there is no run, or it cannot be read.
    """
    if not (folder / RECORD).is_file():
        raise OutputError(f"there is no run in {folder} (no {RECORD} in it)")
    record = read_record(folder)
    # Runs of trivium 0.1 kept their history in the record alone.
    old_history = record.get("history")
    try:
        history = (
            read_history(folder / HISTORY) if (folder / HISTORY).is_file() else History.from_json(old_history or [])
        )
    except (TypeError, AttributeError) as error:
        raise OutputError(f"{folder / RECORD} is not the record of a run") from error
    state = str(record.get("state") or ("interrupted" if record.get("interrupted") else "finished"))
    if state == "running" and not run_lock.is_held(folder):
        state = DIED
    return StoredRun(folder, record, history, state)


def find(folder: Path, on_unreadable: Callable[[str], None] = lambda reason: None) -> list[StoredRun]:
    """Return the runs in a folder and below it, sorted by name; unreadable ones are left out.

    Args:
        on_unreadable: called with the reason for each that is left out.

    Raises:
        OutputError: there is no such folder.
    """
    if not folder.is_dir():
        raise OutputError(f"there is no folder {folder}: `trivium train RECIPE` makes runs/RECIPE")
    runs = []
    for place in _folders(folder, _DEPTH):
        try:
            runs.append(read(place))
        except OutputError as error:
            on_unreadable(str(error))
    return sorted(runs, key=lambda run: str(run.folder))


def differences(runs: list[StoredRun]) -> list[tuple[str, list[str]]]:
    """Return the settings in which the runs differ: the name, and the value of each run as text."""
    rows = []
    described = [_flat(run) for run in runs]
    for name in dict.fromkeys(name for description in described for name in description):
        values = [description.get(name, "–") for description in described]
        if len(set(values)) > 1:
            rows.append((name, values))
    return rows


def _folders(folder: Path, depth: int) -> list[Path]:
    try:
        if (folder / RECORD).is_file():
            return [folder]
        below = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "."]
    except OSError:
        return []
    return [place for path in below for place in (_folders(path, depth - 1) if depth else [])]


def _part(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a part of a record, or an empty dictionary: a record may hold anything."""
    part = record.get(name)
    return part if isinstance(part, dict) else {}


def _numbers(part: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in part.items() if isinstance(value, (int, float))}


def _text(value: Any) -> str | None:
    """Return a value that should be text as text: a record may hold anything."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _flat(run: StoredRun) -> dict[str, str]:
    environment, dataset = _part(run.record, "environment"), _part(run.record, "dataset")
    described = {
        "recipe": run.record.get("recipe"),
        "backend": environment.get("backend"),
        "data": dataset.get("name"),
        "data checksum": str(dataset.get("checksum"))[:8],
    }
    return {name: _readable(value) for name, value in described.items()} | settings_as_text(run)


def settings_as_text(run: StoredRun) -> dict[str, str]:
    """Return the settings of a run by name, the options of its recipe among them."""
    options = _part(run.record["settings"], "options")
    settings = {name: value for name, value in run.record["settings"].items() if name != "options"}
    return {name: _readable(value) for name, value in {**settings, **options}.items()}


def _readable(value: Any) -> str:
    """Return a setting as people write it: what has a name by it, with the rest in parentheses."""
    if isinstance(value, Mapping):
        rest = ", ".join(f"{name} {_readable(part)}" for name, part in value.items() if name != "name")
        if "name" in value:
            return f"{value['name']} ({rest})" if rest else _readable(value["name"])
        return rest or "–"
    if isinstance(value, list):
        return ", ".join(map(_readable, value)) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None or value == "" else str(value)
