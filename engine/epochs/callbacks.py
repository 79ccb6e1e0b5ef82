"""Keras callbacks that watch a training run: what time its epochs took, and how far it is."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import keras

from ...backends.runtime import Runtime
from ...backends.workers.worker import Listener
from ..keras_model.inference import reset_states

# A bar that moves ten times a second looks smooth; more often only costs time.
_SECONDS_BETWEEN_EVENTS = 0.1


class EpochClock(keras.callbacks.Callback):
    """Times the training part and the validation part of each epoch, the device synchronised at each reading.

    It has no batch-level hooks: they would make Keras wait for the device after every step.
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
    """Lets stateful layers begin each epoch, whose series begins anew, with nothing remembered."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        reset_states(self.model)


class EpochLog(keras.callbacks.Callback):
    """Keeps each finished epoch's metrics, so that a run that is stopped half-way still has them."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append({name: float(value) for name, value in (logs or {}).items()})


class StopOnInterrupt(keras.callbacks.Callback):
    """Makes Ctrl-C end the run between two steps, where the weights are whole, not within one.

    An exception inside a step could leave JAX's variables pointing at buffers that it has given away. So the first
    Ctrl-C asks Keras to stop, and `KeyboardInterrupt` is raised once the epoch's steps have ended; a second one is
    raised at once. It must be the first of the callbacks: an epoch that was cut short is then recorded by none.

    Args:
        terminate: the end that another process asks for (SIGTERM) is treated alike.
    """

    def __init__(self, *, terminate: bool = False) -> None:
        super().__init__()
        self._signals = [signal.SIGINT, signal.SIGTERM] if terminate else [signal.SIGINT]
        self._usual: dict[int, Any] = {}
        self._asked: int | None = None
        self._within_steps = False

    def set_model(self, model: keras.Model) -> None:
        # Reading `self.model` makes Keras fetch JAX's state, which within a step has been given away already.
        self._stopped = model
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        # Left alone where somebody else has decided what a signal means, as a worker has; only a main thread can ask
        # for it.
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._signals:
            usual = signal.getsignal(number)
            if usual in (signal.default_int_handler, signal.SIG_DFL):
                self._usual[number] = usual
                signal.signal(number, self._ask)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._within_steps = True

    def on_test_begin(self, logs: Any = None) -> None:
        self._end_steps()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._end_steps()

    def release(self) -> None:
        """Give the signals their usual meaning back; after `fit`, however it ended."""
        for number, usual in self._usual.items():
            if signal.getsignal(number) == self._ask:
                signal.signal(number, usual)

    @property
    def interrupted(self) -> bool:
        return self._asked is not None

    @property
    def terminated(self) -> bool:
        """Whether it was another process that asked for the end (SIGTERM)."""
        return self._asked == signal.SIGTERM

    def steps_ended(self) -> None:
        """All steps of this epoch were run: it is whole, whatever was asked for meanwhile."""
        self._within_steps = False

    def _ask(self, number: int, frame: Any) -> None:
        if self._asked is not None:
            raise KeyboardInterrupt
        self._asked = number
        self._stopped.stop_training = True

    def _end_steps(self) -> None:
        if self._within_steps and self.interrupted:
            raise KeyboardInterrupt
        self._within_steps = False


class Progress(keras.callbacks.Callback):
    """Tells a listener how far the run is.

    Events are `{"kind": "train", "epoch", "epochs", "step", "steps", "logs"}`, `logs` those of the last finished epoch.
    """

    # Keras then does not wait for the device after every step only to hand over metrics that are not read here.
    async_safe = True

    def __init__(self, listener: Listener):
        super().__init__()
        self._listener = listener
        self._epoch = 0
        self._logs: dict[str, float] = {}
        self._next = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._steps = self.params["steps"]
        self._tell(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The last step is told with the epoch's end, when its metrics are there.
        if time.monotonic() >= self._next and batch + 1 < self._steps:
            self._tell(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._logs = {name: float(value) for name, value in (logs or {}).items()}
        self._tell(self._steps)

    def _tell(self, step: int) -> None:
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
