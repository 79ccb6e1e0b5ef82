"""The units of a model: the parts that have weights, whatever layer or operation they were written as.

Two people write one architecture as different layers: a dense layer of one is a 1×1 convolution of the other, and the
projections of attention are one dense layer or three. A unit is what is left when such differences are taken away: a
kind, weights in one layout, and the units that it reads from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..graph.graph import Graph, GraphNode

LINEAR, ARRAY = "linear", "array"
# The weights of attention by the unit that they become.
_PROJECTIONS = ("query", "key", "value", "output")
_TABLES = ("embedding", "parameter")


@dataclass(frozen=True, eq=False)
class UnitWeight:
    """One weight of a unit.

    Attributes:
        layer: the name of the layer of the graph that has it.
        name: its name there, such as "kernel".
        places: where each element of the unit's weight lies in the layer's, flattened.
    """

    layer: str
    name: str
    places: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.places.shape


@dataclass(frozen=True, eq=False)
class Unit:
    """A part of a model that has weights.

    Attributes:
        node: the first call of its layer.
        part: its part of the layer, such as "query"; empty if it is the whole layer.
        kind: "linear" for whatever multiplies the last axis by a matrix (in, out), "array" for a trained array that is
            used by itself, or a kind of layer of the graph.
        weights: by role: "kernel", "bias", "gamma", ….
        sources: the names of the units whose outputs it reads, in order; inputs of the model as `input:0`, ….
    """

    node: GraphNode
    part: str
    kind: str
    weights: Mapping[str, UnitWeight]
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.node.layer.name}.{self.part}" if self.part else self.node.layer.name

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Return the roles and shapes of its weights, sorted."""
        return tuple(sorted((role, weight.shape) for role, weight in self.weights.items()))


def units_of(graph: Graph) -> list[Unit]:
    """Return the units of a graph in the order of their first calls.

    A layer that is called several times is one unit; its sources are those of the first call.
    """
    # For each node, the units whose outputs reach it by calls without weights.
    reaching: dict[str, tuple[str, ...]] = {each.name: (f"input:{i}",) for i, each in enumerate(graph.inputs)}
    units: dict[str, Unit] = {}
    for node in graph.nodes:
        sources = tuple(dict.fromkeys(name for ref in node.references for name in reaching[ref.name]))
        parts = list(_parts(node, sources))
        for unit in parts:
            units.setdefault(unit.name, unit)
        reaching[node.name] = (parts[-1].name,) if parts else sources
    return list(units.values())


def _parts(node: GraphNode, sources: tuple[str, ...]) -> Iterator[Unit]:
    if not node.layer.weights or node.kind == "constant":
        return
    if node.kind != "multi_head_attention":
        yield Unit(node, "", *_kind_and_weights(node), sources)
        return
    inner: list[str] = []
    for part in _PROJECTIONS:
        weights = {
            role: UnitWeight(node.layer.name, f"{part}_{role}", _flat_projection(part, role, places))
            for role, places in _places(node, {f"{part}_{role}": role for role in ("kernel", "bias")}).items()
        }
        yield (unit := Unit(node, part, LINEAR, weights, tuple(inner) if part == "output" else sources))
        inner.append(unit.name)


def _places(node: GraphNode, roles: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return the places of the elements of those weights that a layer has, by role."""
    weights = node.layer.weights
    return {
        role: np.arange(weights[name].size).reshape(weights[name].shape)
        for name, role in roles.items()
        if name in weights
    }


def _flat_projection(part: str, role: str, places: np.ndarray) -> np.ndarray:
    """Return the kernel of a projection as (in, out), its bias as (out,)."""
    if role == "bias":
        return places.reshape(-1)
    return places.reshape(-1, places.shape[-1]) if part == "output" else places.reshape(len(places), -1)


def _kind_and_weights(node: GraphNode) -> tuple[str, dict[str, UnitWeight]]:
    places = _places(node, {name: name for name in node.layer.weights})
    kind = node.kind
    if kind in _TABLES:
        kind, places = ARRAY, {"array": next(iter(places.values()))}
        name = next(iter(node.layer.weights))
        return kind, {"array": UnitWeight(node.layer.name, name, places["array"])}
    matrix = _as_matrix(node, places.get("kernel"))
    if matrix is not None:
        kind = LINEAR
        places = {role: each.reshape(-1) if role == "bias" else matrix for role, each in places.items()}
    return kind, {role: UnitWeight(node.layer.name, role, each) for role, each in places.items()}


def _as_matrix(node: GraphNode, kernel: np.ndarray | None) -> np.ndarray | None:
    """Return the kernel as (in, out) if the layer multiplies the last axis by a matrix, else None."""
    if kernel is None:
        return None
    if node.kind == "dense":
        return kernel
    if node.kind == "conv" and node.config["groups"] == 1 and set(kernel.shape[:-2]) == {1}:
        return kernel.reshape(kernel.shape[-2:])
    if node.kind == "einsum_dense":
        return _einsum_matrix(str(node.config["equation"]), kernel)
    return None


def _einsum_matrix(equation: str, kernel: np.ndarray) -> np.ndarray | None:
    """Return the kernel of an einsum as (in, out) if it sums over the last axes of its input and adds new ones last."""
    array, rest = equation.replace("...", "").replace(" ", "").split(",")
    axes, result = rest.split("->")
    summed = [axis for axis in axes if axis in array and axis not in result]
    added = [axis for axis in axes if axis in result and axis not in array]
    if (
        len(summed) + len(added) != len(axes)
        or not array.endswith("".join(summed))
        or not result.endswith("".join(added))
    ):
        return None
    ordered = kernel.transpose([axes.index(axis) for axis in (*summed, *added)])
    return ordered.reshape(int(np.prod(ordered.shape[: len(summed)])), -1)
