"""Training a recipe: from a name and data to a run.

A `Trainer` chooses nothing that changes the result silently: what the recipe says holds unless an option is given,
and the run records all of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import catalog, runtime
from ..backends.worker import Listener
from ..errors import DataError, OptionError
from ..models.recipe import Recipe, find
from . import datasets, environment
from .dataset import Dataset, Split
from .history import History
from .inference import fixed_batch, require_whole_batches
from .preprocessing import Chain, Preprocessing
from .run import Run, Timings

if TYPE_CHECKING:
    import keras

# Any seed would do. After three epochs on all of MNIST cnn/striding lies between 0.973 and 0.979 over seeds; at this
# one it is above 0.975 on each backend (tests/engine/test_published.py).
DEFAULT_SEED = 2


@dataclass
class Trainer:
    """Trains a recipe. An option that is None takes the recipe's own value.

    Args:
        recipe: a name, `path/to/file.py:function`, or a `Recipe`.
        options: the recipe's own options, such as `{"units": 64}`.
        epochs, batch_size: 1 or more.
        validation_split: the share at the end of the training data to hold out, 0 ≤ share < 1.
        optimizer: the name of a Keras optimizer.
        learning_rate: of the optimizer; above 0.
        seed: of initial weights, batch order and dropout.
        deterministic: choose reproducible kernels over fast ones.
        listener: called with progress events (see `callbacks.Progress`).
        callbacks: further Keras callbacks.

    Raises:
        RecipeError, OptionError: a recipe or an option that cannot be.
    """

    recipe: Recipe | str
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    batch_size: int | None = None
    validation_split: float | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    seed: int = DEFAULT_SEED
    deterministic: bool = False
    listener: Listener | None = None
    callbacks: list[keras.callbacks.Callback] = field(default_factory=list)

    def __post_init__(self) -> None:
        recipe = self.recipe = find(self.recipe) if isinstance(self.recipe, str) else self.recipe
        self._given = set(self.options)
        self.options = recipe.complete(self.options)
        self.epochs = _at_least_one("epochs", recipe.epochs if self.epochs is None else self.epochs)
        self.batch_size = _at_least_one("batch size", recipe.batch_size if self.batch_size is None else self.batch_size)
        if self.learning_rate is None and self.optimizer is None:
            self.learning_rate = recipe.learning_rate
        self.optimizer = self.optimizer or recipe.optimizer
        if self.validation_split is None:
            self.validation_split = recipe.validation_split
        if not 0 <= self.validation_split < 1:
            raise OptionError(f"validation split must be 0 or more and less than 1, received {self.validation_split:g}")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise OptionError(f"learning rate must be above 0, received {self.learning_rate:g}")
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"seed must be from 0 to 2**32 - 1, received {self.seed}")

    @property
    def _recipe(self) -> Recipe:
        assert isinstance(self.recipe, Recipe)  # since __post_init__
        return self.recipe

    @property
    def settings(self) -> dict[str, Any]:
        """What is in force."""
        names = ("epochs", "batch_size", "validation_split", "optimizer", "learning_rate", "seed", "deterministic")
        return {"options": dict(self.options), **{name: getattr(self, name) for name in names}}

    def fit(self, dataset: Dataset) -> Run:
        """Train on a dataset's training split, evaluate on its test split.

        Ctrl-C ends the run after the last finished epoch, and is not raised once there is one.

        Raises:
            DataError: the data do not go with the recipe.
        """
        current = runtime.current()
        from .callbacks import EpochClock, EpochLog, StopOnInterrupt
        from .evaluation import evaluate_model

        preprocessing, training, validation = self.prepare(dataset)
        began = time.perf_counter()
        model = self._make_model(dataset, training)
        build = time.perf_counter() - began
        stop, clock, log = StopOnInterrupt(), EpochClock(current), EpochLog()
        try:
            self.run_epochs(model, training, validation, [stop, clock, log])
        except KeyboardInterrupt:
            if not log.epochs:
                raise
        finally:
            stop.release()
        run = Run(
            self._recipe,
            self.settings,
            model,
            preprocessing,
            dataset,
            History(log.epochs),
            Timings(build, clock.training_seconds, clock.validation_seconds),
            environment.describe(),
            interrupted=stop.interrupted,
        )
        if dataset.test:
            run.evaluation = evaluate_model(model, preprocessing, dataset.test)
        return run

    def prepare(self, dataset: Dataset) -> tuple[Preprocessing, Split, Split | None]:
        """The preparation fitted on the training part, and the training and validation parts prepared by it.

        Raises:
            DataError: the data do not go with the recipe.
        """
        recipe = self._recipe
        assert self.validation_split is not None
        x, y = dataset.train.x, dataset.train.y
        held_out = len(x) - int(len(x) * (1 - self.validation_split))
        if held_out == len(x):
            raise DataError(
                f"{dataset.name}: a validation split of {self.validation_split:g} leaves nothing to train on"
            )
        head = slice(0, len(x) - held_out)
        chains = Preprocessing(
            Chain.from_steps(recipe.steps(recipe.inputs, self.options)),
            Chain.from_steps(recipe.steps(recipe.targets, self.options)),
        )
        try:
            preprocessing = chains.fit(x[head], y[head])
            training = Split(*preprocessing.pairs(x[head], y[head]))
            validation = Split(*preprocessing.pairs(x[-held_out:], y[-held_out:])) if held_out else None
        except DataError as error:
            raise DataError(f"{dataset.name} does not go with {recipe.name}: {error}") from error
        self._take_from_data(preprocessing)
        return preprocessing, training, validation

    def _take_from_data(self, preprocessing: Preprocessing) -> None:
        """Set the options that the data decide, such as how many letters there are, unless they were given."""
        steps = {step.kind: step for step in preprocessing.inputs.steps}
        counts = {option: len(steps[kind].names) for option, kind in self._recipe.fitted if option not in self._given}  # type: ignore[attr-defined]
        self.options = {**self.options, **counts}

    def make_ready(self, dataset: Dataset) -> tuple[keras.Model, Split]:
        """The compiled model and the prepared training part: all that `run_epochs` needs.

        Raises:
            DataError: the data do not go with the recipe.
        """
        _, training, _ = self.prepare(dataset)
        return self._make_model(dataset, training), training

    def run_epochs(
        self,
        model: keras.Model,
        training: Split,
        validation: Split | None,
        watchers: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        """Run `epochs` epochs on prepared data, watched by callbacks beside the trainer's own."""
        from .callbacks import Progress, ResetStates

        assert self.batch_size is not None
        steps = math.ceil(len(training) / self.batch_size)
        progress = [Progress(self.listener, steps)] if self.listener else []
        with runtime.current().remembering(model):
            model.fit(
                training.x,
                training.y,
                batch_size=self.batch_size,
                epochs=self.epochs,
                validation_batch_size=fixed_batch(model),
                shuffle=self._recipe.shuffle,
                validation_data=(validation.x, validation.y) if validation else None,
                callbacks=[ResetStates(), *watchers, *progress, *self.callbacks],
                verbose=0,
            )

    def _make_model(self, dataset: Dataset, training: Split) -> keras.Model:
        current = runtime.current()
        import keras

        keras.utils.set_random_seed(self.seed)
        if self.deterministic:
            current.make_deterministic()
        model = self._recipe(**self.options)
        _require_match(model, training, dataset)
        self._take_fixed_batch(model, training, dataset)
        if not model.compiled:  # a user's own function may well have done it
            self._compile(model, training)
        return model

    def _take_fixed_batch(self, model: keras.Model, training: Split, dataset: Dataset) -> None:
        """Let a model that was built for one batch size have it."""
        size = fixed_batch(model)
        if size is None:
            return
        if self.batch_size not in (size, self._recipe.batch_size):
            raise OptionError(f"{self._recipe.name} was built for batches of {size}, not of {self.batch_size}")
        require_whole_batches(model, len(training), dataset.name)
        self.batch_size = size

    def _compile(self, model: keras.Model, training: Split) -> None:
        import keras

        recipe = self._recipe
        try:
            optimizer = keras.optimizers.get(self.optimizer)
        except ValueError as error:
            raise OptionError(f"Keras knows no optimizer {self.optimizer!r} (try adam, sgd, rmsprop)") from error
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        loss, metrics = (recipe.loss, recipe.metrics) if recipe.loss else _choose_loss(model, training.y)
        model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))


