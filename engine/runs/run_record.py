"""The record of a run, `run.json`, and its history, `history.jsonl`, with one line per epoch.

They are read without a framework, and never trusted: a file may hold anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import FileError, OutputError
from ...storage import safe_json
from ...storage.atomic import write_text
from ...storage.budget import HISTORY as LONGEST
from .file_names import require_within
from .history import History

RECORD = "run.json"
HISTORY = "history.jsonl"
SCHEMA = 1


def read_record(folder: Path) -> dict[str, Any]:
    """Read `run.json`.

    Raises:
        OutputError: the file cannot be read, is no record of a run, or is of another schema.
    """
    require_within(folder, folder / RECORD)
    try:
        record = safe_json.read(folder / RECORD)
    except FileError as error:
        raise OutputError(str(error)) from error
    if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
        raise OutputError(f"{folder / RECORD} is not the record of a run")
    if record.get("schema", SCHEMA) != SCHEMA:
        raise OutputError(
            f"{folder / RECORD} has run schema {record['schema']}, this trivium reads {SCHEMA}: update trivium"
        )
    return record


def read_resumable(folder: Path) -> dict[str, Any]:
    """Read `run.json` of a run that is to be resumed, after checking the parts that a session relies on.

    Raises:
        OutputError: as `read_record`, or a part is not what trivium writes.
    """
    record = read_record(folder)
    plan = record["settings"].get("plan")
    parts = {
        "dataset": isinstance(record.get("dataset", {}), dict),
        "environment": isinstance(record.get("environment", {}), dict),
        "resumed": _are_dictionaries(record.get("resumed", [])),
        "the plan in its settings": plan is None or (isinstance(plan, dict) and isinstance(plan.get("name"), str)),
    }
    if damaged := [name for name, is_sound in parts.items() if not is_sound]:
        raise OutputError(f"{folder / RECORD} is not the record of a run: {damaged[0]} is not what trivium writes")
    return record


def _are_dictionaries(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def write_history(path: Path, history: History) -> None:
    """Write one line of JSON per epoch: its number and its metrics."""
    write_text(path, "".join(line(number, logs) for number, logs in enumerate(history.to_json(), start=1)))


def line(epoch: int, logs: dict[str, float | None]) -> str:
    """Return the line of an epoch, counted from 1."""
    return json.dumps({"epoch": epoch, **logs}, allow_nan=False) + "\n"


def read_history(path: Path) -> History:
    """Read what `write_history` wrote; a partial last line, as a kill may leave, is ignored.

    Raises:
        OutputError: the file cannot be read, or is no history.
    """
    require_within(path.parent, path)
    try:
        lines = safe_json.read_bytes(path, max_size=LONGEST.size).splitlines(keepends=True)
        whole = b",".join(line for line in lines if line.endswith(b"\n"))
        epochs = safe_json.parse(b"[" + whole + b"]", str(path), budget=LONGEST)
        for logs in epochs:
            logs.pop("epoch")
        return History.from_json(epochs)
    except FileError as error:
        raise OutputError(str(error)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"{path} is no history of a run ({error!r})") from error
