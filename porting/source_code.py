"""Port a model to native source code, and verify the code without Keras and trivium.

The backend that the model was trained on reads it, and the `source` package of the target backend writes it. A new
process that cannot import Keras or trivium imports the result and predicts for recorded, random, single and extreme
inputs. The folder is published only if every output is the model's own.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..backends import catalog
from ..backends.catalog import Backend
from ..backends.workers import worker
from ..backends.workers.worker import Listener
from ..data.dataset import labels_to_json
from ..engine.bundles import trust
from ..engine.verification.tolerances import BackendCheck
from ..errors import PortError
from ..functions import is_file_function
from ..graph.graph import Graph
from ..graph.source import WEIGHTS_FILE, Source, identifier
from . import nudges, source_model, targets
from .artifact_runtimes import NamedBatches
from .converters import load_converters, register_converters
from .destination import choose_destination, publish, staging
from .export import StageCallback, all_batches, as_dtype
from .report import RECORDED, SAME, PortReport, compare_batches, find_constant_outputs
from .source_files import ISOLATED_RUN, check_file, readme
from .source_model import UNKNOWN_BACKEND, SourceModel, find, share, share_for_port
from .source_step import SourceStep, step_on

_RECORDED_FILE = "recorded.npz"
_TIMEOUT_SECONDS = 600
_ERROR_LINES = 4
# The name that Keras gives to a model without one.
_DEFAULT_NAME = re.compile(r"(sequential|functional|model)(_\d+)?")


def port_source(
    source: Path,
    framework: str,
    out: Path | None,
    listener: Listener | None = None,
    *,
    raw_inputs: bool | None = None,
    converters_file: str | None = None,
) -> PortReport:
    """Port to native source code.

    Args:
        source: a bundle's file, the run folder that holds it, or a Keras model file.
        framework: the backend whose framework the source is for; it must be installed to verify the source.
        out: the folder; by default it is beside the source.
        listener: called with `{"kind": "port", "stage": …}` events.
        raw_inputs: whether the code takes raw inputs and contains the preprocessing; None means wherever the
            preprocessing can be written as layers.
        converters_file: the user's file of converters of layers.

    Returns:
        The report. If a check failed, it has no artifact, and no folder was written.

    Raises:
        PortError: no source can be written for this framework or this model; the message names every layer that is
            not supported.
        BackendError: the framework is not installed.
        BundleError: the source cannot be read.
        OutputError: the folder cannot be written.
    """

    def announce(stage: str) -> None:
        if listener:
            listener({"kind": "port", "stage": stage})

    _room(framework)
    target = catalog.require(framework)
    return _SourcePort(find(source), target, announce, converters_file).run(out, raw_inputs)


@dataclass
class _SourcePort:
    source: SourceModel
    target: Backend
    announce: StageCallback
    converters_file: str | None = None

    def run(self, out: Path | None, raw: bool | None) -> PortReport:
        destination = choose_destination(self.source.path, f"source-{self.target.name}", "", out)
        host = self._host()
        path = str(self.source.path)
        self.announce(f"reading it on {host.title}")
        converters_file = self._register_converters(host)
        interface = worker.get(host.name).call(source_model.inspect_model, path, raw)
        inputs, prepared_inputs = self._batches(interface)
        with staging(destination) as staged:
            options = (interface["raw"], self.target.name, str(staged), self.source.recipe, converters_file)
            written = worker.get(host.name).call(write, path, *options)
            self.announce(f"predicting on {host.title}")
            expected, references = self._expected(host, inputs, prepared_inputs)
            inputs, expected = _in_float32(inputs), _in_float32(expected)
            save_batches(staged / _RECORDED_FILE, inputs, expected)
            facts = self._facts(interface, [file.name for file in staged.iterdir()], written)
            (staged / "README.md").write_text(readme(self.target.title, facts, written["example"]), "utf-8")
            self.announce(f"running it on {self.target.title} alone")
            step = self._step(host, interface, prepared_inputs[RECORDED], inputs[RECORDED])
            if isinstance(step, str):
                facts["training_not_compared"] = step
            received, after = run_isolated(staged, self.target, written["step"], step)
            name = f"{targets.SOURCE}{self.target.name}"
            predict_nudged = nudges.of_keras_model(host.name, path, prepared_inputs, self.announce)
            answered, dtype = {batch: expected[batch] for batch in inputs}, interface["dtype"]
            checks = compare_batches(name, references, answered, received, dtype, predict_nudged)
            training: tuple[BackendCheck, ...] = ()
            if not all(check.verdict == SAME for check in checks):
                facts["training_not_compared"] = "the predictions are not the same"
            elif isinstance(step, SourceStep):
                training = (step.compare((host.name, name), after),)
            report = PortReport(
                *(self.source.backend, name, destination.artifact, checks, host.name, training, facts),
                constant_outputs=find_constant_outputs(answered),
            )
            if not report.passed:
                return replace(report, artifact=None)
            (staged / "check.py").write_text(check_file(written["predict"], _tolerances(report, dtype)), "utf-8")
            publish(staged, destination, report.to_json())
        return report

    def _register_converters(self, host: Backend) -> str | None:
        """Return the file of converters: the user's, or that of the recipe if the user trusts it and it has some.

        It is run on the host before the model is read, because it may register the layers of the model.
        """
        file: str | Path | None = self.converters_file
        if file is None and trust.is_enabled():
            file = trust.recipe_file(self.source.recipe or "")
        if file is None:
            return None
        required = self.converters_file is not None
        return str(file) if worker.get(host.name).call(register_converters, str(file), required) else None

    def _host(self) -> Backend:
        """Return the backend that reads the model and predicts.

        That is its own backend if installed; else the target, or another one if the target compiles each batch size:
        reading a deep network under JAX takes a minute.
        """
        if self.source.backend != UNKNOWN_BACKEND and catalog.find(self.source.backend).installed:
            return catalog.find(self.source.backend)
        if not self.target.compiles_shapes:
            return self.target
        quick = (backend for backend in reversed(catalog.trainers()) if not backend.compiles_shapes)
        return next(quick, self.target)

    def _batches(self, interface: dict[str, Any]) -> tuple[NamedBatches, NamedBatches]:
        """Return the inputs of the source code, and the same samples preprocessed, as the model takes them."""
        bundle = self.source.bundle
        recorded = bundle.input_arrays if bundle else interface["drawn"]
        if not interface["raw"]:
            inputs = all_batches(recorded, interface)
            return inputs, inputs
        chain = self.source.preprocessing.inputs
        recorded = [as_dtype(chain.inverse(recorded[0]), interface["inputs"][0]["dtype"])]
        inputs = all_batches(recorded, interface)
        return inputs, {name: [chain(arrays[0])] for name, arrays in inputs.items()}

    def _expected(
        self, host: Backend, inputs: NamedBatches, prepared: NamedBatches
    ) -> tuple[NamedBatches, dict[str, str]]:
        """Return the expected outputs of each batch, and the name of the backend that computed them."""
        expected = worker.get(host.name).call(source_model.predict_batches, str(self.source.path), prepared)
        references = dict.fromkeys(inputs, host.name)
        bundle = self.source.bundle
        if bundle and inputs is prepared:
            expected[RECORDED], references[RECORDED] = bundle.output_arrays, self.source.backend
        return expected, references

    def _step(
        self, host: Backend, interface: dict[str, Any], prepared: list[np.ndarray], inputs: list[np.ndarray]
    ) -> SourceStep | str:
        """Return a training step to compare, or why none is."""
        if interface["dtype"] != "float32":
            return f"the Keras model computes in {interface['dtype']}, and the source in float32"
        return step_on(host, str(self.source.path), prepared, inputs, interface["size"])

    def _facts(self, interface: dict[str, Any], files: list[str], written: dict[str, Any]) -> dict[str, Any]:
        return {
            "source_file": self.source.describe(),
            "labels": labels_to_json(self.source.labels),
            "inputs": list(map(_tensor_in_float32, interface["inputs"])),
            "outputs": list(map(_tensor_in_float32, interface["outputs"])),
            **({"computed_in": interface["dtype"]} if interface["dtype"] != "float32" else {}),
            "output_kinds": interface["output_kinds"],
            "raw_inputs": interface["raw"],
            "prepared_because": interface["reason"],
            "preparation": self.source.preprocessing.to_json(),
            "recipe": self.source.recipe,
            "trivium": metadata.version("trivium"),
            "files": sorted([*files, "README.md"]),
            "requires": list(written["requires"]),
            **({"left_out": written["left_out"]} if written["left_out"] else {}),
        }


def _in_float32(batches: NamedBatches) -> NamedBatches:
    """Return batches with floats in float32, which source takes and returns whatever the Keras model computes in."""
    return {
        name: [array.astype("float32") if _is_float(array.dtype.name) else array for array in arrays]
        for name, arrays in batches.items()
    }


def _tensor_in_float32(tensor: dict[str, Any]) -> dict[str, Any]:
    return {**tensor, "dtype": "float32"} if _is_float(tensor["dtype"]) else tensor


def _is_float(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat"))


def _tolerances(report: PortReport, dtype: str) -> dict[str, float]:
    """Return the tolerances that are not those of float32.

    They are those of each batch for which rounding alone moves the model's outputs, and of all where the model computes
    more coarsely than the source.
    """
    coarse = {check.inputs: check.tolerance for check in report.checks} if dtype != "float32" else {}
    return coarse | {check.inputs: check.sensitivity.limit for check in report.checks if check.sensitivity}


def _room(framework: str) -> ModuleType:
    """Return the module that writes source for a framework.

    Raises:
        PortError: no source can be written for it.
    """
    rooms = f"{__package__.rpartition('.')[0]}.backends"
    writers = [backend.name for backend in catalog.BACKENDS if backend.writes_source]
    if framework not in writers:
        names = ", ".join(f"{targets.SOURCE}{name}" for name in writers)
        raise PortError(f"no source can be written for {framework!r} (there are {names})")
    return importlib.import_module(f"{rooms}.{framework}.source")


# --- run in a worker, under the backend that reads the model --------------------------------------------------------


def write(
    path: str, raw: bool, framework: str, folder: str, name: str | None, converters_file: str | None = None
) -> dict[str, Any]:
    """Write `model.py`, its weights and `check.py` into a folder.

    Args:
        name: the name for a model that has only the name that Keras numbered.
        converters_file: the user's file of converters of layers.

    Returns:
        `requires`: the packages that the code needs; `example`: a few lines that use the model; `predict`: the
        function of `check.py` that predicts; `step`: the program of a training step; `left_out`: layers that only
        training calls.

    Raises:
        PortError: some layers cannot be written as source; each is named.
    """
    from ..engine.keras_model.float32 import to_float32
    from .keras_to_graph.model import read

    room = _room(framework)
    converters = load_converters(converters_file)
    model = to_float32(share_for_port(path, raw))
    graph = read(model, room.refuses, share(path) if raw else None, converters)
    if _DEFAULT_NAME.fullmatch(graph.name):
        graph = replace(graph, name=identifier(_model_name(name or "model")))
    source = room.write(graph)
    save(source, graph, Path(folder))
    return {
        "requires": [*source.requires, "numpy"],
        "example": source.example,
        "step": source.step,
        "predict": source.predict,
        "left_out": list(graph.left_out),
    }


def _model_name(recipe: str) -> str:
    """Return the name of a recipe's model: `build` for `path/to/file.py:build`."""
    return recipe.rpartition(":")[2] if is_file_function(recipe) else recipe


