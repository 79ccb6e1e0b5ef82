"""Preparation of data: an ordered list of small steps, fitted on the training split only.

The steps themselves are in `transforms.py`. As JSON, preparation travels inside a bundle. Windows of a wave and their
targets are two chains that cut the same ends off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import DataError
from ...models.recipe import Step
from .feature_scaling import MinMax, Scale, Standardise
from .tokens import Letters, Words
from .transforms import After, Ahead, Cast, ChannelAxis, OneHot, Reshape, Transform, Window

TRANSFORMS: dict[str, type[Transform]] = {
    transform.kind: transform
    for transform in (
        *(Cast, Scale, MinMax, Standardise, Reshape, ChannelAxis, OneHot),
        *(Window, After, Ahead, Letters, Words),
    )
}


@dataclass(frozen=True)
class Chain:
    """Steps in order."""

    steps: tuple[Transform, ...] = ()

    def fit(self, values: np.ndarray) -> Chain:
        """The chain with each step fitted on what the steps before it make of the training data."""
        fitted = []
        for step in self.steps:
            fitted.append(step.fit(values))
            values = fitted[-1](values)
        return Chain(tuple(fitted))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        for step in self.steps:
            values = step(values)
        return values

    def for_classes(self, count: int) -> Chain:
        """The chain for labels of `count` classes.

        Raises:
            DataError: they are more than a step of it has.
        """
        return Chain(tuple(step.for_classes(count) if isinstance(step, OneHot) else step for step in self.steps))

    def inverse(self, values: np.ndarray) -> np.ndarray:
        for step in reversed(self.steps):
            values = step.inverse(values)
        return values

    def to_json(self) -> list[dict[str, Any]]:
        return [{"kind": step.kind, **asdict(step)} for step in self.steps]  # type: ignore[call-overload]

    @classmethod
    def from_steps(cls, steps: Iterable[Step]) -> Chain:
        """The chain that a recipe names, not fitted yet."""
        return cls(tuple(make(step.kind, dict(step.settings)) for step in steps))

    @classmethod
    def from_json(cls, value: list[dict[str, Any]]) -> Chain:
        return cls(tuple(make(entry["kind"], {k: v for k, v in entry.items() if k != "kind"}) for entry in value))


@dataclass(frozen=True)
class Preprocessing:
    """The two chains of a training run: what is done to x, and what is done to y."""

    inputs: Chain = Chain()
    targets: Chain = Chain()

    def fit(self, x: np.ndarray, y: np.ndarray, classes: int | None = None) -> Preprocessing:
        """Both chains fitted; give the training split and nothing else.

        Images of integers that nothing is to be done to are cast to float32: here, once, not in each backend's own way.

        Args:
            x, y: raw samples and targets.
            classes: how many classes the whole data have, where it is known: a part may lack some.

        Raises:
            DataError: a step refuses the data, or there are more classes than the model tells apart.
        """
        pixels = not self.inputs.steps and x.ndim >= 3 and x.dtype.kind in "biu"
        inputs = Chain((Cast(),)) if pixels else self.inputs
        targets = self.targets.for_classes(classes) if classes else self.targets
        return Preprocessing(inputs.fit(x), targets.fit(y))

    def pairs(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets that belong together, sample by sample.

        Raises:
            DataError: a step refuses the data, or the two chains disagree about the number of samples.
        """
        inputs, targets = self.inputs(x), self.targets(y)
        surplus = sum(step.unmatched for step in self.inputs.steps)
        if len(targets) <= len(inputs) <= len(targets) + surplus:
            inputs = inputs[: len(targets)]
        if len(inputs) != len(targets):
            raise DataError(f"{len(inputs)} prepared samples but {len(targets)} prepared targets")
        return inputs, targets

    def to_json(self) -> dict[str, Any]:
        return {"inputs": self.inputs.to_json(), "targets": self.targets.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Preprocessing:
        return cls(Chain.from_json(value["inputs"]), Chain.from_json(value["targets"]))


def make(kind: str, settings: dict[str, Any]) -> Transform:
    """The step of that kind.

    Raises:
        DataError: there is none.
    """
    if kind not in TRANSFORMS:
        raise DataError(f"unknown step of preparation {kind!r} (known: {', '.join(TRANSFORMS)})")
    return TRANSFORMS[kind](**{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()})
