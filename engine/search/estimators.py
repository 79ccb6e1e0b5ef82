"""Models as scikit-learn's estimators: in pipelines, grids, ensembles, and whatever else is built on `fit`.

Not on `keras.wrappers`: there the model's arguments hide in a dictionary, `model_kwargs`, that a grid reaches as a
whole only; a clone loses `fit_kwargs`, and `fit` writes into it; `warm_start` does nothing; there are no
`predict_proba` and no `sample_weight` by name; and a fitted wrapper is pickled by way of the framework. An estimator
here trains as `trivium.train` does, so that a seed means the same run on every backend.

`warm_start` and `partial_fit` are not offered: a trained model goes on by `trivium.train(start=…)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ...errors import OptionError, SampleError, TriviumError
from ...functions import suggest
from ..bundles.trained_model import Fitted
from ..data.dataset import Dataset, Split
from ..keras_model.inference import probabilities
from ..training.trainer import DEFAULT_SEED, Trainer
from . import recipe_from_arrays

if TYPE_CHECKING:
    import keras

    from ...models.recipe import Recipe

    Builder = Recipe | str | Callable[..., keras.Model]

_TRAINER = (
    *("epochs", "batch_size", "optimizer", "learning_rate", "validation_split"),
    *("rng", "plan", "deterministic", "precision"),
)


class Estimator(BaseEstimator):
    """What a classifier and a regressor share.

    Args:
        recipe: a recipe's name, `path/to/file.py:function`, a `Recipe`, or a function that builds a model. Its
            arguments are parameters of the estimator like any other. Those called `inputs`, `classes` and `outputs`
            are taken from the data unless they are given.
        epochs, batch_size, optimizer, learning_rate, rng, plan, deterministic, precision: as `trivium.train` takes
            them; None for the recipe's own.
        validation_split: the share of the samples, at their end, to watch and not to learn from. None by default,
            whatever the recipe says: holding out is what scikit-learn does.
        random_state: the seed, under scikit-learn's name. None draws one from NumPy's generator.
        augment: pictures changed anew each epoch, as `trivium.train` takes it.
        options: the builder's arguments.

    Attributes:
        model_: the trained Keras model.
        history_: one dictionary of metrics an epoch; `history_["loss"]` is a list.
        n_features_in_: columns of X.
    """

    def __init__(
        self,
        recipe: Builder,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        validation_split: float = 0.0,
        random_state: int | np.random.RandomState | None = DEFAULT_SEED,
        rng: str = "owned",
        plan: str = "auto",
        deterministic: bool = False,
        precision: str | None = None,
        augment: str | None = None,
        **options: Any,
    ):
        self.recipe = recipe
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
        self._options = options

    # --- parameters -------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every parameter, the builder's arguments included; None for one that is taken from the data."""
        return {**super().get_params(deep), **self._defaults(), **self._options}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises:
            OptionError: there is none of that name.
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
        """With what was given, not with the builder's defaults: those change when a grid changes the recipe."""
        clone = type(self)(**_copied(self.given))
        if hasattr(self, "_metadata_request"):
            clone._metadata_request = self._metadata_request
        return clone

    @property
    def given(self) -> dict[str, Any]:
        """The parameters without the builder's defaults."""
        return {**{name: getattr(self, name) for name in self._get_param_names()}, **self._options}

    def _defaults(self) -> dict[str, Any]:
        """The builder's own, as far as it can be found; what is wrong with it is said when it is used."""
        try:
            options = recipe_from_arrays.recipe_of(self.recipe).options
        except (TriviumError, TypeError, ValueError):
            return {}
        own = set(self._get_param_names())
        defaults = {name: None if name in recipe_from_arrays.FROM_DATA else value for name, value in options.items()}
        return {k: v for k, v in defaults.items() if k not in own and v is not inspect.Parameter.empty}

    # --- training ---------------------------------------------------------------------------------------------------

    def trainer(self, x: np.ndarray, counts: Mapping[str, int], *, classifies: bool, **weights: Any) -> Trainer:
        """What trains on samples like these; its `recipe` and `options` are adapted to them.

        Args:
            x: (n, …) samples.
            counts: how many `classes` or `outputs` there are.
            weights: `class_weight` and `sample_weight`, as `trivium.train` takes them.

        Raises:
            TriviumError: a parameter that cannot be, or a recipe that learns something else.
        """
        found = recipe_from_arrays.recipe_of(self.recipe)
        shared = {name: getattr(self, name) for name in self._get_param_names() if name in found.options}
        given = {**{name: value for name, value in shared.items() if value is not None}, **self._options}
        options = recipe_from_arrays.options_from(found, x, given, counts)
        settings = {name: _plain(getattr(self, name)) for name in _TRAINER}
        return Trainer(
            recipe_from_arrays.adapted(found, x, classifies=classifies),
            options,
            seed=self.drawn_seed(),
            augment=self.augment,
            **settings,
            **weights,
        )

    def drawn_seed(self) -> int:
        """The seed that `random_state` stands for."""
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _train(self, trainer: Trainer, x: np.ndarray, y: np.ndarray, labels: tuple[str, ...]) -> None:
        run = trainer.fit(Dataset("the samples", Split(x, y), None, labels, "given"))
        if run.interrupted:  # whoever stops a search means all of its fits
            raise KeyboardInterrupt
        self._fitted, self.history_ = Fitted(run.model, run.preprocessing), run.history

    def _samples(self, X: Any, **checks: Any) -> Any:  # noqa: N803 - scikit-learn's name
        return validate_data(self, X, allow_nd=True, **checks)

    def __sklearn_is_fitted__(self) -> bool:
        return "_fitted" in vars(self)

    # --- the trained model ------------------------------------------------------------------------------------------

    @property
    def model_(self) -> keras.Model:
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} has no model_ before it is fitted")
        return self._fitted.model

    def layer_outputs(self, X: Any, layer: str | int) -> np.ndarray:  # noqa: N803
        """What a layer has learnt to make of samples: features for whatever comes after.

        Args:
            X: samples, as `predict` takes them.
            layer: its name, its number in `model_.layers` (−2 is the last but one), or the name that it would have in
                a fresh process, such as `dense_1` for the second dense layer.

        Returns:
            (n, …) float, the outputs that the layer has when nothing is dropped.

        Raises:
            OptionError: there is no such layer.
        """
        check_is_fitted(self)
        return self._fitted.outputs(self._samples(X, reset=False), layer)

    def _outputs(self, X: Any) -> np.ndarray:  # noqa: N803
        check_is_fitted(self)
        return self._fitted.outputs(self._samples(X, reset=False))


