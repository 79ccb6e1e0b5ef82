"""A network of another framework made a Keras model, and the model shown to answer as the network does.

The file is read as data and rebuilt by the selected backend, in a worker; the network itself answers in its own
runtime, in a process without Keras; both are given recorded, random, single and extreme inputs. The `.keras` file takes
its place only when every answer agrees. What comes out is plain Keras: any backend loads and trains it without trivium.
"""

from __future__ import annotations

import hashlib
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
from ..engine.bundles import bundle as bundles
from ..errors import FileError, PortError, WorkerError
from ..functions import function_name, load_function
from . import artifact_runtimes, destination, source_model, targets
from .export import checker, probes
from .report import RECORDED, Check, PortReport, compare, compare_all
from .source_model import Batches

# The format that a file is in, by its ending.
_FORMATS = {".pt2": "torch-export", ".onnx": "onnx"}
_SAMPLES = 32
# Where an axis may have any length, inputs are drawn with this one.
_OPEN_LENGTH = 8
# Whole numbers are drawn below this where no table says how many there are.
_FEW = 2
# Extreme inputs may be off by this many times what their rounding does to the network itself, and never by more than
# the most: what is wired wrongly is off by more.
_SLACK, _MOST = 10, 1e-2
_NUDGE = 1e-6  # of each value: as much as rounding does to a sum of some dozens
_ROOMS = "trivium.backends"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Runtime:
    """What runs the network that is rebuilt.

    Attributes:
        name: for the report.
        backend: under which the process is that runs it, or None for any.
        reader: the function that opens the file.
    """

    name: str
    backend: str | None
    reader: Callable[..., Artifact]


def is_network(path: Path) -> bool:
    """Whether a path names a file that is rebuilt in Keras, and no model or bundle of its own."""
    return path.suffix.lower() in _FORMATS


def port_back(source: Path, out: Path | None, tell: Tell) -> PortReport:
    """Rebuild a `torch.export` program or an ONNX graph as a Keras model; nothing is written when a check fails.

    Raises:
        PortError: it has operators that are not covered, each is named; or nothing here runs the network.
        FileError: it is none, was truncated, or a hostile file.
        OutputError: the model cannot be written.
    """
    if not is_network(source):
        raise PortError(f"{source} is neither a torch.export program (.pt2) nor an ONNX graph (.onnx)")
    if not source.is_file():
        raise FileError(f"no file at {source}")
    runtime = _runtime(source)
    with tempfile.TemporaryDirectory() as scratch:
        clean = Path(scratch) / "model.pt2"

        def answer(batches: Batches, size: int | None, names: list[list[str]]) -> dict[str, Any]:
            tell(f"asking the network itself, in {runtime.name}")
            file = clean if clean.exists() else source.resolve()
            options = (function_name(runtime.reader), str(file), names, batches, size)
            process = checker(f"from {runtime.name}", runtime.backend or catalog.selected().name)
            try:
                return dict(process.call(artifact_runtimes.answer, *options))
            except WorkerError as error:
                raise PortError(f"{runtime.name} does not run {source}: {error}") from error

        return _Return(source, destination.choose(source, targets.KERAS, "model.keras", out), runtime.name, tell).run(
            clean, None, answer
        )


def port_from_torch(
    module: Any,
    example_inputs: Sequence[Any],
    out: str | Path = "model.keras",
    *,
    listener: Listener | None = None,
) -> PortReport:
    """Rebuild an `nn.Module` as a Keras model.

    Args:
        module: the module; it is exported and asked in eval mode, and is left as it was.
        example_inputs: the tensors that it is called with, the samples along the first axis of each.
        out: a `.keras` file, or a folder for `model.keras` and `port.json`.
        listener: called with `{"kind": "port", "stage": …}` events.

    Returns:
        The report; when a check failed, `passed` is false and no file was written. The module itself answers
        `example_inputs` (recorded), and random, single and extreme inputs.

    Raises:
        PortError: the module cannot be exported, or has operators that are not covered; each is named.
        OutputError: the model cannot be written.

    Example:
        >>> report = trivium.port_from_torch(net, (torch.randn(2, 3, 32, 32),), "net.keras")
        >>> model = keras.saving.load_model(report.artifact)
    """

    def tell(stage: str) -> None:
        if listener:
            listener({"kind": "port", "stage": stage})

    catalog.require("torch")
    export, answers, arrays = (
        load_function(f"{_ROOMS}.torch.programs:{name}") for name in ("export", "answers", "as_arrays")
    )
    recorded = arrays(example_inputs)
    place = destination.choose(Path(type(module).__name__.lower()), targets.KERAS, "model.keras", Path(out))
    tell("exporting it by torch.export")
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{type(module).__name__.lower()}.pt2"
        source.write_bytes(export(module, example_inputs))

        def answer(batches: Batches, size: int | None, names: list[list[str]]) -> dict[str, Any]:
            tell("asking the module itself")
            return dict(answers(module, batches))

        rebuilt = _Return(source, place, "torch", tell)
        return rebuilt.run(Path(scratch) / "clean.pt2", recorded, answer)


