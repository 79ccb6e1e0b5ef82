"""A trained model moved to another backend, and the move verified before it is called done.

The target loads the bundle in its own worker and answers the inputs that the bundle recorded where it was trained:
that needs no other framework. Where the source's backend is installed too, both also answer random and extreme inputs
in several batch sizes. The ported bundle takes its final name only when every answer agrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog, worker
from ..backends.worker import Listener
from . import bundle as bundles
from . import parity
from .bundle import Bundle
from .inference import outputs_of


@dataclass(frozen=True)
class Check:
    """One comparison: on which inputs, of which two backends, how far apart, how far allowed."""

    inputs: str
    against: str
    target: str
    difference: parity.Difference
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.difference.within(self.tolerance)

    def to_json(self) -> dict[str, Any]:
        return {
            "what": f"predictions of {self.inputs} inputs",
            "backends": [self.against, self.target],
            "samples": self.difference.samples,
            "difference": self.difference.relative,
            "absolute_difference": self.difference.absolute,
            "tolerance": self.tolerance,
            "where": list(self.difference.where),
            "passed": self.passed,
        }


@dataclass(frozen=True)
class PortReport:
    """What a port did and how it was verified.

    Attributes:
        source, target: backend names.
        artifact: the ported bundle, or None when a check failed.
        checks: every comparison.
    """

    source: str
    target: str
    artifact: Path | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def largest(self) -> parity.Difference:
        """The largest relative difference of all checks."""
        return max((check.difference for check in self.checks), key=lambda found: found.relative)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "verdict": "same" if self.passed else "different",
            "source": self.source,
            "target": self.target,
            "host": self.target,
            "artifact": str(self.artifact) if self.artifact else None,
            "largest_difference": self.largest.relative,
            "largest_absolute_difference": self.largest.absolute,
            "checks": [check.to_json() for check in self.checks],
        }


def port(source: str | Path, to: str, out: str | Path | None = None, *, listener: Listener | None = None) -> PortReport:
    """Move a bundle to another backend.

    Args:
        source: a bundle's file, or the run folder that holds it.
        to: the target backend's name; it must be installed.
        out: where the ported bundle goes; beside the source as `bundle-TARGET.trivium` by default.
        listener: called with `{"kind": "port", "stage": …}` events.

    Returns:
        The report. When a check failed, `passed` is false and no file was written.

    Raises:
        BackendError: the target is unknown or not installed.
        BundleError: the source cannot be read.
        OutputError: the ported bundle cannot be written.
    """
    tell = listener or (lambda event: None)
    target = catalog.require(to)
    path = bundles.locate(Path(source)).resolve()
    found = bundles.load(path)
    origin = found.run["environment"]["backend"]
    probes = parity.probe_inputs(found.recorded_inputs)
    tell({"kind": "port", "stage": f"loading it on {target.title}"})
    batches = {"recorded": found.recorded_inputs, **probes}
    received = worker.get(target.name).call(f"{__name__}:answer", str(path), batches)
    expected = {"recorded": found.recorded_outputs}
    if catalog.find(origin).installed:
        tell({"kind": "port", "stage": f"comparing with {catalog.find(origin).title}"})
        expected |= worker.get(origin).call(f"{__name__}:answer", str(path), probes)
    checks = tuple(
        _check(name, origin, target.name, expected[name], received[name]) for name in batches if name in expected
    )
    report = PortReport(origin, target.name, Path(out or path.with_name(f"bundle-{target.name}.trivium")), checks)
    if not report.passed:
        return PortReport(origin, target.name, None, checks)
    tell({"kind": "port", "stage": "writing it"})
    worker.get(target.name).call(f"{__name__}:save_again", str(path), str(report.artifact), report.to_json())
    return report


def _check(name: str, against: str, target: str, expected: np.ndarray, received: np.ndarray) -> Check:
    return Check(name, against, target, parity.difference(expected, received), parity.tolerance(expected.dtype))


# --- run in a worker, under the backend that is asked ---------------------------------------------------------------


def answer(path: str, batches: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the bundle's model gives for each batch of prepared inputs under this process' backend."""
    model = bundles.load(path).model
    return {name: outputs_of(model, batch) for name, batch in batches.items()}


def save_again(path: str, out: str, report: dict[str, Any]) -> None:
    """Write the bundle as this backend saves it, with the port noted in its run and its own recorded outputs."""
    found = bundles.load(path)
    Bundle(
        bundles.keras_bytes(found.model),
        found.preprocessing,
        found.labels,
        {
            **found.run,
            "environment": {**found.run["environment"], "backend": report["target"]},
            "ported": [*found.run.get("ported", []), report],
        },
        found.recorded_inputs,
        answer(path, {"recorded": found.recorded_inputs})["recorded"],
    ).save(Path(out))
