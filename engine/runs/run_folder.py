"""The folder of a run: `run.json`, `history.jsonl`, `checkpoints/`, `bundle.trivium`, and pictures.

One process at a time writes into a folder. `run.json` holds the options and the state of the run from the beginning:
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
from ...storage.atomic import is_partial, write_json
from . import checkpoint, run_lock
from .checkpoint import Checkpoint
from .checkpoint_policy import DEFAULT_RULE, CheckpointRule
from .file_names import files_below, require_no_way_out
from .history import History
from .run_record import HISTORY, RECORD, line, read_resumable, write_history
from .signature import signed

CHECKPOINTS = "checkpoints"


@dataclass
class RunFolder:
    """A folder that this process writes a run into; `open_run` gives one.

    Attributes:
        path: the folder.
        rules: which checkpoints to keep.
        earlier: where an earlier run in this folder was moved to, if there was one.
        record: the content of `run.json`.
        arguments: the options given on the command line, by name, for when the run is resumed.
        resume_from: the checkpoint of a resumed run, if it has any.
        skipped: an error message for each newer checkpoint that is damaged.
    """

    path: Path
    rules: Sequence[CheckpointRule] = (DEFAULT_RULE,)
    earlier: Path | None = None
    record: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    resume_from: Checkpoint | None = None
    skipped: Sequence[str] = ()
    _epochs: int = 0

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    def write_start(self, record: dict[str, Any]) -> None:
        """Write the record of a run that begins or is resumed, and its history so far.

        Raises:
            OutputError: a file cannot be written.
        """
        self.record = {**signed(record), "state": "running", "process": run_lock.describe_process()}
        history = self.resume_from.history if self.resume_from else History()
        self._epochs = len(history)
        write_json(self.path / RECORD, self.record)
        write_history(self.path / HISTORY, history)

    def record_plan(self, name: str) -> None:
        """Record the plan of the run: it may be the result of a timing, and a resumed run must keep it.

        Raises:
            OutputError: the record cannot be written.
        """
        self.record["settings"] = {**self.record["settings"], "plan": {"name": name}}
        write_json(self.path / RECORD, self.record)

    def append(self, logs: dict[str, float]) -> None:
        """Append the metrics of an epoch to the history.

        Raises:
            OutputError: the history cannot be written.
        """
        self._epochs += 1
        try:
            with (self.path / HISTORY).open("a", encoding="utf-8") as file:
                file.write(line(self._epochs, History([logs]).to_json()[0]))
        except OSError as error:
            self.require_exists()
            raise OutputError(f"cannot write {self.path / HISTORY}: {error.strerror or error}") from error

    def require_exists(self) -> None:
        """Raise an OutputError if the folder was deleted or moved: further writing would create another one."""
        if not (self.path / RECORD).is_file():
            raise OutputError(f"{self.path} was deleted or moved while the run was writing into it: train it again")

    def mark(self, state: str, error: str = "") -> None:
        """Record the state of the run."""
        self.record = {key: value for key, value in self.record.items() if key != "process"}
        self.record |= {"state": state, **({"error": error} if error else {})}
        if (self.path / RECORD).is_file():
            write_json(self.path / RECORD, self.record)

    @property
    def has_history(self) -> bool:
        """Whether an epoch was finished."""
        history = self.path / HISTORY
        return history.is_file() and history.stat().st_size > 0


@contextlib.contextmanager
def open_run(
    folder: Path, rules: Sequence[CheckpointRule] = (DEFAULT_RULE,), *, resume: bool = False
) -> Iterator[RunFolder]:
    """Open a folder to write a run into, and lock it until the block ends.

    An existing run is moved aside, unless it is to be resumed. If the block ends with an error before the first epoch
    is finished, the folder is restored to its previous state. After the first epoch, the run is kept, and its record
    says that it failed or was interrupted.

    Raises:
        OutputError: as `claim`; or there is no run to resume, a link leads out of its folder, or another process is
            writing into the folder.
    """
    with _open_existing(folder, rules) if resume else _open_new(folder, rules) as run:
        yield run


@contextlib.contextmanager
def reserve(folder: Path) -> Iterator[Path | None]:
    """Open a new run like `open_run`; yield where an earlier run in this folder was moved to, or None."""
    with open_run(folder) as run:
        yield run.earlier


@contextlib.contextmanager
def _open_existing(folder: Path, rules: Sequence[CheckpointRule]) -> Iterator[RunFolder]:
    if not (folder / RECORD).is_file():
        raise OutputError(f"there is no run in {folder} to resume (no {RECORD} in it): leave `resume` out")
    require_no_way_out(folder)
    with run_lock.hold(folder):
        _remove_partial_files(folder)
        resume_from, skipped = checkpoint.newest(folder / CHECKPOINTS)
        run = RunFolder(folder, rules, None, read_resumable(folder), {}, resume_from, skipped)
        before = run.record
        with _record_failure(run, lambda: run.record is not before):
            yield run


@contextlib.contextmanager
def _open_new(folder: Path, rules: Sequence[CheckpointRule]) -> Iterator[RunFolder]:
    new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
    run = RunFolder(folder, rules, _claim_or_leave(folder, new_folders))
    is_ours = False  # files that another process has written meanwhile must not be deleted
    try:
        with run_lock.hold(folder):
            if any(path.name != run_lock.FILE_NAME for path in folder.iterdir()):
                raise OutputError(f"another process has just trained into {folder}: choose another `out`")
            is_ours = True
            with _record_failure(run, lambda: run.has_history):
                yield run
    except BaseException:
        if is_ours and not run.has_history:
            _restore_previous(run, new_folders)
        raise


@contextlib.contextmanager
def _record_failure(run: RunFolder, has_begun: Callable[[], bool]) -> Iterator[None]:
    """When the block ends with an error, record it if the run has begun."""
    try:
        yield
    except BaseException as error:
        if has_begun():
            with contextlib.suppress(OutputError):  # the error that is being raised says more
                if isinstance(error, KeyboardInterrupt):
                    run.mark("interrupted")
                else:
                    run.mark("failed", str(error) or type(error).__name__)
        raise


def _remove_partial_files(folder: Path) -> None:
    """Remove the partial files of a killed process; no other process writes into a locked folder."""
    for path in [*folder.glob(".*.*"), *files_below(folder / CHECKPOINTS)]:
        if path.name.startswith(".") and path.is_file() and is_partial(path):
            path.unlink()


def _restore_previous(run: RunFolder, new_folders: list[Path]) -> None:
    """Remove the files of a run that finished no epoch, and move an earlier run back into its place."""
    with contextlib.suppress(OSError):  # a folder that is not empty stays: something was saved in it
        shutil.rmtree(run.checkpoints, ignore_errors=True)
        for name in (RECORD, HISTORY):
            (run.path / name).unlink(missing_ok=True)
        for path in [run.path] if run.earlier else new_folders:
            path.rmdir()
        if run.earlier:
            run.earlier.rename(run.path)


def _claim_or_leave(folder: Path, new_folders: list[Path]) -> Path | None:
    """Claim a folder; if that fails, remove those of the new folders above it that were created."""
    try:
        return claim(folder)
    except OutputError:
        for path in new_folders:
            with contextlib.suppress(OSError):  # it was not created
                path.rmdir()
        raise


def claim(folder: Path) -> Path | None:
    """Make a folder ready for a new run, before the training begins.

    An existing run is moved aside, never overwritten.

    Returns:
        Where the earlier run is now, or None if there was none.

    Raises:
        OutputError: the folder holds something else, cannot be created, or another process is writing into it.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file: choose another `out`")
        if folder.is_dir() and any(path.name != run_lock.FILE_NAME for path in folder.iterdir()):
            if not (folder / RECORD).is_file():
                raise OutputError(f"{folder} exists and is not a run (no {RECORD} in it): choose another `out`")
            with run_lock.hold(folder, moving=True):
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
    """Return the first of `folder.1`, `folder.2`, … that does not exist."""
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    return aside
