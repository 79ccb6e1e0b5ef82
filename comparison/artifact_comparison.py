"""Compare a model with an artifact that a runtime computes: its answers, and the results inside of it.

An artifact has neither names of layers nor weights to train, so its results are found by their values: a result inside
that equals that of a layer, in whatever order of axes, is that layer's. What an exporter fused has none; but a layer is
right if one that reads it is. The first layer that is not is where the two part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog
from ..backends.workers import worker
from ..backends.workers.worker import Listener
from ..engine.bundles import trust
from ..engine.verification import measurements, parity, tolerances
from ..engine.verification.tolerances import FORWARD, NamedArrays
from ..errors import OptionError, PortError
from ..functions import function_name
from ..graph.graph import Graph, Spec
from ..porting import targets
from ..porting.artifact_worker import artifact_worker, run_artifact
from ..porting.targets import Format
from . import inner_results
from .axes import in_order, order_of_axes, orders
from .description import describe, from_message, sources_of
from .report import ANSWERS, ComparisonReport, LayerDifference
from .sides import ARTIFACT, TENSORFLOW, Side, Source, resolve, save_module
from .weight_map import WeightMap

# The kinds of sources that a runtime computes.
ARTIFACTS = (ARTIFACT, TENSORFLOW)
_INSIDE = {
    "onnx": inner_results.of_onnx,
    "openvino": inner_results.of_openvino,
    "litert": inner_results.of_litert,
}
_SAMPLES = 4  # that both compute: all results inside are kept for them
_SHOWN = 4  # values of a result in a sentence


def compare_with_artifact(
    sources: Sequence[Source], folder: Path, backends: Sequence[str], seed: int, listener: Listener, note: str = ""
) -> ComparisonReport:
    """Compare two sources of which one is an artifact, or becomes one. In the report, the model stands first.

    Args:
        sources: the two.
        folder: for files of models.
        backends: on which the first and the second would compute; the artifact has its own runtime.
        seed: of the inputs that are drawn.
        note: why an artifact is not rebuilt in Keras, where that was tried.

    Raises:
        PortError: the runtime is not installed, or does not run the artifact.
        OptionError: both are artifacts, the two take other inputs, or a SavedModel is not trusted.
    """
    place = next(place for place in (0, 1) if sources[place].kind in ARTIFACTS)
    artifact, other = sources[place], sources[1 - place]
    if other.kind in ARTIFACTS:
        raise OptionError(
            f"{artifact.name} and {other.name} are both artifacts: compare each with the model it came from"
        )
    model = resolve(other, folder, None, listener).with_settings({"batch_size": _SAMPLES}, seed, False)
    comparison = _ArtifactComparison(model, backends[1 - place], listener)
    if artifact.kind == TENSORFLOW:
        artifact = save_module(artifact, folder, comparison.inputs)
    return comparison.judge(artifact, note)


def _usable_format(artifact: Source) -> Format:
    """Return the format of an artifact, if its runtime is installed and may run it."""
    target = next(each for each in targets.FORMATS if each.name == artifact.format)
    if missing := targets.missing(target.packages):
        raise PortError(f"{artifact.name} needs {target.runtime}: pip install {' '.join(missing)}")
    if target.name == "savedmodel" and artifact.is_foreign and not trust.is_enabled():
        raise OptionError(f"{artifact.name}: the operations of a SavedModel may read and write files: --trust runs it")
    return target


class _ArtifactFile:
    """An artifact, and the process that runs it."""

    def __init__(self, source: Source, target: Format) -> None:
        self.source = source
        self.target = target
        self._process = artifact_worker(f"compared {target.name}", catalog.selected().name)

    def answers(self, graph: Graph, x: Sequence[np.ndarray]) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
        """Return the artifact's inputs by its names for them, and its outputs."""
        names = [[each.name for each in graph.inputs], [each.name for each in graph.outputs]]
        signature = self._run({}, names, None)["inputs"]
        if len(signature) != len(x):
            raise OptionError(f"the first model has {len(x)} inputs and the second {len(signature)}")
        specs = [tuple(tensor["shape"]) for tensor in signature]
        arrays = [
            in_order(each, order_of_axes(each.shape, spec, "inputs")) for each, spec in zip(x, specs, strict=True)
        ]
        size = next((spec[0] for spec in specs if spec and spec[0] is not None), None)
        answers = self._run({"x": arrays}, names, size)["answers"]["x"]
        if len(answers) != len(graph.outputs):
            raise OptionError(f"the first model has {len(graph.outputs)} outputs and the second {len(answers)}")
        first = [np.resize(array, (size or len(array), *array.shape[1:])) for array in arrays]
        return dict(zip([tensor["name"] for tensor in signature], first, strict=True)), answers

    def _run(self, batches: dict[str, list[np.ndarray]], names: list[list[str]], size: int | None) -> dict[str, Any]:
        what = f"{self.target.runtime} does not run {self.source.name}"
        return run_artifact(self._process, what, self.target.reader, Path(self.source.value), names, batches, size)

    def inner_results(self, inputs: dict[str, np.ndarray]) -> NamedArrays | None:
        """Return the results inside of the artifact; None if its runtime does not show them."""
        reader = _INSIDE.get(self.target.name)
        if reader is None:
            return None
        path = str(Path(self.source.value).absolute())
        results = self._process.call(inner_results.inner_results, function_name(reader), path, inputs)
        return [(name, array) for name, array in results]


