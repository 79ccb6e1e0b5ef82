"""Compare two models that were written independently: layer by layer, by gradients, steps and a curve of losses.

The weights of the first are carried over to the second by a map that is found (`matching.py`, `weight_map.py`). Both
then compute with the same batches, each in a worker of its backend, and what they compute is compared in the order in
which a difference spreads, within the tolerances that `engine/verification` measures.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog
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
from ..graph.graph import Spec
from ..notebook.live import shows_progress
from ..storage.atomic import new_folder, require_empty_folder, require_writable_file
from . import causes, sides
from .alignment import NodePair, align, between
from .artifact_comparison import ARTIFACTS, compare_with_artifact
from .axes import in_order, order_of_axes
from .copying import write_copy
from .description import Description, describe, from_message, sources_of
from .evidence import PairedEvidence, label
from .initial_weights import drawn_otherwise
from .map_file import read_map, require_known, write_map
from .matching import Matching, match
from .reduction import PARTS, Reduction, find_cuts, run_part, write_part, write_script
from .report import ComparisonReport, LayerDifference
from .sides import NotRebuiltError, Side, Source
from .units import units_of
from .weight_map import WeightKey, weight_map
from .weight_orders import relation

SETTINGS, COUNTERPARTS = "settings of training", "weights without a counterpart"
INITIAL = "weights as they are"
STEPS = 20


@shows_progress
def compare(
    a: Any,
    b: Any,
    *,
    copy: bool | str | Path = True,
    known_pairs: Mapping[str, str] | str | Path | None = None,
    map_out: str | Path | None = None,
    reduce: str | Path | None = None,
    backends: Sequence[str] = (),
    steps: int = STEPS,
    float64: bool = False,
    loss: str = "mean_squared_error",
    optimizer: str = "sgd",
    seed: int = 1,
    listener: Listener | None = None,
) -> ComparisonReport:
    """Compare two models that were written independently.

    Args:
        a, b: each a recipe, a bundle, a run folder, a Keras model or its file, an `.onnx` or `.pt2` file, an
            `nn.Module` or `tf.Module` (or `(module, example_inputs)`), `(function of JAX, parameters, example_inputs)`,
            or `path/to/file.py:function` that returns one of these. One of the two may be an artifact (OpenVINO,
            LiteRT, SavedModel): its answers are compared, and the results inside; a `tf.Module` becomes one.
        copy: carry the weights of `a` over to `b` before they compute; a `.keras` file to write `b` to with them, too.
            If False, both compute with their own.
        known_pairs: the names of layers of `b` by those of `a`, where the map that is found is wrong; or a file with a
            line `layer of a: layer of b` for each.
        map_out: a file to write the map to in this form.
        reduce: a folder, which must be empty or not be there, for the smallest parts of the two that still differ, on
            one sample, with a script that runs without trivium. It is written only if one pass differs.
        backends: on which `a` and `b` compute: one name or two. The default is the selected backend.
        steps: the number of training steps.
        float64: compute in float64.
        loss, optimizer: Keras' names of those to train both by.
        seed: of the inputs and targets that are drawn.
        listener: called with `{"kind": "verify", "title", "stage", "done", "total"}` events.

    Returns:
        The report: the map of the weights, every check, the first place where they part, and its causes.

    Raises:
        OptionError: a side is nothing that can be compared, or the two take other inputs.
        PortError: a network cannot be rebuilt in Keras, or a layer cannot be read.
        FileError, OutputError: a map cannot be read, or a file cannot be written.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
        >>> trivium.compare((net, (torch.randn(2, 4),)), model, steps=2).passed
        True
    """
    names = _two_backends(backends)
    if steps < 1:
        raise OptionError(f"steps must be 1 or more, received {steps}")
    announce = listener or (lambda event: None)
    pairs = read_map(Path(known_pairs)) if isinstance(known_pairs, (str, Path)) else dict(known_pairs or {})
    out = None if isinstance(copy, bool) else Path(copy)
    if reduce is not None:
        require_empty_folder(Path(reduce))
    for path in (out, map_out):
        if path is not None:
            require_writable_file(Path(path))
    sources = sides.classify(a), sides.classify(b)
    runnable = _runnable(sources, out is None and not pairs and map_out is None and reduce is None and not float64)
    with tempfile.TemporaryDirectory() as scratch:
        run = functools.partial(compare_with_artifact, runnable or sources, Path(scratch), names, seed, announce)
        if any(source.kind in ARTIFACTS for source in sources):
            return run()
        try:
            pair = _resolve_both(sources, Path(scratch), announce)
        except NotRebuiltError as error:
            if runnable is None:
                raise
            return run(note=str(error))
        trained = {"loss": loss, "optimizer": optimizer, "without_dropout": True}
        pair = pair[0].with_settings(trained, seed, float64), pair[1].with_settings(trained, seed, float64)
        comparison = _Comparison(pair, names, announce, pairs)
        if runnable and not comparison.maps_all_weights:
            return run(note="Not every weight has a counterpart, so both compute with their own.")
        if map_out is not None:
            write_map(Path(map_out), comparison.matching)
        return comparison.judge(steps, copy is not False, out, None if reduce is None else Path(reduce))


def _runnable(sources: tuple[Source, Source], is_plain: bool) -> tuple[Source, Source] | None:
    """Return the sources with an ONNX graph as an artifact, which its runtime can compute; None if both are models.

    Args:
        is_plain: whether nothing is asked for that needs the layers and weights of both.
    """
    if not is_plain and any(source.kind in ARTIFACTS for source in sources):
        raise OptionError("an artifact computes as it is: leave out the map, the copy, the reduction, float64")
    as_run = sides.as_artifact(sources[0]), sides.as_artifact(sources[1])
    return as_run if is_plain and sum(source.kind in ARTIFACTS for source in as_run) == 1 else None


def _two_backends(names: Sequence[str]) -> tuple[str, str]:
    if len(names) > 2:
        raise OptionError(f"compare computes on one backend or two, received {', '.join(names)}")
    chosen = [backend.name for backend in catalog.resolve(names)] if names else [catalog.selected().name]
    return chosen[0], chosen[-1]


def _resolve_both(sources: tuple[Source, Source], folder: Path, listener: Listener) -> tuple[Side, Side]:
    """Resolve first the side that tells its inputs, where the other has no example inputs."""
    if all(source.needs_examples for source in sources):
        raise OptionError("neither side tells example inputs: let one function return (module, example_inputs)")
    resolved: dict[int, Side] = {}
    for place in sorted((0, 1), key=lambda place: sources[place].needs_examples):
        specs = _inputs_of(resolved[1 - place]) if sources[place].needs_examples else None
        resolved[place] = sides.resolve(sources[place], folder, specs, listener)
    return resolved[0], resolved[1]


def _inputs_of(side: Side) -> list[Spec]:
    message = worker.get(catalog.selected().name).call(describe, asdict(side.model))
    return [each.spec for each in from_message(message).graph.inputs]


class _Comparison:
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
