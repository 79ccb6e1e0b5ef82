"""What a run leaves on disk: `run.json`, `history.jsonl`, `checkpoints/`, `bundle.trivium`, and its pictures.

A folder belongs to one process at a time. `run.json` says what was asked for from the beginning, and how it stands:
`running`, `interrupted`, `failed` or `finished`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import OutputError
from ...storage.atomic import write_json
from . import checkpoint, run_lock
from .checkpoint import Checkpoint
from .checkpoint_policy import AUTOMATIC, Rule
from .history import History
from .run_record import HISTORY, MARK, line, read_record, write_history

CHECKPOINTS = "checkpoints"


@dataclass
class RunFolder:
    """A folder that this process writes a run into; `opened` gives one.

    Attributes:
        path: the folder.
        rules: which checkpoints are kept.
        earlier: where the run that was there is now, if there was one.
        record: what `run.json` holds.
        asked: what the run was asked for, by the names of the command line, for when it goes on.
        begin: the checkpoint that the run goes on from, if it is one to go on with and has come so far.
        passed_over: of each newer checkpoint that is no good, why.
    """

    path: Path
    rules: Sequence[Rule] = (AUTOMATIC,)
    earlier: Path | None = None
    record: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    begin: Checkpoint | None = None
    passed_over: Sequence[str] = ()
    _epochs: int = 0

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    def begin_run(self, record: dict[str, Any]) -> None:
        """Write down what is going to be trained, and the history as far as it is known.

        Raises:
            OutputError: it cannot be written.
        """
        self.record = {**record, "state": "running", "process": run_lock.describe_process()}
        history = self.begin.history if self.begin else History()
        self._epochs = len(history)
        write_json(self.path / MARK, self.record)
        write_history(self.path / HISTORY, history)

    def note_plan(self, name: str) -> None:
        """Write down by which plan the epochs are run: it may have been chosen by measuring, and must not change.

        Raises:
            OutputError: it cannot be written.
        """
        self.record["settings"] = {**self.record["settings"], "plan": {"name": name}}
        write_json(self.path / MARK, self.record)

    def append(self, logs: dict[str, float]) -> None:
        """Add an epoch's metrics to the history.

        Raises:
            OutputError: it cannot be written.
        """
        self._epochs += 1
        try:
            with (self.path / HISTORY).open("a") as file:
                file.write(line(self._epochs, History([logs]).to_json()[0]))
        except OSError as error:
            self.require_there()
            raise OutputError(f"cannot write {self.path / HISTORY}: {error.strerror or error}") from error

    def require_there(self) -> None:
        """Raise an OutputError if somebody has taken the folder away: what is written would make another one."""
        if not (self.path / MARK).is_file():
            raise OutputError(f"{self.path} was deleted or moved while the run was writing into it: train it again")

    def mark(self, state: str, error: str = "") -> None:
        """Write down how the run stands."""
        self.record = {key: value for key, value in self.record.items() if key != "process"}
        self.record |= {"state": state, **({"error": error} if error else {})}
        if (self.path / MARK).is_file():
            write_json(self.path / MARK, self.record)

    @property
    def holds_something(self) -> bool:
        """Whether an epoch was finished."""
        history = self.path / HISTORY
        return history.is_file() and history.stat().st_size > 0


@contextlib.contextmanager
def opened(folder: Path, rules: Sequence[Rule] = (AUTOMATIC,), *, resume: bool = False) -> Iterator[RunFolder]:
    """A folder to write a run into, held for this process until the block ends.

    A run that is there already is moved aside, unless it is the one to go on with. When the block ends with an error
    before an epoch was finished, everything is put back as it was; after that, the run is marked as failed or
    interrupted and kept.

    Raises:
        OutputError: as `claim`; or there is no run to go on with, or another process writes into it.
    """
    with _resumed(folder, rules) if resume else _new(folder, rules) as kept:
        yield kept


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[Path | None]:
    """`opened` for who writes the run at its end only; gives where the run that was there is now."""
    with opened(folder) as kept:
        yield kept.earlier


@contextlib.contextmanager
def _resumed(folder: Path, rules: Sequence[Rule]) -> Iterator[RunFolder]:
    if not (folder / MARK).is_file():
        raise OutputError(f"there is no run in {folder} to go on with (no {MARK} in it): leave --resume out")
    with run_lock.held(folder):
        _sweep(folder)
        begin, passed_over = checkpoint.newest(folder / CHECKPOINTS)
        kept = RunFolder(folder, rules, None, read_record(folder), {}, begin, passed_over)
        before = kept.record
        with _marked(kept, lambda: kept.record is not before):
            yield kept


@contextlib.contextmanager
def _new(folder: Path, rules: Sequence[Rule]) -> Iterator[RunFolder]:
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    kept = RunFolder(folder, rules, claim(folder))
    is_ours = False  # what another process has written meanwhile must not be taken away
    try:
        with run_lock.held(folder):
            if any(path.name != run_lock.FILE_NAME for path in folder.iterdir()):
                raise OutputError(f"another process has just trained into {folder}: choose another --out")
            is_ours = True
            with _marked(kept, lambda: kept.holds_something):
                yield kept
    except BaseException:
        if is_ours and not kept.holds_something:
            _put_back(kept, made)
        raise


@contextlib.contextmanager
def _marked(kept: RunFolder, has_begun: Callable[[], bool]) -> Iterator[None]:
    """When the block ends with an error, say so in the record of a run that had begun."""
    try:
        yield
    except BaseException as error:
        if has_begun():
            with contextlib.suppress(OutputError):  # the error that is on its way says more
                if isinstance(error, KeyboardInterrupt):
                    kept.mark("interrupted")
                else:
                    kept.mark("failed", str(error) or type(error).__name__)
        raise


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed had not finished writing; nobody else writes into a folder that is held."""
    for place in (folder, folder / CHECKPOINTS):
        for path in place.glob(".*.*"):
            if path.is_file():
                path.unlink()


def _put_back(kept: RunFolder, made: list[Path]) -> None:
    """Take away what a run that came to nothing has left, and put an earlier one back in its place."""
    with contextlib.suppress(OSError):  # a folder that is not empty any more stays: something was saved
        shutil.rmtree(kept.checkpoints, ignore_errors=True)
        for name in (MARK, HISTORY):
            (kept.path / name).unlink(missing_ok=True)
        for path in [kept.path] if kept.earlier else made:
            path.rmdir()
        if kept.earlier:
            kept.earlier.rename(kept.path)


def claim(folder: Path) -> Path | None:
    """Make a folder ready for a new run before anything is trained for it.

    A run that is there already is moved aside, never overwritten.

    Returns:
        Where the earlier run is now, or None when there was none.

    Raises:
        OutputError: the folder holds something that is no run, cannot be made, or is another process' just now.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file: choose another --out")
        if folder.is_dir() and any(path.name != run_lock.FILE_NAME for path in folder.iterdir()):
            if not (folder / MARK).is_file():
                raise OutputError(f"{folder} exists and is not a run (no {MARK} in it): choose another --out")
            with run_lock.held(folder, moving=True):
                aside = _free_name(folder)
                os.rename(folder, aside)
                (aside / run_lock.FILE_NAME).unlink()
            folder.mkdir()
            return aside
        folder.mkdir(parents=True, exist_ok=True)
        return None
    except OSError as error:
        raise OutputError(f"cannot use {folder}: {error.strerror}") from error


def _free_name(folder: Path) -> Path:
    """The first of `folder.1`, `folder.2`, … that is not taken."""
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    return aside
