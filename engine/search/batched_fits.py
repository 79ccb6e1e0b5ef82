"""Train models of one architecture together, if the backend can. The results equal those of separate training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...backends import runtime
from ...backends.epochs import build_metrics, has_written_losses
from ...backends.same_run.operations import portable_operations
from ...backends.same_run.portable_random import portable_draws
from ...backends.vectorized import InitialState, VectorizedModels
from ...data.dataset import Dataset, Split
from ...data.preprocessing.pipeline import Preprocessing
from ...models.recipe import Recipe
from ..epochs.batches import sample_order
from ..keras_model.class_scores import class_probabilities
from ..keras_model.loss_names import output_kinds
from .estimators import Classifier, Estimator
from .scoring import Fit, FitScores, score

if TYPE_CHECKING:
    import keras

    from ..training.trainer import Trainer

# Preprocessing steps that are fitted to the training samples. With them, every fit has its own prepared samples.
_FITTED_STEPS = {"min-max", "standardise"}


@dataclass(frozen=True)
class BatchedFits:
    """Models that train together, as one vectorized computation.

    Attributes:
        fits: the training and test samples of each model.
        trainers: the trainer that each model would have by itself; in the order of `fits`.
        models: the vectorized models.
        preprocessing: the one that all models share.
        targets: (n, …) y as the trainers take it: class numbers, or values.
        classes: the labels; None for regression.
    """

    fits: Sequence[Fit]
    trainers: Sequence[Trainer]
    models: VectorizedModels
    preprocessing: Preprocessing
    targets: np.ndarray
    classes: np.ndarray | None

    @classmethod
    def of(
        cls, estimators: Sequence[Estimator], fits: Sequence[Fit], x: np.ndarray, y: np.ndarray
    ) -> BatchedFits | None:
        """Build and compile the models. Return None if they have to be trained one by one.

        Args:
            estimators: one per fit, all of one architecture.
            fits: all with the same number of full batches and the same classes in their training samples.
            x, y: (n, …) samples, and labels or values. The indices in `fits` refer to them.
        """
        classes, targets, counts = _targets(isinstance(estimators[0], Classifier), y, fits[0].train)
        trainers = [estimator.trainer(x, counts, classifies=classes is not None) for estimator in estimators]
        if not all(map(_is_batchable, estimators)) or not _shares_preparation(trainers[0]):
            return None
        labels = () if classes is None else tuple(map(str, classes))
        states: dict[tuple[int, float | None], InitialState] = {}
        for trainer, fit in zip(trainers, fits, strict=True):
            key = trainer.resolved.seed, trainer.resolved.learning_rate
            if key not in states:
                samples = Split(x[fit.train], targets[fit.train])
                dataset = trainer.load(Dataset("the samples", samples, None, labels, "given"))
                model, training = trainer.make_ready(dataset)
                if not _can_vectorize(model):
                    return None
                build_metrics(model, training.x[: trainer.batch_size], training.y[: trainer.batch_size])
                states[key] = InitialState.of(model)
                preprocessing, _, _ = trainer.prepare(dataset)
        known_targets = targets if classes is None else np.maximum(targets, 0)
        prepared = preprocessing.inputs(x), preprocessing.targets(known_targets)
        initial_states = [states[trainer.resolved.seed, trainer.resolved.learning_rate] for trainer in trainers]
        assert trainers[0].batch_size is not None
        models = runtime.current().compile_vectorized(model, initial_states, *prepared, trainers[0].batch_size)
        return cls(fits, trainers, models, preprocessing, targets, classes)

    def train(self, on_progress: Callable[[float], None]) -> list[list[dict[str, float]]]:
        """Train for all epochs. Return the metrics of each epoch: one dictionary per model.

        Args:
            on_progress: called after each epoch with the number of finished fits, a fraction while they train.
        """
        epochs, recipe = self.trainers[0].epochs, self.trainers[0].recipe
        assert epochs is not None
        assert isinstance(recipe, Recipe)
        metrics = []
        current, model = runtime.current(), self.models.model
        with current.tuned(model), portable_draws(), portable_operations(), current.dense_gradients(model):
            for epoch in range(epochs):
                orders = [
                    fit.train[sample_order(trainer.resolved.seed, epoch, len(fit.train), recipe.shuffle)]
                    for trainer, fit in zip(self.trainers, self.fits, strict=True)
                ]
                metrics.append(self.models.epoch(orders))
                on_progress(len(self.fits) * (epoch + 1) / epochs)
        return metrics

    def scores(self) -> list[FitScores]:
        """Return each model's scores: accuracy, or R² for regression."""
        parts = [fit.scored for fit in self.fits]
        of_parts = [self._scores_on(rows) for rows in zip(*parts, strict=True)]
        return [list(scores) for scores in zip(*of_parts, strict=True)]

    def _scores_on(self, rows: Sequence[np.ndarray]) -> list[float]:
        """Return the score of each model on its own samples."""
        scores = []
        for own_rows, outputs in zip(rows, self.models.outputs(list(rows)), strict=True):
            if self.classes is None:
                values = self.preprocessing.targets.inverse(outputs)
                scores.append(score(self.targets[own_rows], values, classifies=False))
            else:
                (kind,) = output_kinds(self.models.model)
                predicted = class_probabilities(outputs, len(self.classes), kind).argmax(axis=1)
                scores.append(score(self.targets[own_rows], predicted, classifies=True))
        return scores


def _targets(
    classifies: bool, y: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray, dict[str, int]]:
    """Return the classes in the training samples, y as a trainer takes it, and the number of classes or outputs."""
    if not classifies:
        values = np.asarray(y, "float32").reshape(len(y), -1)
        return None, values, {"outputs": values.shape[1]}
    classes = np.unique(y[train])
    indices = np.searchsorted(classes, y)
    # A class that only the test samples have gets −1, which no model predicts.
    numbers = np.where(classes[np.minimum(indices, len(classes) - 1)] == y, indices, -1)
    return classes, numbers, {"classes": len(classes)}


def _is_batchable(estimator: Estimator) -> bool:
    """Return whether the estimator uses no option that works for a single model only."""
    of_each = (
        *(getattr(estimator, "class_weight", None) is not None, estimator.validation_split, estimator.augment),
        *(estimator.callbacks, estimator.deterministic, estimator.precision, estimator.verbose),
    )
    if estimator.table is not None:  # each fit prepares it by its own samples
        return False
    return not any(of_each) and estimator.rng == "owned" and estimator.plan == "auto"


def _shares_preparation(trainer: Trainer) -> bool:
    recipe = trainer.recipe
    assert isinstance(recipe, Recipe)
    return not {step.kind for step in (*recipe.inputs, *recipe.targets)} & _FITTED_STEPS


def _can_vectorize(model: keras.Model) -> bool:
    if has_written_losses(model):
        return False
    return len(model.inputs) == len(model.outputs) == 1 and runtime.current().can_vectorize(model)
