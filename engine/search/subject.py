"""What a search varies: a recipe or builder, as an estimator; or an estimator of the user's own, such as a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...data.data_source import DataSource, dataset_of
from ...data.dataset import Dataset
from ...data.nests import is_array
from ...errors import DataError, OptionError, first_line
from ...models.recipe import Recipe
from ..bundles.named_recipe import find, recipe_of
from ..training.options import TrainingOptions
from ..training.recipe_data import as_trained, dataset_for
from ..training.train import pop_reading_settings
from .estimators import Estimator
from .fits import KINDS

Model = Recipe | str | Any  # the last: an estimator of scikit-learn


@dataclass(frozen=True)
class Subject:
    """An estimator, and the samples that its parameters are searched for.

    Attributes:
        estimator: has the parameters that all candidates share; is cloned, not fitted.
        kind: `classifier` or `regressor`.
        settings: the parameters that all candidates share, as JSON.
        x, y: (n, …) samples, and labels or values; x may be a data frame for an estimator of the user's own.
        checksum: of the data, where they have one.
    """

    estimator: Any
    kind: str
    settings: dict[str, Any]
    x: Any
    y: np.ndarray
    checksum: str | None

    @property
    def metric(self) -> str:
        return "accuracy" if self.kind == "classifier" else "r2"

    @property
    def is_network(self) -> bool:
        """Whether the estimator is a single network, which can go to a worker and train together with others."""
        return isinstance(self.estimator, Estimator)

    def require(self, grid: Mapping[str, Sequence[Any]]) -> None:
        """Raise an OptionError or a RecipeError if the estimator has no such parameters."""
        first = {name: values[0] for name, values in grid.items()}
        if self.is_network:
            self.estimator.__sklearn_clone__().set_params(**first)
            if isinstance(self.estimator.recipe, str):
                find(self.estimator.recipe)
            return
        with_parameters(self.estimator, first)


def is_estimator(model: Model) -> bool:
    """Return whether this is an estimator of scikit-learn, rather than a recipe or a builder."""
    return hasattr(model, "get_params") and hasattr(model, "fit") and not isinstance(model, type)


def name_of(model: Model) -> str:
    """Return the name of a recipe, a builder, or the kind of an estimator, such as `Pipeline`."""
    return type(model).__name__ if is_estimator(model) else recipe_of(model).name


def with_parameters(estimator: Any, parameters: Mapping[str, Any]) -> Any:
    """Return an unfitted copy of an estimator with some parameters changed.

    Raises:
        OptionError: it has no such parameter.
    """
    from sklearn.base import clone

    try:
        return clone(estimator).set_params(**parameters)
    except ValueError as error:
        raise OptionError(first_line(error)) from error


def of_recipe(
    recipe: Recipe | str,
    grid: Mapping[str, Sequence[Any]],
    data: DataSource | None,
    settings: dict[str, Any],
    seed: int,
) -> Subject:
    """Return a recipe or builder as an estimator, with its data.

    Args:
        settings: of the training, and of how the data are read.

    Raises:
        TriviumError: the data cannot be used.
    """
    if isinstance(recipe, type) and hasattr(recipe, "get_params"):
        raise OptionError(f"a search takes a recipe, a builder or an estimator: make one, {recipe.__name__}(…)")
    reading = pop_reading_settings(settings, recipe_of(recipe), data)
    dataset = _dataset(recipe, grid, settings, data if not reading else dataset_of(data, **reading))
    kind = "classifier" if dataset.labels else "regressor"
    shared = {"random_state": seed, **{parameter_name(name): value for name, value in settings.items()}}
    table = [asdict(column) for column in dataset.columns] or None
    estimator = KINDS[kind](recipe, table=table, **shared)
    return Subject(estimator, kind, shared, dataset.train.x, dataset.train.y, dataset.checksum)


def of_estimator(estimator: Any, data: DataSource | None, settings: Mapping[str, Any]) -> Subject:
    """Return an estimator of the user's own, with its data.

    Raises:
        OptionError: there are no data; or settings, which an estimator has as its own parameters.
        DataError: the data are not samples with a label or value for each.
    """
    from sklearn.base import is_classifier, is_regressor

    if settings:
        raise OptionError(f"`{next(iter(settings))}` is a parameter of a recipe: set those of an estimator in itself")
    if not is_classifier(estimator) and not is_regressor(estimator):
        raise OptionError(f"a search takes a classifier or a regressor, received {type(estimator).__name__}")
    x, y, checksum = _samples(estimator, data)
    if len(x) != len(y):
        raise DataError(f"{len(x)} samples have {len(y)} labels or values")
    kind = "classifier" if is_classifier(estimator) else "regressor"
    return Subject(estimator, kind, {"estimator": repr(estimator)}, x, y, checksum)


def labels_of(y: Any) -> np.ndarray:
    """Return labels or values as an array; objects become text."""
    labels = np.asarray(y)
    return np.asarray(labels, str) if labels.dtype == object else labels


def parameter_name(option: str) -> str:
    """Return the estimator's name of a training option."""
    return "random_state" if option == "seed" else option


def _samples(estimator: Any, data: DataSource | None) -> tuple[Any, np.ndarray, str | None]:
    """Return x, y and the checksum of the data: a pair of arrays as it stands, else the training split."""
    if data is None:
        raise OptionError(
            f"a search for {type(estimator).__name__} needs data: give a pair (x, y), or a dataset's name"
        )
    if isinstance(data, tuple) and len(data) == 2:
        return data[0] if hasattr(data[0], "iloc") else np.asarray(data[0]), labels_of(data[1]), None
    dataset = dataset_of(data)
    dataset.require_arrays("a search")
    if not is_array(dataset.train.x) or not is_array(dataset.train.y):
        raise DataError(f"{dataset.name} has several inputs or targets: a search takes one array of each")
    return dataset.train.x, dataset.train.y, dataset.checksum


def _dataset(
    recipe: Recipe | str, grid: Mapping[str, Sequence[Any]], settings: Mapping[str, Any], data: DataSource | None
) -> Dataset:
    """Return the data as `trivium.train` takes them: whole numbers are values under a loss of values, else classes.

    Raises:
        DataError: the samples are not one array in memory with one label or value for each.
    """
    named = recipe_of(recipe)
    dataset = dataset_for(named, data)
    if dataset.series:
        raise DataError(f"{dataset.name} is a series, and a search chooses its folds at random: train on it")
    dataset.require_arrays("a search")
    if not is_array(dataset.train.x) or not is_array(dataset.train.y):
        raise DataError(f"{dataset.name} has several inputs or targets: a search takes one array of each")
    if dataset.train.weight is not None:
        raise DataError(f"{dataset.name} has sample weights, which a search does not take: give x and y")
    if dataset.labels and dataset.train.y.ndim > 1:
        raise DataError(f"{dataset.name} has a class for each pixel: a search takes one for each sample")
    if dataset.train.is_deferred:
        raise DataError(
            f"{dataset.name} is read from its files while a model trains, and a search needs it in memory: load it by "
            "`stored=no`"
        )
    first = {**settings, **{name: values[0] for name, values in grid.items()}}
    options = {name: value for name, value in first.items() if name in named.options and value is not None}
    return as_trained(dataset, TrainingOptions(named, options).resolve())