def train(
    recipe: Recipe | str,
    data: Dataset | str | Path | None = None,
    *,
    backend: str | None = None,
    **settings: Any,
) -> Run:
    """Train a recipe and return the run.

    Args:
        recipe: a name such as `cnn/striding`, `path/to/file.py:function`, or a `Recipe`.
        data: a `Dataset`, a dataset's name, or an `.npz` file; without it the recipe's own.
        backend: which backend to use; it must be chosen before Keras is imported.
        settings: those of `Trainer`.

    Raises:
        TriviumError: something that the caller can mend; the message says what.

    Example:
        >>> run = trivium.train("cnn/striding", backend="jax", epochs=3)
        >>> run.evaluation["accuracy"]
        0.951
    """
    catalog.use(backend)
    trainer = Trainer(recipe, **settings)
    return trainer.fit(dataset_for(trainer.recipe, data))


def dataset_for(recipe: Recipe | str, data: Dataset | str | Path | None) -> Dataset:
    """The given data, else the recipe's own.

    Raises:
        DataError: neither is there, or the data cannot be read.
    """
    if isinstance(data, Dataset):
        return data
    recipe = find(recipe) if isinstance(recipe, str) else recipe
    name = data or recipe.dataset
    if name is None:
        raise DataError(
            f"{recipe.name} brings no data of its own: add --data FILE.npz (x_train, y_train) or --data mnist"
        )
    return datasets.load(name)


def _at_least_one(what: str, value: int) -> int:
    if value < 1:
        raise OptionError(f"{what} must be 1 or more, received {value}")
    return value


def _require_match(model: keras.Model, training: Split, dataset: Dataset) -> None:
    """Raise a DataError unless the model takes samples of the prepared shape."""
    if len(model.inputs) != 1:
        return
    expected, received = tuple(model.inputs[0].shape)[1:], training.x.shape[1:]
    fits = len(expected) == len(received) and all(e in (None, r) for e, r in zip(expected, received, strict=True))
    if not fits:
        raise DataError(
            f"{dataset.name}: a prepared sample has shape {received} but the model takes {expected} "
            f"(x_train is {dataset.train.x.shape} of {dataset.train.x.dtype})"
        )


def _choose_loss(model: keras.Model, targets: np.ndarray) -> tuple[str, tuple[str, ...]]:
    """A loss for a user's model that names none: by what its labels are, and how many outputs it has."""
    units = model.outputs[0].shape[-1]
    if targets.ndim == 1 and targets.dtype.kind in "biu":
        return ("binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"), ("accuracy",)
    return "mean_squared_error", ()
