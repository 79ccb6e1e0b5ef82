"""Port a model to another backend, and verify that it predicts and trains there as on its own backend.

The target's predictions are compared with those that the bundle recorded during training; this needs no other
framework. If the source's backend is installed too, both also predict for random and extreme inputs in several batch
sizes, and both take one more training step.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..backends import catalog
from ..backends.catalog import Backend
from ..backends.workers import worker
from ..engine.bundles import bundle as bundles
from ..engine.bundles.bundle import Bundle
from ..engine.keras_model.interface import by_name, output_names
from ..engine.keras_model.model_bytes import keras_bytes
from ..storage import atomic
from . import nudges, source_model, training_step
from .destination import Destination, choose_destination, publish, staging
from .export import StageCallback, all_batches
from .report import RECORDED, PortReport, compare_batches, find_constant_outputs
from .source_model import UNKNOWN_BACKEND, SourceModel


def port_to_backend(source: SourceModel, target: Backend, out: Path | None, announce: StageCallback) -> PortReport:
    """Port a bundle to a bundle, or a model file to a `.keras` file; write nothing if a check fails.

    Raises:
        BundleError: the model cannot be loaded.
        OutputError: the port cannot be written.
    """
    bundle_path = out or source.path.with_name(f"bundle-{target.name}.trivium")
    if source.bundle is None:
        destination = choose_destination(source.path, target.name, "model.keras", out)
    else:
        atomic.require_writable_file(bundle_path)
    report = _compare(source, target, announce)
    if not report.passed:
        return report
    announce("writing it")
    if source.bundle is None:
        return _write_model_file(source, target, destination, report)
    report = replace(report, artifact=bundle_path)
    worker.get(target.name).call(save_bundle, str(source.path), str(bundle_path), report.to_json())
    return report


def _compare(source: SourceModel, target: Backend, announce: StageCallback) -> PortReport:
    """Return the report of all comparisons; its artifact is not written yet."""
    path, reference = str(source.path), _reference_backend(source, target)
    announce(f"loading it on {target.title}")
    interface = worker.get(target.name).call(source_model.inspect_model, path, False)
    recorded = source.bundle.input_arrays if source.bundle else interface["drawn"]
    batches = all_batches(recorded, interface)
    received = worker.get(target.name).call(source_model.predict_batches, path, batches)
    expected = {RECORDED: source.bundle.output_arrays} if source.bundle else {}
    if reference:
        announce(f"comparing with {reference.title}")
        unanswered = {name: arrays for name, arrays in batches.items() if name not in expected}
        expected |= worker.get(reference.name).call(source_model.predict_batches, path, unanswered)
    against = reference.name if reference else source.backend
    predict_nudged = nudges.of_keras_model((reference or target).name, path, batches, announce)
    references = dict.fromkeys(expected, against)
    checks = compare_batches(target.name, references, expected, received, predict_nudged=predict_nudged)
    constant_outputs = find_constant_outputs(expected)
    report = PortReport(source.backend, target.name, None, checks, target.name, constant_outputs=constant_outputs)
    if reference and target.trains and report.passed and interface["compiled"]:
        announce("taking one more training step on both")
        report = replace(report, training=training_step.compare(path, reference.name, target.name))
    return report


def _reference_backend(source: SourceModel, target: Backend) -> Backend | None:
    """Return the backend to compare with: the source's, or None if it is not installed; for a model file any other."""
    if source.backend == UNKNOWN_BACKEND:
        return next((backend for backend in catalog.trainers() if backend != target), target)
    origin = catalog.find(source.backend)
    return origin if origin.installed else None


def _write_model_file(source: SourceModel, target: Backend, destination: Destination, report: PortReport) -> PortReport:
    report = replace(
        report, artifact=destination.artifact, facts={"source_file": source.describe(), "files": [destination.name]}
    )
    with staging(destination) as staged:
        worker.get(target.name).call(save_file, str(source.path), str(staged / destination.name))
        publish(staged, destination, report.to_json())
    return report


# --- run in a worker, under the chosen backend ---------------------------------------------------------------------


def save_file(path: str, out: str) -> None:
    """Write a model file in Keras' current format, with this backend's variables."""
    Path(out).write_bytes(keras_bytes(source_model.take(path)))


def save_bundle(path: str, destination: str, report: dict[str, Any]) -> None:
    """Write the bundle with this backend's recorded outputs and the port's report in its run record."""
    bundle = bundles.load(path)
    predictions = source_model.predict_batches(path, {RECORDED: bundle.input_arrays})
    Bundle(
        keras_bytes(bundle.model),
        bundle.preprocessing,
        bundle.labels,
        {
            **bundle.run,
            "environment": {**bundle.run["environment"], "backend": report["target"]},
            "ported": [*bundle.run.get("ported", []), report],
        },
        bundle.recorded_inputs,
        by_name(output_names(bundle.model), predictions[RECORDED]),
    ).save(Path(destination))
