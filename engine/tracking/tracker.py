"""What every tracker does, in the order of its calls; one module per tracker implements it.

A tracker raises whatever its package raises. `Sender` decides what is sent, `Tracking` what an error means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..runs.run_list import DIED
from .description import RunDescription

RUNNING, FINISHED, INTERRUPTED, FAILED = "running", "finished", "interrupted", "failed"
STATES = (RUNNING, FINISHED, INTERRUPTED, FAILED, DIED)


@dataclass(frozen=True)
class Progress:
    """What a tracker has of a run already.

    Attributes:
        epochs: how many it has, from the first.
        state: one of `STATES` once the run has ended there; empty before.
        files: the names of the artifacts.
    """

    epochs: int = 0
    state: str = ""
    files: frozenset[str] = frozenset()


class Tracker(Protocol):
    """Keeps the metrics, parameters and files of runs."""

    def begin(self, description: RunDescription) -> Progress:
        """Open the run with this identity, or a new one; return what the tracker has of it."""

    def log(self, epochs: Mapping[int, Mapping[str, float]]) -> None:
        """Add the metrics of epochs, by their numbers from 1."""

    def attach(self, path: Path) -> None:
        """Add a file of the run."""

    def end(self, state: str, evaluation: Mapping[str, float], epochs: int) -> None:
        """Add the evaluation after so many epochs, and record how the run has ended."""

    @property
    def place(self) -> str:
        """Where a person finds the run: an address, or a folder."""
