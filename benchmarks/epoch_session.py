"""A recipe compiled in this process with its prepared data, so that single epochs of it can be timed repeatedly.

The functions at the end are called in workers: `open_session` once, then `time_epoch` as often as needed.
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
from ..backends.distribution.processes import ProcessGroup
from ..backends.workers.worker import Worker
from ..data import datasets
from ..data.dataset import Dataset, Split
from ..data.nests import map_arrays
from ..engine.epochs import environment
from ..engine.epochs import precision as precisions
from ..engine.keras_model.inference import fixed_batch
from ..engine.runs.history import History
from ..engine.training.trainer import Trainer
from ..errors import BackendError, OptionError
from ..models.recipe import Recipe
from ..storage.energy_counters import EnergyMeter
from ..storage.memory import memory_peak
from . import machine, native, real
from .fit_epochs import FitEpochs
from .native.task import CROSS_ENTROPY
from .suites import variants

if TYPE_CHECKING:
    import keras

FIT, FIT_TUNED, NATIVE, NATIVE_COMPILED = "fit", "fit-tuned", "native", "native-compiled"
RUNNERS = ("trivium", FIT, FIT_TUNED, NATIVE, NATIVE_COMPILED)


class EpochSession:
    """A compiled model with its prepared training data. Only the training part of an epoch is timed.

    Args:
        recipe: the name of a recipe in the book, in `variants` or in `real`, or `path/to/file.py:function`.
        data: the name of a dataset or file, with its settings; None for the recipe's own, but the sample of MNIST.
        samples: train only on this many samples, the first ones.
        image_size: scale images to this height and width by repeating or dropping pixels.
        batch_size: None for the recipe's own.
        options: the recipe's options.
        runner: `trivium`; `fit` for `keras.Model.fit` on arrays, as most people call it; `fit-tuned` for the same with
            an expert's settings; `native` for a loop written by hand in the framework itself (see `native.RECIPES`);
            `native-compiled` for one with more of it in a compiled call.
        rng: `owned` or `native`; only for the runner `trivium`.
        plan: the epoch plan; only for the runner `trivium`.
        precision: the dtype policy of its layers; see `engine/epochs/precision.py`.
        timed_plans: let the runner `trivium` time its plans first, as a long run does; otherwise it chooses by rule, or
            by earlier measurements on this machine.
        min_seconds: the least seconds of one timing; several shorter epochs are trained in a row.
        workers: the number of processes of the runner `trivium`, each with as many threads as this one.
        energy_meter: measures the energy of the CPU packages; by default that of this machine.

    Attributes:
        first_epoch: seconds of the epoch that compiled.
        warm_epoch: seconds of the next epoch, in which some backends still compile or allocate.
        memory: peak bytes of main memory, above that of the imported framework.
        joules: what the CPU packages took for each later epoch, where they tell.
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
        min_seconds: float = 0.0,
        workers: int = 1,
        energy_meter: EnergyMeter | None = None,
    ):
        if runner not in RUNNERS:
            raise OptionError(f"unknown runner {runner!r} (known: {', '.join(RUNNERS)})")
        self._group = _worker_processes(workers) if workers > 1 else None
        self._trainer = Trainer(
            _recipe_of(recipe),
            options=options or {},
            batch_size=batch_size,
            epochs=1,
            rng="native" if runner in (FIT, FIT_TUNED) else rng,
            plan=plan,
            precision=precision,
            group=self._group,
        )
        dataset = _resized(self._dataset_of(recipe, data), samples, image_size)
        before = machine.reset_memory_peak()
        began = time.perf_counter()
        self._model, self._training = self._trainer.make_ready(dataset)
        self.build = time.perf_counter() - began
        self.parameters = self._model.count_params()
        self.samples = len(self._training)
        self.epochs = 0
        self._epochs_per_timing = 1
        self._meter = energy_meter or EnergyMeter()
        self.joules: list[float] = []
        self.plan: dict[str, Any] = {}
        self._train = self._make_train(runner, timed_plans)
        self.plan = self._trainer.chosen_plan or self.plan
        self.first_epoch = self.time_epoch()
        self.warm_epoch = self.time_epoch()
        self.joules.clear()
        self._epochs_per_timing = max(1, math.ceil(min_seconds / self.warm_epoch))
        self.memory = memory_peak() - before
        self._dataset = dataset

    def close(self) -> None:
        """End the session's worker processes."""
        if self._group:
            self._group.close()

    def time_epoch(self) -> float:
        """Train one more epoch, in a new order, and return its seconds; the device is synchronised at both ends.

        Short epochs are trained several in a row, and the mean of their seconds is returned.
        """
        current = runtime.current()
        variables = self._model.variables
        current.synchronise([variable.value for variable in variables])
        self._meter.start()
        began = time.perf_counter()
        self._train(self._epochs_per_timing)
        current.synchronise([variable.value for variable in variables])
        seconds = time.perf_counter() - began
        if (joules := self._meter.lap()) is not None:
            self.joules.append(joules / self._epochs_per_timing)
        self.epochs += self._epochs_per_timing
        return seconds / self._epochs_per_timing

    def quality(self) -> dict[str, Any]:
        """Evaluate the model: every metric on the training samples and, as `val_…`, on the held-out samples."""
        parts = {"": self._training, "val_": self._trainer.prepare(self._dataset)[2]}
        metrics = {
            f"{prefix}{name}": float(value)
            for prefix, part in parts.items()
            if part is not None
            for name, value in self._evaluate(part).items()
        }
        return {"epochs": self.epochs, "monitor": History([metrics]).monitor, "metrics": metrics}

    def layer_times(self) -> list[dict[str, Any]]:
        """Time the forward pass of each layer on one batch: `{"layer", "kind", "seconds"}`, the fastest of a few runs.

        Empty unless the model is sequential.
        """
        import keras

        if not isinstance(self._model, keras.Sequential):
            return []
        x, times = self._training.x[: self._trainer.batch_size], []
        with precisions.global_floatx(self._trainer.resolved.precision):
            for layer in self._model.layers:
                alone = keras.Sequential([keras.Input(batch_shape=(None, *x.shape[1:])), layer])
                seconds = machine.fastest(lambda alone=alone, x=x: alone.predict_on_batch(x))  # type: ignore[misc]
                times.append({"layer": layer.name, "kind": type(layer).__name__, "seconds": seconds})
                x = np.asarray(alone.predict_on_batch(x))
        return times

    def flops(self) -> list[dict[str, Any]]:
        """Count the operations of each layer for one sample; see `flops.LayerCost`."""
        from .flops import count

        return [asdict(cost) for cost in count(self._model, self._trainer.batch_size)]

    def work(self, counted: Mapping[str, Any]) -> dict[str, float]:
        """Return the operations and bytes of one epoch, from the sums of `flops.total`."""
        return {"operations": counted["training"] * self.samples, "traffic": counted["traffic"] * self.samples}

    def _dataset_of(self, recipe: str, data: str | None) -> Dataset:
        if not data and recipe in real.NAMES:
            return real.dataset_of(recipe)
        return self._trainer.load(data or datasets.portable_name(self._trainer.recipe.dataset))

    def _evaluate(self, part: Split) -> dict[str, float]:
        with (
            precisions.global_floatx(self._trainer.resolved.precision),
            runtime.current().carry_rnn_states(self._model),
        ):
            size = fixed_batch(self._model)
            metrics = self._model.evaluate(part.x, part.y, batch_size=size, verbose=0, return_dict=True)
        return dict(metrics)

    def _make_train(self, runner: str, timed_plans: bool) -> Callable[[int], None]:
        """Return a function that trains a given number of further epochs."""
        if runner in (FIT, FIT_TUNED):
            fit = FitEpochs(self._model, self._training, self._trainer.batch_size, self._trainer.recipe.shuffle)
            self.plan = {"name": fit.tune().title} if runner == FIT_TUNED else {}
            return fit
        if runner == "trivium":
            return self._trainer.open_ended(self._model, self._training, timed_plans)
        from ..engine.epochs.batches import sample_order

        seed, shuffle = self._trainer.resolved.seed, self._trainer.recipe.shuffle
        task = task_of(self._trainer, self._model, self._training)
        loop = native.load(catalog.selected().name, task, compiled=runner == NATIVE_COMPILED)
        numbers = itertools.count()

        def train(epochs: int) -> None:
            for epoch in itertools.islice(numbers, epochs):
                loop.train_epoch(sample_order(seed, epoch, self.samples, shuffle))

        return train


