"""Writes a run down while it goes on: its history after each epoch, its checkpoints by their rules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from ...storage.atomic import written_whole
from ...storage.tensor_file import SUFFIX
from ..epochs.callbacks import EpochClock, EpochLog, StopOnInterrupt
from . import checkpoint
from .checkpoint import Checkpoint
from .checkpoint_policy import DEFAULT_NAME, Rule
from .history import History, is_better

if TYPE_CHECKING:
    from .run_folder import RunFolder

# See the top of checkpoint_rules.py.
_SECONDS_BETWEEN = 10.0
_TIMES_ITS_COST = 50


class KeepRun(keras.callbacks.Callback):
    """Keeps what a run comes to in its folder, and puts back what a resumed run had come to.

    It must be the last of the callbacks: what the others do with an epoch then is in its checkpoint, and what they
    remember is put back after they have forgotten it at the beginning of training.

    Args:
        folder: of the run; held by this process.
        rules: which checkpoints to write.
        log, clock: what they have seen so far is kept.
        stop: knows whether a run that ends was interrupted.
        remembering: the callbacks that remember something from epoch to epoch.
        begin: the checkpoint to go on from.
    """

    def __init__(
        self,
        folder: RunFolder,
        rules: Sequence[Rule],
        log: EpochLog,
        clock: EpochClock,
        stop: StopOnInterrupt,
        remembering: Sequence[keras.callbacks.Callback],
        begin: Checkpoint | None = None,
    ):
        super().__init__()
        self._further: list[keras.Variable] = []
        self._folder, self._rules, self._log, self._clock, self._stop = folder, rules, log, clock, stop
        self._remembering = remembering
        self._begin = begin
        self._written: list[list[str]] = [[] for _ in rules]
        self._kept = begin.epoch if begin else 0
        self._cost = 0.0  # seconds that the last one took to write

    def begin_with(self, plan: str, further: Sequence[keras.Variable]) -> None:
        """Note by which plan the epochs are run, and what variables it draws by beside the model's own."""
        self._folder.note_plan(plan)
        self._further = list(further)

    def on_train_begin(self, logs: Any = None) -> None:
        self._since = time.monotonic()
        if self._begin is None:
            return
        self._begin.restore(self.model, self._further)
        self._begin.restore_callbacks(self._remembering)
        if len(self._begin.written) == len(self._rules):
            self._written = [list(names) for names in self._begin.written]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._folder.append(self._log.epochs[-1])
        last = epoch + 1 == self.params["epochs"] or self.model.stop_training
        self._keep(epoch + 1, last)

    def save_now(self, model: keras.Model) -> None:
        """Keep the model as it is, at the end of the last finished epoch, unless that was done already."""
        if self._kept < len(self._log.epochs) and any(rule.resumable for rule in self._rules):
            self._folder.require_there()
            self._save_whole(model, self._path(DEFAULT_NAME.format(epoch=len(self._log.epochs)) + SUFFIX), False)

    def _keep(self, epoch: int, last: bool) -> None:
        self._folder.require_there()
        began = time.monotonic()
        removable: list[str] = []
        due = []
        for rule, names in zip(self._rules, self._written, strict=True):
            if self._is_due(rule, epoch, last):
                name = rule.file_name(epoch, self._log.epochs[-1])
                removable += _taken_out(names, name, rule.keep)
                due.append((rule, self._path(name)))
        for rule, path in due:
            if rule.weights:
                _save_weights(self.model, path)
            else:
                self._save_whole(self.model, path, last and not self._stop.interrupted)
        kept = {name for names in self._written for name in names}
        for name in set(removable) - kept:
            self._path(name).unlink(missing_ok=True)
        if due:
            self._since = time.monotonic()
            self._cost = self._since - began

    def _is_due(self, rule: Rule, epoch: int, last: bool) -> bool:
        if rule.best:
            values = [rule.value(logs) for logs in self._log.epochs]
            return all(is_better(rule.best, values[-1], value) for value in values[:-1])
        if rule.every:
            return epoch % rule.every == 0 or (last and rule.resumable)
        wait = max(_SECONDS_BETWEEN, _TIMES_ITS_COST * self._cost)
        return last or epoch == 1 or time.monotonic() - self._since >= wait

    def _save_whole(self, model: keras.Model, path: Path, stopped: bool) -> None:
        checkpoint.save(
            path,
            model,
            len(self._log.epochs),
            History(self._log.epochs),
            stopped=stopped and len(self._log.epochs) < self.params["epochs"],
            seconds=(self._clock.training_seconds, self._clock.validation_seconds),
            callbacks=self._remembering,
            written=self._written,
            further=self._further,
        )
        self._kept = len(self._log.epochs)

    def _path(self, name: str) -> Path:
        return self._folder.checkpoints / name


def _taken_out(names: list[str], new: str, keep: int | None) -> list[str]:
    """Note the new file of a rule; the names that are more than it keeps, which are struck out."""
    names[:] = [name for name in names if name != new] + [new]
    surplus = names[:-keep] if keep else []
    names[:] = names[len(surplus) :]
    return surplus


def _save_weights(model: keras.Model, path: Path) -> None:
    with written_whole(path) as aside:  # Keras asks for the two suffixes, of which the file aside keeps one
        own = aside.with_name(f"{aside.stem}.weights.h5")
        try:
            model.save_weights(own)
            own.replace(aside)
        finally:
            own.unlink(missing_ok=True)
