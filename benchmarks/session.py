"""A recipe made ready in this process so that single epochs of it can be timed, again and again.

The functions at the end are called in workers: `open_session` there once, then `time_epoch` in any order between
workers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..backends import runtime
from ..engine import environment
from ..engine.callbacks import EpochClock
from ..engine.training import Trainer, dataset_for


class Session:
    """A compiled model with its prepared training data. What is timed is the training part of an epoch, nothing else.

    Args:
        recipe: a name.
        data: a dataset's name, or None for the recipe's own.
        batch_size: or None for the recipe's own.
        options: the recipe's options.

    Attributes:
        first_epoch: seconds of the epoch that compiled.
        warm_epoch: seconds of the one after it, which some backends still use to settle.
    """

    def __init__(
        self,
        recipe: str,
        data: str | None = None,
        batch_size: int | None = None,
        options: Mapping[str, Any] | None = None,
    ):
        self._trainer = Trainer(recipe, options=options or {}, batch_size=batch_size, epochs=1)
        self._dataset = dataset_for(self._trainer.recipe, data)
        began = time.perf_counter()
        self._model, self._training = self._trainer.make_ready(self._dataset)
        self.build = time.perf_counter() - began
        self.parameters = self._model.count_params()
        self.samples = len(self._training)
        self.first_epoch = self.epoch()
        self.warm_epoch = self.epoch()

    def epoch(self) -> float:
        """Train one more epoch, in a new order; its seconds, the device synchronised at both ends."""
        clock = EpochClock(runtime.current())
        self._trainer.run_epochs(self._model, self._training, None, [clock])
        return clock.training_seconds[0]


_sessions: dict[str, Session] = {}


def open_session(key: str, recipe: str, **settings: Any) -> dict[str, Any]:
    """Make a recipe ready under a key; what it took to build and compile it."""
    session = _sessions[key] = Session(recipe, **settings)
    return {
        "parameters": session.parameters,
        "samples": session.samples,
        "build": session.build,
        "first_epoch": session.first_epoch,
        "compile": max(0.0, session.first_epoch - session.warm_epoch),
        "environment": environment.describe(),
    }


def time_epoch(key: str) -> float:
    """Seconds of one more epoch of the session under that key."""
    return _sessions[key].epoch()


def close_session(key: str) -> None:
    """Let the session's model and data go."""
    _sessions.pop(key, None)
