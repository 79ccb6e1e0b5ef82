"""The preprocessing of windows of a series: of a recipe's steps those that do not cut windows, or else a scaling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...data.series.windows import SeriesWindows
from ...errors import DataError
from ...models.recipe import SERIES_STEPS, PreprocessingStep, Recipe, step

# Steps for which windows of numbers are no input: a text, and targets at each value of a window.
_OF_OTHER_DATA = frozenset(("letters", "words", "ahead"))

Steps = list[PreprocessingStep]


def series_steps(recipe: Recipe, options: Mapping[str, Any], series: SeriesWindows) -> tuple[Steps, Steps]:
    """Return the steps of the inputs and of the targets of a series that is cut into windows already.

    A recipe's own steps hold, where it has any that do not cut windows out of a wave. Else each column of the inputs is
    standardised, and each target, because they are in a user's units.

    Raises:
        DataError: the recipe is for a text, or predicts at each value of a window.
    """
    kinds = _kinds(recipe)
    if kinds & _OF_OTHER_DATA:
        raise DataError("it does not predict the values after a window: take rnn/lstm, or a model of your own")
    if not is_scaled(recipe):
        return recipe.steps(recipe.inputs, options), recipe.steps(recipe.targets, options)
    # The rows of a horizon are one value at several times, so they have one scale.
    axis = -1 if len(series.targets) > 1 else "all"
    return [step("standardise", axis=-1)], [step("standardise", axis=axis)]


def series_notes(recipe: Recipe) -> list[str]:
    """Return a sentence for what is done to a series without being asked for."""
    if not is_scaled(recipe):
        return []
    return [
        "Each column of the series is scaled to a mean of 0 and a deviation of 1 over the training part; predictions "
        "and rms_error are in the units of the data."
    ]


def is_scaled(recipe: Recipe) -> bool:
    """Return whether series are scaled for a recipe: it has no steps, or steps that cut windows out of a wave."""
    kinds = _kinds(recipe)
    return not kinds or bool(kinds & SERIES_STEPS)


def _kinds(recipe: Recipe) -> set[str]:
    return {each.kind for each in (*recipe.inputs, *recipe.targets)}
