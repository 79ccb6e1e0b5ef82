"""Run the epochs of a training run: by the backend's own compiled loop where possible, else by `keras.Model.fit`.

Both take the samples in the same order, call the same callbacks at the same moments and record the same metrics.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Sequence

import keras

from ...backends import runtime
from ...backends.epochs import EpochRunner, Evaluator, Plan, build_metrics
from ...data.dataset import Split
from ...errors import DivergedError, TriviumError, first_line
from ..keras_model.inference import fixed_batch
from . import divergence, keras_fit
from .batch_hooks import watches_batches
from .batches import Schedule, TrainingBatches
from .callbacks import Progress, StopOnInterrupt
from .plan_timing import CannotRunError
from .plans import PlanChoice
from .stream_batches import StopAtEnd, StreamBatches
from .streamed_epochs import StreamedEpochs, StreamedValidation
from .validation_batch import validation_batch_size
from .windows import DeferredEpochs, DrawnEpochs

# The length of a chunk of steps: short enough for a progress bar and for Ctrl-C, long enough to cost nothing.
_CHUNK_SECONDS = 0.2
# At Ctrl-C, a shorter epoch is finished and a longer one is undone.
_SHORT_EPOCH_SECONDS = 0.5
_DEFAULT_BATCH = 32  # the default of Keras


def run(
    choice: PlanChoice,
    model: keras.Model,
    data: Split | TrainingBatches,
    validation: Split | TrainingBatches | None,
    callbacks: Sequence[keras.callbacks.Callback],
    schedule: Schedule,
) -> None:
    """Train the epochs of the schedule by the chosen plan.

    Raises:
        KeyboardInterrupt: an epoch was cut short; the weights are those at its beginning.
        DivergedError: the loss became NaN or infinite; with `fit` this is only checked at the end of an epoch.
        CannotRunError: the plan's first step failed; the model is unchanged.
    """
    if choice.plan:
        _run_plan(choice, model, data, validation, callbacks, schedule)
    else:
        keras_fit.run(model, data, validation, callbacks, schedule)


def _run_plan(
    choice: PlanChoice,
    model: keras.Model,
    data: Split | TrainingBatches,
    validation: Split | TrainingBatches | None,
    callbacks: Sequence[keras.callbacks.Callback],
    schedule: Schedule,
) -> None:
    """Train the epochs by the backend's own loop."""
    assert choice.plan
    enders = [StopAtEnd(data)] if isinstance(data, StreamBatches) else []
    loop = EpochLoop(choice, model, data, [*enders, *callbacks], schedule)
    with contextlib.ExitStack() as stack:
        stack.callback(loop.close)
        validator = None
        if validation:
            validator = _validator(model, validation, schedule.batch_size, choice.plan)
            stack.callback(validator.close)
        _train(loop, validator, model, schedule)


def _train(loop: EpochLoop, validator: Evaluator | None, model: keras.Model, schedule: Schedule) -> None:
    model.stop_training = False
    loop.watchers.on_train_begin()
    logs: dict[str, float] = {}
    for epoch in range(schedule.first_epoch, schedule.epochs):
        logs = loop.run_epoch(epoch)
        if validator:
            logs |= _validate(validator, loop.watchers)
        loop.watchers.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    loop.watchers.on_train_end(logs)


def measure(model: keras.Model, data: Split) -> dict[str, float]:
    """Return a compiled model's metrics on prepared data, by the backend's own loop; the weights do not change."""
    build_metrics(model, *data.take(slice(0, fixed_batch(model) or _DEFAULT_BATCH)).arrays[:2])
    epochs = _validator(model, data, _DEFAULT_BATCH, runtime.current().plans(model, 1)[0])
    epochs.evaluate()
    return epochs.results()


