"""A recipe made ready in this process so that single epochs of it can be timed, again and again.

The functions at the end are called in workers: `open_session` there once, then `time_epoch` in any order between
workers.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..backends import catalog, runtime
from ..engine import environment
from ..engine.dataset import Split
from ..engine.training import Trainer, dataset_for
from ..errors import OptionError
from ..models.recipe import Recipe
from . import native

if TYPE_CHECKING:
    import keras

RUNNERS = ("trivium", "fit", "native")


class Session:
    """A compiled model with its prepared training data. What is timed is the training part of an epoch, nothing else.

    Args:
        recipe: a name.
        data: a dataset's name, or None for the recipe's own.
        batch_size: or None for the recipe's own.
        options: the recipe's options.
        runner: `trivium`; `fit` for `keras.Model.fit` on arrays, as anybody would call it; `native` for a loop
            written by hand in the framework itself (see `native.RECIPES`).
        rng: `owned` or `native`, of the runner `trivium`.
        plan: of the runner `trivium`.

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
        runner: str = "trivium",
        rng: str = "owned",
        plan: str = "auto",
    ):
        if runner not in RUNNERS:
            raise OptionError(f"unknown runner {runner!r} (known: {', '.join(RUNNERS)})")
        self._trainer = Trainer(
            recipe,
            options=options or {},
            batch_size=batch_size,
            epochs=1,
            rng="native" if runner == "fit" else rng,
            plan=plan,
        )
        dataset = dataset_for(self._trainer.recipe, data)
        began = time.perf_counter()
        self._model, self._training = self._trainer.make_ready(dataset)
        self.build = time.perf_counter() - began
        self.parameters = self._model.count_params()
        self.samples = len(self._training)
        self._train_epoch = self._epochs_of(runner)
        self.plan = self._trainer.chosen_plan
        self.first_epoch = self.epoch()
        self.warm_epoch = self.epoch()

    def epoch(self) -> float:
        """Train one more epoch, in a new order; its seconds, the device synchronised at both ends."""
        current = runtime.current()
        variables = [variable.value for variable in self._model.variables]
        current.synchronise(variables)
        began = time.perf_counter()
        self._train_epoch()
        current.synchronise([variable.value for variable in self._model.variables])
        return time.perf_counter() - began

    def _epochs_of(self, runner: str) -> Callable[[], Any]:
        """What trains one more epoch at each call."""
        if runner == "fit":
            return self._by_fit
        if runner == "trivium":
            return self._trainer.open_ended(self._model, self._training)
        from ..engine.epoch_loop import taken

        assert isinstance(self._trainer.recipe, Recipe)
        seed, shuffle = self._trainer.seed, self._trainer.recipe.shuffle
        loop = native.load(catalog.selected().name, task_of(self._trainer, self._model, self._training))
        epochs = itertools.count()
        return lambda: loop.epoch(taken(seed, next(epochs), self.samples, shuffle))

    def _by_fit(self) -> None:
        assert isinstance(self._trainer.recipe, Recipe)
        with runtime.current().remembering(self._model):
            self._model.fit(
                self._training.x,
                self._training.y,
                batch_size=self._trainer.batch_size,
                shuffle=self._trainer.recipe.shuffle,
                verbose=0,
            )


def task_of(trainer: Trainer, model: keras.Model, training: Split) -> native.Task:
    """What a native loop has to train: what the trainer would, beginning with the model's weights.

    Raises:
        OptionError: the recipe has no native loop.
    """
    recipe = trainer.recipe
    assert isinstance(recipe, Recipe)
    x, y = training.x, training.y.reshape(len(training), -1)
    classes = {"categorical_crossentropy": lambda: y.argmax(1), "sparse_categorical_crossentropy": lambda: y[:, 0]}
    return native.Task(
        recipe.name,
        model.get_weights(),
        x.astype("int32" if x.dtype.kind in "iu" else "float32"),
        classes[recipe.loss]().astype("int64") if recipe.loss in classes else y.astype("float32"),
        trainer.batch_size or recipe.batch_size,
        trainer.optimizer or recipe.optimizer,
        float(model.optimizer.learning_rate),
        trainer.options.get("dropout", 0.0),
    )


_sessions: dict[str, Session] = {}


def open_session(key: str, recipe: str, **settings: Any) -> dict[str, Any]:
    """Make a recipe ready under a key; what it took to build and compile it."""
    session = _sessions[key] = Session(recipe, **settings)
    return {
        "parameters": session.parameters,
        "samples": session.samples,
        "plan": session.plan,
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
