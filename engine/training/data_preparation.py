"""Prepare a dataset for training: hold out a validation part, fit the preprocessing, and build fresh batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.augmentation import Augmentation
from ...data.columns import NUMBER, WORDS
from ...data.dataset import Dataset, Split
from ...data.deferred_array import chunks_of
from ...data.division import Samples
from ...data.likely_mistakes import likely_mistakes
from ...data.nests import is_array
from ...data.preprocessing.pipeline import Chain, Preprocessing
from ...data.preprocessing.table_columns import INDEX, TableColumns
from ...data.preprocessing.text_words import TextWords
from ...data.sample_weights import SampleWeights, product, require_weight_per_sample
from ...data.split import Weights
from ...errors import DataError
from ...models.recipe import PreprocessingStep, Recipe, step
from ..bundles.bundle import Bundle
from .hold_out import HoldOut
from .series_steps import series_steps

if TYPE_CHECKING:
    from ..epochs.batches import TrainingBatches

Prepared = tuple[Preprocessing, Split, Split | None]


@dataclass(frozen=True)
class DataPreparation:
    """How the data of a recipe are prepared.

    Attributes:
        recipe, options: the recipe and its complete options.
        held_out: which of the training data are held out for validation.
        weights: how much each sample counts.
        start: the bundle whose model is trained further; the inputs keep its preprocessing.
        new_head: whether that model gets a new output layer, so that the preprocessing of the targets is fitted again.
        open_sizes: those of `recipe.SIZES` and `recipe.SERIES_SIZES` that the builder takes and the user did not give:
            the data decide them.
    """

    recipe: Recipe
    options: Mapping[str, Any]
    held_out: HoldOut
    weights: SampleWeights
    start: Bundle | None = None
    new_head: bool = False
    open_sizes: frozenset[str] = frozenset()

    def prepare(self, dataset: Dataset) -> Prepared:
        """Return the preprocessing fitted on the training part, and the prepared training and validation parts.

        Raises:
            DataError: the data do not go with the recipe.
        """
        head, tail = self._split_raw(dataset)
        try:
            preprocessing = self._fit(dataset, head)
            training = Split(*preprocessing.pairs(head.x, head.y), head.weight)
            require_weight_per_sample(training)
            validation = None
            if raw := self._validation_part(dataset, tail):
                validation = Split(*preprocessing.pairs(raw.x, raw.y), raw.weight)
        except DataError as error:
            raise DataError(f"{dataset.name}: {self.recipe.name} cannot take this: {error}") from error
        return preprocessing, training, validation

    def fresh_batches(
        self,
        dataset: Dataset,
        preprocessing: Preprocessing,
        augment: Augmentation | None,
        batch_size: int,
        seed: int,
        steps: int | None,
    ) -> TrainingBatches | None:
        """Return batches that are generated or augmented afresh each epoch, or None if the prepared data are fixed.

        Args:
            steps: batches per epoch; None for as many as the data have.
        """
        from ..epochs import batches
        from ..epochs.prefetch import Prefetcher

        if augment and dataset.series:
            raise DataError(f"{dataset.name} is a series: augmentation changes pictures")
        if not dataset.draw and not augment:
            return None
        raw, _ = self._split_raw(dataset)
        count = steps or batches.steps_per_epoch(len(raw), batch_size)
        if dataset.draw:
            fetch = batches.from_generator(self.weights.weighted_draw(dataset), batch_size, seed)
        else:
            fetch = batches.from_memory(raw, batch_size, seed, self.recipe.shuffle, steps)
        # Raw samples may be read in another thread; they are changed where the framework runs.
        ahead = Prefetcher(fetch, count) if raw.is_deferred else None
        prepared = batches.with_preprocessing(ahead or fetch, preprocessing, augment, seed)
        samples = count * batch_size if dataset.draw or steps else len(raw)
        return batches.TrainingBatches(prepared, count, raw_batches=ahead, samples=samples)

    def likely_mistakes(self, dataset: Dataset) -> list[str]:
        """Return a sentence for each probable mistake in the data, given what is held out of them."""
        is_divided = not (dataset.stream or dataset.series)
        return likely_mistakes(dataset, self.held_out.division(dataset) if is_divided else None)

    def fitted_options(self, dataset: Dataset, prepared: Prepared) -> dict[str, Any]:
        """Return the options that the data decide, such as the size of the alphabet or the number of classes."""
        preprocessing, training, _ = prepared
        steps = {step.kind: step for step in preprocessing.inputs.steps}
        counts = {option: len(steps[kind].names) for option, kind in self.recipe.fitted}  # type: ignore[attr-defined]
        sizes = {} if self.start else sizes_of(dataset, training) | _categories(preprocessing)
        return counts | {name: size for name, size in sizes.items() if name in self.open_sizes}

    def _split_raw(self, dataset: Dataset) -> tuple[Split, Samples]:
        """Return the raw training part, and which samples are held out for validation."""
        head, tail = (slice(0, None), slice(0, 0)) if dataset.validation else self.held_out.parts(dataset)
        return _weighted(dataset.train.select(head), self.weights.for_training(dataset, head)), tail

    def _validation_part(self, dataset: Dataset, tail: Samples) -> Split | None:
        """Return the raw samples to validate on: those that the data bring, else those that are held out."""
        if dataset.validation or not len(np.arange(len(dataset.train))[tail]):
            return dataset.validation
        return _weighted(dataset.train.select(tail), self.weights.for_validation(dataset, tail))

    def _fit(self, dataset: Dataset, training: Split) -> Preprocessing:
        """Return the preprocessing, fitted on the raw training part; a bundle's inputs keep its preprocessing."""
        classes = len(dataset.labels) if isinstance(dataset.labels, tuple) else 0
        inputs, targets = map(Chain.from_steps, self._steps(dataset, training))
        if self.start is None:
            if dataset.stream:
                _require_no_fitting((inputs, targets))
            return Preprocessing(inputs, targets).fit(training.x, training.y, classes or None)
        bundled = self.start.preprocessing
        if not self.new_head:
            return bundled
        return Preprocessing(bundled.inputs, (targets.for_classes(classes) if classes else targets).fit(training.y))

    def _steps(
        self, dataset: Dataset, training: Split
    ) -> tuple[Sequence[PreprocessingStep], Sequence[PreprocessingStep]]:
        """Return the steps of the inputs and of the targets."""
        if dataset.series:
            inputs, targets = series_steps(self.recipe, self.options, dataset.series)
            return [*inputs, *self._flatten(training)], targets
        inputs = [*self._flatten(training), *self._input_steps(dataset)]
        targets = self.recipe.steps(self.recipe.targets, self._target_options(dataset))
        return inputs, targets or dataset.target_preparation

    def _target_options(self, dataset: Dataset) -> dict[str, Any]:
        """Return the recipe's options, with the number of classes of the data where the builder takes it from there."""
        is_open = "classes" in self.open_sizes and isinstance(dataset.labels, tuple) and dataset.labels
        return {**self.options, "classes": len(dataset.labels)} if is_open else dict(self.options)

    def _input_steps(self, dataset: Dataset) -> Sequence[PreprocessingStep]:
        """Return the recipe's own steps for the inputs, or else those of the data.

        Raises:
            DataError: the recipe's steps are for numbers without gaps, and a table has something else.
        """
        own = self.recipe.steps(self.recipe.inputs, self.options)
        if not own:
            return dataset.preparation
        of_data = {step.kind: step.settings for step in dataset.preparation}
        if own[0].kind in of_data:
            return [step(own[0].kind, **{**own[0].settings, **of_data[own[0].kind]}), *own[1:]]
        if TextWords.kind in of_data:
            raise DataError(f"{dataset.columns[0].name!r} holds sentences: use text/classes, or a builder of your own")
        if own[0].kind != TableColumns.kind:
            _require_plain_numbers(dataset)
        return own

    def _flatten(self, training: Split) -> list[PreprocessingStep]:
        """Return the step that makes a row of numbers of each sample, for a builder that takes their number."""
        if "inputs" not in self.open_sizes or not is_array(training.x) or training.x.ndim <= 2:
            return []
        return [step("reshape", shape=(math.prod(training.x.shape[1:]),))]


