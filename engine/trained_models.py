"""Trained models wherever they are: a bundle, a run folder, or a whole model in Keras' own file.

A Keras file has neither a preparation nor data. Its inputs are taken as they stand, and data to evaluate it on are
prepared as for a user's own model.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ..data.data_source import DataSource
from ..errors import DataError
from .bundles import model_file
from .bundles.bundle import Bundle
from .prediction import evaluation, loaded_bundle
from .prediction.evaluation import Predictions
from .prediction.loaded_bundle import LoadedBundle
from .training import model_building
from .training.trainer import Trainer


class LoadedModelFile(LoadedBundle):
    """A whole model that was read from Keras' own file; `run["recipe"]` is the path of the file.

    It predicts also where its compilation has parts of its author's own, such as a loss; `evaluate` needs these.
    """

    def evaluate(self, data: DataSource | None = None, threshold: float | None = None) -> dict[str, float]:
        """Return the metrics on a test split; see `trivium.evaluate`."""
        return _evaluate_without_preparation(self, data, threshold)


def load(source: Bundle | str | Path) -> LoadedBundle:
    """Read a trained model: a bundle's file, its run folder, or a whole model in a `.keras` or `.h5` file.

    No framework is needed but for Keras' own files, whose model is built at once. Such a file has no preparation, and
    its classes are named by their numbers.

    Raises:
        BundleError: the file is missing, truncated, altered, of another schema, or would run code.
        FileError: a model file is damaged or hostile.

    Example:
        >>> model = trivium.load("runs/flowers")
        >>> answers = model.predict(np.array([[5.1, 3.5, 1.4, 0.2]]))
        >>> model.labels[answers.values[0]]
        'setosa'
    """
    if not model_file.is_model_file(source):
        return loaded_bundle.load(source)
    bundle = model_file.load_bundle(Path(str(source)), compiled=False)
    return LoadedModelFile(**{field.name: getattr(bundle, field.name) for field in dataclasses.fields(bundle)})


def predict(source: Bundle | str | Path, x: Any, threshold: float | None = None) -> Predictions:
    """Predict raw inputs with a trained model. They are preprocessed as the training data were.

    Args:
        source: a bundle, its file, the run folder that holds it, or a Keras file, which takes inputs as they stand.
        x: (n, …) inputs, of the shape and dtype of the training data; a nest of them for a model of several inputs,
            by name or in order; for a model of a table, a data frame or a list of dictionaries by column.
        threshold: the probability above which the second of two classes is predicted, by default that of the training.

    Raises:
        BundleError: the model cannot be read.
        DataError: the inputs do not fit the model.
        OptionError: there is no threshold for such classes.

    Example:
        >>> answers = trivium.predict("runs/flowers", np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]))
        >>> answers.outputs.shape, answers.labels
        ((2, 3), ('setosa', 'versicolor', 'virginica'))
    """
    return evaluation.predict(load(source), x, threshold)


def evaluate(
    source: Bundle | str | Path, data: DataSource | None = None, threshold: float | None = None
) -> dict[str, float]:
    """Return the metrics of a trained model on a test split, by default that of the dataset it was trained on.

    Other data are read as those of the training were, unless their name says otherwise: pictures in their size, tables
    and series by their targets. A Keras file needs data, which are prepared as for a user's own model. The threshold is
    that of `predict`.

    Raises:
        BundleError: the model cannot be read.
        DataError: the data cannot be read, do not fit, or have no test split.
        OptionError: there is no threshold for such classes.

    Example:
        >>> metrics = trivium.evaluate("runs/flowers")
        >>> sorted(metrics)
        ['accuracy', 'loss']
    """
    return load(source).evaluate(data, threshold)


def _evaluate_without_preparation(
    bundle: LoadedModelFile, data: DataSource | None, threshold: float | None
) -> dict[str, float]:
    """Evaluate a model without a preparation on data that are prepared as for a user's own model."""
    if data is None:
        raise DataError(f"{bundle.run['recipe']} is a model without data of its own: add `data` FILE or a name")
    path = Path(bundle.run["recipe"])
    recipe = model_file.recipe_of_file(str(path), lambda: model_file.load(path))
    trainer = Trainer(recipe, validation_split=0.0, threshold=threshold)
    dataset = trainer.load(data)
    dataset.require_arrays("`evaluate`")
    if dataset.test is None:
        raise DataError(f"{dataset.name} has no test split (x_test, y_test) to evaluate on")
    preprocessing, training, _ = trainer.prepare(dataset)
    model, _ = model_building.build_model(trainer.resolved, dataset, training, None)
    return evaluation.evaluate_model(model, preprocessing, dataset.test, dataset.series, dataset.labels, threshold)
