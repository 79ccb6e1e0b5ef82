"""A run in words: `run.json`, which says what it is and how it stands, and `history.jsonl`, a line an epoch.

Read without a framework, and with the care that files of others deserve: they may hold anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import FileError, OutputError
from ...storage import safe_json
from ...storage.atomic import write_text
from .history import History

MARK = "run.json"
HISTORY = "history.jsonl"

_LARGEST_HISTORY = 256 * 2**20  # bytes


def read_record(folder: Path) -> dict[str, Any]:
    """What `run.json` holds.

    Raises:
        OutputError: it cannot be read, or is none.
    """
    try:
        found = safe_json.read(folder / MARK)
    except FileError as error:
        raise OutputError(str(error)) from error
    if not isinstance(found, dict) or not isinstance(found.get("settings"), dict):
        raise OutputError(f"{folder / MARK} is not the record of a run")
    return found


def write_history(path: Path, history: History) -> None:
    """One line of JSON an epoch: its number and its metrics."""
    write_text(path, "".join(line(number, logs) for number, logs in enumerate(history.to_json(), start=1)))


def line(epoch: int, logs: dict[str, float | None]) -> str:
    """An epoch, counted from 1, in the history."""
    return json.dumps({"epoch": epoch, **logs}, allow_nan=False) + "\n"


def read_history(path: Path) -> History:
    """What `write_history` wrote; a last line that is not whole, as a kill may leave one, is left out.

    Raises:
        OutputError: it cannot be read, or is something else.
    """
    try:
        lines = safe_json.read_bytes(path, largest=_LARGEST_HISTORY).splitlines(keepends=True)
        epochs = [safe_json.parse(line, str(path)) for line in lines if line.endswith(b"\n")]
        for logs in epochs:
            logs.pop("epoch")
        return History.from_json(epochs)
    except FileError as error:
        raise OutputError(str(error)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"{path} is no history of a run ({error!r})") from error
