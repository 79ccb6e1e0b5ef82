"""The result of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.verification.tolerances import BackendCheck
from .reduction import Reduction
from .weight_map import WeightMap


@dataclass(frozen=True)
class ComparisonReport:
    """The result of a comparison.

    Attributes:
        a, b: what the two models were called.
        backends: on which each was computed.
        map: which weight of `b` is which of `a`.
        checks: in the order in which a difference spreads.
        place: the first nodes, one of each model, whose results differ; None if none was found.
        causes: sentences that say what is set differently there.
        copied: whether the weights of `a` were carried over to `b` before it computed.
        initial: how many weights with a counterpart had other values before that.
        float64: whether everything was computed in float64.
        reduction: what was written to reproduce the difference, if that was asked for.
        notes: what the Keras model of a network trains otherwise than the network, one sentence each.
    """

    a: str
    b: str
    backends: tuple[str, str]
    map: WeightMap
    checks: tuple[BackendCheck, ...]
    place: tuple[str, str] | None
    causes: tuple[str, ...]
    copied: bool
    initial: int
    float64: bool
    notes: tuple[str, ...] = ()
    reduction: Reduction | None = None

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def finding(self) -> str:
        """The verdict as one line of text."""
        if self.passed:
            worst = max((check.difference for check in self.checks), default=0.0)
            copied = ", after the weights of the first were carried over" if self.copied else ""
            return f"the same: {self.a} and {self.b} compute the same, within {worst:.1e}{copied}"
        first = next(check for check in self.checks if not check.passed)
        where = f"{first.what}, {first.where}" + (f" ({first.difference:.1e})" if np.isfinite(first.difference) else "")
        return "; ".join(["different: " + where, *self.causes])

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "verdict": "same" if self.passed else "different",
            "finding": self.finding,
            "a": self.a,
            "b": self.b,
            "backends": list(self.backends),
            "float64": self.float64,
            "copied": self.copied,
            "weights_that_differed": self.initial,
            "map": [piece.to_json() for piece in self.map.pieces],
            "only_in_a": [".".join(key) for key, _ in self.map.only_mine],
            "only_in_b": [".".join(key) for key, _ in self.map.only_others],
            "place": list(self.place) if self.place else None,
            "causes": list(self.causes),
            "checks": [{**check.to_json(), "backends": ["a", "b"]} for check in self.checks],
            "notes": list(self.notes),
            "reduction": self.reduction.to_json() if self.reduction else None,
        }
