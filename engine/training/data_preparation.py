"""Prepare a dataset for training: hold out a validation part, fit the preprocessing, and build fresh batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...models.recipe import Recipe
from ..bundles.bundle import Bundle
from ..data.augmentation import Augmentation
from ..data.dataset import Dataset, Split
from ..data.sample_weights import SampleWeights, require_weight_per_sample
from ..preprocessing.pipeline import Chain, Preprocessing

if TYPE_CHECKING:
    from ..epochs.batches import TrainingBatches

Prepared = tuple[Preprocessing, Split, Split | None]


@dataclass(frozen=True)
class DataPreparation:
    """How the data of a recipe are prepared.

    Attributes:
        recipe, options: the recipe and its complete options.
        validation_split: the share of the training data, at their end, that is held out for validation.
        weights: how much each sample counts.
        start: the bundle whose model is trained further; the inputs keep its preprocessing.
        new_head: whether that model gets a new output layer, so that the preprocessing of the targets is fitted again.
    """

    recipe: Recipe
    options: Mapping[str, Any]
    validation_split: float
    weights: SampleWeights
    start: Bundle | None = None
    new_head: bool = False

    def prepare(self, dataset: Dataset) -> Prepared:
        """Return the preprocessing fitted on the training part, and the prepared training and validation parts.

        Raises:
            DataError: the data do not go with the recipe.
        """
        head, held_out = self._split_raw(dataset)
        x, y = dataset.train.x, dataset.train.y
        try:
            preprocessing = self._fit(head, len(dataset.labels) or None)
            training = Split(*preprocessing.pairs(head.x, head.y), head.weight)
            require_weight_per_sample(training)
            tail = slice(len(head), None)
            weight = self.weights.for_validation(dataset, tail)
            validation = Split(*preprocessing.pairs(x[tail], y[tail]), weight) if held_out else None
        except DataError as error:
            raise DataError(f"{dataset.name} does not go with {self.recipe.name}: {error}") from error
        return preprocessing, training, validation

    def fresh_batches(
        self, dataset: Dataset, preprocessing: Preprocessing, augment: Augmentation | None, batch_size: int, seed: int
    ) -> TrainingBatches | None:
        """Return batches that are generated or augmented afresh each epoch, or None if the prepared data are fixed."""
        from ..epochs.batches import TrainingBatches, from_generator, from_memory, steps_per_epoch, with_preprocessing

        raw, _ = self._split_raw(dataset)
        if dataset.draw:
            fetch = from_generator(self.weights.weighted_draw(dataset), batch_size, seed)
        elif augment:
            fetch = from_memory(raw, batch_size, seed, self.recipe.shuffle)
        else:
            return None
        return TrainingBatches(
            with_preprocessing(fetch, preprocessing, augment, seed), steps_per_epoch(len(raw), batch_size)
        )

    def fitted_options(self, preprocessing: Preprocessing) -> dict[str, int]:
        """Return the options that the data decide, such as the size of the alphabet."""
        steps = {step.kind: step for step in preprocessing.inputs.steps}
        return {option: len(steps[kind].names) for option, kind in self.recipe.fitted}  # type: ignore[attr-defined]

    def _split_raw(self, dataset: Dataset) -> tuple[Split, int]:
        """Return the raw training part, and how many samples after it are held out for validation."""
        samples = len(dataset.train)
        held_out = samples - int(samples * (1 - self.validation_split))
        if held_out == samples:
            raise DataError(
                f"{dataset.name}: a validation split of {self.validation_split:g} leaves nothing to train on"
            )
        head = slice(0, samples - held_out)
        weight = self.weights.for_training(dataset, head)
        return Split(dataset.train.x[head], dataset.train.y[head], weight), held_out

    def _fit(self, training: Split, classes: int | None) -> Preprocessing:
        """Return the preprocessing, fitted on the raw training part; a bundle's inputs keep its preprocessing."""
        targets = Chain.from_steps(self.recipe.steps(self.recipe.targets, self.options))
        if self.start is None:
            inputs = Chain.from_steps(self.recipe.steps(self.recipe.inputs, self.options))
            return Preprocessing(inputs, targets).fit(training.x, training.y, classes)
        bundled = self.start.preprocessing
        if not self.new_head:
            return bundled
        return Preprocessing(bundled.inputs, (targets.for_classes(classes) if classes else targets).fit(training.y))
