"""Find for each unit of one model its counterpart in another: by what it is, and by where it stands.

Names and the order in which layers were written say little. So each pair of units is scored by how much of their
surroundings agrees, and the pairs with the largest sum of scores are taken. The surroundings are compared by colours
(Weisfeiler and Leman): the colour of a unit after r rounds is the same as another's if all that stands within r units
before it (or after it) is the same.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .units import ARRAY, LINEAR, Unit

_ROUNDS = 10
# The weights of the parts of a score. What lies around a unit tells more than the order, and that more than the name.
_SAME_WEIGHTS, _SURROUNDINGS, _ORDER, _NAME = 8.0, 4.0, 2.0, 0.5
# Below this the two are not counterparts at all.
_IMPOSSIBLE = -1e6


@dataclass(frozen=True, eq=False)
class UnitPair:
    """A unit and its counterparts; several where one model has them in one array, as attention's query, key and value.

    Attributes:
        mine, others: one unit each, but for one unit against three.
    """

    mine: tuple[Unit, ...]
    others: tuple[Unit, ...]


@dataclass(frozen=True)
class Matching:
    """The pairs of two models' units, and the units without a counterpart."""

    pairs: tuple[UnitPair, ...]
    only_mine: tuple[Unit, ...]
    only_others: tuple[Unit, ...]


def match(mine: Sequence[Unit], others: Sequence[Unit], known_pairs: Mapping[str, str] | None = None) -> Matching:
    """Match the units of two models.

    Args:
        known_pairs: pairs that are known: the names of units of the second model, by those of the first.
    """
    from scipy.optimize import linear_sum_assignment

    known = known_pairs or {}
    packed = _packed_pairs(
        [unit for unit in mine if unit.name not in known], [unit for unit in others if unit.name not in known.values()]
    )
    taken = {id(unit) for pair in packed for unit in (*pair.mine, *pair.others)}
    mine_left = [unit for unit in mine if id(unit) not in taken]
    others_left = [unit for unit in others if id(unit) not in taken]
    scores = _scores(mine, others, mine_left, others_left)
    for row, unit in enumerate(mine_left):
        for column, other in enumerate(others_left):
            if unit.name in known or other.name in known.values():
                scores[row, column] = -_IMPOSSIBLE if known.get(unit.name) == other.name else _IMPOSSIBLE
    rows, columns = linear_sum_assignment(scores, maximize=True)
    chosen = [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if scores[r, c] > _IMPOSSIBLE / 2]
    pairs = [UnitPair((mine_left[row],), (others_left[column],)) for row, column in chosen]
    places = {id(unit): place for place, unit in enumerate(mine)}
    return Matching(
        tuple(sorted([*packed, *pairs], key=lambda pair: places[id(pair.mine[0])])),
        tuple(unit for row, unit in enumerate(mine_left) if row not in {r for r, _ in chosen}),
        tuple(unit for column, unit in enumerate(others_left) if column not in {c for _, c in chosen}),
    )


def _packed_pairs(mine: Sequence[Unit], others: Sequence[Unit]) -> list[UnitPair]:
    """Return the pairs of one unit against three that together are as wide, in the order of both."""
    pairs = []
    for one, three, turned in ((mine, others, False), (others, mine, True)):
        single, triples = _unmatched_packed(one, three), _triples(three, one)
        for unit in single:
            triple = next((t for t in triples if _is_packed(unit, t)), None)
            if triple is not None:
                triples.remove(triple)
                pairs.append(UnitPair(triple, (unit,)) if turned else UnitPair((unit,), triple))
    return pairs


def _unmatched_packed(units: Sequence[Unit], others: Sequence[Unit]) -> list[Unit]:
    """Return the linear units three times as wide as deep whose shape the other model has less often."""
    shapes = [other.weights["kernel"].shape for other in others if other.kind == LINEAR]
    candidates = []
    for unit in units:
        if unit.kind != LINEAR or unit.weights["kernel"].shape[1] % 3:
            continue
        if unit.weights["kernel"].shape in shapes:
            shapes.remove(unit.weights["kernel"].shape)
        else:
            candidates.append(unit)
    return candidates