def _recipe_of(name: str) -> Recipe | str:
    """Return a recipe for benchmarks alone, or the name of another."""
    return real.recipe_of(name) if name in real.NAMES else variants.BOOK.get(name, name)


def task_of(trainer: Trainer, model: keras.Model, training: Split) -> native.NativeTask:
    """Return the training task of a native loop: the trainer's settings and data, and the model's initial weights.

    Raises:
        OptionError: the recipe has no native loop.
    """
    recipe = trainer.recipe
    assert isinstance(recipe, Recipe)
    y = training.y.reshape(len(training), -1)
    classes = {"categorical_crossentropy": lambda: y.argmax(1), CROSS_ENTROPY: lambda: y[:, 0]}
    return native.NativeTask(
        recipe.name,
        [np.array(weight.numpy()) for weight in model.trainable_weights],
        [np.array(weight.numpy()) for weight in model.non_trainable_weights],
        map_arrays(lambda x: x.astype("int32" if x.dtype.kind in "iu" else "float32"), training.x),
        classes[recipe.loss]().astype("int64") if recipe.loss in classes else y.astype("float32"),
        CROSS_ENTROPY if recipe.loss in classes else str(recipe.loss),
        trainer.batch_size,
        trainer.resolved.optimizer,
        float(model.optimizer.learning_rate),
        trainer.options,
        "accuracy" in recipe.metrics,
    )


