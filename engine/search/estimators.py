"""Models as scikit-learn estimators, for pipelines, grids, ensembles, and everything else that calls `fit`.

They do not build on `keras.wrappers`. There, the model's arguments are one dictionary, `model_kwargs`, which a grid can
only replace as a whole; a clone loses `fit_kwargs`, and `fit` modifies them; `warm_start` has no effect;
`predict_proba` and a `sample_weight` argument are missing; and pickling a fitted wrapper needs the framework. An
estimator here trains as `trivium.train` does, so that one seed gives the same run on every backend.

There is no `warm_start` and no `partial_fit`: to train a model further, use `trivium.train(start=…)`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ...data.columns import Column, to_column
from ...data.dataset import Dataset, Split
from ...data.tables.preparation import steps_for
from ...errors import OptionError, SampleError, TriviumError
from ...functions import suggest
from ...models.recipe import SIZES
from ..bundles.named_recipe import recipe_of
from ..bundles.trained_model import TrainedModel
from ..keras_model.class_scores import class_probabilities, log_odds
from ..training.options import DEFAULT_SEED
from ..training.trainer import Trainer
from . import recipe_from_arrays
from .estimator_arguments import class_weights, classes_of, clone_params, epoch_lines, sample_weights, to_python_number

if TYPE_CHECKING:
    import keras

    from ...models.recipe import Recipe

    Builder = Recipe | str | Callable[..., keras.Model]

_TRAINER_PARAMS = (
    *("epochs", "batch_size", "optimizer", "learning_rate", "validation_split"),
    *("rng", "plan", "deterministic", "precision"),
)


class Estimator(BaseEstimator):
    """The base class of `Classifier` and `Regressor`.

    Args:
        recipe: a recipe's name, `path/to/file.py:function`, a `Recipe`, or a function that builds a model. The
            function's arguments become parameters of the estimator. Those called `inputs`, `classes` and `outputs`
            default to the sizes of the data.
        epochs, batch_size, optimizer, learning_rate, rng, plan, deterministic, precision: as in `trivium.train`;
            None means the recipe's value.
        validation_split: the fraction of the samples to hold out for validation, taken from their end. The default
            is 0, whatever the recipe says, because scikit-learn does the holding out.
        random_state: the seed, by scikit-learn's name. None draws one from NumPy's global generator.
        augment: the image augmentation, as in `trivium.train`.
        callbacks: Keras callbacks, of which each fit gets copies.
        table: the columns of a table, whose cells X holds as numbers (see `data.columns`): they are prepared as a
            table is, and may be NaN.
        verbose: above 0, a line is printed after each epoch.
        options: arguments of the builder. `build_fn`, as Keras' own wrapper called it, is another name for `recipe`.

    Attributes:
        model_: the trained Keras model.
        history_: the metrics of each epoch, one dictionary per epoch; `history_["loss"]` is a list.
        n_features_in_: the number of columns of X.
    """

    def __init__(
        self,
        recipe: Builder = "",
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: Any = None,
        learning_rate: float | None = None,
        validation_split: float = 0.0,
        random_state: int | np.random.RandomState | None = DEFAULT_SEED,
        rng: str = "owned",
        plan: str = "auto",
        deterministic: bool = False,
        precision: str | None = None,
        augment: Mapping[str, Any] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        table: Sequence[Column | Mapping[str, Any]] | None = None,
        verbose: int = 0,
        **options: Any,
    ):
        self.recipe = options.pop("build_fn", recipe)
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.validation_split = validation_split
        self.random_state = random_state
        self.rng = rng
        self.plan = plan
        self.deterministic = deterministic
        self.precision = precision
        self.augment = augment
        self.callbacks = callbacks
        self.table = table
        self.verbose = verbose
        self._options = options

    # --- parameters -------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters, the builder's arguments included. None means: taken from the data."""
        return {**super().get_params(deep), **self._builder_defaults(), **self._options}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises:
            OptionError: no parameter has that name.
        """
        if "recipe" in params:
            self.recipe = params["recipe"]
        known = self.get_params()
        for name in params:
            if name not in known:
                listed = ", ".join(sorted(known))
                raise OptionError(f"{self!r} has no parameter {name!r} (it has: {listed}){suggest(name, list(known))}")
        own = self._get_param_names()
        for name, value in params.items():
            if name in own:
                setattr(self, name, value)
            else:
                self._options = {**self._options, name: value}
        return self

    def __sklearn_clone__(self) -> Self:
        """Copy the explicit parameters only: the builder's defaults change when a grid changes the recipe."""
        clone = type(self)(**clone_params(self.explicit_params))
        if hasattr(self, "_metadata_request"):
            clone._metadata_request = self._metadata_request
        return clone

    @property
    def explicit_params(self) -> dict[str, Any]:
        """Return the parameters without the builder's defaults."""
        return {**{name: getattr(self, name) for name in self._get_param_names()}, **self._options}

    def _builder_defaults(self) -> dict[str, Any]:
        """Return the builder's defaults; none if the recipe cannot be resolved. The error is raised later, by `fit`."""
        try:
            options = recipe_of(self.recipe).options
        except (TriviumError, TypeError, ValueError):
            return {}
        own = set(self._get_param_names())
        defaults = {name: None if name in SIZES else value for name, value in options.items()}
        return {k: v for k, v in defaults.items() if k not in own and v is not inspect.Parameter.empty}

    # --- training ---------------------------------------------------------------------------------------------------

    def trainer(self, x: np.ndarray, counts: Mapping[str, int], *, classifies: bool, **weights: Any) -> Trainer:
        """Return a trainer whose recipe and options are adapted to the samples.

        Args:
            x: (n, …) samples.
            counts: the number of `classes` or of `outputs`.
            weights: `class_weight` and `sample_weight`, as in `trivium.train`.

        Raises:
            TriviumError: a parameter is invalid, or the recipe is for another task.
        """
        recipe = recipe_of(self.recipe)
        shared_params = {name: getattr(self, name) for name in self._get_param_names() if name in recipe.options}
        builder_arguments = {
            **{name: value for name, value in shared_params.items() if value is not None},
            **self._options,
        }
        settings = {name: to_python_number(getattr(self, name)) for name in _TRAINER_PARAMS}
        if self.table is None:
            options = recipe_from_arrays.options_from(recipe, x, builder_arguments, counts)
            recipe = recipe_from_arrays.adapt_recipe(recipe, x, classifies=classifies)
        else:  # the sizes follow from the prepared rows
            options = {name: value for name, value in builder_arguments.items() if value is not None}
        return Trainer(
            recipe,
            options,
            seed=self.resolve_seed(),
            augment=self.augment,
            callbacks=[*copy.deepcopy(list(self.callbacks or ())), *epoch_lines(self.verbose)],
            **settings,
            **weights,
        )

    def resolve_seed(self) -> int:
        """Return the integer seed that `random_state` stands for."""
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _train(self, trainer: Trainer, x: np.ndarray, y: np.ndarray, labels: tuple[str, ...]) -> None:
        run = trainer.fit(self.dataset(x, y, labels))
        if run.interrupted:  # an interrupt stops the whole search, not only this fit
            raise KeyboardInterrupt
        self._trained, self.history_ = TrainedModel(run.model, run.preprocessing), run.history

    def dataset(self, x: np.ndarray, y: np.ndarray, labels: tuple[str, ...]) -> Dataset:
        """Return samples and targets as a dataset; the rows of a table with the preparation of its columns."""
        dataset = Dataset("the samples", Split(x, y), None, labels, "given")
        return replace(dataset, preparation=steps_for(tuple(map(to_column, self.table or ()))))

    def _validate(self, X: Any, **checks: Any) -> Any:  # noqa: N803 - scikit-learn's name
        finite = True if self.table is None else "allow-nan"
        if checks.get("reset") is False and np.asarray(X).ndim > 2:
            # The second axis counts rows, pixels or letters instead of columns: the model knows how many it takes.
            return check_array(X, allow_nd=True, ensure_all_finite=finite)
        return validate_data(self, X, allow_nd=True, ensure_all_finite=finite, **checks)

    def __sklearn_is_fitted__(self) -> bool:
        return "_trained" in vars(self)

    # --- the trained model ------------------------------------------------------------------------------------------

    @property
    def model_(self) -> keras.Model:
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} has no model_ before it is fitted")
        return self._trained.model

    def layer_outputs(self, X: Any, layer: str | int) -> np.ndarray:  # noqa: N803
        """Return a layer's outputs, as learned features for another model.

        Args:
            X: samples, as for `predict`.
            layer: its name, its index in `model_.layers` (−2 is the last but one), or the name that it would have in
                a fresh process, such as `dense_1` for the second dense layer.

        Returns:
            (n, …) float, computed in inference mode (without dropout).

        Raises:
            OptionError: the model has no such layer.
        """
        check_is_fitted(self)
        return self._trained.outputs(self._validate(X, reset=False), layer)

    def _outputs(self, X: Any) -> np.ndarray:  # noqa: N803
        check_is_fitted(self)
        return self._trained.outputs(self._validate(X, reset=False))


