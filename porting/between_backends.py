"""A model moved to another backend, and shown to compute and to learn on there as it did at home.

The target answers the inputs that a bundle recorded where it was trained: that needs no other framework. Where the
source's backend is installed too, both also answer random and extreme inputs in several batch sizes, and both take one
more training step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog
from ..backends.catalog import Backend
from ..backends.workers import worker
from ..engine.bundles import bundle as bundles
from ..engine.bundles.bundle import Bundle
from ..engine.verification import tolerances
from ..storage import atomic
from . import destination, source_model, training_step
from .destination import Place
from .export import probes
from .report import RECORDED, PortReport, compare_all
from .source_model import UNKNOWN, Subject

_SUBJECT = f"{__package__}.source_model"

Tell = Callable[[str], None]


def move(found: Subject, target: Backend, out: Path | None, tell: Tell) -> PortReport:
    """Port to a backend: a bundle to a bundle, a model file to a `.keras` file; nothing when a check fails.

    Raises:
        BundleError: the model cannot be loaded.
        OutputError: what was ported cannot be written.
    """
    artifact = out or found.path.with_name(f"bundle-{target.name}.trivium")
    if found.bundle is None:
        place = destination.choose(found.path, target.name, "model.keras", out)
    else:
        atomic.require_file(artifact)
    report = _compare(found, target, tell)
    if not report.passed:
        return report
    tell("writing it")
    if found.bundle is None:
        return _keep_file(found, target, place, report)
    report = replace(report, artifact=artifact)
    worker.get(target.name).call(f"{__name__}:save_bundle", str(found.path), str(artifact), report.to_json())
    return report


def _compare(found: Subject, target: Backend, tell: Tell) -> PortReport:
    """Everything that is compared, without an artifact yet."""
    path, home = str(found.path), _home(found, target)
    tell(f"loading it on {target.title}")
    recorded = [found.bundle.recorded_inputs] if found.bundle else _drawn(path, target)
    given = {RECORDED: recorded, **probes(recorded)}
    received = worker.get(target.name).call(f"{_SUBJECT}:answers", path, given)
    expected = {RECORDED: [found.bundle.recorded_outputs]} if found.bundle else {}
    if home:
        tell(f"comparing with {home.title}")
        asked = {name: arrays for name, arrays in given.items() if name not in expected}
        expected |= worker.get(home.name).call(f"{_SUBJECT}:answers", path, asked)
    against = home.name if home else found.backend
    checks = compare_all(target.name, dict.fromkeys(expected, against), expected, received)
    training: tuple[tolerances.Check, ...] = ()
    if home and all(check.passed for check in checks):
        tell("taking one more training step on both")
        training = training_step.compare(path, home.name, target.name)
    return PortReport(found.backend, target.name, None, checks, target.name, training)


def _home(found: Subject, target: Backend) -> Backend | None:
    """The backend to compare with: where the model was trained, if it is installed; for a model file any other."""
    if found.backend == UNKNOWN:
        return next((backend for backend in catalog.installed() if backend != target), target)
    origin = catalog.find(found.backend)
    return origin if origin.installed else None


def _drawn(path: str, target: Backend) -> list[np.ndarray]:
    examined = worker.get(target.name).call(f"{_SUBJECT}:examine", path, False)
    return list(examined["drawn"])


def _keep_file(found: Subject, target: Backend, place: Place, report: PortReport) -> PortReport:
    report = replace(report, artifact=place.artifact, facts={"source_file": found.describe(), "files": [place.name]})
    with destination.aside(place) as made:
        worker.get(target.name).call(f"{__name__}:save_file", str(found.path), str(made / place.name))
        destination.deliver(made, place, report.to_json())
    return report


# --- run in a worker, under the backend that is asked ---------------------------------------------------------------


def save_file(path: str, out: str) -> None:
    """Write a model file as this backend saves it, in Keras' current format, for any backend."""
    Path(out).write_bytes(bundles.keras_bytes(source_model.load(path)))


def save_bundle(path: str, out: str, report: dict[str, Any]) -> None:
    """Write the bundle as this backend saves it, with the port noted in its run and its own recorded outputs."""
    found = bundles.load(path)
    answered = source_model.answers(path, {RECORDED: [found.recorded_inputs]})
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
        answered[RECORDED][0],
    ).save(Path(out))
