"""A model ported to a format that other runtimes serve, and the artifact verified in its runtime.

The host that can make the format writes it, aside; a process without Keras opens it and answers recorded, random,
single and extreme inputs; only when every answer is the model's own does it take its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog
from ..backends.workers import worker
from ..backends.workers.worker import Worker
from ..engine.verification import parity
from ..errors import PortError, WorkerError
from ..functions import function_name
from . import artifact_runtimes, destination, keras_export, source_model, targets
from .destination import Place
from .report import RECORDED, Check, PortReport, compare_all
from .source_model import UNKNOWN, Batches, Subject
from .targets import Format, Host

# Prepared anew from raw values, a recorded sample may be off by rounding; then its recorded answer still holds.
_SAME_SAMPLE = 1e-6

Tell = Callable[[str], None]


def export(subject: Subject, target: Format, out: Path | None, raw: bool | None, tell: Tell) -> PortReport:
    """Port to a format; without an artifact when a check fails.

    Args:
        raw: whether the artifact takes raw inputs; None wherever the preparation has a form of layers.

    Raises:
        PortError: nothing here makes the format, or it cannot hold this model.
        DataError: raw inputs are asked for that no layer prepares.
        OutputError: the artifact cannot be written.
    """
    hosts = targets.hosts(target)
    place = destination.choose(subject.path, target.name, target.file, out)
    tell(f"loading it on {catalog.find(hosts[0].backend).title}")
    interface = worker.get(hosts[0].backend).call(source_model.examine, str(subject.path), raw)
    _require_no_memory(interface["stateful"], target)
    reasons = []
    for host in hosts:
        try:
            return _Export(subject, target, host, place, interface, tell).run()
        except PortError as error:
            reasons.append(str(error))
    raise PortError("; ".join(reasons))


def _require_no_memory(stateful: list[str], target: Format) -> None:
    if stateful:
        raise PortError(
            f"{', '.join(stateful)} remember{'s' if len(stateful) == 1 else ''} from one batch to the next, which "
            f"{target.title} does not: build the model without stateful=True, load these weights into it, and port that"
        )


@dataclass
class _Export:
    """One attempt, by one host.

    Attributes:
        examined: what `subject.examine` told of the model.
    """

    subject: Subject
    target: Format
    host: Host
    place: Place
    examined: dict[str, Any]
    tell: Tell

    def run(self) -> PortReport:
        inputs, prepared_inputs = self._batches()
        description = {
            "labels": list(self.subject.labels),
            "inputs": self.examined["inputs"],
            "outputs": self.examined["outputs"],
            "raw_inputs": self.examined["raw"],
            "preparation": self.subject.preprocessing.to_json(),
            "recipe": self.subject.recipe,
            "trivium": metadata.version("trivium"),
        }
        with destination.aside(self.place) as staged:
            versions = self._write(staged / self.place.name, description)
            result = self._answer(staged / self.place.name, inputs)
            self.tell("comparing")
            facts = {
                "source_file": self.subject.describe(),
                **description,
                "prepared_because": self.examined["reason"],
                **{side: result[side] for side in ("inputs", "outputs")},
                "fixed_batch": self.examined["size"],
                "files": sorted(path.name for path in staged.iterdir()),
                "versions": {**versions, **result["versions"]},
            }
            checks = self._compare(prepared_inputs, result["answers"])
            names = self.subject.backend, self.target.name
            report = PortReport(*names, self.place.artifact, checks, self.host.backend, facts=facts)
            if not report.passed:
                return replace(report, artifact=None)
            destination.deliver(staged, self.place, report.to_json())
        return report

    def _write(self, artifact: Path, description: dict[str, Any]) -> dict[str, str]:
        """Let the host write the artifact; the versions of what did."""
        host = catalog.find(self.host.backend)
        self.tell(f"writing {self.target.title} by Keras on {host.title}")
        options = (
            description["raw_inputs"],
            self.target.name,
            self.host.unroll,
            str(artifact),
            json.dumps(description),
        )
        return dict(worker.get(host.name).call(keras_export.export, str(self.subject.path), *options))

    def _answer(self, artifact: Path, inputs: Batches) -> dict[str, Any]:
        """What the artifact is, and what it answers, in a process that has its runtime and never sees Keras."""
        self.tell(f"answering in {self.target.runtime}")
        names = [[tensor["name"] for tensor in self.examined[side]] for side in ("inputs", "outputs")]
        options = (function_name(self.target.reader), str(artifact), names, inputs, self.examined["size"])
        try:
            return dict(checker(self.target.name, self.host.backend).call(artifact_runtimes.answer, *options))
        except WorkerError as error:
            origin = f"what Keras on {self.host.backend} wrote as {self.target.title}"
            raise PortError(f"{self.target.runtime} does not run {origin}: {error}") from error

    def _batches(self) -> tuple[Batches, Batches]:
        """What the artifact is given, and the same prepared, as the model is given it."""
        bundle = self.subject.bundle
        recorded = [bundle.recorded_inputs] if bundle else self.examined["drawn"]
        chain = self.subject.preprocessing.inputs
        if self.examined["raw"]:
            recorded = [as_dtype(chain.inverse(recorded[0]), self.examined["inputs"][0]["dtype"])]
        inputs = {RECORDED: recorded, **probes(recorded)}
        if not self.examined["raw"]:
            return inputs, inputs
        return inputs, {name: [chain(arrays[0])] for name, arrays in inputs.items()}

    def _compare(self, prepared: Batches, received: Batches) -> tuple[Check, ...]:
        """Each batch against the backend that the model was trained on, where it is here, else against the host."""
        origin = self.subject.backend
        installed = origin != UNKNOWN and catalog.find(origin).installed
        against = origin if installed else self.host.backend
        bundle = self.subject.bundle
        expected: Batches = {}
        if bundle and _same(bundle.recorded_inputs, prepared[RECORDED][0]):
            expected[RECORDED] = [bundle.recorded_outputs]
        unanswered = {name: arrays for name, arrays in prepared.items() if name not in expected}
        answers = worker.get(against).call(source_model.answers, str(self.subject.path), unanswered)
        references = {**dict.fromkeys(unanswered, against), **dict.fromkeys(expected, origin)}
        expected |= answers
        return compare_all(self.target.name, references, {name: expected[name] for name in prepared}, received)


def probes(recorded: list[np.ndarray]) -> Batches:
    """Inputs beside the recorded ones and within their range, by name, an array an input: see `parity.probe_inputs`."""
    probes_by_input = [parity.probe_inputs(values, seed) for seed, values in enumerate(recorded)]
    return {name: [probes_of_input[name] for probes_of_input in probes_by_input] for name in probes_by_input[0]}


def as_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Values in another dtype; to whole numbers they are rounded, not cut off."""
    if np.dtype(dtype).kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max), dtype)


def _same(recorded: np.ndarray, prepared: np.ndarray) -> bool:
    return recorded.shape == prepared.shape and parity.difference(recorded, prepared).within(_SAME_SAMPLE)


def checker(target: str, host: str) -> Worker:
    """A process in which artifacts of one format are run: it has the runtime, and never sees Keras."""
    process = _checkers.get(target)
    if process is None or not process.alive:
        process = _checkers[target] = Worker(host)
    return process


_checkers: dict[str, Worker] = {}
