"""Lay out a graph in ranks: each node below those that lead to it, few crossings, and straight long edges.

After Sugiyama, Tagawa and Toda (1981): an edge over several ranks runs through a waypoint in each rank between; nodes
are ordered by the mean place of their neighbours, and moved towards them as far as they do not overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_SWEEPS, _MOVES = 12, 40
_WAYPOINT_WIDTH = 0.2  # in widths of a node
_WAYPOINT_WEIGHT = 4.0  # long edges are kept straight rather than nodes centred

Node = str | tuple[str, str, int]


@dataclass(frozen=True)
class GraphLayout:
    """The places of the nodes of a graph.

    Attributes:
        ranks: the nodes and waypoints of each rank from left to right; a waypoint is (source, target, rank).
        places: the horizontal place of each, in widths of a node from the left end.
        chains: for each edge the nodes and waypoints that it runs through, its ends included.
    """

    ranks: list[list[Node]]
    places: dict[Node, float]
    chains: list[list[Node]]

    def ends(self, first: int, last: int) -> tuple[float, float]:
        """Return the left and the right end of the ranks from `first` up to, not including, `last`."""
        nodes = [node for rank in self.ranks[first:last] for node in rank]
        half = {node: 0.5 if isinstance(node, str) else _WAYPOINT_WIDTH / 2 for node in nodes}
        return min(self.places[n] - half[n] for n in nodes), max(self.places[n] + half[n] for n in nodes)


def layout(sources: Mapping[str, Sequence[str]]) -> GraphLayout:
    """Lay out a graph.

    Args:
        sources: for each node those that lead to it, all of which come before it.
    """
    heights = _heights(sources)
    ranks: list[list[Node]] = [[] for _ in range(max(heights.values()) + 1)]
    for node in sources:
        ranks[heights[node]].append(node)
    chains = []
    for node, before in sources.items():
        for source in dict.fromkeys(before):
            waypoints: list[Node] = [(source, node, rank) for rank in range(heights[source] + 1, heights[node])]
            for rank, waypoint in enumerate(waypoints, start=heights[source] + 1):
                ranks[rank].append(waypoint)
            chains.append([source, *waypoints, node])
    above, below = _neighbours(chains)
    ranks = _ordered(ranks, above, below)
    places = _placed(ranks, above, below)
    return GraphLayout(ranks, places, chains)


def without_cycles(
    sources: Mapping[str, Sequence[str]],
) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Return the nodes in an order in which each comes after those that lead to it, and the edges that close cycles.

    Args:
        sources: for each node those that lead to it, in any order.
    """
    left, forward, backward = dict(sources), {}, []
    while left:
        ready = [node for node, before in left.items() if not any(other in left for other in before)]
        node = (ready or list(left))[0]
        backward += [(other, node) for other in left[node] if other in left]
        forward[node] = [other for other in left.pop(node) if other in forward]
    return forward, backward


def _heights(sources: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the rank of each node: one below the lowest that leads to it; inputs directly above what takes them."""
    heights: dict[str, int] = {}
    for node, before in sources.items():
        heights[node] = max((heights[source] + 1 for source in before), default=0)
    for node, before in sources.items():
        takers = [heights[other] for other, others in sources.items() if node in others]
        if not before and takers:
            heights[node] = min(takers) - 1
    return heights


def _neighbours(chains: Sequence[Sequence[Node]]) -> tuple[dict[Node, list[Node]], dict[Node, list[Node]]]:
    above: dict[Node, list[Node]] = {}
    below: dict[Node, list[Node]] = {}
    for upper, lower in (pair for chain in chains for pair in pairwise(chain)):
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    return above, below


def _ordered(
    ranks: list[list[Node]], above: Mapping[Node, list[Node]], below: Mapping[Node, list[Node]]
) -> list[list[Node]]:
    """Return the ranks in the order with the fewest crossings that alternate sweeps down and up come by."""
    best, fewest = ranks, _crossings(ranks, below)
    current = [list(rank) for rank in ranks]
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for index in range(len(current)) if down else reversed(range(len(current))):
            neighbour = index - 1 if down else index + 1
            if 0 <= neighbour < len(current):
                places = {node: place for place, node in enumerate(current[neighbour])}
                current[index] = _by_mean(current[index], places, above if down else below)
        count = _crossings(current, below)
        if count < fewest:
            best, fewest = [list(rank) for rank in current], count
    return best


def _by_mean(rank: list[Node], places: Mapping[Node, int], neighbours: Mapping[Node, list[Node]]) -> list[Node]:
    means = {
        node: float(np.mean([places[other] for other in neighbours[node]])) if neighbours.get(node) else float(place)
        for place, node in enumerate(rank)
    }
    return sorted(rank, key=lambda node: means[node])


def _crossings(ranks: Sequence[Sequence[Node]], below: Mapping[Node, list[Node]]) -> int:
    total = 0
    for upper, lower in pairwise(ranks):
        places = {node: place for place, node in enumerate(lower)}
        ends = [(left, places[other]) for left, node in enumerate(upper) for other in below.get(node, ())]
        total += sum(1 for n, (a, b) in enumerate(ends) for c, d in ends[n + 1 :] if (a - c) * (b - d) < 0)
    return total


def _placed(
    ranks: Sequence[Sequence[Node]], above: Mapping[Node, list[Node]], below: Mapping[Node, list[Node]]
) -> dict[Node, float]:
    """Return the place of each node: near the mean of its neighbours, and clear of those beside it."""
    places: dict[Node, float] = {}
    for rank in ranks:
        offsets = _offsets(rank)
        places |= {node: offset - offsets[-1] / 2 for node, offset in zip(rank, offsets, strict=True)}
    for sweep in range(_MOVES):
        for rank in ranks if sweep % 2 == 0 else reversed(ranks):
            near = {node: [*above.get(node, ()), *below.get(node, ())] or [node] for node in rank}
            wanted = np.array([np.mean([places[other] for other in near[node]]) for node in rank])
            places |= zip(rank, _without_overlap(rank, wanted).tolist(), strict=True)
    return places


def _without_overlap(rank: Sequence[Node], wanted: np.ndarray) -> np.ndarray:
    """Return the places nearest to the wanted ones (least squares) at which the nodes of a rank do not overlap."""
    from sklearn.isotonic import isotonic_regression

    offsets = _offsets(rank)
    weights = np.array([1.0 if isinstance(node, str) else _WAYPOINT_WEIGHT for node in rank])
    return np.asarray(isotonic_regression(wanted - offsets, sample_weight=weights) + offsets)


def _offsets(rank: Sequence[Node]) -> np.ndarray:
    """Return the least place of each node of a rank, the first at 0."""
    widths = np.array([1.08 if isinstance(node, str) else _WAYPOINT_WIDTH for node in rank])
    return np.asarray(np.concatenate([[0.0], np.cumsum((widths[:-1] + widths[1:]) / 2)]))
