"""Sends runs from their folders to a tracker: what it missed while they trained, and runs of earlier days.

A run folder may be from a stranger. It says what is sent, and nothing of where to: that is the caller's destination.
Only files of the folder itself are sent, and no link.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import OutputError, TriviumError, first_line
from ..runs import run_list
from ..runs.file_names import require_no_way_out
from ..runs.run_record import RECORD
from .description import describe
from .destination import Destination
from .evaluation import evaluation_of
from .search_export import RESULTS, read_results, send_search
from .sender import Sender
from .tracker import RUNNING
from .trackers import open_tracker


@dataclass(frozen=True)
class Exported:
    """What became of a run at a tracker.

    Attributes:
        folder: of the run.
        tracker: by name.
        place: where a person finds the run: an address, or a folder.
        epochs: how many the tracker has now.
        is_new: whether anything was sent; otherwise the tracker had all of it.
        combinations: of a search; 0 for a run.
    """

    folder: Path
    tracker: str
    place: str
    epochs: int
    is_new: bool
    combinations: int = 0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder)}


def export(folder: Path, destination: Destination) -> Exported:
    """Send the run or the search in a folder to a tracker; what the tracker has of it already is not sent again.

    Raises:
        OutputError: there is neither, it is still training, or the tracker fails.
        OptionError: the destination lacks something.
    """
    if not (folder / RECORD).is_file() and (folder / RESULTS).is_file():
        return _export_search(folder, destination)
    stored = run_list.read(folder)
    if stored.state == RUNNING:
        raise OutputError(f"the run in {folder} is still training: export it when it has ended")
    tracker = open_tracker(destination, folder)
    sender = Sender(tracker, destination.artifacts)
    with _one_line(folder, destination):
        sender.begin(describe(stored.record, folder.absolute().name))
        sender.send(stored.history.epochs)
        sender.end(stored.state, evaluation_of(stored.record), _files(folder))
        place = tracker.place
    return Exported(folder, destination.tracker, place, len(stored.history), sender.has_sent)


def _export_search(folder: Path, destination: Destination) -> Exported:
    results = read_results(folder)
    require_no_way_out(folder)
    with _one_line(folder, destination):
        name = folder.absolute().name
        place, has_sent = send_search(results, name, destination, lambda: open_tracker(destination, folder))
    return Exported(folder, destination.tracker, place, 0, has_sent, len(results["rows"]))


@contextlib.contextmanager
def _one_line(folder: Path, destination: Destination) -> Iterator[None]:
    """Turn an error of a tracker's package, or of the network, into one line."""
    try:
        yield
    except TriviumError:
        raise
    except Exception as error:
        raise OutputError(f"{folder} was not sent to {destination}: {first_line(error, 200)}") from error


def _files(folder: Path) -> list[Path]:
    """Return the files of a run, but no links: they may lead to files that nobody wants to send."""
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