def _runtime(source: Path) -> Runtime:
    """What runs the network in a file here.

    Raises:
        PortError: nothing does; the message has the line that installs it.
    """
    target = targets.find(_FORMATS[source.suffix.lower()])
    assert isinstance(target, targets.Format)
    installed = all(package.installed for package in target.packages)
    if target.extra in {backend.name for backend in catalog.BACKENDS}:
        if installed:
            return Runtime(target.runtime, target.extra, target.reader)
        raise _missing(source, target.runtime, target.extra)
    if importlib.util.find_spec(target.extra) is None:
        raise _missing(source, f"the package {target.extra}", target.extra)
    if installed:
        return Runtime(target.runtime, None, target.reader)
    return Runtime(f"{target.title}'s reference evaluator", None, artifact_runtimes.read_onnx_slowly)


def _missing(source: Path, what: str, extra: str) -> PortError:
    return PortError(
        f"{source} is read and verified by {what}, not installed here; run: pip install 'trivium[{extra}]'"
    )


Answer = Callable[[Batches, "int | None", list[list[str]]], dict[str, Any]]
Again = Callable[[Batches], Batches]


@dataclass(frozen=True)
class _Return:
    """One network on its way.

    Attributes:
        against: who says what is expected.
    """

    source: Path
    place: destination.Place
    against: str
    tell: Tell

    def run(self, clean: Path, recorded: list[np.ndarray] | None, answer: Answer) -> PortReport:
        """Build the model, compare it with what `answer` says, and keep it.

        Args:
            clean: where a file goes that is run in place of the source.
            recorded: inputs that the caller brings, in the network's own layout.
        """
        host = catalog.selected()
        with destination.aside(self.place) as staged:
            artifact = staged / self.place.name
            self.tell(f"rebuilding it in Keras on {host.title}")
            options = (str(self.source), str(clean), str(artifact))
            rebuilt = worker.get(host.name).call(rebuild, *options)
            batches_by_name = _batches(rebuilt, recorded)
            names = [[arrays["name"] for arrays in rebuilt[side]] for side in ("inputs", "outputs")]

            def again(batches: Batches) -> Batches:
                found = answer(_for_source(batches, rebuilt), rebuilt["size"], names)["answers"]
                return {name: _samples_first(arrays, rebuilt) for name, arrays in found.items()}

            answered = answer(_for_source(batches_by_name, rebuilt), rebuilt["size"], names)
            self.tell("comparing")
            received = worker.get(host.name).call(source_model.answers, str(artifact), _for_keras(batches_by_name, rebuilt))
            expected = {name: _samples_first(arrays, rebuilt) for name, arrays in answered["answers"].items()}
            references = dict.fromkeys(batches_by_name, self.against)
            checks = [*compare_all(targets.KERAS, references, {name: expected[name] for name in batches_by_name}, received)]
            if not checks[-1].passed:
                checks[-1] = self._judged(checks[-1], batches_by_name["extreme"], expected, received, again)
            report = PortReport(
                rebuilt["source"],
                targets.KERAS,
                self.place.artifact,
                tuple(checks),
                host.name,
                facts=self._facts(rebuilt, answered["versions"]),
            )
            if not report.passed:
                return replace(report, artifact=None)
            destination.deliver(staged, self.place, report.to_json())
        return report

    def _judged(
        self, check: Check, extreme_inputs: list[np.ndarray], expected: Batches, received: Batches, run_again: Again
    ) -> Check:
        """The check of extreme inputs once more, as far as these say anything.

        Normalising values that are all alike leaves nothing but their rounding, which no two runtimes share. So what a
        nudge of the inputs makes of the network's own answers is allowed, all of it relative to the answers to random
        inputs too.
        """
        perturbed = run_again({"extreme": [_nudged(x, seed) for seed, x in enumerate(extreme_inputs)]})
        typical = expected["random"]
        reference, rebuilt, shifted = (
            [np.concatenate(pair) for pair in zip(answers["extreme"], random_answers, strict=True)]
            for answers, random_answers in ((expected, typical), (received, received["random"]), (perturbed, typical))
        )
        recheck = compare(check.inputs, check.against, check.target, reference, rebuilt)
        rounding = compare(check.inputs, check.against, check.against, reference, shifted).difference.relative
        difference = replace(recheck.difference, samples=check.difference.samples)
        tolerance = max(check.tolerance, min(_SLACK * rounding, _MOST))
        return replace(check, difference=difference, tolerance=tolerance)

    def _facts(self, rebuilt: dict[str, Any], versions: dict[str, str]) -> dict[str, Any]:
        with self.source.open("rb") as stream:
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
        return {
            "source_file": {"name": self.source.name, "sha256": checksum},
            "inputs": rebuilt["keras_inputs"],
            "outputs": rebuilt["keras_outputs"],
            "source_inputs": rebuilt["inputs"],
            "operators": rebuilt["operators"],
            "parameters": rebuilt["parameters"],
            "fixed_batch": rebuilt["size"],
            "labels": [],
            "files": [self.place.name],
            "versions": {**rebuilt["versions"], **versions},
            "trivium": metadata.version("trivium"),
        }


