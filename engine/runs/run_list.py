"""The runs below a folder, read from what they have written down: how each stands, how far it is, its best value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import OutputError
from . import run_lock
from .history import History
from .run_record import HISTORY, MARK, read_history, read_record

# A run that says it is running, while no process holds its folder.
DIED = "died"
# Runs lie in `runs/NAME`, or some folders deeper.
_DEPTH = 4


@dataclass(frozen=True)
class Kept:
    """A run as it lies on disk.

    Attributes:
        folder: where.
        record: what `run.json` holds.
        history: so far.
        state: `running`, `interrupted`, `failed`, `finished`, or `died` of one whose process is gone.
    """

    folder: Path
    record: Mapping[str, Any]
    history: History
    state: str

    @property
    def epochs(self) -> int | None:
        """How many it was asked for."""
        asked = self.record["settings"].get("epochs")
        return asked if isinstance(asked, int) else None

    @property
    def best(self) -> tuple[str, float, int] | None:
        """The metric that says best how good it is, its best value, and the epoch from 1; None before the first."""
        if not len(self.history):
            return None
        metric, epoch = self.history.monitor, self.history.best_epoch
        return metric, self.history[metric][epoch - 1], epoch

    def to_json(self) -> dict[str, Any]:
        best = None
        if self.best:
            metric, value, epoch = self.best
            best = {"metric": metric, "value": value if math.isfinite(value) else None, "epoch": epoch}
        return {
            "folder": str(self.folder),
            "state": self.state,
            "recipe": self.record.get("recipe"),
            "backend": _part(self.record, "environment").get("backend"),
            "epochs_done": len(self.history),
            "epochs": self.epochs,
            "best": best,
            **({"error": self.record["error"]} if "error" in self.record else {}),
        }


def read(folder: Path) -> Kept:
    """The run in a folder.

    Raises:
        OutputError: there is none, or it cannot be read.
    """
    if not (folder / MARK).is_file():
        raise OutputError(f"there is no run in {folder} (no {MARK} in it)")
    record = read_record(folder)
    # Runs of trivium 0.1 kept their history in the record alone.
    held = record.get("history")
    try:
        history = read_history(folder / HISTORY) if (folder / HISTORY).is_file() else History.from_json(held or [])
    except (TypeError, AttributeError) as error:
        raise OutputError(f"{folder / MARK} is not the record of a run") from error
    state = str(record.get("state") or ("interrupted" if record.get("interrupted") else "finished"))
    if state == "running" and not run_lock.is_held(folder):
        state = DIED
    return Kept(folder, record, history, state)


def find(folder: Path) -> list[Kept]:
    """The runs in a folder and below it, by name; what cannot be read is left out.

    Raises:
        OutputError: there is no such folder.
    """
    if not folder.is_dir():
        raise OutputError(f"there is no folder {folder}: `trivium train RECIPE` makes runs/RECIPE")
    found = []
    for place in _folders(folder, _DEPTH):
        try:
            found.append(read(place))
        except OutputError:
            continue
    return sorted(found, key=lambda kept: str(kept.folder))


def differences(runs: list[Kept]) -> list[tuple[str, list[str]]]:
    """What the runs were asked for differently: a setting's name, and each run's value as words."""
    rows = []
    described = [_flat(kept) for kept in runs]
    for name in dict.fromkeys(name for each in described for name in each):
        values = [each.get(name, "–") for each in described]
        if len(set(values)) > 1:
            rows.append((name, values))
    return rows


def _folders(folder: Path, depth: int) -> list[Path]:
    if (folder / MARK).is_file():
        return [folder]
    try:
        below = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "."]
    except OSError:
        return []
    return [place for path in below for place in (_folders(path, depth - 1) if depth else [])]


def _part(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of a record, which may hold anything."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _flat(kept: Kept) -> dict[str, str]:
    environment, dataset = _part(kept.record, "environment"), _part(kept.record, "dataset")
    settings = dict(kept.record["settings"])
    options = _part(settings, "options")
    settings.pop("options", None)
    values = {
        "recipe": kept.record.get("recipe"),
        "backend": environment.get("backend"),
        "data": dataset.get("name"),
        "data checksum": str(dataset.get("checksum"))[:8],
        **settings,
        **options,
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