def _require_no_fitting(chains: tuple[Chain, ...]) -> None:
    """Raise a DataError if a step learns from the values of all training data."""
    for transform in (transform for chain in chains for transform in chain.steps):
        if transform.needs_all:
            raise DataError(
                f"the step {transform.kind!r} is fitted on all of the training data, which a stream does not show: "
                "give arrays, or prepared batches to a model of your own"
            )


def _weighted(part: Split, weight: Weights | None) -> Split:
    """Return the part with its weights multiplied by further ones; None counts as 1."""
    if weight is None or part.weight is None:
        return replace(part, weight=part.weight if weight is None else weight)
    return replace(part, weight=product(weight, part.weight))


def _require_plain_numbers(dataset: Dataset) -> None:
    """Raise a DataError if a table has words, dates or gaps."""
    others = [column.name for column in dataset.columns if column.kind != NUMBER]
    if not others and dataset.columns:
        is_gap = np.any([np.isnan(rows).any(axis=0) for rows in chunks_of(dataset.train.x)], axis=0)
        others = [column.name for column, gap in zip(dataset.columns, is_gap, strict=True) if gap]
    if others:
        words = next((column.name for column in dataset.columns if column.kind == WORDS), None)
        raise DataError(
            f"its steps prepare numbers without gaps, and {', '.join(others[:5])} holds words, dates or gaps: use "
            "tabular/mlp, or a builder of your own"
            + (f"; if {words} holds sentences, add `:text={words}` to the name of the data" if words else "")
        )


def _categories(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return the sizes of the embeddings that the words of a table or of sentences need."""
    if preprocessing.text:
        return {"vocabulary": len(preprocessing.text.names)}
    table = preprocessing.table
    return {"categories": table.categories} if table and table.words == INDEX else {}


def sizes_of(dataset: Dataset, training: Split) -> dict[str, Any]:
    """Return the sizes of prepared data that have one array of inputs and one of targets."""
    sizes: dict[str, Any] = {"samples": len(training)}
    if is_array(training.x):
        sizes["picture_shape"] = tuple(training.x.shape[1:])
        sizes["inputs"] = math.prod(training.x.shape[1:])
    if is_array(training.y) and dataset.labels:
        sizes["classes"] = len(dataset.labels)
    elif is_array(training.y):
        sizes["outputs"] = math.prod(training.y.shape[1:])
    if series := dataset.series:
        sizes["window"], sizes["horizon"] = series.windowing.window, series.windowing.horizon
        sizes["features"] = len(series.rows.columns)
    return sizes