def _triples(units: Sequence[Unit], others: Sequence[Unit]) -> list[tuple[Unit, Unit, Unit]]:
    """Return each three neighbouring linear units that read the same: query, key and value."""
    linear = [unit for unit in units if unit.kind == LINEAR]
    triples, place = [], 0
    while place + 2 < len(linear):
        first, second, third = linear[place : place + 3]
        if (
            first.sources == second.sources == third.sources
            and len({u.weights["kernel"].shape for u in (first, second, third)}) == 1
        ):
            triples.append((first, second, third))
            place += 2
        place += 1
    return triples


def _is_packed(unit: Unit, triple: tuple[Unit, Unit, Unit]) -> bool:
    (depth, width), (other_depth, other_width) = unit.weights["kernel"].shape, triple[0].weights["kernel"].shape
    return (
        depth == other_depth and width == 3 * other_width and ("bias" in unit.weights) == ("bias" in triple[0].weights)
    )


def _scores(mine: Sequence[Unit], others: Sequence[Unit], rows: Sequence[Unit], columns: Sequence[Unit]) -> np.ndarray:
    colours = [_colours(units) for units in (mine, others)]
    scores = np.full((len(rows), len(columns)), _IMPOSSIBLE)
    places = [
        {id(unit): place / max(1, len(units) - 1) for place, unit in enumerate(units)} for units in (mine, others)
    ]
    for row, unit in enumerate(rows):
        for column, other in enumerate(columns):
            fit = _fit(unit, other)
            if fit is None:
                continue
            around = [a == b for a, b in zip(colours[0][id(unit)], colours[1][id(other)], strict=True)]
            scores[row, column] = (
                _SAME_WEIGHTS * fit
                + _SURROUNDINGS * sum(around) / len(around)
                - _ORDER * abs(places[0][id(unit)] - places[1][id(other)])
                + _NAME * difflib.SequenceMatcher(None, unit.name, other.name).ratio()
            )
    return scores


def _fit(unit: Unit, other: Unit) -> float | None:
    """Return how well the weights of two units fit, from 0 to 1; None if the largest ones do not."""
    if unit.kind != other.kind:
        return None
    mine, others = dict(unit.shapes), dict(other.shapes)
    if unit.kind == ARRAY:
        return _fit_of_arrays(mine["array"], others["array"])
    if mine == others:
        return 1.0
    main = max(mine, key=lambda role: np.prod(mine[role]), default="")
    shared = [role for role in mine if mine[role] == others.get(role)]
    return len(shared) / len(mine.keys() | others.keys()) if main in shared else None


def _fit_of_arrays(shape: tuple[int, ...], other: tuple[int, ...]) -> float | None:
    """Return how well two arrays fit that are used by themselves: axes of length 1 and the order of axes may differ."""
    mine, others = ([length for length in each if length != 1] for each in (shape, other))
    if mine == others:
        return 1.0
    if sorted(mine) == sorted(others):
        return 0.9
    return 0.8 if np.prod(shape) == np.prod(other) else None


def _colours(units: Sequence[Unit]) -> dict[int, list[object]]:
    """Return for each unit its colour after each round: of what is before it, then of what is after it."""
    by_name = {unit.name: unit for unit in units}
    readers: dict[str, list[str]] = {unit.name: [] for unit in units}
    for unit in units:
        for source in unit.sources:
            readers.setdefault(source, []).append(unit.name)
    own = {unit.name: (unit.kind, unit.shapes if unit.kind != ARRAY else ()) for unit in units}
    rounds: dict[int, list[object]] = {id(unit): [] for unit in units}
    for neighbours in ({name: unit.sources for name, unit in by_name.items()}, readers):
        colours: dict[str, object] = {name: hash(value) for name, value in own.items()}
        for _ in range(_ROUNDS):
            colours = {
                name: hash((own[name], tuple(sorted(hash(colours.get(each, each)) for each in neighbours[name]))))
                for name in own
            }
            for name, unit in by_name.items():
                rounds[id(unit)].append(colours[name])
    return rounds
