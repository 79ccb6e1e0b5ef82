"""Find the repeated structure of a graph: the families of segments that are worth a class or a function.

A family is chosen where it saves most lines: each segment that it covers is written once instead of each time, and a
class needs some lines of its own. Segments that Keras names alike (`conv2_block1_…`) come before others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Sequence
from itertools import pairwise

from .block_names import label_of, stem_of
from .graph import Graph
from .segments import Segment, SegmentScanner

_FEWEST, _SHORTEST = 3, 3  # blocks of a family, nodes of a block
# Lines of a class, and of an attribute with its call; lines that a family must save.
_CLASS, _USE, _LEAST_SAVED = 8, 2, 6
# How much the lines count of a family whose blocks have names in Keras, and of one whose layers have unlike names.
_NAMED, _UNLIKE = 1.5, 0.25

Family = list[Segment]


class RepetitionFinder:
    """Chooses families of segments that do not overlap.

    Args:
        graph: the graph.
        text_of: returns what the backend would write for a segment, without its numbers; segments with another text
            are another family.
        occupied: the positions of nodes that are already in a block of an own layer.
    """

    def __init__(
        self, graph: Graph, text_of: Callable[[Segment], Hashable], occupied: Collection[int] = frozenset()
    ) -> None:
        self._graph = graph
        self._text_of = text_of
        self._scanner = SegmentScanner(graph)
        self._free = [position not in occupied for position in range(len(graph.nodes))]

    def families(self) -> list[Family]:
        """Return the families, each in the order of the model; that which saves most comes first."""
        groups = [group for group in self._scanner.alike(_SHORTEST) if self._can_repeat(group)]
        families: list[Family] = []
        while groups:
            chosen = [(self._apart(group), group) for group in groups]
            chosen = [(family, group) for family, group in chosen if self._score(family) >= (_LEAST_SAVED,)]
            if not chosen:
                break
            family, best = max(chosen, key=lambda pair: self._score(pair[0]))
            groups = [group for _, group in chosen if group is not best]
            same_text = self._by_text(family)
            if len(same_text) > 1:
                groups += same_text
                continue
            families.append(family)
            for segment in family:
                self._free[segment.start : segment.stop] = [False] * segment.length
        return families

    def runs(self, family: Family) -> list[Family]:
        """Return the segments in runs, of which each segment reads the result of the one before it."""
        runs = [[family[0]]]
        for before, after in pairwise(family):
            if self._follows(before, after):
                runs[-1].append(after)
            else:
                runs.append([after])
        return runs

    def _follows(self, before: Segment, after: Segment) -> bool:
        return (
            after.start == before.stop
            and after.inputs[0] == before.output
            and after.inputs[1:] == before.inputs[1:]
            and self._scanner.last_reader[before.output] < after.stop
        )

    def label(self, segment: Segment) -> str:
        """Return what Keras calls a segment."""
        return label_of(self._graph.nodes[segment.start : segment.stop])

    def _is_named(self, segment: Segment) -> bool:
        """Return whether a segment is all that has its label."""
        label = self.label(segment)
        nodes = self._graph.nodes
        around = [nodes[place].name for place in (segment.start - 1, segment.stop) if 0 <= place < len(nodes)]
        return bool(label) and not any(name.startswith(f"{label}_") for name in around)

    def _can_repeat(self, group: Sequence[Segment]) -> bool:
        return len(group) >= _FEWEST and (not self._scanner.is_repetitive(group[0]) or self._is_named(group[0]))

    def _apart(self, group: Sequence[Segment]) -> Family:
        """Return segments of a group that do not overlap, preferably those with a name."""
        free = list(self._free)
        family = []
        for segment in sorted(group, key=lambda each: (not self._is_named(each), each.start)):
            if all(free[segment.start : segment.stop]):
                free[segment.start : segment.stop] = [False] * segment.length
                family.append(segment)
        return sorted(family, key=lambda each: each.start)

    def _score(self, family: Family) -> tuple[float, int]:
        """Return the lines that are saved, as one for a node and one for its weights; of equals the first is more."""
        if len(family) < _FEWEST:
            return 0, 0
        lines = sum(2 if self._graph.nodes[position].layer.weights else 1 for position in family[0].positions)
        saved = (len(family) - 1) * lines - _CLASS - _USE * len(self.runs(family))
        return saved * self._naming(family), -family[0].start

    def _naming(self, family: Family) -> float:
        if all(self._is_named(segment) for segment in family):
            return _NAMED
        names = [[node.name for node in self._graph.nodes[each.start : each.stop]] for each in family]
        stems = {tuple(stem_of(name) for name in each) for each in names}
        return 1 if len(stems) == 1 else _UNLIKE

    def _by_text(self, family: Family) -> list[Family]:
        groups: dict[Hashable, Family] = defaultdict(list)
        for segment in family:
            groups[self._text_of(segment)].append(segment)
        return list(groups.values())