def _worker_processes(count: int) -> ProcessGroup:
    """Start worker processes with this process' backend, each with as many threads as this one."""
    name, threads = catalog.selected().name, runtime.current().threads()
    return ProcessGroup([Worker(name, threads=threads) for _ in range(count)])


def _resized(dataset: Dataset, samples: int | None, image_size: int | None) -> Dataset:
    """Return the dataset with fewer training samples, and with images scaled to another size."""
    train = dataset.train.select(slice(0, samples)) if samples else dataset.train
    if image_size:
        rows, columns = (np.arange(image_size) * size // image_size for size in train.x.shape[1:3])
        train = replace(train, x=train.x[:, rows][:, :, columns])
    return replace(dataset, train=train, test=None)


_sessions: dict[str, Any] = {}  # a `EpochSession`, or one of `inference_session.py`


def open_session(key: str, recipe: str, *, device: str | None = None, **settings: Any) -> dict[str, Any]:
    """Open a session under a key; return its times, memory, size, operations and environment.

    Raises:
        BackendError: the backend has no such device here.
    """
    from .flops import LayerCost, total

    current = runtime.current()
    warm_up()
    require_device(device)
    session = _sessions[key] = _make_session(recipe, settings)
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


def require_device(kind: str | None) -> None:
    """Raise a BackendError unless this process computes on a device of this kind; None allows any."""
    own = runtime.current().devices()[0].kind
    if kind not in (None, own):
        raise BackendError(f"{catalog.selected().title} finds no {kind} here; it computes on the {own}")


@functools.cache
def warm_up() -> None:
    """Train a tiny model once per process, so that what the framework loads at its first step is not counted."""
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 1)), np.zeros((2, 1)), verbose=0)


def _make_session(recipe: str, settings: Mapping[str, Any]) -> Any:
    from .inference_session import RUNNERS as INFERENCE_RUNNERS
    from .inference_session import InferenceSession

    return (InferenceSession if settings.get("runner") in INFERENCE_RUNNERS else EpochSession)(recipe, **settings)


def time_epoch(key: str) -> float:
    """Train one more epoch of the session under this key, and return its seconds."""
    return float(_sessions[key].time_epoch())


def quality(key: str) -> dict[str, Any]:
    """Evaluate the model of the session under this key."""
    report: dict[str, Any] = _sessions[key].quality()
    return report


def energy(key: str) -> dict[str, Any]:
    """Return the `joules` of each timed epoch of the session under this key; see `EpochSession.joules`."""
    return {"joules": list(_sessions[key].joules)}


def layer_times(key: str) -> list[dict[str, Any]]:
    """Time the layers of the session under this key; see `EpochSession.layer_times`."""
    times: list[dict[str, Any]] = _sessions[key].layer_times()
    return times


def latencies(key: str) -> dict[str, Any]:
    """Return the percentiles of the predictions of the session under this key; see `InferenceSession.latencies`."""
    report: dict[str, Any] = _sessions[key].latencies()
    return report


def close_session(key: str) -> None:
    """Drop a session with its model and data."""
    session = _sessions.pop(key, None)
    if isinstance(session, EpochSession):
        session.close()


def kinds() -> list[str]:
    """Return the kinds of devices that this process' backend finds, the default first."""
    return [device.kind for device in runtime.current().devices()]
