"""A training run's epochs: by the backend's own compiled loop where that can be, else by `keras.Model.fit`.

Both take the samples in the same order, call the same callbacks at the same moments and record the same metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..backends import runtime
from ..backends.epochs import Epochs, Plan, build_metrics
from ..errors import OptionError
from .batches import Batches, FollowEpoch, steps_of, stored
from .callbacks import Progress, StopOnInterrupt
from .dataset import Split
from .inference import fixed_batch
from .randomness import order

FIT = "fit"
AUTO = "auto"
# As many as make every compilation worth its while.
MANY_STEPS = 10**9
# A piece of an epoch: short enough for a bar that moves and for Ctrl-C, long enough to cost nothing.
_PIECE_SECONDS = 0.2
# An epoch shorter than this is finished when Ctrl-C comes in the middle; a longer one is undone.
_SHORT_EPOCH_SECONDS = 0.5
# Nothing is learnt from validation data: larger batches give the same metrics in fewer steps.
_VALIDATION_BATCH = 256

_BATCH_HOOKS = (
    *("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    *("on_test_batch_begin", "on_test_batch_end"),
)


@dataclass(frozen=True)
class Choice:
    """Which plan runs the epochs, and why, where it is `fit`."""

    plan: Plan | None
    why: str = ""

    @property
    def name(self) -> str:
        return self.plan.name if self.plan else FIT


def choose(
    model: keras.Model, data: Split | Batches, callbacks: Sequence[keras.callbacks.Callback], steps: int, name: str
) -> Choice:
    """The plan of that name; for `auto` the one that should be fastest for a run of so many steps.

    Raises:
        OptionError: there is no such plan for this model on this backend, or it cannot be used here.
    """
    if name == FIT:
        return Choice(None, "asked for")
    why = _needs_fit(model, data, callbacks)
    plans = runtime.current().plans(model, steps)
    if name == AUTO:
        return Choice(None, why) if why else Choice(plans[0])
    for plan in plans:
        if plan.name == name and not why:
            return Choice(plan)
    listed = ", ".join(plan.name for plan in plans)
    raise OptionError(f"--plan {name}: " + (why or f"expected {AUTO}, {FIT}, {listed}"))


def _needs_fit(model: keras.Model, data: Split | Batches, callbacks: Sequence[keras.callbacks.Callback]) -> str:
    """Why only `fit` will do, or nothing."""
    if isinstance(data, Batches):
        return "the data are drawn anew for each batch"
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return "the model has several inputs or outputs"
    if type(model).train_step is not keras.Model.train_step or type(model).test_step is not keras.Model.test_step:
        return "the model has a train_step of its own"
    if model.run_eagerly:
        return "the model was compiled to run eagerly"
    for callback in callbacks:
        if _watches_batches(callback):
            return f"the callback {type(callback).__name__} watches single batches"
    return ""


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    if isinstance(callback, Progress):
        return False
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
        return False
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(keras.callbacks.Callback, hook)
        for hook in _BATCH_HOOKS
    )


def by_fit(
    model: keras.Model,
    data: Split | Batches,
    validation: Split | None,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    shuffle: bool,
) -> None:
    """The epochs by `keras.Model.fit`, in our order of samples."""
    given: dict[str, Any]
    if isinstance(data, Split) and fixed_batch(model) and not shuffle:
        # From arrays Keras knows how large a batch is, which a stateful layer under TensorFlow must.
        given = {"x": data.x, "y": data.y, "batch_size": batch_size}
    else:
        if isinstance(data, Split):
            data = Batches(stored(data, batch_size, seed, shuffle), steps_of(len(data), batch_size))
        given, callbacks = {"x": data}, [FollowEpoch(data), *callbacks]
    model.fit(
        **given,
        epochs=epochs,
        shuffle=False,  # the data have their order; Keras would put their batches in another
        validation_batch_size=fixed_batch(model),
        validation_data=(validation.x, validation.y) if validation else None,
        callbacks=callbacks,
        verbose=0,
    )


def by_plan(
    plan: Plan,
    model: keras.Model,
    data: Split,
    validation: Split | None,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    shuffle: bool,
) -> None:
    """The epochs by the backend's own loop."""
    current = runtime.current()
    build_metrics(model, data.x[:batch_size], data.y[:batch_size])
    training = current.compile_epochs(model, data.x, data.y, batch_size, plan)
    size = fixed_batch(model) or max(batch_size, _VALIDATION_BATCH)
    testing = validation and current.compile_epochs(model, validation.x, validation.y, size, plan)
    model.stop_training = False
    watchers = keras.callbacks.CallbackList(
        list(callbacks), add_history=True, model=model, epochs=epochs, steps=training.steps, verbose=0
    )
    loop = Loop(training, watchers, [c for c in callbacks if isinstance(c, Progress | StopOnInterrupt)])
    watchers.on_train_begin()
    logs: dict[str, float] = {}
    for epoch in range(epochs):
        logs = loop.epoch(epoch, taken(seed, epoch, len(data), shuffle))
        if testing:
            logs |= _validate(model, testing, watchers)
        watchers.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    watchers.on_train_end(logs)