class Classifier(ClassifierMixin, Estimator):
    """A recipe or a builder as scikit-learn's classifier.

    It has the parameters of `Estimator` and `class_weight`. The model ends in a softmax with one output per class, or
    in a single sigmoid. A model that its builder compiles with a `from_logits` loss or a hinge needs neither.

    Args:
        class_weight: the weight of each class: `balanced`, or a number per label; labels without a number have
            weight 1.

    Attributes:
        classes_: the sorted labels: integers, strings, or anything else that NumPy sorts.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = trivium.Classifier("dense/points", epochs=30, learning_rate=0.01).fit(X, y)
        >>> classifier.score(X, y) > 0.6
        True
    """

    def __init__(self, recipe: Builder = "", *, class_weight: Mapping[Any, float] | str | None = None, **settings: Any):
        super().__init__(recipe, **settings)
        self.class_weight = class_weight

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Name the parameters of both constructors: scikit-learn looks at the subclass' constructor only."""
        return sorted([*Estimator._get_param_names(), "class_weight"])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train.

        Args:
            X: (n, features), or (n, …) for image models.
            y: (n,) labels.
            sample_weight: (n,) weights of the samples, multiplied by `class_weight`.

        Raises:
            SampleError: there is only one class, or the labels cannot be sorted.
            TriviumError: the parameters do not fit the samples.
        """
        X, y = self._validate(X, y=y)  # noqa: N806
        self.classes_, numbers = classes_of(y)
        check_classification_targets(y)
        weight = sample_weights(sample_weight, X)
        weighted_classes = self.classes_ if weight is None else np.unique(numbers[weight > 0])
        if len(weighted_classes) < 2:
            raise SampleError("a classifier needs samples of two classes or more, received one class")
        weights = {"class_weight": class_weights(self.class_weight, self.classes_), "sample_weight": weight}
        trainer = self.trainer(X, {"classes": len(self.classes_)}, classifies=True, **weights)
        self._train(trainer, X, numbers, tuple(map(str, self.classes_)))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return (n, classes) float probabilities, in the order of `classes_`."""
        outputs = self._outputs(X)
        return class_probabilities(outputs, len(self.classes_), self._trained.output_kind)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the most probable label of each sample, (n,)."""
        indices = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[indices])

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return log-odds: (n,) of the second class if there are two classes, otherwise (n, classes)."""
        odds = log_odds(self.predict_proba(X))
        return odds[:, 1] if len(self.classes_) == 2 else odds


