"""Data preprocessing: an ordered list of small steps, fitted on the training split only, stored as JSON in a bundle.

Inputs and targets have a chain of steps each. For a series, both chains yield the same number of samples: the windows,
and the values that follow them. The steps are in `transforms.py`, `feature_scaling.py` and `tokens.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import DataError
from ...models.recipe import PreprocessingStep
from ...storage.budget import STEPS
from ..deferred_array import DeferredArray
from ..nests import Nest, deferred, is_array, is_deferred, map_rows, sample_count
from .feature_scaling import MinMax, Scale, Standardise, StandardiseValues
from .table_columns import TableColumns
from .text_words import TextWords
from .tokens import CharTokenizer, WordTokenizer
from .transforms import Cast, ChannelAxis, NextValue, NextValues, OneHot, Reshape, Signs, Transform, Window

# The kinds are the names of the steps in recipes and bundles. They are data: a class may be renamed, its kind may not.
TRANSFORMS: dict[str, type[Transform]] = {
    transform.kind: transform
    for transform in (
        *(TableColumns, TextWords, Cast, Scale, MinMax, Standardise, StandardiseValues, Reshape, ChannelAxis, OneHot),
        *(Signs, Window, NextValue, NextValues, CharTokenizer, WordTokenizer),
    )
}


@dataclass(frozen=True)
class Chain:
    """A sequence of preprocessing steps."""

    steps: tuple[Transform, ...] = ()

    def fit(self, values: np.ndarray) -> Chain:
        """Return the chain with each step fitted on the training data as the earlier steps transform it."""
        fitted = []
        for step in self.steps:
            _require_memory(step, values)
            fitted.append(step.fit(values))
            values = _apply(fitted[-1], values)
        return Chain(tuple(fitted))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        for step in self.steps:
            values = _apply(step, values)
        return values

    def for_classes(self, count: int) -> Chain:
        """Return the chain for labels of `count` classes.

        Raises:
            DataError: a step has fewer classes.
        """
        return Chain(tuple(step.for_classes(count) if isinstance(step, OneHot) else step for step in self.steps))

    def inverse(self, values: np.ndarray) -> np.ndarray:
        for step in reversed(self.steps):
            values = step.inverse(values)
        return values

    def require_usable(self) -> None:
        """Raise a DataError unless each step can be applied: a file may describe one that cannot, or too many steps."""
        if len(self.steps) > STEPS:
            raise DataError(f"the preparation has {len(self.steps):,} steps, at most {STEPS} are read")
        for step in self.steps:
            if flaw := step.flaw():
                raise DataError(f"the step {step.kind!r} {flaw}")

    def to_json(self) -> list[dict[str, Any]]:
        return [{"kind": step.kind, **asdict(step)} for step in self.steps]  # type: ignore[call-overload]

    @classmethod
    def from_steps(cls, steps: Iterable[PreprocessingStep]) -> Chain:
        """Return the chain of a recipe's steps, not fitted yet."""
        return cls(tuple(make(step.kind, dict(step.settings)) for step in steps))

    @classmethod
    def from_json(cls, value: list[dict[str, Any]]) -> Chain:
        return cls(tuple(make(entry["kind"], {k: v for k, v in entry.items() if k != "kind"}) for entry in value))


@dataclass(frozen=True)
class Preprocessing:
    """The two chains of a training run: one for the inputs x, one for the targets y.

    A nest of several arrays has no preprocessing: its chains have no steps.

    Example:
        >>> preparation = trivium.load("runs/flowers").preprocessing
        >>> x, y = preparation.pairs(np.array([[5.1, 3.5, 1.4, 0.2]]), np.array([0]))
        >>> x.shape, str(x.dtype)
        ((1, 4), 'float32')
    """

    inputs: Chain = Chain()
    targets: Chain = Chain()

    def fit(self, x: Nest, y: Nest, classes: int | None = None) -> Preprocessing:
        """Return both chains fitted on the training split.

        Integer images without any input step are cast to float32 here, so that no backend casts them in its own way.

        Args:
            x, y: raw samples and targets of the training split only.
            classes: the number of classes in the whole dataset, if known: the training split may lack some.

        Raises:
            DataError: a step refuses the data, or there are more classes than the model has outputs.
        """
        _require_array_for(self.inputs, x, "inputs")
        _require_array_for(self.targets, y, "targets")
        pixels = not self.inputs.steps and is_array(x) and x.ndim >= 3 and x.dtype.kind in "biu"
        inputs = Chain((Cast(),)) if pixels else self.inputs
        targets = self.targets.for_classes(classes) if classes else self.targets
        return Preprocessing(inputs.fit(x), targets.fit(y))

    def pairs(self, x: Nest, y: Nest) -> tuple[Nest, Nest]:
        """Return the prepared inputs and targets, matched sample by sample.

        Raises:
            DataError: a step refuses the data, or the two chains disagree about the number of samples.
        """
        if is_deferred(x) or is_deferred(y):
            x, y = deferred(x), deferred(y)
        inputs, targets = self.inputs(x), self.targets(y)
        surplus = sum(step.windows_without_target for step in self.inputs.steps)
        samples, expected = sample_count(inputs), sample_count(targets)
        if samples != expected and expected <= samples <= expected + surplus:
            return inputs[:expected], targets
        if samples != expected:
            raise DataError(f"{samples} prepared samples but {expected} prepared targets")
        return inputs, targets

    @property
    def table(self) -> TableColumns | None:
        """The step that prepares the columns of a table, if there is one."""
        return next((step for step in self.inputs.steps if isinstance(step, TableColumns)), None)

    @property
    def text(self) -> TextWords | None:
        """The step that reads sentences, if there is one."""
        return next((step for step in self.inputs.steps if isinstance(step, TextWords)), None)

    def to_json(self) -> dict[str, Any]:
        return {"inputs": self.inputs.to_json(), "targets": self.targets.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Preprocessing:
        return cls(Chain.from_json(value["inputs"]), Chain.from_json(value["targets"]))


def _apply(step: Transform, values: Any) -> Any:
    """Return the values after a step; those of a deferred array are prepared when they are read."""
    _require_memory(step, values)
    return map_rows(step, values)


def _require_memory(step: Transform, values: Any) -> None:
    """Raise a DataError if a step takes all values at once and they are not in memory."""
    if step.needs_memory and isinstance(values, DeferredArray):
        raise DataError(f"the step {step.kind!r} needs all of the data in memory: load them by `stored=no`")


def _require_array_for(chain: Chain, nest: Nest, side: str) -> None:
    """Raise a DataError if a chain with steps is for one array and gets several."""
    if chain.steps and not is_array(nest):
        raise DataError(f"its {side} are several arrays, and the preprocessing of the recipe is for one")


def make(kind: str, settings: dict[str, Any]) -> Transform:
    """Make the step of that kind.

    Raises:
        DataError: there is no such kind.
    """
    if kind not in TRANSFORMS:
        raise DataError(f"unknown preprocessing step {kind!r} (known: {', '.join(TRANSFORMS)})")
    return TRANSFORMS[kind](**{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()})
