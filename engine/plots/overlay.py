"""The curves of several runs over each other."""

from __future__ import annotations

from pathlib import Path

from ...errors import OutputError
from ..runs.run_list import Kept
from .plots import overlaid


def overlay(runs: list[Kept], path: Path) -> None:
    """Draw the curves of several runs over each other.

    Raises:
        OutputError: none has finished an epoch, or the picture cannot be written.
    """
    drawn = [(str(kept.folder), kept.history) for kept in runs if len(kept.history)]
    if not drawn:
        raise OutputError("none of these runs has finished an epoch: there is no curve to draw")
    overlaid(drawn, path)
