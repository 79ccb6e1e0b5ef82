"""Training a recipe: from a name and data to a run.

A `Trainer` chooses nothing that changes the result silently: what the recipe says holds unless an option is given,
and the run records all of it.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import catalog, runtime
from ...backends.device_group import Group
from ...backends.workers.worker import Listener
from ...errors import DataError, OptionError
from ...models.recipe import Recipe, find
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from ..data import datasets
from ..data.augmentation import Augmentation
from ..data.dataset import Dataset, Split
from ..data.sample_weights import ClassWeights, Weights
from ..epochs import environment
from ..epochs import precision as precisions
from ..keras_model.inference import require_whole_batches
from ..preprocessing.pipeline import Preprocessing
from ..runs.run import Run, Timings
from . import fine_tuning
from .callback_options import Watching
from .data_preparation import Prepared, Preparing
from .local_devices import Spreading
from .model_building import batch_size_of, compile_model, require_match

if TYPE_CHECKING:
    import keras

    from ..epochs.batches import Batches
    from ..epochs.explanation import Explanation
    from ..epochs.plan_context import Course
    from ..runs.recorder import KeepRun
    from ..runs.run_folder import RunFolder

# Any seed would do. After three epochs on all of MNIST cnn/striding lies between 0.973 and 0.979 over seeds; at this
# one it is above 0.975 on each backend (tests/engine/training/test_published.py).
DEFAULT_SEED = 1
# Whose randomness: `owned` is trivium's, the same on every backend; `native` is each framework's own.
GENERATORS = ("owned", "native")

_SETTINGS = ("epochs", "batch_size", "validation_split", "optimizer", "learning_rate", "seed", "rng", "deterministic")


@dataclass
class Trainer:
    """Trains a recipe. An option that is None takes the recipe's own value.

    Args:
        recipe: a name, `path/to/file.py:function`, or a `Recipe`; may be empty when `start` is a bundle of a recipe
            from the book.
        options: the recipe's own options, such as `{"units": 64}`.
        epochs, batch_size: 1 or more.
        validation_split: the share at the end of the training data to hold out, 0 ≤ share < 1.
        optimizer: the name of a Keras optimizer.
        learning_rate: of the optimizer; above 0.
        seed: of initial weights, batch order, dropout and augmentation.
        rng: one of `GENERATORS`: whose initial weights, dropout and noise. The order of samples is always ours.
        plan: how the epochs are run: `auto`, `fit` for `keras.Model.fit`, or one of the backend's plans by name.
        deterministic: choose reproducible kernels over fast ones.
        devices: how many devices of this machine train together, each on its share of every batch; on a CPU they must
            have been asked for when the backend was chosen.
        group: the devices themselves, where they are not this machine's.
        precision: one of `precision.POLICIES`: in which floats layers compute while they train; None for what Keras has
            in force. In `float64` all of the run is in that; what comes out is rounded to float32.
        class_weight: how much the samples of a class count in the loss: `balanced`, `0=1,1=5`, or a mapping from
            class names; a class that is not named counts 1.
        sample_weight: (n,) how much each sample of the training data counts, held-out ones included; multiplied with
            its class'.
        augment: an `Augmentation`, or the words that one is parsed from.
        start: a bundle, its file, or its run folder: train its model further instead of a new one.
        freeze: patterns of layer names that keep the weights they start with.
        replace_head: put a new output layer for so many classes on the model that is started from.
        listener: called with progress events (see `callbacks.Progress`).
        callbacks: further Keras callbacks.
        watching: Keras' own callbacks, asked for in words.

    Raises:
        RecipeError, OptionError, BundleError: a recipe, an option or a bundle that cannot be.
    """

    recipe: Recipe | str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    batch_size: int | None = None
    validation_split: float | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    seed: int = DEFAULT_SEED
    rng: str = "owned"
    plan: str = "auto"
    deterministic: bool = False
    devices: int = 1
    group: Group | None = None
    precision: str | None = None
    class_weight: ClassWeights | None = None
    sample_weight: Any = None
    augment: Augmentation | str | None = None
    start: Bundle | str | Path | None = None
    freeze: Sequence[str] = ()
    replace_head: int | None = None
    listener: Listener | None = None
    callbacks: list[keras.callbacks.Callback] = field(default_factory=list)
    watching: Watching = field(default_factory=Watching)

    def __post_init__(self) -> None:
        self.chosen_plan: dict[str, Any] = {}
        self.spreading = Spreading(self.devices, self.group)
        self._start = self._load_start()
        recipe = self.recipe = self._find_recipe()
        self._given = set(self.options)
        before = fine_tuning.options_of(self._start) if self._start else {}
        self.options = recipe.complete({**before, **self.options})
        self.epochs = _at_least_one("epochs", recipe.epochs if self.epochs is None else self.epochs)
        self.batch_size = _at_least_one("batch size", recipe.batch_size if self.batch_size is None else self.batch_size)
        if self.learning_rate is None and self.optimizer is None:
            self.learning_rate = recipe.learning_rate
        self.optimizer = self.optimizer or recipe.optimizer
        if self.validation_split is None:
            self.validation_split = recipe.validation_split
        self.augment = Augmentation.parse(self.augment) if isinstance(self.augment, str) else self.augment
        self.freeze = tuple(self.freeze)
        self._weights = Weights.of(self.class_weight, self.sample_weight)
        precisions.require_known(self.precision)
        self._check()

    def _check(self) -> None:
        assert self.validation_split is not None
        if not 0 <= self.validation_split < 1:
            raise OptionError(f"validation split must be 0 or more and less than 1, received {self.validation_split:g}")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise OptionError(f"learning rate must be above 0, received {self.learning_rate:g}")
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"seed must be from 0 to 2**32 - 1, received {self.seed}")
        if self.replace_head is not None and self.replace_head < 2:
            raise OptionError(f"--replace-head needs 2 classes or more, received {self.replace_head}")
        if self.rng not in GENERATORS:
            raise OptionError(f"rng must be {' or '.join(GENERATORS)}, received {self.rng!r}")
        self.spreading.require_possible(self.rng, self.plan, self.precision)

    def _load_start(self) -> Bundle | None:
        if self.start is not None:
            return bundles.load(self.start)
        if self.freeze or self.replace_head is not None:
            raise OptionError("--freeze and --replace-head need a trained model to start from: add --from BUNDLE")
        return None

    def _find_recipe(self) -> Recipe:
        recipe = find(self.recipe) if self.recipe and isinstance(self.recipe, str) else self.recipe
        if self._start:
            return fine_tuning.recipe_of(self._start, recipe or None, self.replace_head)
        if not isinstance(recipe, Recipe):
            raise OptionError(
                "name a RECIPE to train (`trivium recipes` lists them), or go on with a trained model: --from BUNDLE"
            )
        return recipe

    @property
    def _recipe(self) -> Recipe:
        assert isinstance(self.recipe, Recipe)  # since __post_init__
        return self.recipe

    @property
    def settings(self) -> dict[str, Any]:
        """What is in force."""
        found = {"options": dict(self.options), **{name: getattr(self, name) for name in _SETTINGS}}
        if self.chosen_plan:
            found["plan"] = self.chosen_plan
        if isinstance(self.augment, Augmentation):
            found["augment"] = self.augment.to_json()
        if self.precision:
            found["precision"] = self.precision
        found |= self._weights.describe() | self.watching.describe()
        if self._start:
            found["start"] = fine_tuning.describe(self._start, self.start, self.freeze, self.replace_head)
        return found

    def fit(self, dataset: Dataset, prepared: Prepared | None = None, kept: RunFolder | None = None) -> Run:
        """Train on a dataset's training split, evaluate on its test split.

        Ctrl-C ends the run after the last finished epoch, and is not raised once there is one.

        Args:
            dataset: the data.
            prepared: what `prepare` gave for them, where it was asked already.
            kept: a folder to keep history and checkpoints in, and to go on from when it holds a run to go on with; then
                SIGTERM ends the run as Ctrl-C does.

        Raises:
            DataError: the data do not go with the recipe.
            OptionError: the run in the folder cannot go on: something has changed.
            OutputError: the folder cannot be written to.
            BackendError: there are fewer devices than it asks for.
        """
        runtime.current()
        with self.spreading.found():
            return self._fit(dataset, prepared, kept)

    def _fit(self, dataset: Dataset, prepared: Prepared | None, kept: RunFolder | None) -> Run:
        from ..prediction.evaluation import evaluate_model
        from .session import Sitting

        preprocessing, training, validation = prepared or self.prepare(dataset)
        self.watching.require_metrics(validation is not None)
        began = time.perf_counter()
        model = self._make_model(dataset, training, self.precision)
        build = time.perf_counter() - began
        sitting = Sitting(self, dataset, kept)
        data = dataset.named_for(model.outputs[0].shape[-1]) if len(model.outputs) == 1 else dataset
        sitting.train(model, self._fresh_batches(data, preprocessing) or training, validation)
        model = precisions.settled(model, self.precision, lambda: self._make_model(dataset, training, None))
        run = Run(
            self._recipe,
            self.settings,
            model,
            preprocessing,
            data,
            sitting.history,
            Timings(build, sitting.clock.training_seconds, sitting.clock.validation_seconds),
            environment.describe(),
            interrupted=sitting.stop.interrupted,
            terminated=sitting.stop.terminated,
            asked=kept.asked if kept else {},
            resumed=sitting.resumed,
        )
        if data.test:
            run.evaluation = evaluate_model(model, preprocessing, data.test)
        return run

    def prepare(self, dataset: Dataset) -> Prepared:
        """The preparation fitted on the training part, and the training and validation parts prepared by it.

        Raises:
            DataError: the data do not go with the recipe.
        """
        preparing = self._preparing
        found = preparing.prepare(dataset)
        counts = preparing.counts(found[0])
        self.options = {**self.options, **{name: counts[name] for name in counts if name not in self._given}}
        return found

    @property
    def _preparing(self) -> Preparing:
        assert self.validation_split is not None
        new_head = self.replace_head is not None
        return Preparing(self._recipe, self.options, self.validation_split, self._weights, self._start, new_head)

    def make_ready(self, dataset: Dataset) -> tuple[keras.Model, Split]:
        """The compiled model and the prepared training part: all that `run_epochs` needs.

        Raises:
            DataError: the data do not go with the recipe.
        """
        _, training, _ = self.prepare(dataset)
        return self._make_model(dataset, training, self.precision), training

    def run_epochs(
        self,
        model: keras.Model,
        training: Split | Batches,
        validation: Split | None,
        watchers: Sequence[keras.callbacks.Callback] = (),
        first_epoch: int = 0,
        keep: KeepRun | None = None,
    ) -> None:
        """Run the epochs from `first_epoch`, counted from 0, up to the last on prepared data.

        Args:
            model, training: what `make_ready` gave, or batches that are drawn anew.
            validation: what to measure after each epoch, or None.
            watchers: callbacks beside the trainer's own.
            first_epoch: those before it were trained earlier. Order and numbers are those of a run without a break.
            keep: writes the run down, and puts back what an earlier sitting had come to.
        """
        from ..epochs import epoch_loop
        from ..epochs.callbacks import Progress, ResetStates

        progress = [Progress(self.listener)] if self.listener else []
        callbacks = [ResetStates(), *watchers, *progress, *self.callbacks, *([keep] if keep else [])]
        course = self._course(first_epoch)

        def run() -> None:
            with course.begun(model, training, callbacks) as chosen:
                self.chosen_plan = chosen.to_json()
                if keep:
                    keep.begin_with(chosen.name, course.outside)
                epoch_loop.run(chosen, model, training, validation, callbacks, course.schedule)

        with precisions.explained(self.precision, model, training):
            course.carry_out(run)
        model.train_function = None  # compiled with our draws in it: whoever trains further compiles anew

    def open_ended(self, model: keras.Model, training: Split, measure: bool = False) -> Callable[[int], None]:
        """A run without an end, for measuring: each call trains so many more epochs, by the plan of a long run.

        Args:
            measure: time the plans first, as a long run does, unless they were timed earlier.
        """
        chosen, train = self._course().open_ended(model, training, measure)
        self.chosen_plan = chosen.to_json()

        def fit(epochs: int) -> None:
            for _ in range(epochs):
                self.run_epochs(model, training, None)

        return train if chosen.plan else fit

    def explain(self, dataset: Dataset, prepared: Prepared | None = None) -> Explanation:
        """The plans that a run on these data could go by and what they cost here, measured; trains nothing.

        Raises:
            DataError: the data do not go with the recipe.
            OptionError: there is no such plan for this model on this backend, or it cannot be used here.
        """
        runtime.current()
        from ..epochs.explanation import Explanation

        preprocessing, training, _ = prepared or self.prepare(dataset)
        model = self._make_model(dataset, training, self.precision)
        data = self._fresh_batches(dataset, preprocessing) or training
        course = self._course()

        def explain() -> Explanation:
            with course.begun(model, data, self.callbacks, always=True) as chosen:
                return Explanation(self._recipe.name, course.schedule.batch_size, course.schedule.steps(data), chosen)

        with precisions.explained(self.precision, model, data):
            return course.carry_out(explain)

    def _course(self, first_epoch: int = 0) -> Course:
        from ..epochs.batches import Schedule
        from ..epochs.plan_context import Course

        assert self.batch_size is not None
        assert self.epochs is not None
        schedule = Schedule(self.batch_size, self.epochs, self.seed, self._recipe.shuffle, first_epoch)
        owned, group = self.rng == "owned", self.spreading.find()
        return Course(schedule, self.plan, owned, self.deterministic, self.listener, group, self.precision)

    def _fresh_batches(self, dataset: Dataset, preprocessing: Preprocessing) -> Batches | None:
        """Batches that are drawn or augmented anew each epoch, or None where the prepared data are what they are."""
        assert self.batch_size is not None
        assert not isinstance(self.augment, str)
        return self._preparing.fresh_batches(dataset, preprocessing, self.augment, self.batch_size, self.seed)

    def _make_model(self, dataset: Dataset, training: Split, precision: str | None) -> keras.Model:
        with precisions.building(precision):
            return self._made(dataset, training, precision)

    def _made(self, dataset: Dataset, training: Split, precision: str | None) -> keras.Model:
        current = runtime.current()
        import keras

        from ...backends.same_run.randomness import owned_initial_weights

        assert self.batch_size is not None
        assert self.optimizer is not None
        keras.utils.set_random_seed(self.seed)
        if self.deterministic:
            current.make_deterministic()
        owned = owned_initial_weights(self.seed) if self.rng == "owned" else contextlib.nullcontext()
        with owned:
            if self._start:
                started = fine_tuning.begin(self._start, self.freeze, self.replace_head)
                model = precisions.applied(started, precision)
            else:
                model = self._recipe(**self.options)
        require_match(model, training, dataset)
        self.batch_size = batch_size_of(model, self._recipe, self.batch_size)
        require_whole_batches(model, len(training), dataset.name)
        if not model.compiled or self._start:  # a user's own function may well have compiled it
            compile_model(model, self._recipe, self.optimizer, self.learning_rate, training.y)
        return model


def train(
    recipe: Recipe | str = "",
    data: Dataset | str | Path | None = None,
    *,
    backend: str | None = None,
    **settings: Any,
) -> Run:
    """Train a recipe and return the run.

    Args:
        recipe: a name such as `cnn/striding`, `path/to/file.py:function`, or a `Recipe`; empty to go on with the recipe
            of the bundle `start`.
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
    catalog.use(backend, devices=settings.get("devices"))
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
