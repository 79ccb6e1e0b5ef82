"""A training run's epochs: by the backend's own compiled loop where that can be, else by `keras.Model.fit`.

Both take the samples in the same order, call the same callbacks at the same moments and record the same metrics.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from ...backends import runtime
from ...backends.epochs import Epochs, build_metrics
from ...backends.same_run.crossentropy import are_means
from ...errors import DivergedError, TriviumError, first_line
from ..data.dataset import Split
from ..keras_model.inference import fixed_batch
from . import divergence
from .batches import Batches, FollowEpoch, Schedule, steps_of, stored
from .callbacks import Progress, StopOnInterrupt
from .plan_timing import CannotRunError
from .plans import Choice

# A piece of an epoch: short enough for a bar that moves and for Ctrl-C, long enough to cost nothing.
_PIECE_SECONDS = 0.2
# An epoch shorter than this is finished when Ctrl-C comes in the middle; a longer one is undone.
_SHORT_EPOCH_SECONDS = 0.5
# Nothing is learnt from validation data: larger batches give the same metrics in fewer steps, as long as the loss is a
# mean over the samples of a batch.
_VALIDATION_BATCH = 256
_FEW = 32  # as Keras has it


def run(
    chosen: Choice,
    model: keras.Model,
    data: Split | Batches,
    validation: Split | None,
    callbacks: Sequence[keras.callbacks.Callback],
    schedule: Schedule,
) -> None:
    """The epochs by the plan that was chosen.

    Raises:
        KeyboardInterrupt: an epoch was cut short; the weights are those at its beginning.
        DivergedError: the loss became NaN or infinite; by `fit` it is looked at when an epoch ends.
        CannotRunError: the plan's first step failed; the model is as it was before.
    """
    if isinstance(data, Split) and chosen.plan:
        _by_plan(chosen, model, data, validation, callbacks, schedule)
    else:
        _by_fit(model, data, validation, callbacks, schedule)


def _by_fit(
    model: keras.Model,
    data: Split | Batches,
    validation: Split | None,
    callbacks: Sequence[keras.callbacks.Callback],
    schedule: Schedule,
) -> None:
    """The epochs by `keras.Model.fit`, in our order of samples."""
    given: dict[str, Any]
    size = schedule.batch_size
    undo = _UndoEpoch()
    callbacks = [_RequireFinite(), *callbacks, undo]
    if isinstance(data, Split) and fixed_batch(model) and not schedule.shuffle:
        # From arrays Keras knows how large a batch is, which a stateful layer under TensorFlow must.
        given = {"x": data.x, "y": data.y, "sample_weight": data.weight, "batch_size": size}
    else:
        if isinstance(data, Split):
            data = Batches(stored(data, size, schedule.seed, schedule.shuffle), steps_of(len(data), size))
        data.epoch = schedule.first_epoch
        given, callbacks = {"x": data}, [FollowEpoch(data), *callbacks]
    try:
        model.fit(
            **given,
            initial_epoch=schedule.first_epoch,
            epochs=schedule.epochs,
            shuffle=False,  # the data have their order; Keras would put their batches in another
            validation_batch_size=size,  # from batches Keras would not know it and take its own
            validation_data=validation.arrays if validation else None,
            callbacks=callbacks,
            verbose=0,
        )
    except KeyboardInterrupt:
        undo()
        raise
    except _NotFiniteError as seen:
        steps = divergence.steps_from(data, schedule, seen.epoch)
        raise divergence.explain(model, undo, steps, seen.epoch) from None


def _by_plan(
    chosen: Choice,
    model: keras.Model,
    data: Split,
    validation: Split | None,
    callbacks: Sequence[keras.callbacks.Callback],
    schedule: Schedule,
) -> None:
    """The epochs by the backend's own loop."""
    assert chosen.plan
    loop = Loop(chosen, model, data, callbacks, schedule)
    size = fixed_batch(model) or _validation_batch(model, schedule.batch_size)
    testing = validation and runtime.current().compile_epochs(model, validation.arrays, size, chosen.plan)
    model.stop_training = False
    loop.watchers.on_train_begin()
    logs: dict[str, float] = {}
    for epoch in range(schedule.first_epoch, schedule.epochs):
        logs = loop.epoch(epoch)
        if testing:
            logs |= _validate(testing, loop.watchers)
        loop.watchers.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    loop.watchers.on_train_end(logs)


def measure(model: keras.Model, data: Split) -> dict[str, float]:
    """A compiled model's metrics on prepared data, by the backend's own loop; it learns nothing."""
    size = fixed_batch(model) or _validation_batch(model, _FEW)
    build_metrics(model, data.x[:size], data.y[:size])
    current = runtime.current()
    epochs = current.compile_epochs(model, data.arrays, size, current.plans(model, 1)[0])
    epochs.evaluate()
    return epochs.results()


