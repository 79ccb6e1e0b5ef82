"""Record a run while it trains: its history after each epoch, and its checkpoints by their rules."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from ...storage.atomic import atomic_write
from ...storage.tensor_file import SUFFIX
from ..epochs.callbacks import EpochClock, EpochLog, StopOnInterrupt
from ..keras_model.model_bytes import hdf5_bytes, keras_bytes
from . import checkpoint
from .checkpoint import Checkpoint
from .checkpoint_policy import DEFAULT_NAME, CheckpointRule
from .direction import is_better
from .file_names import place_of
from .history import History

if TYPE_CHECKING:
    from .run_folder import RunFolder

# See the top of checkpoint_policy.py.
_SECONDS_BETWEEN = 10.0
_TIMES_ITS_COST = 50


class RunRecorder(keras.callbacks.Callback):
    """Write a run's history and checkpoints into its folder, and restore a resumed run from its checkpoint.

    It must be the last callback: a checkpoint then includes what the others did at the end of the epoch, and their
    state is restored after they have reset it at the beginning of training.

    Args:
        folder: of the run, locked by this process.
        rules: which checkpoints to write.
        log, clock: the metrics and times to record.
        stop: tells whether the run was interrupted.
        stateful_callbacks: the callbacks whose state belongs into a checkpoint.
        directions: which values of each metric are better, as `metric_directions` returns it.
        resume_from: the checkpoint to resume from.

    Raises:
        OptionError: nobody knows which values of a metric are better, the best of which is to be kept.
    """

    def __init__(
        self,
        folder: RunFolder,
        rules: Sequence[CheckpointRule],
        log: EpochLog,
        clock: EpochClock,
        stop: StopOnInterrupt,
        stateful_callbacks: Sequence[keras.callbacks.Callback],
        directions: Mapping[str, str | None],
        resume_from: Checkpoint | None = None,
    ):
        super().__init__()
        self._rng_variables: list[keras.Variable] = []
        self._folder, self._rules, self._log, self._clock, self._stop = folder, rules, log, clock, stop
        self._stateful_callbacks = stateful_callbacks
        self._directions = {rule.best: rule.resolve_direction(directions) for rule in rules if rule.best}
        self._resume_from = resume_from
        self._written: list[list[str]] = [[] for _ in rules]
        self._saved_epoch = resume_from.epoch if resume_from else 0
        self._cost = 0.0  # seconds that the last checkpoint took to write

    def set_plan(self, plan: str, rng_variables: Sequence[keras.Variable]) -> None:
        """Record the plan of the run, and save the variables of its random generators in the checkpoints."""
        self._folder.record_plan(plan)
        self._rng_variables = list(rng_variables)

    def on_train_begin(self, logs: Any = None) -> None:
        self._since = time.monotonic()
        if self._resume_from is None:
            return
        self._resume_from.restore(self.model, self._rng_variables)
        self._resume_from.restore_callbacks(self._stateful_callbacks)
        if len(self._resume_from.written) == len(self._rules):
            self._written = [list(names) for names in self._resume_from.written]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._folder.append(self._log.epochs[-1])
        last = epoch + 1 == self.params["epochs"] or self.model.stop_training
        self._write_due(epoch + 1, last)

    def save_interrupted(self, model: keras.Model) -> None:
        """Write a checkpoint of the last finished epoch after an interruption, unless there is one already."""
        if self._saved_epoch < len(self._log.epochs) and any(rule.resumable for rule in self._rules):
            self._folder.require_exists()
            self._save_whole(model, self._path(DEFAULT_NAME.format(epoch=len(self._log.epochs)) + SUFFIX), False)

    def _write_due(self, epoch: int, last: bool) -> None:
        self._folder.require_exists()
        began = time.monotonic()
        removable: list[str] = []
        due = []
        for rule, names in zip(self._rules, self._written, strict=True):
            if self._is_due(rule, epoch, last):
                name = rule.file_name(epoch, self._log.epochs[-1])
                removable += _rotate(names, name, rule.keep)
                due.append((rule, self._path(name)))
        for rule, path in due:
            path.parent.mkdir(parents=True, exist_ok=True)
            if rule.weights:
                _save_weights(self.model, path)
            elif rule.is_model:
                _save_model(self.model, path)
            else:
                self._save_whole(self.model, path, last and not self._stop.interrupted)
        current = {name for names in self._written for name in names}
        for name in set(removable) - current:
            self._path(name).unlink(missing_ok=True)
        if due:
            self._since = time.monotonic()
            self._cost = self._since - began

    def _is_due(self, rule: CheckpointRule, epoch: int, last: bool) -> bool:
        if rule.best:
            values = [rule.value(logs) for logs in self._log.epochs]
            return all(is_better(self._directions[rule.best], values[-1], value) for value in values[:-1])
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
            callbacks=self._stateful_callbacks,
            written=self._written,
            rng_variables=self._rng_variables,
        )
        self._saved_epoch = len(self._log.epochs)

    def _path(self, name: str) -> Path:
        return place_of(self._folder.checkpoints, name)


def _rotate(names: list[str], new: str, keep: int | None) -> list[str]:
    """Add the new file of a rule to its names; remove and return the surplus names."""
    names[:] = [name for name in names if name != new] + [new]
    surplus = names[:-keep] if keep else []
    names[:] = names[len(surplus) :]
    return surplus


def _save_model(model: keras.Model, path: Path) -> None:
    """Write the whole model as the file that plain Keras reads under this name."""
    content = keras_bytes(model) if path.suffix == ".keras" else hdf5_bytes(model)
    with atomic_write(path) as aside:
        aside.write_bytes(content)


def _save_weights(model: keras.Model, path: Path) -> None:
    with atomic_write(path) as aside:  # Keras requires the suffix `.weights.h5`; the temporary file only has `.h5`
        own = aside.with_name(f"{aside.stem}.weights.h5")
        try:
            model.save_weights(own)
            own.replace(aside)
        finally:
            own.unlink(missing_ok=True)
