"""A model ported to native source code, and the code verified where there is neither Keras nor trivium.

The backend that the model was trained on reads it, the target framework's room writes it, and a new process that cannot
import Keras or trivium imports the result and answers recorded, random, single and extreme inputs. Only when every
answer is the model's own does the folder take its place.
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
from ..engine.verification import parity
from ..errors import PortError
from ..graph.graph import Graph
from ..graph.source import WEIGHTS_FILE, Source, identifier
from . import destination, source_model, targets
from .export import as_dtype, probes
from .report import PortReport, compare_all
from .source_files import CHECK, FRESH, readme
from .source_model import UNKNOWN, Batches, Subject, find, load, load_as

_RECORDED = "recorded.npz"
_SECONDS = 600
_LINES = 4
# What Keras calls a model that nobody has named.
_DEFAULT_NAME = re.compile(r"(sequential|functional|model)(_\d+)?")


def port_source(
    source: Path, framework: str, out: Path | None, listener: Listener | None = None, *, raw_inputs: bool | None = None
) -> PortReport:
    """Port to native source code.

    Args:
        source: a bundle's file, the run folder that holds it, or a Keras model file.
        framework: the backend whose framework the source is for; it must be installed, to verify it.
        out: the folder; beside the source by default.
        listener: called with `{"kind": "port", "stage": …}` events.
        raw_inputs: whether the source takes raw inputs, their preparation within; None wherever that has a form of
            layers.

    Returns:
        The report; without an artifact, and no folder written, when a check failed.

    Raises:
        PortError: no source can be written for that framework, or not of this model; every layer that is in the way
            is named.
        BackendError: the framework is not installed.
        BundleError: the source cannot be read.
        OutputError: the folder cannot be written.
    """

    def tell(stage: str) -> None:
        if listener:
            listener({"kind": "port", "stage": stage})

    _room(framework)
    target = catalog.require(framework)
    return _Port(find(source), target, tell).run(out, raw_inputs)


@dataclass
class _Port:
    subject: Subject
    target: Backend
    tell: Any

    def run(self, out: Path | None, raw: bool | None) -> PortReport:
        place = destination.choose(self.subject.path, f"source-{self.target.name}", "", out)
        host = self._host()
        path = str(self.subject.path)
        self.tell(f"reading it on {host.title}")
        interface = worker.get(host.name).call(source_model.examine, path, raw)
        inputs, prepared_inputs = self._batches(interface)
        with destination.aside(place) as staged:
            options = (interface["raw"], self.target.name, str(staged), self.subject.recipe)
            written = worker.get(host.name).call(write, path, *options)
            self.tell(f"asking {host.title}")
            expected, references = self._expected(host, inputs, prepared_inputs)
            _record(staged / _RECORDED, inputs, expected)
            facts = self._facts(interface, [file.name for file in staged.iterdir()], written["requires"])
            (staged / "README.md").write_text(readme(self.target.title, facts, written["example"]))
            self.tell(f"running it on {self.target.title} alone")
            received = run_alone(staged, self.target)
            name = f"{targets.SOURCE}{self.target.name}"
            checks = compare_all(name, references, {batch: expected[batch] for batch in inputs}, received)
            report = PortReport(self.subject.backend, name, place.artifact, checks, host.name, facts=facts)
            if not report.passed:
                return replace(report, artifact=None)
            destination.deliver(staged, place, report.to_json())
        return report

    def _host(self) -> Backend:
        """The backend that reads the model and says what it answers: where it was trained, if that is here."""
        if self.subject.backend != UNKNOWN and catalog.find(self.subject.backend).installed:
            return catalog.find(self.subject.backend)
        return self.target

    def _batches(self, interface: dict[str, Any]) -> tuple[Batches, Batches]:
        """What the source is given, and the same prepared, as the model is given it."""
        bundle = self.subject.bundle
        recorded = [bundle.recorded_inputs] if bundle else interface["drawn"]
        if not interface["raw"]:
            inputs = {"recorded": recorded, **probes(recorded)}
            return inputs, inputs
        chain = self.subject.preprocessing.inputs
        recorded = [as_dtype(chain.inverse(recorded[0]), interface["inputs"][0]["dtype"])]
        inputs = {"recorded": recorded, **probes(recorded)}
        return inputs, {name: [chain(arrays[0])] for name, arrays in inputs.items()}

    def _expected(self, host: Backend, inputs: Batches, prepared: Batches) -> tuple[Batches, dict[str, str]]:
        """What the model answers to each batch, and on whose word."""
        expected = worker.get(host.name).call(source_model.answers, str(self.subject.path), prepared)
        references = dict.fromkeys(inputs, host.name)
        bundle = self.subject.bundle
        if bundle and inputs is prepared:
            expected["recorded"], references["recorded"] = [bundle.recorded_outputs], self.subject.backend
        return expected, references

    def _facts(self, interface: dict[str, Any], files: list[str], requires: list[str]) -> dict[str, Any]:
        return {
            "source_file": self.subject.describe(),
            "labels": list(self.subject.labels),
            "inputs": interface["inputs"],
            "outputs": interface["outputs"],
            "raw_inputs": interface["raw"],
            "prepared_because": interface["reason"],
            "preparation": self.subject.preprocessing.to_json(),
            "recipe": self.subject.recipe,
            "trivium": metadata.version("trivium"),
            "files": sorted([*files, "README.md"]),
            "requires": list(requires),
        }


def _room(framework: str) -> ModuleType:
    """The module that writes source for a framework.

    Raises:
        PortError: there is none.
    """
    rooms = f"{__package__.rpartition('.')[0]}.backends"
    writers = [backend.name for backend in catalog.BACKENDS if backend.writes_source]
    if framework not in writers:
        names = ", ".join(f"{targets.SOURCE}{name}" for name in writers)
        raise PortError(f"no source can be written for {framework!r} (there are {names})")
    return importlib.import_module(f"{rooms}.{framework}.source")


# --- run in a worker, under the backend that reads the model --------------------------------------------------------


def write(path: str, raw: bool, framework: str, folder: str, name: str | None) -> dict[str, Any]:
    """Write `model.py`, its weights and `check.py` into a folder.

    Args:
        name: what the model is called where Keras has numbered it only.

    Returns:
        `requires`: the packages that they need; `example`: a few lines that use the model.

    Raises:
        PortError: not all layers of the model can be; each is named.
    """
    from .keras_to_graph.model import read

    room = _room(framework)
    graph = read(load_as(path, raw), room.refuses, load(path) if raw else None)
    if _DEFAULT_NAME.fullmatch(graph.name) and name:
        graph = replace(graph, name=identifier(name))
    source = room.write(graph)
    save(source, graph, Path(folder))
    return {"requires": [*source.requires, "numpy"], "example": source.example}


def save(source: Source, graph: Graph, folder: Path) -> None:
    """Write what a room gave as files."""
    from safetensors.numpy import save as to_bytes

    tensors = {name: np.ascontiguousarray(value) for name, value in source.weights.items()}
    (folder / WEIGHTS_FILE).write_bytes(
        to_bytes(tensors, {"model": graph.name, "trivium": metadata.version("trivium")})
    )
    (folder / "model.py").write_text(source.model)
    tolerance = parity.tolerance("float32")
    (folder / "check.py").write_text(CHECK.format(predict=source.predict.rstrip(), tolerance=tolerance))


# --- the process that has neither Keras nor trivium -----------------------------------------------------------------


def run_alone(folder: Path, backend: Backend) -> Batches:
    """What the source in a folder answers to the inputs recorded there, in a new process.

    Neither Keras nor trivium can be imported in it, and it is run from the folder.

    Raises:
        PortError: it does not run; the message has the last lines of what it said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answers = Path(scratch) / "answers.npz"
        process = subprocess.run(
            [sys.executable, "-I", "-B", "-c", FRESH, str(folder), str(answers)],
            cwd=folder,
            env={**os.environ, **backend.settings()},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        if process.returncode or not answers.exists():
            output = " / ".join((process.stderr.strip() or process.stdout.strip()).splitlines()[-_LINES:])
            raise PortError(f"the source that was written does not run: {output}")
        with np.load(answers, allow_pickle=False) as arrays:
            return _batches_of(arrays, "output")


def _record(path: Path, inputs: Batches, expected: Batches) -> None:
    arrays = {
        f"{name}/{side}_{index}": array
        for side, batches in (("input", inputs), ("output", expected))
        for name, batch in batches.items()
        for index, array in enumerate(batch)
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _batches_of(arrays: Any, side: str) -> Batches:
    batches: Batches = {}
    for key in sorted(arrays.files, key=lambda key: (key.split("/")[0], int(key.rpartition("_")[2]))):
        name, _, rest = key.partition("/")
        if rest.startswith(side):
            batches.setdefault(name, []).append(arrays[key])
    return batches
