"""The options of a training: as they were given, then resolved once against the recipe, and frozen from then on."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...backends.device_group import DeviceGroup
from ...data.augmentation import Augmentation
from ...data.sample_weights import ClassWeights, SampleWeights
from ...errors import OptionError
from ...functions import suggest
from ...models.recipe import SERIES_SIZES, SERIES_STEPS, SIZES, Recipe
from ...storage.safe_json import finite, is_json
from ..bundles import thresholds
from ..bundles.bundle import Bundle
from ..bundles.named_recipe import find
from ..epochs import precision as precisions
from . import compilation, hold_out
from .callback_options import CallbackOptions
from .data_preparation import DataPreparation
from .hold_out import HoldOut
from .local_devices import LocalDevices
from .start import fine_tuning, new_head
from .start import starting_point as starting_points
from .start.new_head import Head
from .start.starting_point import StartingPoint

# Any seed would do. After three epochs on all of MNIST cnn/striding lies between 0.973 and 0.979 over seeds; at this
# one it is above 0.975 on each backend (tests/engine/training/test_published.py).
DEFAULT_SEED = 1
# Whose randomness: `owned` is trivium's, the same on every backend; `native` is each framework's own.
GENERATORS = ("owned", "native")

_RECORDED = ("epochs", "batch_size", "validation_split", "optimizer", "learning_rate", "seed", "rng", "deterministic")


@dataclass(frozen=True)
class TrainingOptions:
    """The options as they were given; None takes the recipe's own value.

    Attributes:
        recipe: a name, `path/to/file.py:function`, or a `Recipe`; may be empty when `start` is a bundle whose recipe is
            registered.
        options: the recipe's own options, such as `{"units": 64}`.
        epochs, batch_size: 1 or more.
        steps_per_epoch: batches in an epoch, 1 or more: of a stream that does not say how many it has, or of arrays,
            whose samples go on where the last epoch stopped.
        validation_split: the share of the training data to hold out, 0 ≤ share < 1.
        validation: how to choose it: one of `hold_out.MODES`. By default the last part for trivium's own recipes, as
            published; for other models stratified by class where there are classes, else shuffled.
        optimizer: the name of a Keras optimizer, a mapping of its `name` and its arguments, or an optimizer, of which
            each model gets a copy.
        loss, metrics: as `keras.Model.compile` takes them: names or objects, a dictionary for several outputs.
        learning_rate: of the optimizer; above 0.
        shuffle: whether each epoch takes the samples in a new order.
        threshold: the probability above which the second of two classes is predicted, between 0 and 1; by default the
            more probable one is. A model trained further keeps its own.
        seed: of initial weights, batch order, dropout and augmentation.
        rng: one of `GENERATORS`: whose initial weights, dropout and noise. The order of samples is always trivium's.
        plan: how the epochs are run: `auto`, `fit` for `keras.Model.fit`, or one of the backend's plans by name.
        deterministic: choose reproducible kernels over fast ones.
        devices: how many devices of this machine train together, each on its shard of every batch; on a CPU they must
            have been asked for when the backend was chosen.
        group: the devices themselves, where they are not this machine's.
        precision: one of `precision.POLICIES`: the floats that layers compute in while they train; None for Keras' own
            policy. In `float64` all of the run is computed in float64; the trained model is rounded to float32.
        class_weight: how much the samples of a class count in the loss: `balanced`, or a mapping from class names; a
            class that is not named counts 1.
        sample_weight: (n,) how much each sample of the training data counts, held-out ones included; multiplied by the
            weight of its class.
        augment: an `Augmentation`, or a mapping of its attributes such as `{"rotation": 10}`.
        start: a bundle, its file, its run folder, or a whole model in a `.keras` or `.h5` file: train its model further
            instead of a new one. Beside a recipe, Keras' own files give their weights to the recipe's model.
        layers: patterns of the names of layers: of `start`, take the weights of these alone into the recipe's model.
        freeze: patterns of the names of layers whose weights stay as they are.
        unfreeze: patterns of the names of layers that are trained, whatever `freeze` or the model says.
        replace_head: how many classes the new output layer has that replaces the one of the model in `start`; or new
            layers, `Dense(64,relu),Dense(5,softmax)`; or `path/to/file.py:function`, see `new_head.replace_head`.
        callback_options: the settings of Keras' own callbacks.
    """

    recipe: Recipe | str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    batch_size: int | None = None
    steps_per_epoch: int | None = None
    validation_split: float | None = None
    validation: str | None = None
    optimizer: Any = None
    learning_rate: float | None = None
    loss: Any = None
    metrics: Any = None
    threshold: float | None = None
    shuffle: bool | None = None
    seed: int = DEFAULT_SEED
    rng: str = "owned"
    plan: str = "auto"
    deterministic: bool = False
    devices: int = 1
    group: DeviceGroup | None = None
    precision: str | None = None
    class_weight: ClassWeights | None = None
    sample_weight: Any = None
    augment: Augmentation | Mapping[str, Any] | None = None
    start: Bundle | str | Path | None = None
    freeze: Sequence[str] = ()
    unfreeze: Sequence[str] = ()
    replace_head: Head | None = None
    layers: Sequence[str] = ()
    callback_options: CallbackOptions = field(default_factory=CallbackOptions)

    def resolve(self) -> ResolvedOptions:
        """Return the options in force.

        Raises:
            RecipeError, OptionError, BundleError: a recipe, an option or a bundle that cannot be used.
        """
        head = None if self.replace_head is None else new_head.parse(self.replace_head)
        named = find(self.recipe) if isinstance(self.recipe, str) and self.recipe else self.recipe or None
        assert not isinstance(named, str)
        starting_point = starting_points.resolve(
            named, self.start, _patterns(self.layers), head, has_loss=self.loss is not None
        )
        start, recipe = starting_point.bundle, starting_point.recipe
        if self.shuffle is not None:
            recipe = dataclasses.replace(recipe, shuffle=self.shuffle)
        before = fine_tuning.options_of(start) if start else {}
        is_default_rate = self.learning_rate is None and self.optimizer is None
        resolved = ResolvedOptions(
            recipe=recipe,
            options=recipe.complete({**before, **self.options}, without_sizes=True),
            user_options=frozenset(self.options),
            epochs=_at_least_one("epochs", recipe.epochs if self.epochs is None else self.epochs),
            batch_size=_at_least_one("batch size", recipe.batch_size if self.batch_size is None else self.batch_size),
            steps_per_epoch=None
            if (steps := self.steps_per_epoch) is None
            else _at_least_one("steps per epoch", steps),
            validation_split=recipe.validation_split
            if self.validation_split is None
            else _number("validation split", self.validation_split),
            validation=self.validation or recipe.validation,
            optimizer=recipe.optimizer if self.optimizer is None else self.optimizer,
            user_optimizer=self.optimizer,
            user_learning_rate=_rate(self.learning_rate),
            user_shuffle=self.shuffle,
            learning_rate=recipe.learning_rate if is_default_rate else _rate(self.learning_rate),
            loss=self.loss() if isinstance(self.loss, type) else self.loss,
            metrics=self.metrics
            if self.metrics is None or isinstance(self.metrics, (Mapping, list, tuple))
            else [self.metrics],
            threshold=self._resolve_threshold(start),
            seed=_whole_number("seed", self.seed),
            rng=self.rng,
            plan=self.plan,
            deterministic=self.deterministic,
            precision=self.precision,
            weights=SampleWeights.of(self.class_weight, self.sample_weight),
            augment=None if self.augment is None else Augmentation.of(self.augment),
            starting_point=starting_point,
            freeze=_patterns(self.freeze),
            unfreeze=_patterns(self.unfreeze),
            replace_head=head,
            callback_options=self.callback_options,
        )
        precisions.require_known(self.precision)
        resolved.check()
        self.local_devices().require_compatible(self.rng, self.plan, self.precision)
        return resolved

    def local_devices(self) -> LocalDevices:
        return LocalDevices(self.devices, self.group)

    def _resolve_threshold(self, start: Bundle | None) -> float | None:
        if self.threshold is None:
            return thresholds.in_force(start, None) if start and self.replace_head is None else None
        thresholds.check(self.threshold)
        return self.threshold


@dataclass(frozen=True)
class ResolvedOptions:
    """The options in force: those of `TrainingOptions` with the recipe's values in place of None.

    Two of them are known later and replaced then: options that the data decide, and the batch size that a model was
    built for.

    Attributes:
        options: of the recipe, complete but for sizes of the data that are not known yet.
        user_options: the names of the recipe's options that the user gave; the data decide none of these.
        weights: how much each sample counts.
        starting_point: what the training starts from.
        user_optimizer, user_learning_rate: those of the user, which also replace those that a model is compiled with;
            None for none.
    """

    recipe: Recipe
    options: Mapping[str, Any]
    user_options: frozenset[str]
    epochs: int
    batch_size: int
    steps_per_epoch: int | None
    validation_split: float
    validation: str
    optimizer: Any
    user_shuffle: bool | None
    user_optimizer: Any
    user_learning_rate: float | None
    learning_rate: float | None
    loss: Any
    metrics: Any
    threshold: float | None
    seed: int
    rng: str
    plan: str
    deterministic: bool
    precision: str | None
    weights: SampleWeights
    augment: Augmentation | None
    starting_point: StartingPoint
    freeze: tuple[str, ...]
    unfreeze: tuple[str, ...]
    replace_head: Head | None
    callback_options: CallbackOptions

    def check(self) -> None:
        """Raise an OptionError for a value outside its range."""
        if not 0 <= self.validation_split < 1:
            raise OptionError(f"validation split must be 0 or more and less than 1, received {self.validation_split:g}")
        if self.validation not in hold_out.MODES:
            nearest = suggest(self.validation, list(hold_out.MODES))
            raise OptionError(
                f"validation must be one of {', '.join(hold_out.MODES)}, received {self.validation!r}{nearest}"
            )
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise OptionError(f"learning rate must be above 0, received {self.learning_rate:g}")
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"seed must be from 0 to 2**32 - 1, received {self.seed}")
        if self.rng not in GENERATORS:
            raise OptionError(f"rng must be {' or '.join(GENERATORS)}, received {self.rng!r}")

    @property
    def start(self) -> Bundle | None:
        """The bundle whose model is trained further, with its preparation."""
        return self.starting_point.bundle

    @property
    def uses_own_randomness(self) -> bool:
        """Whether random numbers come from trivium's generators, the same on every backend."""
        return self.rng == "owned"

    @property
    def preparation(self) -> DataPreparation:
        """How the data are prepared."""
        new_head = self.replace_head is not None
        open_sizes = frozenset((*SIZES, *SERIES_SIZES)) & self.recipe.options.keys() - self.user_options
        in_order = any(step.kind in SERIES_STEPS for step in (*self.recipe.inputs, *self.recipe.targets))
        held_out = HoldOut(self.validation_split, self.validation, self.seed, in_order)
        return DataPreparation(self.recipe, self.options, held_out, self.weights, self.start, new_head, open_sizes)

    def with_fitted(self, fitted: Mapping[str, Any]) -> ResolvedOptions:
        """Return the options with those that the data decide, except where the user gave a value."""
        decided = {name: value for name, value in fitted.items() if name not in self.user_options}
        return dataclasses.replace(self, options={**self.options, **decided})

    def without_weights(self) -> ResolvedOptions:
        """Return the options of a model that is only looked at, whose sizes may not be those of the weights yet."""
        return dataclasses.replace(self, starting_point=dataclasses.replace(self.starting_point, weights=None))

    def describe(self) -> dict[str, Any]:
        """Return what the record of a run says of the options, as JSON."""
        options = {name: _recorded(value) for name, value in self.options.items()}
        values = {"options": options, **{name: getattr(self, name) for name in _RECORDED}}
        arguments = {name: getattr(self, name) for name in ("optimizer", "loss", "metrics")}
        values |= {name: compilation.describe(value) for name, value in arguments.items() if value is not None}
        if self.augment:
            values["augment"] = self.augment.to_json()
        if self.validation != hold_out.LAST:
            values["validation"] = self.validation
        if self.steps_per_epoch is not None:
            values["steps_per_epoch"] = self.steps_per_epoch
        if self.user_shuffle is not None:
            values["shuffle"] = self.user_shuffle
        if self.threshold is not None:
            values["threshold"] = self.threshold
        if self.precision:
            values["precision"] = self.precision
        values |= self.weights.describe() | self.callback_options.describe()
        if not self.starting_point.is_new:
            values["start"] = self.starting_point.describe(self.freeze, self.replace_head)
        elif self.freeze:
            values["freeze"] = list(self.freeze)
        if self.unfreeze:
            values["unfreeze"] = list(self.unfreeze)
        return values


def _patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return patterns of names as a tuple; a text alone is one pattern."""
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


def _at_least_one(name: str, value: Any) -> int:
    number = _whole_number(name, value)
    if number < 1:
        raise OptionError(f"{name} must be 1 or more, received {number}")
    return number


def _whole_number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise OptionError(f"{name} must be a whole number, received {value!r}")
    return int(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise OptionError(f"{name} must be a number, received {value!r}")
    return float(value)


def _rate(value: Any) -> float | None:
    """Return the learning rate as a number; a schedule belongs to an optimizer."""
    if value is not None and not isinstance(value, numbers.Real):
        raise OptionError(
            f"learning rate must be a number, received {type(value).__name__}: give a schedule to an `optimizer`, such "
            "as keras.optimizers.Adam(schedule)"
        )
    return None if value is None else _number("learning rate", value)


def _recorded(value: Any) -> Any:
    """Return an option of a recipe as a record has it: an object that JSON cannot hold by its name."""
    return value if is_json(value) else finite(compilation.describe(value))
