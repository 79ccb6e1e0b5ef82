"""Which element of one model's weights is which of another's: the map by which weights, gradients and steps compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph.graph import Graph
from . import layouts
from .matching import Matching, UnitPair
from .units import ARRAY, LINEAR, Unit, UnitWeight

# The name of a layer of the graph, and of one of its weights.
WeightKey = tuple[str, str]
_THIRDS = ("query", "key", "value")


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a weight, and where it stands in the other model.

    Attributes:
        mine, others: the layer and the name of the weight.
        source: places in the flattened weight of the first model.
        target: the place of each in the flattened weight of the second.
        shapes: of the two weights, as their layers have them.
        how: how the layout differs; empty if it does not.
    """

    mine: WeightKey
    others: WeightKey
    source: np.ndarray
    target: np.ndarray
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    how: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "a": ".".join(self.mine),
            "a_shape": list(self.shapes[0]),
            "b": ".".join(self.others),
            "b_shape": list(self.shapes[1]),
            "layout": self.how,
        }


@dataclass(frozen=True)
class WeightMap:
    """The pieces of all weights that have a counterpart, and the weights that have none.

    Attributes:
        only_mine, only_others: weights without a counterpart, with their shapes.
    """

    pieces: tuple[Piece, ...]
    only_mine: tuple[tuple[WeightKey, tuple[int, ...]], ...]
    only_others: tuple[tuple[WeightKey, tuple[int, ...]], ...]

    def carry_over(
        self, mine: Mapping[WeightKey, np.ndarray], others: Mapping[WeightKey, np.ndarray]
    ) -> dict[WeightKey, np.ndarray]:
        """Return the second model's arrays with the values that the first one has in their places.

        Args:
            mine, others: arrays of the shapes of the weights, such as their gradients; those of the first model may be
                missing.
        """
        carried = {key: array.copy() for key, array in others.items()}
        for piece in self.pieces:
            if piece.mine in mine and piece.others in carried:
                carried[piece.others].reshape(-1)[piece.target] = mine[piece.mine].reshape(-1)[piece.source]
        return carried


def weight_map(mine: Graph, others: Graph, matching: Matching) -> WeightMap:
    """Return the map of all weights of the matched units."""
    pieces = [piece for pair in matching.pairs for piece in _pieces(mine, others, pair)]
    used = [{piece.mine for piece in pieces}, {piece.others for piece in pieces}]
    left = [
        tuple((key, shape) for key, shape in _weights_of(pair_units) if key not in used[side])
        for side, pair_units in enumerate(
            (
                [*(unit for pair in matching.pairs for unit in pair.mine), *matching.only_mine],
                [*(unit for pair in matching.pairs for unit in pair.others), *matching.only_others],
            )
        )
    ]
    return WeightMap(tuple(pieces), *left)


def _weights_of(units: Iterable[Unit]) -> Iterator[tuple[WeightKey, tuple[int, ...]]]:
    for unit in units:
        for weight in unit.weights.values():
            yield (weight.layer, weight.name), unit.node.layer.weights[weight.name].shape


def _pieces(mine: Graph, others: Graph, pair: UnitPair) -> Iterator[Piece]:
    if len(pair.mine) == len(pair.others) == 1:
        (unit,), (other,) = pair.mine, pair.others
        rows, columns = _orders(mine, others, unit, other)
        for role, weight in unit.weights.items():
            if role in other.weights:
                yield _piece(mine, others, unit, other, (weight, other.weights[role]), (rows, columns))
        return
    for number, name in enumerate(_THIRDS):
        unit, other = (units[number % len(units)] for units in (pair.mine, pair.others))
        for role in (role for role in unit.weights if role in other.weights):
            weights = unit.weights[role], other.weights[role]
            thirds = [
                np.split(weight.places, 3, axis=-1)[number] if len(units) == 1 else weight.places
                for weight, units in zip(weights, (pair.mine, pair.others), strict=True)
            ]
            yield _plain_piece((unit, other), weights, (thirds[0], thirds[1]), f"the {name} of three")


