"""Keras callbacks that every run has: timing, metrics, progress, and a clean stop at Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

import keras

from ...backends.epochs import as_numbers
from ...backends.runtime import Runtime
from ...backends.workers.worker import Listener
from ...errors import OptionError
from ...functions import suggest
from ..keras_model.inference import reset_states

# A progress bar that moves ten times a second looks smooth; more often only costs time.
_SECONDS_BETWEEN_EVENTS = 0.1


class EpochClock(keras.callbacks.Callback):
    """Time the training and the validation of each epoch; the device is synchronised at each reading.

    It has no batch hooks: they would make Keras wait for the device after every step.
    """

    def __init__(self, runtime: Runtime):
        super().__init__()
        self.training_seconds: list[float] = []
        self.validation_seconds: list[float] = []
        self._runtime = runtime

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._validation = 0.0
        self._began = self._now()

    def on_test_begin(self, logs: Any = None) -> None:
        self._validation_began = self._now()

    def on_test_end(self, logs: Any = None) -> None:
        self._validation += self._now() - self._validation_began

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.training_seconds.append(self._now() - self._began - self._validation)
        self.validation_seconds.append(self._validation)

    def _now(self) -> float:
        self._runtime.synchronise([variable.value for variable in self.model.variables])
        return time.perf_counter()


class ResetStates(keras.callbacks.Callback):
    """Reset the states of stateful layers at the beginning of each epoch, where the series starts again."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        reset_states(self.model)


class EpochLog(keras.callbacks.Callback):
    """Collect the metrics of each finished epoch, so that an interrupted run still has them."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(as_numbers(logs or {}))


class RequireMonitors(keras.callbacks.Callback):
    """Refuse after the first epoch to watch a metric that is not measured: Keras only warns, and watches nothing.

    Args:
        monitors: the metric that each option watches.
    """

    def __init__(self, monitors: Mapping[str, str]):
        super().__init__()
        self._monitors = monitors

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for option, monitor in self._monitors.items():
            if logs and monitor not in logs:
                names = list(logs)
                raise OptionError(
                    f"{option}: there is no metric {monitor!r} (there are: {', '.join(names)}){suggest(monitor, names)}"
                )


class StopOnInterrupt(keras.callbacks.Callback):
    """End the run at Ctrl-C between two steps, where the weights are consistent.

    An exception inside a step could leave JAX's variables pointing at donated buffers. So the first Ctrl-C asks Keras
    to stop, and `KeyboardInterrupt` is raised after the steps of the epoch; a second Ctrl-C raises it at once. This
    must be the first callback, so that none of the others records an epoch that was cut short.

    Args:
        terminate: treat SIGTERM like Ctrl-C.
    """

    def __init__(self, *, terminate: bool = False) -> None:
        super().__init__()
        self._handled_signals = [signal.SIGINT, signal.SIGTERM] if terminate else [signal.SIGINT]
        self._previous_handlers: dict[int, Any] = {}
        self._signal: int | None = None
        self._within_steps = False

    def set_model(self, model: keras.Model) -> None:
        # Reading `self.model` makes Keras fetch JAX's state, whose buffers have been donated while a step runs.
        self._training_model = model
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        # Signal handlers can only be set in the main thread. A handler that somebody else has set, as a worker does,
        # stays.
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._handled_signals:
            handler = signal.getsignal(number)
            if handler in (signal.default_int_handler, signal.SIG_DFL):
                self._previous_handlers[number] = handler
                signal.signal(number, self._request_stop)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._within_steps = True

    def on_test_begin(self, logs: Any = None) -> None:
        self._end_steps()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._end_steps()

    def release(self) -> None:
        """Restore the previous signal handlers; to be called after `fit`, however it ended."""
        for number, handler in self._previous_handlers.items():
            if signal.getsignal(number) == self._request_stop:
                signal.signal(number, handler)

    @property
    def interrupted(self) -> bool:
        return self._signal is not None

    @property
    def terminated(self) -> bool:
        """Whether SIGTERM ended the run."""
        return self._signal == signal.SIGTERM

    def complete_epoch(self) -> None:
        """Mark the epoch as complete: a signal that has arrived meanwhile does not cut it short."""
        self._within_steps = False

    def _request_stop(self, number: int, frame: Any) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number
        self._training_model.stop_training = True

    def _end_steps(self) -> None:
        if self._within_steps and self.interrupted:
            raise KeyboardInterrupt
        self._within_steps = False


class Progress(keras.callbacks.Callback):
    """Send progress events to a listener.

    Events are `{"kind": "train", "epoch", "epochs", "step", "steps", "logs"}`; `logs` are of the last finished epoch.
    """

    # The metrics of a step are not read here, so Keras need not wait for the device after every step.
    async_safe = True

    def __init__(self, listener: Listener):
        super().__init__()
        self._listener = listener
        self._epoch = 0
        self._logs: dict[str, float] = {}
        self._next = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._steps = self.params["steps"]
        self._notify(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The last step is reported at the end of the epoch, with its metrics.
        if time.monotonic() >= self._next and batch + 1 < self._steps:
            self._notify(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._logs = as_numbers(logs or {})
        self._notify(self._steps)

    def _notify(self, step: int) -> None:
        self._next = time.monotonic() + _SECONDS_BETWEEN_EVENTS
        self._listener(
            {
                "kind": "train",
                "epoch": self._epoch + 1,
                "epochs": self.params["epochs"],
                "step": step,
                "steps": self._steps,
                "logs": self._logs,
            }
        )
