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

Tell = Callable[[str], None]


def move(source: Subject, target: Backend, out: Path | None, tell: Tell) -> PortReport:
    """Port to a backend: a bundle to a bundle, a model file to a `.keras` file; nothing when a check fails.

    Raises:
        BundleError: the model cannot be loaded.
        OutputError: what was ported cannot be written.
    """
    bundle_path = out or source.path.with_name(f"bundle-{target.name}.trivium")
    if source.bundle is None:
        place = destination.choose(source.path, target.name, "model.keras", out)
    else:
        atomic.require_writable_file(bundle_path)
    report = _compare(source, target, tell)
    if not report.passed:
        return report
    tell("writing it")
    if source.bundle is None:
        return _keep_file(source, target, place, report)
    report = replace(report, artifact=bundle_path)
    worker.get(target.name).call(save_bundle, str(source.path), str(bundle_path), report.to_json())
    return report


def _compare(source: Subject, target: Backend, tell: Tell) -> PortReport:
    """Everything that is compared, without an artifact yet."""
    path, reference = str(source.path), _home(source, target)
    tell(f"loading it on {target.title}")
    recorded = [source.bundle.recorded_inputs] if source.bundle else _drawn(path, target)
    batches = {RECORDED: recorded, **probes(recorded)}
    received = worker.get(target.name).call(source_model.answers, path, batches)
    expected = {RECORDED: [source.bundle.recorded_outputs]} if source.bundle else {}
    if reference:
        tell(f"comparing with {reference.title}")
        unanswered = {name: arrays for name, arrays in batches.items() if name not in expected}
        expected |= worker.get(reference.name).call(source_model.answers, path, unanswered)
    against = reference.name if reference else source.backend
    checks = compare_all(target.name, dict.fromkeys(expected, against), expected, received)
    training: tuple[tolerances.BackendCheck, ...] = ()
    if reference and target.trains and all(check.passed for check in checks):
        tell("taking one more training step on both")
        training = training_step.compare(path, reference.name, target.name)
    return PortReport(source.backend, target.name, None, checks, target.name, training)


def _home(source: Subject, target: Backend) -> Backend | None:
    """The backend to compare with: where the model was trained, if it is installed; for a model file any other."""
    if source.backend == UNKNOWN:
        return next((backend for backend in catalog.trainers() if backend != target), target)
    origin = catalog.find(source.backend)
    return origin if origin.installed else None


def _drawn(path: str, target: Backend) -> list[np.ndarray]:
    interface = worker.get(target.name).call(source_model.examine, path, False)
    return list(interface["drawn"])


def _keep_file(source: Subject, target: Backend, place: Place, report: PortReport) -> PortReport:
    report = replace(report, artifact=place.artifact, facts={"source_file": source.describe(), "files": [place.name]})
    with destination.aside(place) as staged:
        worker.get(target.name).call(save_file, str(source.path), str(staged / place.name))
        destination.deliver(staged, place, report.to_json())
    return report


# --- run in a worker, under the backend that is asked ---------------------------------------------------------------


def save_file(path: str, out: str) -> None:
    """Write a model file as this backend saves it, in Keras' current format, for any backend."""
    Path(out).write_bytes(bundles.keras_bytes(source_model.load(path)))


def save_bundle(path: str, destination: str, report: dict[str, Any]) -> None:
    """Write the bundle as this backend saves it, with the port noted in its run and its own recorded outputs."""
    bundle = bundles.load(path)
    predictions = source_model.answers(path, {RECORDED: [bundle.recorded_inputs]})
    Bundle(
        bundles.keras_bytes(bundle.model),
        bundle.preprocessing,
        bundle.labels,
        {
            **bundle.run,
            "environment": {**bundle.run["environment"], "backend": report["target"]},
            "ported": [*bundle.run.get("ported", []), report],
        },
        bundle.recorded_inputs,
        predictions[RECORDED][0],
    ).save(Path(destination))
