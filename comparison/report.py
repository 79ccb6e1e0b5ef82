"""The result of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.verification.check_views import checks_table
from ..engine.verification.tolerances import BackendCheck
from ..notebook.elements import to_html
from ..notebook.parts import heading, sentences, verdict
from ..storage.safe_json import finite
from .reduction import Reduction
from .weight_map import WeightMap

# The check of what an artifact answers.
ANSWERS = "answers"


@dataclass(frozen=True)
class LayerDifference:
    """How far two parts differ that have the same place in two models.

    Attributes:
        mine, others: their names.
        kind: as in `graph/layer_kinds.py`.
        difference: of their results in inference, relative to the largest value; infinite if the shapes differ.
        tolerance: how far rounding may move it.
    """

    mine: str
    others: str
    kind: str
    difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        values = {"difference": finite(self.difference), "tolerance": self.tolerance, "passed": self.passed}
        return {"a": self.mine, "b": self.others, "kind": self.kind, **values}


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
        other_weights: how many weights with a counterpart had other values before that.
        float64: whether everything was computed in float64.
        layers: of all parts whose results were compared, in the order of computation.
        losses: of each training step of both; empty if they were not trained.
        graph: of each part of `a` its kind, and the parts that it is computed from.
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
    other_weights: int
    float64: bool
    layers: tuple[LayerDifference, ...] = ()
    losses: tuple[list[float], list[float]] | tuple[()] = ()
    graph: Mapping[str, tuple[str, Sequence[str]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reduction: Reduction | None = None

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def of_artifact(self) -> bool:
        """Whether `b` is an artifact, of which a runtime told its answers and the results inside."""
        return any(check.what == ANSWERS for check in self.checks)

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

    def __repr__(self) -> str:
        return self.finding

    def _repr_html_(self) -> str:
        sides = f"A: {self.a} on {self.backends[0]}", f"B: {self.b} on {self.backends[1]}"
        return to_html(
            heading("compare", *sides, "in float64" if self.float64 else ""),
            verdict(self.passed, self.finding),
            checks_table(self.checks),
            *sentences(self.notes),
        )

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
            "other_weights": self.other_weights,
            "map": [piece.to_json() for piece in self.map.pieces],
            "only_in_a": [".".join(key) for key, _ in self.map.only_mine],
            "only_in_b": [".".join(key) for key, _ in self.map.only_others],
            "place": list(self.place) if self.place else None,
            "causes": list(self.causes),
            "checks": [{**check.to_json(), "backends": ["a", "b"]} for check in self.checks],
            "layers": [layer.to_json() for layer in self.layers],
            "losses": [finite(curve) for curve in self.losses],
            "notes": list(self.notes),
            "reduction": self.reduction.to_json() if self.reduction else None,
        }