def _piece(
    mine: Graph,
    others: Graph,
    unit: Unit,
    other: Unit,
    weights: tuple[UnitWeight, UnitWeight],
    orders: tuple[np.ndarray | None, np.ndarray | None],
) -> Piece:
    """Return the piece of one weight of one unit."""
    places = weights[0].places
    how = []
    if unit.kind == ARRAY:
        source, target = _array_places(mine, others, unit, other, weights)
        how = [] if np.array_equal(source.reshape(-1), target.reshape(-1)) else ["transposed"]
        return _plain_piece((unit, other), weights, (source, target), ", ".join(how))
    rows, columns = orders
    if unit.kind == LINEAR:
        if rows is not None and places.ndim == 2:
            places, how = places[rows], [*how, "rows in another order"]
        if columns is not None:
            places, how = places[..., columns], [*how, "columns in another order"]
    return _plain_piece((unit, other), weights, (places, weights[1].places), ", ".join(how))


def _plain_piece(
    units: tuple[Unit, Unit], weights: tuple[UnitWeight, UnitWeight], places: tuple[np.ndarray, np.ndarray], how: str
) -> Piece:
    shapes = tuple(unit.node.layer.weights[weight.name].shape for unit, weight in zip(units, weights, strict=True))
    if not how and shapes[0] != shapes[1]:
        how = "reshaped"
    keys = [(weight.layer, weight.name) for weight in weights]
    return Piece(keys[0], keys[1], places[0].reshape(-1), places[1].reshape(-1), (shapes[0], shapes[1]), how)


def _orders(mine: Graph, others: Graph, unit: Unit, other: Unit) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the first model's rows and columns in the order of the second's; None where the orders agree."""
    if unit.kind != LINEAR:
        return None, None
    before = [_rows(graph, each) for graph, each in ((mine, unit), (others, other))]
    after = [_columns(graph, each) for graph, each in ((mine, unit), (others, other))]
    return _order(*before), _order(*after)


def _rows(graph: Graph, unit: Unit) -> np.ndarray | None:
    if unit.part or graph.specs[unit.node.references[0]].rank != 2:
        return None
    places = layouts.incoming(graph, unit.node)
    # For each element of the array before it, the row that reads it.
    return None if places is None else np.argsort(places.reshape(-1))


def _columns(graph: Graph, unit: Unit) -> np.ndarray | None:
    shape = unit.node.outputs[0].shape[1:]
    if unit.part or len(shape) != 1 or shape[0] is None:
        return None
    return layouts.outgoing(graph, unit.node, np.arange(shape[0]))


def _order(mine: np.ndarray | None, others: np.ndarray | None) -> np.ndarray | None:
    """Return for each place of the second order the place of the first that means the same; None if they agree."""
    if mine is None or others is None or mine.shape != others.shape or np.array_equal(mine, others):
        return None
    order = np.empty(mine.size, int)
    order[others.reshape(-1)] = mine.reshape(-1)
    return order


def _array_places(
    mine: Graph, others: Graph, unit: Unit, other: Unit, weights: tuple[UnitWeight, UnitWeight]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of two arrays' elements in one order: that in which the next part of each model reads them."""
    if unit.node.kind == other.node.kind == "embedding" and weights[0].shape == weights[1].shape:
        return weights[0].places, weights[1].places
    arrived = [_arriving(graph, each) for graph, each in ((mine, unit), (others, other))]
    if arrived[0].shape == arrived[1].shape:
        return arrived[0], arrived[1]
    if arrived[0].shape == arrived[1].shape[::-1]:
        return arrived[0].T, arrived[1]
    return weights[0].places, weights[1].places


def _arriving(graph: Graph, unit: Unit) -> np.ndarray:
    (weight,) = unit.weights.values()
    places = weight.places
    if unit.node.kind == "embedding":
        places = places[0] if len(places) == 1 else places
    while places.ndim > 1 and places.shape[0] == 1:
        places = places[0]
    return layouts.outgoing(graph, unit.node, places)