@dataclass(frozen=True)
class _Expected:
    """What the model computes.

    Attributes:
        x: the inputs.
        results: of the nodes that were recorded.
        outputs: of the model.
        limits: how far each of them may differ, by name.
    """

    x: list[np.ndarray]
    results: NamedArrays
    outputs: NamedArrays
    limits: dict[str, float]


@dataclass(frozen=True)
class _Nearest:
    """The result inside of an artifact that is nearest to that of a layer: its name, its distance, its values."""

    name: str
    difference: float
    values: np.ndarray


@dataclass(frozen=True)
class _JudgedLayer:
    """A layer beside the nearest result inside of an artifact, with the values of both."""

    layer: LayerDifference
    mine: np.ndarray
    others: np.ndarray

    def sentence(self, artifact: str) -> str:
        """Return a sentence with both values, where they differ most."""
        start = f"no result inside {artifact} equals that of {self.layer.mine}, nor of what reads it"
        if not self.others.size:
            return start
        mine = self.mine[: len(self.others)]
        place = int(np.argmax(abs(mine.astype("float64") - self.others)))
        at = slice(max(0, place - 1), place + _SHOWN - 1)
        has, should = (", ".join(f"{value:.4g}" for value in array.ravel()[at]) for array in (self.others, mine))
        return f"{start}; the nearest, {self.layer.others}, has {has} where {self.layer.mine} has {should}"