# --- inputs ---------------------------------------------------------------------------------------------------------


def _batches(rebuilt: dict[str, Any], recorded: list[np.ndarray] | None) -> Batches:
    """Inputs with the samples first: those that the caller brings or that are drawn, and others within their range."""
    inputs = rebuilt["inputs"]
    if recorded is None:
        recorded = [_drawn(network_input, rebuilt["rows"], seed) for seed, network_input in enumerate(inputs)]
    elif len(recorded) != len(inputs):
        raise PortError(f"the network takes {len(inputs)} arrays, and there are {len(recorded)} example inputs")
    else:
        recorded = [np.moveaxis(x, network_input["batch"], 0) for x, network_input in zip(recorded, inputs, strict=True)]
    return {RECORDED: recorded, **probes(recorded)}


def _drawn(network_input: dict[str, Any], rows: int | None, seed: int) -> np.ndarray:
    """Samples for an input: normal numbers, or whole ones below the number of rows that a table has."""
    generator = np.random.default_rng(seed)
    lengths = [_OPEN_LENGTH if length is None else length for length in network_input["shape"]]
    del lengths[network_input["batch"]]
    shape = (_SAMPLES, *lengths)
    if network_input["dtype"] == "float32":
        return generator.standard_normal(shape, dtype="float32")
    return generator.integers(0, 2 if network_input["dtype"] == "bool" else rows or _FEW, shape).astype(network_input["dtype"])


def _nudged(values: np.ndarray, seed: int) -> np.ndarray:
    """The same but for rounding; whole numbers stay."""
    if values.dtype.kind != "f":
        return values
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], values.shape)
    return np.asarray(values * (1 + signs * _NUDGE), values.dtype)


def _for_source(batches: Batches, rebuilt: dict[str, Any]) -> Batches:
    """As the network takes them: its own order of axes and its own dtypes."""
    inputs = rebuilt["inputs"]
    return {
        name: [np.moveaxis(x, 0, network_input["batch"]).astype(network_input["dtype"]) for x, network_input in zip(arrays, inputs, strict=True)]
        for name, arrays in batches.items()
    }


def _for_keras(batches: Batches, rebuilt: dict[str, Any]) -> Batches:
    dtypes = [model_input["dtype"] for model_input in rebuilt["keras_inputs"]]
    return {name: [x.astype(dtype) for x, dtype in zip(arrays, dtypes, strict=True)] for name, arrays in batches.items()}


def _samples_first(answers: Sequence[np.ndarray], rebuilt: dict[str, Any]) -> list[np.ndarray]:
    """The network's answers with the axis of samples where the Keras model has it."""
    return [np.moveaxis(x, network_output["batch"], 0) for x, network_output in zip(answers, rebuilt["outputs"], strict=True)]


# --- run in a worker, under the backend that builds -----------------------------------------------------------------


def rebuild(path: str, clean: str, out: str) -> dict[str, Any]:
    """Read a network and write it as a `.keras` file.

    Args:
        clean: where a file goes that is to be run in place of it, where it should not be run itself.

    Returns:
        `inputs` (name, shape, dtype, batch: the axis of the samples) and `outputs` of the network; `keras_inputs` and
        `keras_outputs` of the model; `size`: the only batch that the network takes, or None; `rows`: of its smallest
        table of embeddings; `operators`, `parameters`, `source`, `versions`.
    """
    from ..backends import runtime

    runtime.current()
    import keras

    from .graph_to_keras import network_file

    form = network_file.read(Path(path), Path(clean))
    model, builder = network_file.build(form)
    Path(out).write_bytes(bundles.keras_bytes(model))
    tables = [builder.array(node.inputs[0]) for node in form.nodes if node.kind == "embedding"]
    rows = [len(table) for table in tables if table is not None]
    return {
        "source": form.source,
        "inputs": [
            {"name": graph_input.name, "shape": list(graph_input.shape), "dtype": graph_input.dtype, "batch": graph_input.batch}
            for graph_input in form.given
        ],
        "outputs": [{"name": name, "batch": builder.values[name].samples} for name in form.outputs],
        "keras_inputs": [_describe(tensor.name, tensor) for tensor in model.inputs],
        "keras_outputs": [_describe(name, tensor) for name, tensor in zip(form.outputs, model.outputs, strict=True)],
        "size": form.size,
        "rows": min(rows, default=None),
        "operators": form.operators(),
        "parameters": model.count_params(),
        "versions": {"keras": keras.__version__, **runtime.current().versions()},
    }


def _describe(name: str, tensor: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(tensor.shape), "dtype": str(tensor.dtype)}
