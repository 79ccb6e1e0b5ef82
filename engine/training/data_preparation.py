"""From a dataset to what a model trains on: the part that is held out, the preparation, and batches drawn anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...models.recipe import Recipe
from ..bundles.bundle import Bundle
from ..data.augmentation import Augmentation
from ..data.dataset import Dataset, Split
from ..data.sample_weights import Weights, require_whole
from ..preprocessing.pipeline import Chain, Preprocessing

if TYPE_CHECKING:
    from ..epochs.batches import Batches

Prepared = tuple[Preprocessing, Split, Split | None]


@dataclass(frozen=True)
class Preparing:
    """How a recipe's data are prepared.

    Attributes:
        recipe, options: what is trained.
        validation_split: the share at the end of the training data that is held out.
        weights: how much each sample counts.
        start: the bundle whose model is trained further, with its preparation of the inputs.
        new_head: whether that model gets new outputs, so that targets are prepared afresh.
    """

    recipe: Recipe
    options: Mapping[str, Any]
    validation_split: float
    weights: Weights
    start: Bundle | None = None
    new_head: bool = False

    def prepare(self, dataset: Dataset) -> Prepared:
        """The preparation fitted on the training part, and the training and validation parts prepared by it.

        Raises:
            DataError: the data do not go with the recipe.
        """
        head, held_out = self._parts(dataset)
        x, y = dataset.train.x, dataset.train.y
        try:
            preprocessing = self._fit(head, len(dataset.labels) or None)
            training = Split(*preprocessing.pairs(head.x, head.y), head.weight)
            require_whole(training)
            tail = slice(len(head), None)
            weight = self.weights.held_out(dataset, tail)
            validation = Split(*preprocessing.pairs(x[tail], y[tail]), weight) if held_out else None
        except DataError as error:
            raise DataError(f"{dataset.name} does not go with {self.recipe.name}: {error}") from error
        return preprocessing, training, validation

    def fresh_batches(
        self, dataset: Dataset, preprocessing: Preprocessing, augment: Augmentation | None, batch_size: int, seed: int
    ) -> Batches | None:
        """Batches that are drawn or augmented anew each epoch, or None where the prepared data are what they are."""
        from ..epochs.batches import Batches, drawn, prepared, steps_of, stored

        raw, _ = self._parts(dataset)
        if dataset.draw:
            fetch = drawn(self.weights.drawing(dataset), batch_size, seed)
        elif augment:
            fetch = stored(raw, batch_size, seed, self.recipe.shuffle)
        else:
            return None
        return Batches(prepared(fetch, preprocessing, augment, seed), steps_of(len(raw), batch_size))

    def counts(self, preprocessing: Preprocessing) -> dict[str, int]:
        """The options that the data decide, such as how many letters there are."""
        steps = {step.kind: step for step in preprocessing.inputs.steps}
        return {option: len(steps[kind].names) for option, kind in self.recipe.fitted}  # type: ignore[attr-defined]

    def _parts(self, dataset: Dataset) -> tuple[Split, int]:
        """The raw training part, and how many samples after it are held out for validation."""
        samples = len(dataset.train)
        held_out = samples - int(samples * (1 - self.validation_split))
        if held_out == samples:
            raise DataError(
                f"{dataset.name}: a validation split of {self.validation_split:g} leaves nothing to train on"
            )
        head = slice(0, samples - held_out)
        weight = self.weights.in_training(dataset, head)
        return Split(dataset.train.x[head], dataset.train.y[head], weight), held_out

    def _fit(self, training: Split, classes: int | None) -> Preprocessing:
        """The recipe's preparation fitted on the raw training part; inputs as before when a trained model goes on."""
        targets = Chain.from_steps(self.recipe.steps(self.recipe.targets, self.options))
        if self.start is None:
            inputs = Chain.from_steps(self.recipe.steps(self.recipe.inputs, self.options))
            return Preprocessing(inputs, targets).fit(training.x, training.y, classes)
        was = self.start.preprocessing
        if not self.new_head:
            return was
        return Preprocessing(was.inputs, (targets.for_classes(classes) if classes else targets).fit(training.y))
