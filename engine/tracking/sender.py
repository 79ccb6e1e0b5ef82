"""Sends a run to one tracker, and nothing twice: what the tracker has already is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .description import RunDescription
from .tracker import Progress, Tracker

# What `artifacts` sends of a run.
_SUFFIXES = (".trivium", ".png")


class Sender:
    """Sends a run to one tracker.

    Args:
        tracker: where to.
        artifacts: whether files are sent.

    Attributes:
        present: what the tracker had before.
        has_sent: whether anything was sent that the tracker did not have.
    """

    def __init__(self, tracker: Tracker, artifacts: bool):
        self.present = Progress()
        self.has_sent = False
        self._tracker, self._artifacts = tracker, artifacts
        self._epochs = 0

    def begin(self, description: RunDescription) -> None:
        self.present = self._tracker.begin(description)
        self._epochs = self.present.epochs

    def send(self, epochs: Sequence[Mapping[str, float]]) -> None:
        """Send the epochs of all from the first that the tracker does not have."""
        new = dict(enumerate(epochs[self._epochs :], start=self._epochs + 1))
        if new:
            self._tracker.log(new)
            self._epochs += len(new)
            self.has_sent = True

    def end(self, state: str, evaluation: Mapping[str, float], files: Sequence[Path]) -> None:
        """Send the files, and how the run has ended, unless the tracker has all of this."""
        for path in files if self._artifacts else ():
            if path.suffix in _SUFFIXES and path.name not in self.present.files:
                self._tracker.attach(path)
                self.has_sent = True
        if self.has_sent or self.present.state != state:
            self._tracker.end(state, evaluation, self._epochs)
            self.has_sent = True