class Regressor(RegressorMixin, Estimator):
    """A builder as scikit-learn's regressor. It has the parameters of `Estimator`.

    Example:
        >>> def line(inputs, outputs):
        ...     return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])
        >>> X = np.linspace(-1, 1, 64)[:, None]
        >>> y = 2 * X[:, 0] + 1
        >>> trivium.Regressor(line, epochs=50, learning_rate=0.1).fit(X, y).score(X, y) > 0.9
        True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train.

        Args:
            X: (n, features), or (n, …).
            y: (n,) or (n, outputs) values.
            sample_weight: (n,) weights of the samples.

        Raises:
            TriviumError: the parameters do not fit the samples.
        """
        X, y = self._validate(X, y=y, multi_output=True, y_numeric=True)  # noqa: N806
        values = np.asarray(y, "float32").reshape(len(y), -1)
        weight = sample_weights(sample_weight, X)
        trainer = self.trainer(X, {"outputs": values.shape[1]}, classifies=False, sample_weight=weight)
        self._train(trainer, X, values, ())
        self._is_1d = y.ndim == 1
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return (n,) float64, or (n, outputs) if y had two axes."""
        values = self._invert_targets(self._outputs(X))
        return values.reshape(len(values)) if self._is_1d else values

    def _invert_targets(self, outputs: np.ndarray) -> np.ndarray:
        return np.asarray(self._trained.preprocessing.targets.inverse(outputs), "float64")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