def taken(seed: int, epoch: int, samples: int, shuffle: bool) -> np.ndarray:
    """The order in which an epoch takes the samples: (samples,) integers."""
    return order(seed, epoch, samples) if shuffle else np.arange(samples)


def open_loop(
    plan: Plan, model: keras.Model, data: Split, callbacks: Sequence[keras.callbacks.Callback], batch_size: int
) -> Loop:
    """A loop over single epochs, for whoever counts them himself."""
    build_metrics(model, data.x[:batch_size], data.y[:batch_size])
    training = runtime.current().compile_epochs(model, data.x, data.y, batch_size, plan)
    return Loop(training, keras.callbacks.CallbackList(list(callbacks), model=model))


class Loop:
    """One epoch after the other, each in pieces between which progress is told and Ctrl-C is heard."""

    def __init__(
        self,
        training: Epochs,
        watchers: keras.callbacks.CallbackList | None = None,
        listening: Sequence[Progress | StopOnInterrupt] = (),
    ):
        self._training = training
        self._model = training.model
        self._watchers = watchers or keras.callbacks.CallbackList(model=training.model)
        self._listening = listening
        self._seconds: float | None = None  # of the last epoch
        self._per_step = 0.0  # seconds

    def epoch(self, epoch: int, samples: np.ndarray) -> dict[str, float]:
        """Train it and return its metrics.

        Args:
            epoch: its number, from 0.
            samples: their indices in the order in which to take them.

        Raises:
            KeyboardInterrupt: it was cut short; the weights are those at its beginning, unless it was the first.
        """
        self._model.reset_metrics()
        self._watchers.on_epoch_begin(epoch)
        first = self._seconds is None
        undo = self._remember() if self._seconds and self._seconds > _SHORT_EPOCH_SECONDS else None
        began = time.perf_counter()
        self._training.begin(samples)
        step = 0
        while step < self._training.steps:
            step = self._piece(step)
            if (first or undo) and step < self._training.steps and self._interrupted():
                self._training.end()
                if undo:
                    undo()
                raise KeyboardInterrupt
        self._training.end()
        self._seconds = time.perf_counter() - began
        for listener in self._listening:
            listener.steps_ended()
        return _metrics(self._model)

    def _piece(self, start: int) -> int:
        # One step by itself first: it compiles, and its time would say nothing about the others.
        count = max(1, int(_PIECE_SECONDS / self._per_step)) if self._per_step else 1
        stop = min(start + count, self._training.steps)
        began = time.perf_counter()
        self._training.run(start, stop)
        if start or self._per_step:
            self._per_step = (time.perf_counter() - began) / (stop - start)
        for listener in self._listening:
            if isinstance(listener, Progress):
                listener.on_train_batch_end(stop - 1)
        return stop

    def _interrupted(self) -> bool:
        # Not `stop_training`: a callback that sets it in the middle of an epoch wants that epoch to end well.
        return any(isinstance(listener, StopOnInterrupt) and listener.interrupted for listener in self._listening)

    def _remember(self) -> Callable[[], None]:
        """Keep everything that training changes; what is returned puts it back."""
        variables = [*self._model.variables, *self._model.optimizer.variables]
        held = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]

        def undo() -> None:
            for variable, value in zip(variables, held, strict=True):
                variable.assign(value)

        return undo


def _validate(model: keras.Model, testing: Epochs, watchers: keras.callbacks.CallbackList) -> dict[str, float]:
    watchers.on_test_begin()
    model.reset_metrics()
    testing.evaluate()
    found = _metrics(model)
    watchers.on_test_end(found)
    return {f"val_{name}": value for name, value in found.items()}


def _metrics(model: keras.Model) -> dict[str, float]:
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def describe(choice: Choice) -> dict[str, Any]:
    """What a run keeps of how its epochs were run."""
    return {"name": choice.name, **({"why": choice.why} if choice.why else {})}