class _ArtifactComparison:
    def __init__(self, model: Side, backend: str, listener: Listener) -> None:
        self._model = model
        self._backend = backend
        self._listener = listener
        self._described = from_message(self._measure(describe))

    @property
    def inputs(self) -> list[Spec]:
        return [each.spec for each in self._described.graph.inputs]

    def judge(self, artifact: Source, note: str) -> ComparisonReport:
        file = _ArtifactFile(artifact, _usable_format(artifact))
        expected = self._expected()
        inputs, answers = file.answers(self._described.graph, expected.x)
        both = (self._backend, file.target.runtime)
        received = _in_orders(expected.outputs, answers)
        limits = [expected.limits[name] for name, _ in expected.outputs]
        check = tolerances.compare(ANSWERS, both, expected.outputs, received, limits, kind=FORWARD)
        layers = list(self._layers(expected, file.inner_results(inputs), check.passed))
        wrong = next((each for each in layers if not each.layer.passed), None)
        return ComparisonReport(
            a=self._model.name,
            b=artifact.name,
            backends=both,
            map=WeightMap((), (), ()),
            checks=(check,),
            place=(wrong.layer.mine, wrong.layer.others) if wrong else None,
            causes=(wrong.sentence(artifact.name),) if wrong else (),
            copied=False,
            other_weights=0,
            float64=False,
            layers=tuple(each.layer for each in layers),
            graph=sources_of(self._described.graph),
            notes=(note,) if note else (),
        )

    def _expected(self) -> _Expected:
        """Let the model compute, and once more with perturbed weights for the tolerances."""
        prepared = self._measure(measurements.prepare, 1)
        batches, variables = prepared["batches"], prepared["variables"]
        evidence = self._measure(measurements.measure_inference, batches, variables, True)
        perturbed = tolerances.perturb_named(variables, evidence["dtype"], 1)
        moved = self._measure(measurements.measure_inference, batches, perturbed, True)
        results, outputs = self._results(evidence), _numbered(evidence["outputs"])
        both = {FORWARD: [*results, *outputs]}, {FORWARD: [*self._results(moved), *_numbered(moved["outputs"])]}
        limits = tolerances.derive_tolerances(evidence["dtype"], *both)[FORWARD]
        names = [name for name, _ in both[0][FORWARD]]
        return _Expected([array[0] for array in batches["x"]], results, outputs, dict(zip(names, limits, strict=True)))

    def _measure(self, function: Any, *arguments: Any) -> Any:
        return worker.get(self._backend).call(
            function,
            asdict(self._model.model),
            *arguments,
            listener=lambda event: self._listener({**event, "title": self._model.name}),
        )

    def _results(self, evidence: dict[str, Any]) -> NamedArrays:
        """Return the results of the nodes that were recorded, by the names of the nodes."""
        arrays = tolerances.by_name(evidence["passes"]["inference"][0])
        records = self._described.records
        names = (node.name for node in self._described.graph.nodes if records.get(node.name) in arrays)
        return [(name, arrays[records[name]]) for name in names]

    def _layers(self, expected: _Expected, inside: NamedArrays | None, is_same: bool) -> Iterator[_JudgedLayer]:
        """Yield each layer that is found in the artifact, and the first that is wrong there."""
        if inside is None:
            return
        nodes = {node.name: node for node in self._described.graph.nodes}
        nearest = {name: _nearest(array, inside) for name, array in expected.results}
        same = {name for name, near in nearest.items() if near and near.difference <= expected.limits[name]}
        right = nodes.keys() if is_same else _right(self._described.graph, same)
        for name, array in expected.results:
            if name in same or name not in right:
                near = nearest[name] or _Nearest("nothing of its size", float("inf"), np.zeros(0))
                layer = LayerDifference(name, near.name, nodes[name].kind, near.difference, expected.limits[name])
                yield _JudgedLayer(layer, array, near.values)
            if name not in right:
                return


def _numbered(outputs: NamedArrays) -> NamedArrays:
    return [(f"output {number}", array) for number, (_, array) in enumerate(outputs, 1)]


def _in_orders(expected: NamedArrays, received: Sequence[np.ndarray]) -> NamedArrays:
    """Return outputs in the orders of axes that the expected ones have."""
    return [
        (name, in_order(other, order_of_axes(other.shape, array.shape, "outputs")))
        for (name, array), other in zip(expected, received, strict=True)
    ]


def _nearest(array: np.ndarray, inside: NamedArrays) -> _Nearest | None:
    """Return the result inside that is nearest to an array, in an order of axes that frameworks use; None if none fits.

    An array of one value is found anywhere, so it is not looked for.
    """
    if array.size == 0 or np.ptp(array) == 0:
        return None
    candidates = (_Nearest(name, parity.difference(a, b).relative, b) for name, a, b in _forms(array, inside))
    return min(candidates, key=lambda each: each.difference, default=None)


def _forms(array: np.ndarray, inside: NamedArrays) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the results inside that may be an array, in its shape; of both as many samples as both have."""
    for name, other in inside:
        count = min(len(array), len(other))
        mine, theirs = array[:count], other[:count]
        if mine.size == theirs.size:
            yield from ((name, mine, theirs.transpose(order).reshape(mine.shape)) for order in orders(theirs.ndim))


def _right(graph: Graph, same: set[str]) -> set[str]:
    """Return the nodes that are right: those found in the artifact, and those that a right one reads."""
    right = set(same)
    for node in reversed(graph.nodes):
        if node.name in right:
            right |= {reference.name for reference in node.references}
    return right
