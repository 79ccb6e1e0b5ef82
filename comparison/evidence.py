"""What two models computed, each array beside its counterpart, under one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.verification import tolerances
from ..engine.verification.tolerances import (
    FORWARD,
    GRADIENTS,
    LOSS,
    LOSSES,
    PREDICTIONS,
    TRAINING,
    UPDATED,
    NamedArrays,
)
from .alignment import NodePair, forms_of
from .axes import in_order, order_of_axes
from .description import Description
from .weight_map import WeightKey, WeightMap


class PairedEvidence:
    """Brings the evidence of two models into pairs.

    Args:
        described: the two models.
        weight_map: of their weights.
        nodes: the pairs of their nodes.

    Attributes:
        compared: for the label of each pair of nodes whose results were compared, the names of the nodes, one of each
            model, whose results these were: the two themselves, or what brings theirs into another form.
    """

    def __init__(
        self, described: tuple[Description, Description], weight_map: WeightMap, nodes: Sequence[NodePair]
    ) -> None:
        self._described = described
        self._weight_map = weight_map
        self._nodes = nodes
        self.compared: dict[str, tuple[str, str]] = {}

    def weights(self, side: int, variables: NamedArrays) -> dict[WeightKey, np.ndarray]:
        """Return arrays of a model's variables, such as gradients, by the layers and weights of its graph."""
        values = dict(variables)
        described = self._described[side]
        shapes = {
            (layer.name, name): array.shape for layer in described.graph.layers for name, array in layer.weights.items()
        }
        return {key: values[path].reshape(shapes[key]) for key, path in described.variables.items() if path in values}

    def with_weights(self, variables: NamedArrays, weights: Mapping[WeightKey, np.ndarray]) -> NamedArrays:
        """Return the second model's variables with these weights in place of its own."""
        by_path = {self._described[1].variables[key]: array for key, array in weights.items()}
        return [(path, by_path.get(path, value)) for path, value in variables]

    def in_pairs(
        self, mine: dict[str, Any], others: dict[str, Any]
    ) -> tuple[dict[str, NamedArrays], dict[str, NamedArrays]]:
        """Return the evidence of both by kind, each array beside its counterpart, under one name."""
        kinds = tolerances.by_kind(mine), tolerances.by_kind(others)
        curves = [{what: of_kind.get(what, []) for what in (LOSS, LOSSES)} for of_kind in kinds]
        expected: dict[str, NamedArrays] = curves[0]
        received: dict[str, NamedArrays] = curves[1]
        for what in (FORWARD, TRAINING):
            expected[what], received[what] = self._paired_results(kinds[0][what], kinds[1][what])
        for what in (GRADIENTS, UPDATED):
            expected[what], received[what] = self._paired_weights(kinds[0].get(what, []), kinds[1].get(what, []))
        expected[PREDICTIONS], received[PREDICTIONS] = self._paired_outputs(
            *(each.get(PREDICTIONS, []) for each in kinds)
        )
        return expected, received

    def _paired_results(self, mine: NamedArrays, others: NamedArrays) -> tuple[NamedArrays, NamedArrays]:
        """Return the results of the aligned nodes that both models recorded, up to the first of other shapes.

        A node and its counterpart may differ in shape where one model crops, pads or transposes afterwards; then what
        comes after that is compared. Where that does not help, the two are paired only if no later pair fits again.
        """
        arrays = tolerances.by_name(mine), tolerances.by_name(others)
        expected: NamedArrays = []
        received: NamedArrays = []
        unlike: list[tuple[str, np.ndarray, np.ndarray]] = []
        for pair in self._nodes:
            candidates = [
                [(name, by_key[description.records[name]]) for name in names if description.records.get(name) in by_key]
                for description, by_key, names in zip(
                    self._described, arrays, _results(self._described, pair), strict=True
                )
            ]
            fitting = [
                ((name, other_name), array, other)
                for name, array in candidates[0][::-1]
                for other_name, other in candidates[1][::-1]
                if array.shape == other.shape
            ]
            if fitting:
                self.compared[label(pair)], array, other = fitting[0]
                expected.append((label(pair), array))
                received.append((label(pair), other))
                unlike = []
            elif candidates[0] and candidates[1] and _are_unlike(candidates[0][0][1], candidates[1][0][1]):
                unlike.append((label(pair), candidates[0][0][1], candidates[1][0][1]))
        if unlike:
            expected.append(unlike[0][:2])
            received.append((unlike[0][0], unlike[0][2]))
        return expected, received

    def _paired_weights(self, mine: NamedArrays, others: NamedArrays) -> tuple[NamedArrays, NamedArrays]:
        arrays = self.weights(0, mine), self.weights(1, others)
        mapped = {piece.others for piece in self._weight_map.pieces if piece.mine in arrays[0]}
        carried = self._weight_map.carry_over(*arrays)
        both = [(".".join(key), carried[key], arrays[1][key]) for key in carried if key in mapped]
        return [(name, array) for name, array, _ in both], [(name, array) for name, _, array in both]

    def _paired_outputs(self, mine: NamedArrays, others: NamedArrays) -> tuple[NamedArrays, NamedArrays]:
        expected = [
            (f"output {number}", in_order(array, order_of_axes(array.shape, other.shape, "outputs")))
            for number, ((_, array), (_, other)) in enumerate(zip(mine, others, strict=True), 1)
        ]
        return expected, [(name, array) for (name, _), (_, array) in zip(expected, others, strict=True)]


def _results(described: tuple[Description, Description], pair: NodePair) -> list[list[str]]:
    """Return for each of two nodes its name, and those of the nodes that only bring its result into another form."""
    return [
        [node.name, *(each.name for each in forms_of(description.graph, node))]
        for description, node in zip(described, (pair.mine, pair.others), strict=True)
    ]


def _are_unlike(mine: np.ndarray, others: np.ndarray) -> bool:
    """Return whether two arrays have other lengths, and not only their axes in another order."""
    return sorted(mine.shape) != sorted(others.shape)


def label(pair: NodePair) -> str:
    """Return the name of a pair of nodes in checks."""
    return f"{pair.mine.name} | {pair.others.name}"
