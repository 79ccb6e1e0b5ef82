"""The comparison of two models whose weights are mapped: what their workers measured, put side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..backends.workers import worker
from ..backends.workers.worker import Listener
from ..engine.verification import measurements, parity, tolerances
from ..engine.verification.model_under_test import StepBatches
from ..engine.verification.tolerances import (
    FORWARD,
    LOSSES,
    TRAINING,
    BackendCheck,
    NamedArrays,
)
from ..errors import OptionError
from ..storage.atomic import new_folder
from . import causes
from .alignment import NodePair, align, between
from .axes import in_order, order_of_axes
from .copying import write_copy
from .description import Description, describe, from_message, sources_of
from .evidence import PairedEvidence, label
from .initial_weights import drawn_otherwise
from .map_file import require_known
from .matching import Matching, match
from .reduction import PARTS, Reduction, find_cuts, run_part, write_part, write_script
from .report import ComparisonReport, LayerDifference
from .sides import Side
from .units import units_of
from .weight_map import WeightKey, weight_map
from .weight_orders import relation

SETTINGS, COUNTERPARTS = "settings of training", "weights without a counterpart"
INITIAL = "weights as they are"


class ModelComparison:
    """One comparison: calls the workers, and compares what they measured."""

    def __init__(
        self, pair: tuple[Side, Side], backends: tuple[str, str], listener: Listener, known_pairs: dict[str, str]
    ) -> None:
        self._pair = pair
        self._backends = backends
        self._listener = listener
        self._described: tuple[Description, Description] = (
            from_message(self._call(0, describe)),
            from_message(self._call(1, describe)),
        )
        mine, others = (description.graph for description in self._described)
        units = units_of(mine), units_of(others)
        require_known(known_pairs, *units)
        self.matching: Matching = match(*units, known_pairs)
        self._map = weight_map(mine, others, self.matching)
        self._nodes: list[NodePair] = align(mine, others, self.matching)
        self._evidence = PairedEvidence(self._described, self._map, self._nodes)
        self._results: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
        self._inputs: list[list[np.ndarray]] = [[], []]
        self._limits: list[float] = []
        self._losses: tuple[list[float], list[float]] | tuple[()] = ()

    @property
    def maps_all_weights(self) -> bool:
        return not self._map.only_mine and not self._map.only_others

    def judge(self, steps: int, copy: bool, out: Path | None, folder: Path | None) -> ComparisonReport:
        """Measure both models and compare them; write the second one with the weights of the first."""
        prepared = [self._call(side, measurements.prepare, steps if side == 0 else 1) for side in (0, 1)]
        batches = (prepared[0]["batches"], self._others_batches(prepared[0]["batches"]))
        variables = prepared[0]["variables"], prepared[1]["variables"]
        own = self._evidence.weights(0, variables[0]), self._evidence.weights(1, variables[1])
        carried = self._map.carry_over(*own)
        others = [key for key in carried if not np.array_equal(carried[key], own[1][key])]
        if copy:
            variables = variables[0], self._evidence.with_weights(variables[1], carried)
            if out:
                self._call(1, write_copy, variables[1], str(out.absolute()))
        # What differs in one pass differs in training: then there is nothing to train for.
        checks = self._compare(measurements.measure_inference, batches, variables)
        if all(check.passed for check in checks):
            checks = self._compare(measurements.measure, batches, variables)
        if not copy and others:
            checks.insert(0, self._check_of_weight(others[0], carried, own[1]))
        if self._map.only_mine or self._map.only_others:
            checks.insert(0, self._without_counterpart())
        training = [sentence for pair in self._nodes for sentence in causes.of_training(pair)]
        if training:
            checks.append(BackendCheck(SETTINGS, self._backends, float("inf"), 0.0, training[0]))
        place = self._place(checks)
        differs = any(check.what == FORWARD and not check.passed for check in checks)
        reduction = self._reduce(place, folder, variables) if place and differs and folder else None
        orders = [] if copy else self._orders_of_weights(others, carried, own[1])
        return ComparisonReport(
            a=self._pair[0].name,
            b=self._pair[1].name,
            backends=self._backends,
            map=self._map,
            checks=tuple(checks),
            place=(place.mine.name, place.others.name) if place else None,
            causes=tuple(dict.fromkeys([*orders, *self._causes(place), *training])),
            copied=copy,
            other_weights=len(others),
            float64=self._pair[0].model.float64,
            layers=self._layer_differences(),
            losses=self._losses if all(self._losses) else (),
            graph=sources_of(self._described[0].graph),
            notes=self._notes(),
            reduction=reduction,
        )

    def _call(self, side: int, function: Any, *arguments: Any) -> Any:
        title = f"{'ab'[side]}: {self._pair[side].name}"
        return worker.get(self._backends[side]).call(
            function,
            asdict(self._pair[side].model),
            *arguments,
            listener=lambda event: self._listener({**event, "title": title}),
        )

    def _notes(self) -> tuple[str, ...]:
        """Return what Keras trains otherwise in each network that was rebuilt, one sentence each."""
        reports = [(side.name, side.port) for side in self._pair if side.port]
        return tuple(
            f"{name}: {sentence}" for name, report in reports for sentence in report.facts.get("trained_otherwise", [])
        )

    # --- the batches of the second model -------------------------------------------------------------------

    def _others_batches(self, batches: StepBatches) -> StepBatches:
        mine, others = (description.graph for description in self._described)
        sides_of = {
            "x": ([each.spec for each in mine.inputs], [each.spec for each in others.inputs]),
            "y": tuple([g.specs[each.reference] for each in g.outputs] for g in (mine, others)),
        }
        moved = {}
        for side, (specs, other_specs) in sides_of.items():
            what = "inputs" if side == "x" else "outputs"
            if len(specs) != len(other_specs):
                raise OptionError(f"the first model has {len(specs)} {what} and the second {len(other_specs)}")
            moved[side] = [
                in_order(array, order_of_axes(spec.shape, other.shape, what), 1)
                for array, spec, other in zip(batches[side], specs, other_specs, strict=True)
            ]
        return moved

    # --- the comparison ----------------------------------------------------------------------------------------------

    def _compare(
        self,
        measure: Callable[..., dict[str, Any]],
        batches: tuple[StepBatches, StepBatches],
        variables: tuple[NamedArrays, NamedArrays],
    ) -> list[BackendCheck]:
        evidence = [self._call(side, measure, batches[side], variables[side], True) for side in (0, 1)]
        dtype = max((each["dtype"] for each in evidence), key=parity.tolerance)
        perturbed = self._call(0, measure, batches[0], tolerances.perturb_named(variables[0], dtype, 1), True)
        expected, received = self._evidence.in_pairs(*evidence)
        self._results = dict(expected[FORWARD]), dict(received[FORWARD])
        self._inputs = [[array[0] for array in of_side["x"]] for of_side in batches]
        moved, _ = self._evidence.in_pairs(perturbed, evidence[1])
        limits = tolerances.derive_tolerances(dtype, expected, moved)
        self._limits = limits[FORWARD]
        curves = [[float(loss) for _, loss in kind[LOSSES]] for kind in (expected, received)]
        self._losses = curves[0], curves[1]
        return [
            tolerances.compare(what, self._backends, expected[what], received[what], limits[what])
            for what in tolerances.LIMITS
            if expected.get(what)
        ]

    def _layer_differences(self) -> tuple[LayerDifference, ...]:
        kinds = {label(pair): pair for pair in self._nodes}
        differences = []
        for (name, mine), others, limit in zip(
            self._results[0].items(), self._results[1].values(), self._limits, strict=True
        ):
            pair = kinds[name]
            relative = _relative_difference(mine, others)
            differences.append(LayerDifference(pair.mine.name, pair.others.name, pair.mine.kind, relative, limit))
        return tuple(differences)

    def _check_of_weight(
        self, key: WeightKey, carried: Mapping[WeightKey, np.ndarray], own: Mapping[WeightKey, np.ndarray]
    ) -> BackendCheck:
        """Return the failed check of a weight that has other values in the second model."""
        difference = _relative_difference(np.atleast_1d(carried[key]), np.atleast_1d(own[key]))
        return BackendCheck(INITIAL, self._backends, difference, 0.0, ".".join(key))

    def _orders_of_weights(
        self,
        keys: Sequence[WeightKey],
        carried: Mapping[WeightKey, np.ndarray],
        own: Mapping[WeightKey, np.ndarray],
    ) -> list[str]:
        """Return how these weights are the first model's in another order, or were drawn otherwise, in sentences."""
        kinds = {layer.name: layer.kind for layer in self._described[1].graph.layers}
        related = {key: relation(carried[key], own[key], kinds[key[0]]) for key in keys}
        sentences = [f"{'.'.join(key)} is the first model's, {words}" for key, words in related.items() if words]
        unrelated = [key for key, words in related.items() if not words]
        return [*sentences, *drawn_otherwise(unrelated, carried, own, kinds)]

    def _without_counterpart(self) -> BackendCheck:
        names = [
            f"{'.'.join(key)} {shape} of the {which}"
            for which, left in (("first", self._map.only_mine), ("second", self._map.only_others))
            for key, shape in left
        ]
        return BackendCheck(COUNTERPARTS, self._backends, float("inf"), 0.0, ", ".join(names))

    # --- where and why -----------------------------------------------------------------------------------------------

    def _place(self, checks: Sequence[BackendCheck]) -> NodePair | None:
        failed = [check for check in checks if not check.passed and check.what in (FORWARD, TRAINING)]
        where = failed[0].where if failed else ""
        labels = {label(pair): pair for pair in self._nodes}
        return next((pair for name, pair in labels.items() if where.startswith((f"{name} at ", f"{name}: "))), None)

    def _reduce(self, place: NodePair, folder: Path, variables: tuple[NamedArrays, NamedArrays]) -> Reduction:
        """Write the smallest parts that differ, and a script that shows it."""
        names = self._evidence.compared.get(label(place), (place.mine.name, place.others.name))
        agreeing = {each: nodes for each, nodes in self._evidence.compared.items() if each != label(place)}
        *cuts, labels = find_cuts(self._described, agreeing, names)
        samples = [self._samples(side, labels, label(place)) for side in (0, 1)]
        with new_folder(folder) as staged:
            paths = [str(staged / name) for name in PARTS]
            layers = [
                self._call(side, write_part, variables[side], cuts[side].starts, cuts[side].end, paths[side])["layers"]
                for side in (0, 1)
            ]
            what = f"{label(place)}: the first has {', '.join(layers[0])}; the second {', '.join(layers[1])}."
            write_script(staged, what, samples)
            answers = [worker.get(self._backends[side]).call(run_part, paths[side], samples[side]) for side in (0, 1)]
        return Reduction(str(folder), (len(layers[0]), len(layers[1])), _relative_difference(*answers))

    def _samples(self, side: int, labels: Sequence[str | int], place: str) -> list[np.ndarray]:
        """Return one sample of each start of a part, where the two models differ most; the first model's results."""
        expected, received = (results[place] for results in self._results)
        unlike = expected.shape != received.shape
        worst = 0 if unlike else int(np.unravel_index(parity.distances(expected, received).argmax(), expected.shape)[0])
        arrays = [self._results[0][each] if isinstance(each, str) else self._inputs[side][each] for each in labels]
        return [array[worst : worst + 1] for array in arrays]

    def _causes(self, place: NodePair | None) -> list[str]:
        sentences = causes.weights_that_one_lacks(self.matching.pairs)
        if place:
            compared = [pair for pair in self._nodes if label(pair) in self._evidence.compared]
            names = {pair.mine.name for pair in compared}, {pair.others.name for pair in compared}
            before = [
                between(description.graph, node, known)
                for description, node, known in zip(self._described, (place.mine, place.others), names, strict=True)
            ]
            pairs = [pair for pair in self._nodes if pair.mine in before[0] and pair.others in before[1]]
            sentences += causes.at_a_place([*pairs, place], *before)
        return sentences


def _relative_difference(mine: np.ndarray, others: np.ndarray) -> float:
    """Return the largest difference relative to the largest value; infinite if the shapes differ."""
    if mine.shape != others.shape:
        return float("inf")
    return parity.difference(mine, others).relative if mine.size else 0.0
