"""A recipe made ready in this process so that single epochs of it can be timed, again and again.

The functions at the end are called in workers: `open_session` there once, then `time_epoch` in any order between
workers.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import catalog, runtime
from ..backends.distribution.processes import Processes
from ..backends.workers.worker import Worker
from ..engine.data import datasets
from ..engine.data.dataset import Dataset, Split
from ..engine.epochs import environment
from ..engine.epochs import precision as precisions
from ..engine.keras_model.inference import fixed_batch
from ..engine.runs.history import History
from ..engine.training.trainer import Trainer, dataset_for
from ..errors import BackendError, OptionError
from ..models.recipe import Recipe
from . import machine, native
from .suites import variants

if TYPE_CHECKING:
    import keras

RUNNERS = ("trivium", "fit", "native")


class Session:
    """A compiled model with its prepared training data. What is timed is the training part of an epoch, nothing else.

    Args:
        recipe: a name, of the book, of `variants`, or `path/to/file.py:function`.
        data: a dataset's name, or None for the recipe's own, of MNIST the sample.
        samples: train on the first so many only.
        image_size: repeat or leave out pixels until images have that height and width.
        batch_size: or None for the recipe's own.
        options: the recipe's options.
        runner: `trivium`; `fit` for `keras.Model.fit` on arrays, as anybody would call it; `native` for a loop
            written by hand in the framework itself (see `native.RECIPES`).
        rng: `owned` or `native`, of the runner `trivium`.
        plan: of the runner `trivium`.
        precision: the dtype policy that its layers compute by; see `engine/epochs/precision.py`.
        timed_plans: let the runner `trivium` time its plans before, as a long run does; else it goes by the rule, or by
            what was measured on this machine earlier.
        least: seconds that a timing takes at least: of shorter epochs so many are trained in a row.
        workers: with more than one, the runner `trivium` leads so many processes, each with this one's threads.

    Attributes:
        first_epoch: seconds of the epoch that compiled.
        warm_epoch: seconds of the one after it, which some backends still use to settle.
        memory: bytes of main memory that it took at most, above the imported framework.
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
        samples: int | None = None,
        image_size: int | None = None,
        precision: str | None = None,
        timed_plans: bool = False,
        least: float = 0.0,
        workers: int = 1,
    ):
        if runner not in RUNNERS:
            raise OptionError(f"unknown runner {runner!r} (known: {', '.join(RUNNERS)})")
        self._group = _ranks(workers) if workers > 1 else None
        self._trainer = Trainer(
            variants.BOOK.get(recipe, recipe),
            options=options or {},
            batch_size=batch_size,
            epochs=1,
            rng="native" if runner == "fit" else rng,
            plan=plan,
            precision=precision,
            group=self._group,
        )
        dataset = _cut(self._dataset_of(data), samples, image_size)
        before = machine.reset_memory_peak()
        began = time.perf_counter()
        self._model, self._training = self._trainer.make_ready(dataset)
        self.build = time.perf_counter() - began
        self.parameters = self._model.count_params()
        self.samples = len(self._training)
        self.epochs = 0
        self._in_a_row = 1
        self._train = self._training_by(runner, timed_plans)
        self.plan = self._trainer.chosen_plan
        self.first_epoch = self.epoch()
        self.warm_epoch = self.epoch()
        self._in_a_row = max(1, math.ceil(least / self.warm_epoch))
        self.memory = runtime.memory_peak() - before
        self._dataset = dataset

    def close(self) -> None:
        """End the processes that it leads."""
        if self._group:
            self._group.close()

    def epoch(self) -> float:
        """Train one more epoch, in a new order; its seconds, the device synchronised at both ends.

        Of short epochs more than one: the mean of their seconds.
        """
        current = runtime.current()
        variables = self._model.variables
        current.synchronise([variable.value for variable in variables])
        began = time.perf_counter()
        self._train(self._in_a_row)
        current.synchronise([variable.value for variable in variables])
        self.epochs += self._in_a_row
        return (time.perf_counter() - began) / self._in_a_row

    def quality(self) -> dict[str, Any]:
        """How good the model is by now: every metric on the training and, as `val_…`, the held-out part."""
        parts = {"": self._training, "val_": self._trainer.prepare(self._dataset)[2]}
        found = {
            f"{prefix}{name}": float(value)
            for prefix, part in parts.items()
            if part is not None
            for name, value in self._evaluate(part).items()
        }
        return {"epochs": self.epochs, "monitor": History([found]).monitor, "metrics": found}

    def layer_times(self) -> list[dict[str, Any]]:
        """Seconds that each layer takes to answer one batch: `{"layer", "kind", "seconds"}`, the fastest of some each.

        Empty where the model is no chain of layers.
        """
        import keras

        if not isinstance(self._model, keras.Sequential):
            return []
        x, found = self._training.x[: self._trainer.batch_size], []
        with precisions.computing(self._trainer.precision):
            for layer in self._model.layers:
                alone = keras.Sequential([keras.Input(batch_shape=(None, *x.shape[1:])), layer])
                seconds = machine.fastest(lambda alone=alone, x=x: alone.predict_on_batch(x))  # type: ignore[misc]
                found.append({"layer": layer.name, "kind": type(layer).__name__, "seconds": seconds})
                x = np.asarray(alone.predict_on_batch(x))
        return found

    def flops(self) -> list[dict[str, Any]]:
        """What each layer does for one sample: see `flops.LayerCost`."""
        from .flops import count

        return [asdict(cost) for cost in count(self._model, self._trainer.batch_size or 1)]

    def work(self, counted: Mapping[str, Any]) -> dict[str, float]:
        """Operations and bytes of what is timed, from `flops.total`."""
        return {"operations": counted["training"] * self.samples, "traffic": counted["traffic"] * self.samples}

    def _dataset_of(self, data: str | None) -> Dataset:
        recipe = self._trainer.recipe
        assert isinstance(recipe, Recipe)
        return dataset_for(recipe, data or datasets.same_everywhere(recipe.dataset))

    def _evaluate(self, part: Split) -> dict[str, float]:
        with precisions.computing(self._trainer.precision), runtime.current().remembering(self._model):
            size = fixed_batch(self._model)
            found = self._model.evaluate(part.x, part.y, batch_size=size, verbose=0, return_dict=True)
        return dict(found)

    def _training_by(self, runner: str, timed_plans: bool) -> Callable[[int], None]:
        """What trains so many more epochs at each call."""
        if runner == "fit":
            return self._by_fit
        if runner == "trivium":
            return self._trainer.open_ended(self._model, self._training, timed_plans)
        from ..engine.epochs.batches import taken

        assert isinstance(self._trainer.recipe, Recipe)
        seed, shuffle = self._trainer.seed, self._trainer.recipe.shuffle
        loop = native.load(catalog.selected().name, task_of(self._trainer, self._model, self._training))
        numbers = itertools.count()

        def train(epochs: int) -> None:
            for epoch in itertools.islice(numbers, epochs):
                loop.epoch(taken(seed, epoch, self.samples, shuffle))

        return train

    def _by_fit(self, epochs: int) -> None:
        assert isinstance(self._trainer.recipe, Recipe)
        with runtime.current().remembering(self._model):
            self._model.fit(
                self._training.x,
                self._training.y,
                batch_size=self._trainer.batch_size,
                epochs=epochs,
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


def _ranks(count: int) -> Processes:
    """So many processes of this one's backend, each with as many threads as this one."""
    name, threads = catalog.selected().name, runtime.current().threads()
    return Processes([Worker(name, threads=threads) for _ in range(count)])


def _cut(dataset: Dataset, samples: int | None, image_size: int | None) -> Dataset:
    """The dataset with fewer training samples, and with images of another size."""
    x, y = dataset.train.x[:samples], dataset.train.y[:samples]
    if image_size:
        rows, columns = (np.arange(image_size) * size // image_size for size in x.shape[1:3])
        x = x[:, rows][:, :, columns]
    return replace(dataset, train=Split(x, y), test=None)


_sessions: dict[str, Any] = {}  # a `Session`, or one of `inference_session.py`


def open_session(key: str, recipe: str, *, device: str | None = None, **settings: Any) -> dict[str, Any]:
    """Make a recipe ready under a key; what it took to build and compile it, and what it is.

    Raises:
        BackendError: the backend does not compute on that kind of device here.
    """
    from .flops import LayerCost, total

    current = runtime.current()
    _settle()
    kind = current.devices()[0].kind
    if device not in (None, kind):
        raise BackendError(f"{catalog.selected().title} finds no {device} here, it computes on the {kind}")
    session = _sessions[key] = _opened(recipe, settings)
    layers = session.flops()
    counted = total([LayerCost(**layer) for layer in layers])
    return {
        "parameters": session.parameters,
        "samples": session.samples,
        "plan": session.plan,
        "build": session.build,
        "first_epoch": session.first_epoch,
        "compile": max(0.0, session.first_epoch - session.warm_epoch),
        "memory": session.memory,
        "device_memory": current.device_memory_peak(),
        "layers": layers,
        "uncounted": counted["unknown"],
        **session.work(counted),
        "environment": {**environment.describe(), **machine.describe()},
    }


@functools.cache
def _settle() -> None:
    """Train something of no size, once a process: what a framework loads at its first step is not a model's memory."""
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 1)), np.zeros((2, 1)), verbose=0)


def _opened(recipe: str, settings: Mapping[str, Any]) -> Any:
    from .inference_session import RUNNERS as ANSWERING
    from .inference_session import Answering

    return (Answering if settings.get("runner") in ANSWERING else Session)(recipe, **settings)


def time_epoch(key: str) -> float:
    """Seconds of one more epoch of the session under that key."""
    return float(_sessions[key].epoch())


def quality(key: str) -> dict[str, Any]:
    """How good the model of the session under that key is by now."""
    found: dict[str, Any] = _sessions[key].quality()
    return found


def layer_times(key: str) -> list[dict[str, Any]]:
    """What each layer of the session under that key takes to answer a batch."""
    found: list[dict[str, Any]] = _sessions[key].layer_times()
    return found


def close_session(key: str) -> None:
    """Let the session's model and data go."""
    session = _sessions.pop(key, None)
    if isinstance(session, Session):
        session.close()


def kinds() -> list[str]:
    """The kinds of devices that this process' backend finds, the default one first."""
    return [device.kind for device in runtime.current().devices()]
