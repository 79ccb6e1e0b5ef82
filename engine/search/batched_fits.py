"""Fits of one architecture, trained together where the backend can: what separate training would have given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...backends import runtime
from ...backends.epochs import build_metrics
from ...backends.same_run.crossentropy import owned_losses
from ...backends.same_run.portable_random import owned_draws
from ...backends.vectorized import Many, Start
from ...models.recipe import Recipe
from ..data.dataset import Dataset, Split
from ..epochs.batches import taken
from ..preprocessing.pipeline import Preprocessing
from .estimators import Classifier, Estimator, class_probabilities
from .scoring import Fit, score

if TYPE_CHECKING:
    import keras

    from ..training.trainer import Trainer

# Steps of preparation that learn from the training samples: with them each fit has samples of its own.
_LEARNING = {"min-max", "standardise"}


@dataclass(frozen=True)
class Together:
    """Models that train together.

    Attributes:
        fits: what each learns from, and is asked about.
        trainers: what would train each by itself.
        many: the models.
        preprocessing: of all of them.
        targets: (n, …) what y is to the trainers: class numbers, or values.
        classes: the labels, or None where values are predicted.
    """

    fits: Sequence[Fit]
    trainers: Sequence[Trainer]
    many: Many
    preprocessing: Preprocessing
    targets: np.ndarray
    classes: np.ndarray | None

    @classmethod
    def of(cls, estimators: Sequence[Estimator], fits: Sequence[Fit], x: np.ndarray, y: np.ndarray) -> Together | None:
        """Make them ready, or return None where they must train one by one after all.

        Args:
            estimators: one a fit, of one architecture.
            fits: with the same number of whole batches and the same classes in their training samples.
            x, y: (n, …) samples and labels or values that all fits take theirs from.
        """
        classes, targets, counts = _targets(isinstance(estimators[0], Classifier), y, fits[0].train)
        trainers = [each.trainer(x, counts, classifies=classes is not None) for each in estimators]
        if not all(map(_is_plain, estimators)) or not _shares_preparation(trainers[0]):
            return None
        labels = () if classes is None else tuple(map(str, classes))
        starts: dict[tuple[int, float | None], Start] = {}
        for trainer, fit in zip(trainers, fits, strict=True):
            key = trainer.seed, trainer.learning_rate
            if key not in starts:
                dataset = Dataset("the samples", Split(x[fit.train], targets[fit.train]), None, labels, "given")
                model, training = trainer.make_ready(dataset)
                if not _can_share_steps(model):
                    return None
                build_metrics(model, training.x[: trainer.batch_size], training.y[: trainer.batch_size])
                starts[key] = Start.of(model)
                preprocessing, _, _ = trainer.prepare(dataset)
        known = targets if classes is None else np.maximum(targets, 0)
        prepared = preprocessing.inputs(x), preprocessing.targets(known)
        each_start = [starts[trainer.seed, trainer.learning_rate] for trainer in trainers]
        assert trainers[0].batch_size is not None
        many = runtime.current().compile_many(model, each_start, *prepared, trainers[0].batch_size)
        return cls(fits, trainers, many, preprocessing, targets, classes)

    def train(self, tell: Callable[[float], None]) -> list[list[dict[str, float]]]:
        """Train all epochs; the metrics of each, model by model.

        Args:
            tell: called with how many fits are done, as a number that grows in parts.
        """
        epochs, recipe = self.trainers[0].epochs, self.trainers[0].recipe
        assert epochs is not None
        assert isinstance(recipe, Recipe)
        found = []
        with runtime.current().tuned(self.many.model), owned_draws(), owned_losses():
            for epoch in range(epochs):
                orders = [
                    fit.train[taken(trainer.seed, epoch, len(fit.train), recipe.shuffle)]
                    for trainer, fit in zip(self.trainers, self.fits, strict=True)
                ]
                found.append(self.many.epoch(orders))
                tell(len(self.fits) * (epoch + 1) / epochs)
        return found

    def scores(self) -> list[float]:
        """Each model's score on its test samples: accuracy, or R² where values are predicted."""
        scores = []
        for fit, outputs in zip(self.fits, self.many.outputs([fit.test for fit in self.fits]), strict=True):
            if self.classes is None:
                values = self.preprocessing.targets.inverse(outputs)
                scores.append(score(self.targets[fit.test], values, classifies=False))
            else:
                from_logits = bool(getattr(self.many.model.loss, "from_logits", False))
                likeliest = class_probabilities(outputs, len(self.classes), from_logits).argmax(axis=1)
                scores.append(score(self.targets[fit.test], likeliest, classifies=True))
        return scores


def _targets(
    classifies: bool, y: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray, dict[str, int]]:
    """The classes in the training samples, what y is to a trainer, and how many classes or outputs there are."""
    if not classifies:
        values = np.asarray(y, "float32").reshape(len(y), -1)
        return None, values, {"outputs": values.shape[1]}
    classes = np.unique(y[train])
    places = np.searchsorted(classes, y)
    # A class that only test samples have has a number that no training sample has and that is never predicted.
    numbers = np.where(classes[np.minimum(places, len(classes) - 1)] == y, places, -1)
    return classes, numbers, {"classes": len(classes)}


def _is_plain(estimator: Estimator) -> bool:
    """Whether nothing was asked for that is done for a single model only."""
    weighs = getattr(estimator, "class_weight", None) is not None
    alone = weighs or estimator.validation_split or estimator.augment or estimator.deterministic or estimator.precision
    return not alone and estimator.rng == "owned" and estimator.plan == "auto"


def _shares_preparation(trainer: Trainer) -> bool:
    recipe = trainer.recipe
    assert isinstance(recipe, Recipe)
    return not {step.kind for step in (*recipe.inputs, *recipe.targets)} & _LEARNING


def _can_share_steps(model: keras.Model) -> bool:
    return len(model.inputs) == len(model.outputs) == 1 and runtime.current().trains_together(model)