class Loop:
    """One epoch after the other by a plan, each in pieces between which progress is told and Ctrl-C is heard.

    Attributes:
        watchers: the callbacks as one, which each epoch tells when it begins.
    """

    def __init__(
        self,
        chosen: Choice,
        model: keras.Model,
        data: Split,
        callbacks: Sequence[keras.callbacks.Callback],
        schedule: Schedule,
    ):
        self._training = chosen.epochs or _compile(chosen, model, data, schedule.batch_size)
        self._model = model
        self._data = data
        self._schedule = schedule
        params = {"epochs": schedule.epochs, "steps": self._training.steps, "verbose": 0}
        self.watchers = keras.callbacks.CallbackList(list(callbacks), add_history=True, model=model, **params)
        self._progress = [callback for callback in callbacks if isinstance(callback, Progress)]
        self._stops = [callback for callback in callbacks if isinstance(callback, StopOnInterrupt)]
        self._has_run = False
        self._seconds: float | None = None  # of the last epoch
        self._per_step = 0.0  # seconds
        # The last epoch at whose beginning the model was remembered, when that was, and what puts it back.
        self._known: tuple[int, float, Callable[[], None]] | None = None

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train the epoch of that number, from 0, and return its metrics.

        Raises:
            KeyboardInterrupt: it was cut short; the weights are those at its beginning.
            DivergedError: the loss became NaN or infinite.
            CannotRunError: the very first step failed; the model is as it was before.
        """
        self._training.reset()
        self.watchers.on_epoch_begin(epoch)
        undo = self._remember(epoch)
        began = time.perf_counter()
        self._training.begin(self._schedule.order(epoch, self._training.samples))
        step = 0
        while step < self._training.steps:
            step = self._piece(step)
            if undo and step < self._training.steps and self._interrupted():
                self._training.end()
                undo()
                raise KeyboardInterrupt
            if step < self._training.steps and not math.isfinite(self._training.loss()):
                raise self._diverged(epoch)
        self._training.end()
        self._seconds = time.perf_counter() - began
        for stop in self._stops:
            stop.steps_ended()
        found = self._training.results()
        if not divergence.is_finite(found):
            raise self._diverged(epoch)
        return found

    def _remember(self, epoch: int) -> Callable[[], None] | None:
        """What undoes the epoch that begins, unless it is a short one; of short ones some are remembered too."""
        now = time.perf_counter()
        is_long = self._seconds is None or self._seconds > _SHORT_EPOCH_SECONDS
        if is_long or self._known is None or now - self._known[1] > _SHORT_EPOCH_SECONDS:
            self._known = epoch, now, runtime.remember(runtime.variables_of(self._model))
        return self._known[2] if is_long else None

    def _diverged(self, epoch: int) -> DivergedError:
        assert self._known is not None
        self._training.end()
        first, _, put_back = self._known
        return divergence.explain(
            self._model, put_back, divergence.steps_from(self._data, self._schedule, first), epoch
        )

    def _piece(self, start: int) -> int:
        # One step by itself first: it compiles, and its time would say nothing about the others.
        count = max(1, int(_PIECE_SECONDS / self._per_step)) if self._per_step else 1
        stop = min(start + count, self._training.steps)
        began = time.perf_counter()
        try:
            self._training.run(start, stop)
        except Exception as error:
            if self._has_run or self._known is None or isinstance(error, TriviumError):
                raise
            self._known[2]()
            raise CannotRunError(first_line(error)) from error
        self._has_run = True
        if start or self._per_step:
            self._per_step = (time.perf_counter() - began) / (stop - start)
        for progress in self._progress:
            progress.on_train_batch_end(stop - 1)
        return stop

    def _interrupted(self) -> bool:
        # Not `stop_training`: a callback that sets it in the middle of an epoch wants that epoch to end well.
        return any(stop.interrupted for stop in self._stops)


def _compile(chosen: Choice, model: keras.Model, data: Split, size: int) -> Epochs:
    assert chosen.plan
    build_metrics(model, data.x[:size], data.y[:size])
    compile_epochs = chosen.group.epochs if chosen.group else runtime.current().compile_epochs
    return compile_epochs(model, data.arrays, size, chosen.plan)


def _validation_batch(model: keras.Model, size: int) -> int:
    return max(size, _VALIDATION_BATCH) if are_means(model) else size


class _NotFiniteError(Exception):
    """The loss is NaN or infinite at the end of this epoch."""

    def __init__(self, epoch: int):
        super().__init__(epoch)
        self.epoch = epoch


class _RequireFinite(keras.callbacks.Callback):
    """Ends `fit` with `_NotFiniteError`. The first of the callbacks: the others then know nothing of such an epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not divergence.is_finite(logs or {}):
            raise _NotFiniteError(epoch)


class _UndoEpoch(keras.callbacks.Callback):
    """Can put everything back that the epoch under way has changed. The last of the callbacks: it goes by theirs."""

    def __init__(self) -> None:
        super().__init__()
        self._undo: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Put it back; nothing, when no epoch is under way."""
        if self._undo:
            self._undo()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._undo = runtime.remember(runtime.variables_of(self.model))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._undo = None


def _validate(testing: Epochs, watchers: keras.callbacks.CallbackList) -> dict[str, float]:
    watchers.on_test_begin()
    testing.reset()
    testing.evaluate()
    found = testing.results()
    watchers.on_test_end(found)
    return {f"val_{name}": value for name, value in found.items()}