class EpochLoop:
    """Run one epoch after the other by a plan, in chunks of steps, with progress and Ctrl-C checked in between.

    Attributes:
        watchers: the callback list. `run_epoch` calls `on_epoch_begin`; the caller calls the other hooks.
    """

    def __init__(
        self,
        choice: PlanChoice,
        model: keras.Model,
        data: Split | TrainingBatches,
        callbacks: Sequence[keras.callbacks.Callback],
        schedule: Schedule,
    ):
        self._training = choice.epochs or _compile(choice, model, data, schedule)
        self._model = model
        self._data = data
        self._schedule = schedule
        params = {"epochs": schedule.epochs, "steps": self._training.steps, "verbose": 0}
        self.watchers = keras.callbacks.CallbackList(list(callbacks), add_history=True, model=model, **params)
        self._progress = [callback for callback in callbacks if isinstance(callback, Progress)]
        self._stops = [callback for callback in callbacks if isinstance(callback, StopOnInterrupt)]
        self._is_watched = any(map(watches_batches, callbacks))
        self._has_run = False
        self._seconds: float | None = None  # of the last epoch
        self._per_step = 0.0  # seconds
        # The last epoch at whose beginning a snapshot was taken, the time of it, and the function that restores it.
        self._snapshot: tuple[int, float, Callable[[], None]] | None = None

    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Train the epoch of this number, counted from 0, and return its metrics.

        Raises:
            KeyboardInterrupt: the epoch was cut short; the weights are those at its beginning.
            DivergedError: the loss became NaN or infinite.
            CannotRunError: the very first step failed; the model is unchanged.
        """
        self._training.reset()
        if isinstance(self._data, TrainingBatches):
            self._data.epoch = epoch
        self.watchers.on_epoch_begin(epoch)
        undo = self._take_snapshot(epoch)
        start = time.perf_counter()
        self._training.begin(self._schedule.order(epoch, self._training.samples))
        if epoch + 1 < self._schedule.epochs:
            self._training.foresee(functools.partial(self._schedule.order, epoch + 1, self._training.samples))
        step = 0
        while step < self._training.steps and not self._training.ended:
            step = self._run_chunk(step)
            if self._is_watched and self._model.stop_training and not self._interrupted():
                break  # as in `fit`
            if undo and step < self._training.steps and self._interrupted():
                self._training.end()
                undo()
                raise KeyboardInterrupt
            if step < self._training.steps and not math.isfinite(self._training.loss()):
                raise self._diverged(epoch)
        self._training.end()
        self._seconds = time.perf_counter() - start
        for stop in self._stops:
            stop.complete_epoch()
        logs = self._training.results()
        if not divergence.is_finite(logs):
            raise self._diverged(epoch)
        return logs

    def close(self) -> None:
        """Release what is read in the background."""
        self._training.close()

    def _take_snapshot(self, epoch: int) -> Callable[[], None] | None:
        """Take a snapshot before a long epoch, and now and then before a short one; return the undo of a long epoch."""
        now = time.perf_counter()
        is_long = self._seconds is None or self._seconds > _SHORT_EPOCH_SECONDS
        if is_long or self._snapshot is None or now - self._snapshot[1] > _SHORT_EPOCH_SECONDS:
            self._snapshot = epoch, now, runtime.snapshot(runtime.variables_of(self._model))
        return self._snapshot[2] if is_long else None

    def _diverged(self, epoch: int) -> DivergedError:
        assert self._snapshot is not None
        self._training.end()
        self._training.close()
        first, _, restore = self._snapshot
        if isinstance(self._data, StreamBatches):
            restore()
            return divergence.unexplained(epoch)
        return divergence.explain(self._model, restore, divergence.steps_from(self._data, self._schedule, first), epoch)

    def _run_chunk(self, start: int) -> int:
        if self._is_watched:
            return self._run_watched_step(start)
        # The first step runs alone: it compiles, so its time says nothing about later steps.
        count = max(1, int(_CHUNK_SECONDS / self._per_step)) if self._per_step else 1
        stop = min(start + count, self._training.steps)
        began_at = time.perf_counter()
        self._run(start, stop)
        if start or self._per_step:
            self._per_step = (time.perf_counter() - began_at) / (stop - start)
        for progress in self._progress:
            progress.on_train_batch_end(stop - 1)
        return stop

    def _run_watched_step(self, step: int) -> int:
        """Train one step between the hooks of the callbacks, which see the model's variables and may change them."""
        self.watchers.on_train_batch_begin(step)
        self._training.adopt()
        self._run(step, step + 1)
        if self._training.ended:
            return step
        self._training.publish()
        self.watchers.on_train_batch_end(step, self._training.results())
        self._training.adopt()
        return step + 1

    def _run(self, start: int, stop: int) -> None:
        try:
            self._training.run(start, stop)
        except Exception as error:
            is_lost = isinstance(self._data, StreamBatches) and not self._data.can_repeat
            if self._has_run or self._snapshot is None or is_lost or isinstance(error, TriviumError):
                raise
            self._snapshot[2]()
            raise CannotRunError(first_line(error)) from error
        self._has_run = True

    def _interrupted(self) -> bool:
        # Not `stop_training`: when a callback sets that in the middle of an epoch, the epoch is finished.
        return any(stop.interrupted for stop in self._stops)


def _compile(choice: PlanChoice, model: keras.Model, data: Split | TrainingBatches, schedule: Schedule) -> EpochRunner:
    assert choice.plan
    size = schedule.batch_size
    if isinstance(data, TrainingBatches):
        data.epoch = schedule.first_epoch
        example = data[0]
        build_metrics(model, *example[:2])
        if isinstance(data, StreamBatches):
            return StreamedEpochs(model, data, example, choice.plan)
        return DrawnEpochs(model, data, example, size, choice.plan)
    build_metrics(model, *data.take(slice(0, size)).arrays[:2])
    if choice.group:
        return choice.group.epochs(model, data.arrays, size, choice.plan)
    return _epochs_of(model, data, size, choice.plan)


def _epochs_of(model: keras.Model, data: Split, size: int, plan: Plan) -> EpochRunner:
    """Return the runner of a plan on one device: of one window after the other where the data are in their files."""
    if data.is_deferred:
        return DeferredEpochs(model, data, size, plan)
    return runtime.current().compile_epochs(model, data.arrays, size, plan)


def _validator(model: keras.Model, data: Split | TrainingBatches, size: int, plan: Plan) -> Evaluator:
    """Return what evaluates a model on these data, in batches of this size or with the results of them."""
    if isinstance(data, TrainingBatches):
        return StreamedValidation(model, data, plan)
    return _epochs_of(model, data, fixed_batch(model) or validation_batch_size(model, data, size, plan), plan)


def _validate(validator: Evaluator, watchers: keras.callbacks.CallbackList) -> dict[str, float]:
    watchers.on_test_begin()
    validator.reset()
    validator.evaluate()
    logs = validator.results()
    watchers.on_test_end(logs)
    return {f"val_{name}": value for name, value in logs.items()}