class Classifier(ClassifierMixin, Estimator):
    """A recipe or a builder as scikit-learn's classifier.

    Parameters are those of `Estimator`, and one more. A builder ends in one output a class that softmax makes
    probabilities of, or in a single one of a sigmoid; a model that it has compiled with a loss `from_logits` may leave
    both out.

    Args:
        class_weight: how much the samples of each class count: `balanced`, or numbers by label; one that is not named
            counts 1.

    Attributes:
        classes_: the labels, sorted; integers, words, whatever NumPy sorts.

    Example:
        >>> classifier = trivium.Classifier("dense/dropout", layers=1, units=16, epochs=20)
        >>> cross_val_score(make_pipeline(MinMaxScaler(), classifier), X, y, cv=StratifiedKFold(10))
    """

    def __init__(self, recipe: Builder, *, class_weight: Mapping[Any, float] | str | None = None, **settings: Any):
        super().__init__(recipe, **settings)
        self.class_weight = class_weight

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """scikit-learn finds those that a constructor names; here one names `class_weight`, its base the others."""
        return sorted([*Estimator._get_param_names(), "class_weight"])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train.

        Args:
            X: (n, features), or (n, …) for models of pictures.
            y: (n,) labels.
            sample_weight: (n,) how much each sample counts, its class aside.

        Raises:
            SampleError: there is only one class.
            TriviumError: parameters and samples do not go together.
        """
        X, y = self._samples(X, y=y)  # noqa: N806
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        weight = _weights(sample_weight, X)
        left = self.classes_ if weight is None else np.unique(numbers[weight > 0])
        if len(left) < 2:
            raise SampleError("a classifier needs samples of two classes or more, received one class")
        weights = {"class_weight": _by_label(self.class_weight, self.classes_), "sample_weight": weight}
        trainer = self.trainer(X, {"classes": len(self.classes_)}, classifies=True, **weights)
        self._train(trainer, X, numbers, tuple(map(str, self.classes_)))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """One probability a class, in the order of `classes_`: (n, classes) float."""
        outputs = self._outputs(X)
        return class_probabilities(outputs, len(self.classes_), self._fitted.from_logits)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest label of each sample, (n,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """Logarithms of the odds: (n,) of the second class where there are two, else (n, classes) of each."""
        odds = log_odds(self.predict_proba(X))
        return odds[:, 1] if len(self.classes_) == 2 else odds


class Regressor(RegressorMixin, Estimator):
    """A builder as scikit-learn's regressor. Parameters are those of `Estimator`.

    Example:
        >>> def line(inputs, outputs): return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])
        >>> trivium.Regressor(line, epochs=50, learning_rate=0.1).fit(X, y).score(X, y)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train.

        Args:
            X: (n, features), or (n, …).
            y: (n,) or (n, outputs) values.
            sample_weight: (n,) how much each sample counts.

        Raises:
            TriviumError: parameters and samples do not go together.
        """
        X, y = self._samples(X, y=y, multi_output=True, y_numeric=True)  # noqa: N806
        values = np.asarray(y, "float32").reshape(len(y), -1)
        weight = _weights(sample_weight, X)
        trainer = self.trainer(X, {"outputs": values.shape[1]}, classifies=False, sample_weight=weight)
        self._train(trainer, X, values, ())
        self._one_axis = y.ndim == 1
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """(n,) float64, or (n, outputs) where y was that."""
        values = self._fitted_values(self._outputs(X))
        return values.reshape(len(values)) if self._one_axis else values

    def _fitted_values(self, outputs: np.ndarray) -> np.ndarray:
        return np.asarray(self._fitted.preprocessing.targets.inverse(outputs), "float64")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def class_probabilities(outputs: np.ndarray, classes: int, from_logits: bool) -> np.ndarray:
    """A classifier's outputs as one probability a class.

    Args:
        outputs: (n, outputs) probabilities, of which there may be more than classes, or (n, 1) of the second class.
        classes: how many the data have.
        from_logits: whether the outputs are yet to become probabilities.

    Returns:
        (n, classes) float.
    """
    found = probabilities(_activated(outputs) if from_logits else outputs)
    if found.shape[1] == classes:
        return found
    found = found[:, :classes]  # a model may tell classes apart that these data lack
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """log p / (1 − p), finite also where a probability was rounded to 0 or 1."""
    p = np.clip(np.asarray(probabilities, "float64"), np.finfo("float32").tiny, 1 - np.finfo("float32").epsneg)
    return np.asarray(np.log(p) - np.log1p(-p))


def _activated(logits: np.ndarray) -> np.ndarray:
    from scipy.special import expit, softmax

    return np.asarray(expit(logits) if logits.shape[-1] == 1 else softmax(logits, axis=-1))


def _weights(given: Any, x: np.ndarray) -> np.ndarray | None:
    return None if given is None else np.asarray(_check_sample_weight(given, x, dtype="float32"))


def _by_label(given: Any, classes: np.ndarray) -> Any:
    """Weights of classes by the names that their labels have as data; what is no label here has none."""
    if given is None or isinstance(given, str):
        return given
    names = {label: str(label) for label in classes.tolist()}
    by_name = {names.get(key, str(key)): value for key, value in given.items()}
    return {name: value for name, value in by_name.items() if name in names.values()}


def _plain(value: Any) -> Any:
    """Python's number for one of NumPy's, as grids have them."""
    return value.item() if isinstance(value, np.generic) else value


def _copied(params: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of parameters, as scikit-learn's `clone` makes them."""
    from sklearn.base import clone

    return {name: value if callable(value) else clone(value, safe=False) for name, value in params.items()}
