"""Runs in Weights & Biases, online or in a folder of this machine for `wandb sync`.

The run's identity is its id there, by which Weights & Biases recognises it. Nobody is asked to log in while a model
trains, and nothing is printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import OptionError
from ...storage.atomic import require_writable_folder
from . import marker
from .description import RunDescription
from .tracker import FINISHED, Progress

PROJECT = "trivium"

_OFFLINE = ("offline", "dryrun")
_SECONDS_TO_CONNECT = 30.0
# Names that `wandb.init` has for arguments of a destination.
_PASSED = ("entity", "group")


class WandbTracker:
    """Keeps a run in a project of Weights & Biases.

    Args:
        arguments: `project` (WANDB_PROJECT, or `trivium`), `entity` (WANDB_ENTITY), `group` (WANDB_RUN_GROUP), `mode`
            (WANDB_MODE, or `online`), `dir` (WANDB_DIR, or this folder) and `name`, with what holds without them in
            parentheses.

    Raises:
        OptionError: nobody is logged in, and the mode is online.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, arguments: Mapping[str, str]):
        import wandb

        self._arguments = arguments
        self._mode: Any = arguments.get("mode") or os.environ.get("WANDB_MODE") or "online"
        self._dir = Path(arguments.get("dir") or os.environ.get("WANDB_DIR") or ".").absolute()
        require_writable_folder(self._dir, "log")
        if self._mode == "online" and not wandb.login(prompt=False, verify=False):
            raise OptionError("`log` wandb: nobody is logged in: `wandb login`, or add mode=offline to wandb")
        self._run: Any = None
        self._url = ""
        self._progress = Progress()

    @property
    def place(self) -> str:
        if self._is_offline:
            folder = self._run_folder or self._dir
            return f"{folder} (send it by `wandb sync`)"
        return self._url or f"run {self._description.identity}"

    def begin(self, description: RunDescription) -> Progress:
        self._description = description
        if self._is_offline:  # each session is a folder of its own, which begins with the first that is written
            self._progress = _latest(self._earlier_folders())
            return self._progress
        run = self._open()
        if run.resumed:
            self._progress = Progress(max(0, run.step - 1), str(run.summary.get("state") or ""))
        return self._progress

    def log(self, epochs: Mapping[int, Mapping[str, float]]) -> None:
        run = self._open()
        for epoch, metrics in epochs.items():
            run.log(dict(metrics), step=epoch)
        self._mark(replace(self._progress, epochs=max(epochs, default=self._progress.epochs), state=""))

    def attach(self, path: Path) -> None:
        import wandb

        run = self._open()
        artifact = wandb.Artifact(f"{self._description.identity}-{path.stem}", type=path.suffix.lstrip("."))
        artifact.add_file(str(path), name=path.name, policy="mutable")
        run.log_artifact(artifact)
        self._mark(replace(self._progress, files=self._progress.files | {path.name}))

    def end(self, state: str, evaluation: Mapping[str, float], epochs: int) -> None:
        run = self._open()
        run.summary.update({**evaluation, "state": state})
        self._mark(replace(self._progress, state=state))
        run.finish(exit_code=0 if state == FINISHED else 1)
        self._run = None

    @property
    def _passed(self) -> dict[str, Any]:
        """The arguments that `wandb.init` takes as they are; the combinations of a search are one group."""
        search = {"group": self._description.parent} if self._description.parent else {}
        return search | {name: self._arguments[name] for name in _PASSED if name in self._arguments}

    @property
    def _is_offline(self) -> bool:
        return self._mode in _OFFLINE

    @property
    def _run_folder(self) -> Path | None:
        folders = self._earlier_folders()
        return folders[-1] if folders else None

    def _earlier_folders(self) -> list[Path]:
        return sorted((self._dir / "wandb").glob(f"offline-run-*-{self._description.identity}"))

    def _open(self) -> Any:
        """Return the run in Weights & Biases; begin a session with it if there is none."""
        if self._run is None:
            import wandb

            self._dir.mkdir(parents=True, exist_ok=True)
            settings = wandb.Settings(
                silent=True, console="off", save_code=False, init_timeout=_SECONDS_TO_CONNECT, disable_git=True
            )
            self._run = wandb.init(
                project=self._arguments.get("project") or os.environ.get("WANDB_PROJECT") or PROJECT,
                id=self._description.identity,
                name=self._description.name_or(self._arguments.get("name")),
                mode=self._mode,
                dir=str(self._dir),
                resume=None if self._is_offline else "allow",
                reinit="create_new",  # beside a run of the user's own in this process
                settings=settings,
                **self._passed,
            )
            self._url = "" if self._is_offline else self._run.url or ""  # asked offline, it warns
            self._run.config.update(dict(self._description.parameters), allow_val_change=True)
        return self._run

    def _mark(self, progress: Progress) -> None:
        """Write beside the logs what they have of the run: those on this machine cannot be asked."""
        self._progress = progress
        if self._is_offline:
            marker.write(Path(self._run.dir), progress)


def _latest(folders: list[Path]) -> Progress:
    """Return what the sessions of a run in these folders have of it together."""
    sessions = [marker.read(folder / "files") for folder in folders]
    files: frozenset[str] = frozenset().union(*(session.files for session in sessions))
    return Progress(max((each.epochs for each in sessions), default=0), sessions[-1].state if sessions else "", files)
