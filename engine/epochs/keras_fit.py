"""Train the epochs of a run by `keras.Model.fit`, in trivium's order of samples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras

from ...backends import runtime
from ...data.dataset import Split
from ..keras_model.inference import fixed_batch
from . import divergence
from .batches import FollowEpoch, Schedule, TrainingBatches, batches_of
from .stream_batches import StopAtEnd, StreamBatches


def run(
    model: keras.Model,
    data: Split | TrainingBatches,
    validation: Split | TrainingBatches | None,
    callbacks: Sequence[keras.callbacks.Callback],
    schedule: Schedule,
) -> None:
    """Train the epochs of the schedule.

    Raises:
        KeyboardInterrupt: an epoch was cut short; the weights are those at its beginning.
        DivergedError: the loss was NaN or infinite at the end of an epoch.
        OptionError: the run is to be resumed, and its stream can be read once.
        DataError: a batch cannot be read or prepared.
    """
    size = schedule.batch_size
    undo = _UndoEpoch()
    validated = batches_of(validation, size) if isinstance(validation, Split) and validation.is_deferred else validation
    arguments, followers = _training_arguments(model, data, schedule)
    opened = [batches for batches in (arguments["x"], data, validated) if isinstance(batches, TrainingBatches)]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Your input ran out of data")  # the caller tells it in its own words
            model.fit(
                **arguments,
                initial_epoch=schedule.first_epoch,
                epochs=schedule.epochs,
                shuffle=False,  # the data are in order already; Keras would shuffle the batches
                validation_batch_size=size,  # Keras would use its default where the data come in batches
                validation_data=validated.arrays if isinstance(validated, Split) else validated,
                callbacks=[*followers, _RequireFinite(), *callbacks, undo],
                verbose=0,
            )
    except KeyboardInterrupt:
        undo()
        raise
    except _NotFiniteError as error:
        if isinstance(data, StreamBatches):
            undo()
            raise divergence.unexplained(error.epoch) from None
        steps = divergence.steps_from(data, schedule, error.epoch)
        raise divergence.explain(model, undo, steps, error.epoch) from None
    except Exception:
        for batches in opened:
            if batches.error:
                raise batches.error from None
        raise
    finally:
        for batches in opened:
            batches.close()


def _training_arguments(
    model: keras.Model, data: Split | TrainingBatches, schedule: Schedule
) -> tuple[dict[str, Any], list[keras.callbacks.Callback]]:
    """Return the data as arguments of `fit`, and the callbacks that they need."""
    size = schedule.batch_size
    if isinstance(data, Split) and fixed_batch(model) and not schedule.shuffle and not data.is_deferred:
        # A stateful layer under TensorFlow needs the batch size, which Keras only knows from arrays.
        return {"x": data.x, "y": data.y, "sample_weight": data.weight, "batch_size": size}, []
    batches = batches_of(data, size, schedule.seed, schedule.shuffle) if isinstance(data, Split) else data
    batches.epoch = schedule.first_epoch
    if isinstance(batches, StreamBatches):
        return {"x": batches.generator(), "steps_per_epoch": len(batches)}, [StopAtEnd(batches)]
    return {"x": batches}, [FollowEpoch(batches)]


class _NotFiniteError(Exception):
    """The loss was NaN or infinite at the end of an epoch."""

    def __init__(self, epoch: int):
        super().__init__(epoch)
        self.epoch = epoch


class _RequireFinite(keras.callbacks.Callback):
    """End `fit` with `_NotFiniteError`. It must be the first callback, so that the others do not see such an epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not divergence.is_finite(logs or {}):
            raise _NotFiniteError(epoch)


class _UndoEpoch(keras.callbacks.Callback):
    """Undo the epoch in progress. It must be the last callback, so that the others have acted before the snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self._undo: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Restore the state at the beginning of the epoch; do nothing between epochs."""
        if self._undo:
            self._undo()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._undo = runtime.snapshot(runtime.variables_of(self.model))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._undo = None
