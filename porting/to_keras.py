"""Port a network of another framework to Keras, and verify that the Keras model predicts what the network predicts.

The file is read as data and rebuilt by the selected backend in a worker. The network itself runs in its own runtime, in
a process without Keras. Both predict for recorded, random, single and extreme inputs, and the `.keras` file is
published only if all outputs agree. The result is plain Keras: any backend loads and trains it without trivium.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog
from ..backends.artifacts import Artifact
from ..backends.workers import worker
from ..backends.workers.worker import Listener
from ..engine.keras_model.model_bytes import keras_bytes
from ..engine.verification.tolerances import BackendCheck
from ..errors import FileError, PortError
from ..functions import load_function
from ..notebook.live import shows_progress
from ..storage.regular_file import sha256_of
from . import artifact_runtimes, nudges, source_model, targets
from .artifact_runtimes import NamedBatches
from .artifact_worker import artifact_worker, run_artifact
from .converters import Converters, load_converters, resolve_file
from .destination import Destination, choose_destination, publish, staging
from .export import StageCallback
from .graph_to_keras.foreign_graph import ForeignGraph
from .network_batches import batches_for, for_keras, for_source, samples_back, samples_first
from .report import RECORDED, SAME, PortReport, compare_batches, find_constant_outputs
from .source_step import SourceStep, step_on

# The format of a file by its suffix.
_FORMATS = {".pt2": "torch-export", ".onnx": "onnx"}
_ROOMS = "trivium.backends"


@dataclass(frozen=True)
class NetworkRuntime:
    """The runtime of the network that is rebuilt.

    Attributes:
        name: its name in the report.
        backend: the backend of the process that runs it, or None for any.
        reader: the function that opens the file.
    """

    name: str
    backend: str | None
    reader: Callable[..., Artifact]


def is_network(path: Path) -> bool:
    """Return whether a path names a network of another framework, judged by its suffix."""
    return path.suffix.lower() in _FORMATS


def port_to_keras(
    source: Path, out: Path | None, announce: StageCallback, converters_file: str | None = None
) -> PortReport:
    """Rebuild a `torch.export` program or an ONNX graph as a Keras model; write nothing if a check fails.

    Args:
        source, out, announce: the file, where to write the model, and what is called with each stage.
        converters_file: the user's file of converters.

    Raises:
        PortError: it has operators that are not supported, each of which is named; or its runtime is not installed.
        FileError: the file is missing, damaged, or unsafe.
        OutputError: the model cannot be written.
    """
    if not is_network(source):
        raise PortError(f"{source} is neither a torch.export program (.pt2) nor an ONNX graph (.onnx)")
    if not source.is_file():
        raise FileError(f"no file at {source}")
    runtime = _runtime(source)
    with tempfile.TemporaryDirectory() as scratch:
        clean = Path(scratch) / "model.pt2"

        def run_network(batches: NamedBatches, size: int | None, names: list[list[str]]) -> dict[str, Any]:
            announce(f"running the network in {runtime.name}")
            file = clean if clean.exists() else source.resolve()
            process = artifact_worker(f"from {runtime.name}", runtime.backend or catalog.selected().name)
            what = f"{runtime.name} does not run {source}"
            return run_artifact(process, what, runtime.reader, file, names, batches, size)

        destination = choose_destination(source, targets.KERAS, "model.keras", out)
        from_file = _rebuild_file(source, clean, converters_file=converters_file)
        return KerasPort(_file_facts(source), destination, runtime.name, announce, from_file).run(None, run_network)


@shows_progress
def port_from_torch(
    module: Any,
    example_inputs: Sequence[Any],
    out: str | Path = "model.keras",
    *,
    inference_only: bool = False,
    converters: str | Path | None = None,
    listener: Listener | None = None,
) -> PortReport:
    """Rebuild an `nn.Module` as a Keras model.

    Args:
        module: the module; it is exported and run in eval mode, and its mode is restored.
        example_inputs: the tensors to call it with; the first axis of each is the batch axis.
        out: a `.keras` file, with its report beside it as `NAME.keras.port.json`, or a folder for `model.keras` and
            `port.json`. An earlier port of the same name is replaced.
        inference_only: whether to compare answers alone. Otherwise one training step of both is compared too, and a
            model that Keras would train otherwise is not kept, such as one with tied weights or a `padding_idx`.
        converters: a file of yours with functions that compute what Keras has no counterpart of: see
            `trivium.converter`.
        listener: called with `{"kind": "port", "stage": …}` events.

    Returns:
        The report. If a check failed, `passed` is false and no file was written. The module and the Keras model are
        compared on `example_inputs` (named "recorded"), on random, single and extreme inputs, and by a training step.

    Raises:
        PortError: the module cannot be exported, or has operators that are not supported, each of which is named.
        OutputError: the model cannot be written.
        OptionError: the file of converters is missing or raises an error.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> report = trivium.port_from_torch(net, (torch.randn(2, 4),), "net.keras")
        >>> report.verdict, keras.saving.load_model(report.artifact).output_shape
        ('same', (None, 3))
    """

    def announce(stage: str) -> None:
        if listener:
            listener({"kind": "port", "stage": stage})

    catalog.require("torch")
    export, run_module, as_arrays, step_module = (
        load_function(f"{_ROOMS}.torch.programs:{name}")
        for name in ("export", "answers", "as_arrays", "answers_after_step")
    )
    recorded, converters_file = as_arrays(example_inputs), resolve_file(converters)
    destination = choose_destination(Path(type(module).__name__.lower()), targets.KERAS, "model.keras", Path(out))
    announce("exporting it by torch.export")
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{type(module).__name__.lower()}.pt2"
        source.write_bytes(export(module, example_inputs))

        def run_network(batches: NamedBatches, size: int | None, names: list[list[str]]) -> dict[str, Any]:
            announce("running the module")
            return dict(run_module(module, batches))

        def step_network(step: SourceStep) -> list[np.ndarray]:
            announce("taking a training step with both")
            return list(step_module(module, step.inputs, step.targets, step.rate))

        step = None if inference_only else step_network
        clean = Path(scratch) / "clean.pt2"
        facts, from_file = _file_facts(source), _rebuild_file(source, clean, inference_only, converters_file)
        return KerasPort(facts, destination, "torch", announce, from_file, step).run(recorded, run_network)


def _file_facts(source: Path) -> dict[str, Any]:
    return {"source_file": {"name": source.name, "sha256": sha256_of(source)}}


def _rebuild_file(
    source: Path, clean: Path, inference_only: bool = False, converters_file: str | None = None
) -> Callable[[Path], dict[str, Any]]:
    """Return a function that rebuilds the network in a file as the model at a path.

    Args:
        clean: the path for a cleaned copy of the source, which is run in its place if it is written.
        inference_only: whether the model need not be trained as the network is.
        converters_file: the user's file of converters.
    """

    def call(artifact: Path) -> dict[str, Any]:
        options = (str(source), str(clean), str(artifact), inference_only, converters_file)
        return dict(worker.get(catalog.selected().name).call(rebuild, *options))

    return call


def _runtime(source: Path) -> NetworkRuntime:
    """Return the installed runtime for the network in a file.

    Raises:
        PortError: there is none; the message has the pip command that installs one.
    """
    target = targets.find(_FORMATS[source.suffix.lower()])
    assert isinstance(target, targets.Format)
    installed = all(package.installed for package in target.packages)
    if target.extra in {backend.name for backend in catalog.BACKENDS}:
        if installed:
            return NetworkRuntime(target.runtime, target.extra, target.reader)
        raise _missing(source, target.runtime, target.extra)
    if importlib.util.find_spec(target.extra) is None:
        raise _missing(source, f"the package {target.extra}", target.extra)
    if installed:
        return NetworkRuntime(target.runtime, None, target.reader)
    return NetworkRuntime(f"{target.title}'s reference evaluator", None, artifact_runtimes.read_onnx_reference)


def _missing(source: Path, what: str, extra: str) -> PortError:
    return PortError(
        f"{source} is read and verified by {what}, not installed here; run: pip install 'trivium[{extra}]'"
    )


RunNetwork = Callable[[NamedBatches, "int | None", list[list[str]]], dict[str, Any]]


@dataclass(frozen=True)
class KerasPort:
    """The port of one network to Keras.

    Attributes:
        source: what the report says of the network's origin.
        against: the name of the runtime that gives the expected outputs.
        rebuild: writes the model to a path, and returns its description; see the function of that name.
        step_network: takes a training step with the network, and returns its answers; None where it is only run.
    """

    source: dict[str, Any]
    destination: Destination
    against: str
    announce: StageCallback
    rebuild: Callable[[Path], dict[str, Any]]
    step_network: Callable[[SourceStep], list[np.ndarray]] | None = None

    def run(self, recorded: list[np.ndarray] | None, run_network: RunNetwork) -> PortReport:
        """Build the model, compare its outputs with those of `run_network`, and publish it.

        Args:
            recorded: the caller's example inputs in the network's own layout, or None.
        """
        host = catalog.selected()
        with staging(self.destination) as staged:
            artifact = staged / self.destination.name
            self.announce(f"rebuilding it in Keras on {host.title}")
            rebuilt = self.rebuild(artifact)
            batches = batches_for(rebuilt, recorded)
            names = [[tensor["name"] for tensor in rebuilt[side]] for side in ("inputs", "outputs")]

            def run_again(inputs: NamedBatches) -> NamedBatches:
                answers = run_network(for_source(inputs, rebuilt), rebuilt["size"], names)["answers"]
                return {name: samples_first(arrays, rebuilt) for name, arrays in answers.items()}

            result = run_network(for_source(batches, rebuilt), rebuilt["size"], names)
            self.announce("comparing")
            received = worker.get(host.name).call(
                source_model.predict_batches, str(artifact), for_keras(batches, rebuilt)
            )
            expected = {name: samples_first(arrays, rebuilt) for name, arrays in result["answers"].items()}
            references = dict.fromkeys(batches, self.against)
            predict_nudged = nudges.of_network(run_again, batches, rebuilt["size"] is not None)
            answered = {name: expected[name] for name in batches}
            checks = compare_batches(targets.KERAS, references, answered, received, predict_nudged=predict_nudged)
            facts = self._facts(rebuilt, result["versions"])
            training: tuple[BackendCheck, ...] = ()
            if self.step_network and all(check.verdict == SAME for check in checks):
                training = self._compare_steps(artifact, rebuilt, batches[RECORDED], facts)
            elif self.step_network:
                facts["training_not_compared"] = "the predictions are not the same up to rounding"
            report = PortReport(
                *(rebuilt["source"], targets.KERAS, self.destination.artifact, checks, host.name, training, facts),
                constant_outputs=find_constant_outputs(answered),
            )
            if not report.passed:
                return replace(report, artifact=None)
            publish(staged, self.destination, report.to_json())
        return report

    def _compare_steps(
        self, artifact: Path, rebuilt: dict[str, Any], recorded: list[np.ndarray], facts: dict[str, Any]
    ) -> tuple[BackendCheck, ...]:
        """Return the check of one training step; where none is compared, note the reason in the facts."""
        batch = {RECORDED: recorded}
        own, prepared = for_source(batch, rebuilt)[RECORDED], for_keras(batch, rebuilt)[RECORDED]
        step = step_on(catalog.selected(), str(artifact), prepared, own, rebuilt["size"])
        if isinstance(step, str) or self.step_network is None:
            facts["training_not_compared"] = step
            return ()
        received = self.step_network(replace(step, targets=samples_back(step.targets, rebuilt)))
        return (step.compare((self.against, targets.KERAS), samples_first(received, rebuilt)),)

    def _facts(self, rebuilt: dict[str, Any], versions: dict[str, str]) -> dict[str, Any]:
        return {
            **self.source,
            "inputs": rebuilt["keras_inputs"],
            "outputs": rebuilt["keras_outputs"],
            "source_inputs": rebuilt["inputs"],
            "operators": rebuilt["operators"],
            "parameters": rebuilt["parameters"],
            "fixed_batch": rebuilt["size"],
            "labels": [],
            **({"trained_otherwise": rebuilt["trained_otherwise"]} if rebuilt["trained_otherwise"] else {}),
            "files": [self.destination.name],
            "versions": {**rebuilt["versions"], **versions},
            "trivium": metadata.version("trivium"),
        }


# --- run in a worker, under the selected backend -------------------------------------------------------------------


def rebuild(
    path: str, clean: str, out: str, inference_only: bool = False, converters_file: str | None = None
) -> dict[str, Any]:
    """Read a network and write it as a `.keras` file.

    Args:
        clean: the path for a cleaned copy of the file, written if the file itself should not be run.
        inference_only: whether the model need not be trained as the network is.
        converters_file: the user's file of converters.

    Returns:
        `inputs` (name, shape, dtype, and the batch axis as `batch`) and `outputs` of the network; `keras_inputs` and
        `keras_outputs` of the model; `size`: the only batch size that the network accepts, or None; `rows`: the number
        of rows of its smallest embedding table; `trained_otherwise`: what Keras trains otherwise, one sentence each;
        `operators`, `parameters`, `source`, `versions`.
    """
    from ..backends import runtime

    runtime.current()
    from .graph_to_keras import network_file

    converters = load_converters(converters_file)
    return _write_model(network_file.read(Path(path), Path(clean), converters), out, inference_only, converters)


def rebuild_graph(
    message: dict[str, Any], out: str, inference_only: bool = False, converters_file: str | None = None
) -> dict[str, Any]:
    """Write a `ForeignGraph`, received as a message, as a `.keras` file; return what `rebuild` does."""
    from ..backends import runtime

    runtime.current()
    from .graph_to_keras.messages import from_message

    return _write_model(from_message(message), out, inference_only, load_converters(converters_file))


def _write_model(graph: ForeignGraph, out: str, inference_only: bool, converters: Converters) -> dict[str, Any]:
    import keras

    from ..backends import runtime
    from .graph_to_keras import network_file

    model, builder = network_file.build(graph, inference_only, converters)
    Path(out).write_bytes(keras_bytes(model))
    tables = [builder.array(node.inputs[0]) for node in graph.nodes if node.kind == "embedding"]
    rows = [len(table) for table in tables if table is not None]
    return {
        "source": graph.source,
        "inputs": [
            {
                "name": graph_input.name,
                "shape": list(graph_input.shape),
                "dtype": graph_input.dtype,
                "batch": graph_input.batch,
            }
            for graph_input in graph.inputs
        ],
        "outputs": [{"name": name, "batch": builder.values[name].samples} for name in graph.outputs],
        "keras_inputs": [_describe(tensor.name, tensor) for tensor in model.inputs],
        "keras_outputs": [_describe(name, tensor) for name, tensor in zip(graph.outputs, model.outputs, strict=True)],
        "size": graph.size,
        "rows": min(rows, default=None),
        "trained_otherwise": builder.trained_otherwise,
        "operators": graph.operators(),
        "parameters": model.count_params(),
        "versions": {"keras": keras.__version__, **runtime.current().versions()},
    }


def _describe(name: str, tensor: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(tensor.shape), "dtype": str(tensor.dtype)}
