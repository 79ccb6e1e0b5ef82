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
from . import destination, targets
from .destination import Place
from .report import RECORDED, Check, PortReport, compare_all
from .source_model import UNKNOWN, Batches, Subject
from .targets import Format, Host

_SUBJECT, _FORMATS, _RUNTIMES = (
    f"{__package__}.{name}" for name in ("source_model", "keras_export", "artifact_runtimes")
)
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
    examined = worker.get(hosts[0].backend).call(f"{_SUBJECT}:examine", str(subject.path), raw)
    _require_no_memory(examined["stateful"], target)
    reasons = []
    for host in hosts:
        try:
            return _Export(subject, target, host, place, examined, tell).run()
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
        given, prepared = self._batches()
        description = {
            "labels": list(self.subject.labels),
            "inputs": self.examined["inputs"],
            "outputs": self.examined["outputs"],
            "raw_inputs": self.examined["raw"],
            "preparation": self.subject.preprocessing.to_json(),
            "recipe": self.subject.recipe,
            "trivium": metadata.version("trivium"),
        }
        with destination.aside(self.place) as made:
            versions = self._write(made / self.place.name, description)
            answered = self._answer(made / self.place.name, given)
            self.tell("comparing")
            facts = {
                "source_file": self.subject.describe(),
                **description,
                "prepared_because": self.examined["reason"],
                **{side: answered[side] for side in ("inputs", "outputs")},
                "fixed_batch": self.examined["size"],
                "files": sorted(path.name for path in made.iterdir()),
                "versions": {**versions, **answered["versions"]},
            }
            checks = self._compare(prepared, answered["answers"])
            names = self.subject.backend, self.target.name
            report = PortReport(*names, self.place.artifact, checks, self.host.backend, facts=facts)
            if not report.passed:
                return replace(report, artifact=None)
            destination.deliver(made, self.place, report.to_json())
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
        return dict(worker.get(host.name).call(f"{_FORMATS}:export", str(self.subject.path), *options))

    def _answer(self, artifact: Path, given: Batches) -> dict[str, Any]:
        """What the artifact is, and what it answers, in a process that has its runtime and never sees Keras."""
        self.tell(f"answering in {self.target.runtime}")
        names = [[each["name"] for each in self.examined[side]] for side in ("inputs", "outputs")]
        options = (self.target.reader, str(artifact), names, given, self.examined["size"])
        try:
            return dict(checker(self.target.name, self.host.backend).call(f"{_RUNTIMES}:answer", *options))
        except WorkerError as error:
            made = f"what Keras on {self.host.backend} wrote as {self.target.title}"
            raise PortError(f"{self.target.runtime} does not run {made}: {error}") from error

    def _batches(self) -> tuple[Batches, Batches]:
        """What the artifact is given, and the same prepared, as the model is given it."""
        bundle = self.subject.bundle
        recorded = [bundle.recorded_inputs] if bundle else self.examined["drawn"]
        chain = self.subject.preprocessing.inputs
        if self.examined["raw"]:
            recorded = [as_dtype(chain.inverse(recorded[0]), self.examined["inputs"][0]["dtype"])]
        given = {RECORDED: recorded, **probes(recorded)}
        if not self.examined["raw"]:
            return given, given
        return given, {name: [chain(arrays[0])] for name, arrays in given.items()}

    def _compare(self, prepared: Batches, received: Batches) -> tuple[Check, ...]:
        """Each batch against the backend that the model was trained on, where it is here, else against the host."""
        origin = self.subject.backend
        here = origin != UNKNOWN and catalog.find(origin).installed
        against = origin if here else self.host.backend
        bundle = self.subject.bundle
        expected: Batches = {}
        if bundle and _same(bundle.recorded_inputs, prepared[RECORDED][0]):
            expected[RECORDED] = [bundle.recorded_outputs]
        asked = {name: arrays for name, arrays in prepared.items() if name not in expected}
        answers = worker.get(against).call(f"{_SUBJECT}:answers", str(self.subject.path), asked)
        by = {**dict.fromkeys(asked, against), **dict.fromkeys(expected, origin)}
        expected |= answers
        return compare_all(self.target.name, by, {name: expected[name] for name in prepared}, received)


def probes(recorded: list[np.ndarray]) -> Batches:
    """Inputs beside the recorded ones and within their range, by name, an array an input: see `parity.probe_inputs`."""
    drawn = [parity.probe_inputs(values, seed) for seed, values in enumerate(recorded)]
    return {name: [each[name] for each in drawn] for name in drawn[0]}


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
    found = _checkers.get(target)
    if found is None or not found.alive:
        found = _checkers[target] = Worker(host)
    return found


_checkers: dict[str, Worker] = {}
