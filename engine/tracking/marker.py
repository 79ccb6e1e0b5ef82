"""The marker of a run in a folder of logs: what the logs have of the run, so that nothing is written twice.

MLflow is asked. The logs of TensorBoard and those that Weights & Biases keeps on this machine cannot be, or only by
reading all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import FileError
from ...storage import safe_json
from ...storage.atomic import write_json
from .tracker import STATES, Progress

FILE_NAME = "trivium.json"


def read(folder: Path) -> Progress:
    """Return what the logs in a folder have of a run; nothing if there is no marker, or it is none."""
    try:
        content = safe_json.read(folder / FILE_NAME)
    except FileError:
        return Progress()
    return _progress(content) if isinstance(content, dict) else Progress()


def write(folder: Path, progress: Progress) -> None:
    """Write the marker.

    Raises:
        OutputError: the file cannot be written.
    """
    files = sorted(progress.files)
    write_json(folder / FILE_NAME, {"epochs": progress.epochs, "state": progress.state, "files": files})


def _progress(content: dict[str, Any]) -> Progress:
    epochs, state, files = content.get("epochs"), content.get("state"), content.get("files")
    return Progress(
        epochs if isinstance(epochs, int) and epochs > 0 else 0,
        state if state in STATES else "",
        frozenset(name for name in files if isinstance(name, str)) if isinstance(files, list) else frozenset(),
    )
