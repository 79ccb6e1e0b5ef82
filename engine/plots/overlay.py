"""Plot the curves of several runs over each other."""

from __future__ import annotations

from pathlib import Path

from ...errors import OutputError
from ..runs.run_list import StoredRun
from .plots import overlaid


def overlay(runs: list[StoredRun], path: Path) -> None:
    """Plot the curves of several runs over each other.

    Raises:
        OutputError: no run has finished an epoch, or the file cannot be written.
    """
    histories = [(str(run.folder), run.history) for run in runs if len(run.history)]
    if not histories:
        raise OutputError("none of these runs has finished an epoch: there is no curve to draw")
    overlaid(histories, path)