def save(source: Source, graph: Graph, folder: Path) -> None:
    """Write generated source, its weights and `check.py` into a folder."""
    from safetensors.numpy import save as to_bytes

    tensors = {name: np.ascontiguousarray(value) for name, value in source.weights.items()}
    (folder / WEIGHTS_FILE).write_bytes(
        to_bytes(tensors, {"model": graph.name, "trivium": metadata.version("trivium")})
    )
    (folder / "model.py").write_text(source.model, "utf-8")
    (folder / "check.py").write_text(check_file(source.predict, {}), "utf-8")


# --- the process that has neither Keras nor trivium -----------------------------------------------------------------


def run_isolated(
    folder: Path, backend: Backend, program: str = "", step: SourceStep | str = ""
) -> tuple[NamedBatches, list[np.ndarray]]:
    """Run the source in a folder on the inputs recorded there, in a new process.

    The process runs in that folder and cannot import Keras or trivium.

    Args:
        folder: the source.
        backend: whose framework it is for.
        program, step: the program of a training step, and the step to take with it.

    Returns:
        Its outputs for each batch; and those after the step, if there is one.

    Raises:
        PortError: the source does not run; the message has the last lines of its error output.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answers, after = (Path(scratch) / name for name in ("answers.npz", "after.npz"))
        step_files = []
        if isinstance(step, SourceStep):
            code, data = (Path(scratch) / name for name in ("step.py", "step.npz"))
            code.write_text(program, "utf-8")
            step.save(data)
            step_files = [str(code), str(data), str(after)]
        process = subprocess.run(
            [sys.executable, "-I", "-B", "-c", ISOLATED_RUN, str(folder), str(answers), *step_files],
            cwd=folder,
            env={**os.environ, **backend.settings()},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
        )
        if process.returncode or not answers.exists():
            output = " / ".join((process.stderr.strip() or process.stdout.strip()).splitlines()[-_ERROR_LINES:])
            raise PortError(f"the generated source does not run: {output}")
        with np.load(answers, allow_pickle=False) as arrays:
            batches = _load_batches(arrays, "output")
        if not step_files:
            return batches, []
        with np.load(after, allow_pickle=False) as arrays:
            return batches, [arrays[f"output_{index}"] for index in range(len(arrays.files))]


def save_batches(path: Path, inputs: NamedBatches, expected: NamedBatches) -> None:
    arrays = {
        f"{name}/{side}_{index}": array
        for side, batches in (("input", inputs), ("output", expected))
        for name, batch in batches.items()
        for index, array in enumerate(batch)
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _load_batches(arrays: Any, side: str) -> NamedBatches:
    batches: NamedBatches = {}
    for key in sorted(arrays.files, key=lambda key: (key.split("/")[0], int(key.rpartition("_")[2]))):
        name, _, rest = key.partition("/")
        if rest.startswith(side):
            batches.setdefault(name, []).append(arrays[key])
    return batches
