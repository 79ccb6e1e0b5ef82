"""Port a model to a format that other runtimes serve, and verify the artifact in its runtime.

A host, that is, a backend that can write the format, writes it into a staging folder. A process without Keras opens it
and predicts for recorded, random, single and extreme inputs, and for some of other lengths where the model takes any.
It is published only if every output is the model's own.
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
from ..data.columns import Column
from ..data.dataset import labels_to_json
from ..data.preprocessing.text_words import TextWords
from ..engine.keras_model.open_axes import closed
from ..engine.verification import parity
from ..errors import PortError, WorkerError
from . import keras_export, nudges, onnx_rows, onnx_text, source_model, targets
from .artifact_runtimes import NamedBatches
from .artifact_worker import artifact_worker, run_artifact
from .destination import Destination, choose_destination, publish, staging
from .quantization.methods import QuantizationOptions
from .quantization.quantize import FloatArtifact, quantize
from .report import RECORDED, PortReport, compare_batches, find_constant_outputs
from .source_model import UNKNOWN_BACKEND, SourceModel
from .targets import Format, Host

# A recorded sample that is prepared again from raw values may differ by rounding; its recorded output still applies.
_SAME_SAMPLE = 1e-6
# The samples of inputs of another length.
_SAMPLES = 2

StageCallback = Callable[[str], None]


def port_to_format(
    source: SourceModel,
    target: Format,
    out: Path | None,
    raw: bool | None,
    announce: StageCallback,
    quantization: QuantizationOptions | None = None,
    opset: int | None = None,
) -> PortReport:
    """Port to a format; the report has no artifact if a check failed.

    Args:
        raw: whether the artifact takes raw inputs; None means wherever the preprocessing can be written as layers.
        quantization: how to quantise the artifact after it was verified; None leaves it as it is.
        opset: the version of ONNX' operators; None for that of the exporter.

    Raises:
        PortError: no installed backend can write the format, or the format cannot represent this model.
        DataError: raw inputs are requested, and the preprocessing cannot be written as layers.
        OutputError: the artifact cannot be written.
    """
    hosts = targets.hosts(target)
    destination = choose_destination(source.path, target.name, target.file, out)
    announce(f"loading it on {catalog.find(hosts[0].backend).title}")
    interface = worker.get(hosts[0].backend).call(source_model.inspect_model, str(source.path), raw)
    _require_no_memory(interface["stateful"], target)
    reasons: list[str] = []
    different: list[PortReport] = []
    for host in hosts:
        try:
            options = quantization, tuple(reasons), opset
            report = _Export(source, target, host, destination, interface, announce, *options).run()
        except (PortError, WorkerError) as error:
            reasons.append(str(error))
            continue
        if report.same:
            return report
        different.append(report)
        reasons.append(
            f"what Keras on {host.backend} writes predicts differently (by {report.largest.relative:.2g}, relatively)"
        )
    if different:
        return replace(different[0], facts={**different[0].facts, "passed_over": reasons})
    raise PortError("; ".join(reasons))


def _require_no_memory(stateful: list[str], target: Format) -> None:
    if stateful:
        raise PortError(
            f"{', '.join(stateful)} remember{'s' if len(stateful) == 1 else ''} from one batch to the next, which "
            f"{target.title} does not: build the model without stateful=True, load these weights into it, and port that"
        )


@dataclass
class _Export:
    """One attempt by one host.

    Attributes:
        interface: what `source_model.inspect_model` returned.
        quantization: how to quantise the artifact, or None.
        passed_over: why earlier hosts did not do.
        opset: the version of ONNX' operators; None for that of the exporter.
    """

    source: SourceModel
    target: Format
    host: Host
    destination: Destination
    interface: dict[str, Any]
    announce: StageCallback
    quantization: QuantizationOptions | None = None
    passed_over: tuple[str, ...] = ()
    opset: int | None = None

    def run(self) -> PortReport:
        inputs, prepared_inputs = self._batches()
        takes = self.interface["inputs"]
        columns, text = self._columns(), self._text()
        if columns:
            takes = onnx_rows.describe(columns)
            inputs = {name: onnx_rows.split(arrays[0], columns) for name, arrays in inputs.items()}
        elif text:
            takes = onnx_text.describe(text)
            sentences = {name: text.inverse(arrays[0]) for name, arrays in prepared_inputs.items()}
            inputs = {name: onnx_text.to_texts(codes) for name, codes in sentences.items()}
            prepared_inputs = {name: [text(codes)] for name, codes in sentences.items()}
        description = {
            "labels": labels_to_json(self.source.labels),
            "inputs": takes,
            "reads_words": bool(columns or text),
            "outputs": self.interface["outputs"],
            "axes": self.interface["axes"],
            "output_kinds": self.interface["output_kinds"],
            "raw_inputs": self.interface["raw"] or text is not None,
            "preparation": self.source.preprocessing.to_json(),
            "recipe": self.source.recipe,
            "trivium": metadata.version("trivium"),
        }
        # Before the export, which may change the model.
        self.announce(f"predicting on {catalog.find(self._reference).title}")
        expected, references = self._expected(prepared_inputs)
        with staging(self.destination) as staged:
            written = self._write(staged / self.destination.name, description)
            result = self._run_artifact(staged / self.destination.name, description, inputs)
            self.announce("comparing")
            facts = {
                "source_file": self.source.describe(),
                **description,
                "prepared_because": None if text else self.interface["reason"],
                **{side: result[side] for side in ("inputs", "outputs")},
                "fixed_batch": self.interface["size"],
                **({"passed_over": list(self.passed_over)} if self.passed_over else {}),
                "files": sorted(path.name for path in staged.iterdir()),
                **({"opset": written["opset"]} if written["opset"] else {}),
                "versions": {**written["versions"], **result["versions"]},
            }
            report = self._compare(prepared_inputs, expected, references, result["answers"], facts)
            if report.passed and self.quantization:
                report, staged = self._quantize(report, staged, description, inputs[RECORDED])
            if not report.passed:
                return replace(report, artifact=None)
            publish(staged, self.destination, report.to_json())
        return report

    def _quantize(
        self, report: PortReport, staged: Path, description: dict[str, Any], recorded: list[np.ndarray]
    ) -> tuple[PortReport, Path]:
        """Quantise the verified artifact; return the report with the comparison, and the folder of the result."""
        assert self.quantization
        origin = self.source, self.target, self.host, self.interface
        artifact = FloatArtifact(staged / self.destination.name, *origin, description, recorded, self._to_inputs)
        folder = staged.with_name("quantized")
        folder.mkdir()
        result, facts = quantize(artifact, self.quantization, folder, self.announce)
        facts["versions"] = {**report.facts["versions"], **facts["versions"]}
        facts["files"] = sorted(path.name for path in folder.iterdir())
        return replace(report, facts={**report.facts, **facts}, quantization=result), folder

    def _to_inputs(self, samples: list[np.ndarray]) -> list[np.ndarray]:
        """Return samples of the data, raw where the artifact takes them so, as the artifact takes them."""
        if self._text():
            return onnx_text.to_texts(samples[0])
        if not self.interface["raw"]:
            return samples
        raw = as_dtype(samples[0], self.interface["inputs"][0]["dtype"])
        columns = self._columns()
        return onnx_rows.split(raw, columns) if columns else [raw]

    def _write(self, artifact: Path, description: dict[str, Any]) -> dict[str, Any]:
        """Let the host write the artifact; return what `keras_export.export_model` does."""
        host = catalog.find(self.host.backend)
        self.announce(f"writing {self.target.title} by Keras on {host.title}")
        options = (
            self.interface["raw"],
            self.target.name,
            self.host.unroll,
            str(artifact),
            json.dumps(description),
            self.opset,
        )
        return dict(worker.get(host.name).call(keras_export.export_model, str(self.source.path), *options))

    def _columns(self) -> tuple[Column, ...]:
        """Return the columns that the artifact takes one by one, with words as text; empty where it takes arrays."""
        table = self.source.preprocessing.table
        return table.columns if table and self.target.takes_words and self.interface["raw"] else ()

    def _text(self) -> TextWords | None:
        """Return the step by which the artifact reads sentences; None where it takes arrays."""
        steps = self.source.preprocessing.inputs.steps
        is_alone = len(steps) == 1 and self.target.takes_words and self.interface["reason"] is not None
        return self.source.preprocessing.text if is_alone else None

    def _run_artifact(self, artifact: Path, description: dict[str, Any], inputs: NamedBatches) -> dict[str, Any]:
        """Run the artifact in a process that has its runtime and never imports Keras (see `artifact_runtimes`)."""
        self.announce(f"running it in {self.target.runtime}")
        names = [[tensor["name"] for tensor in description[side]] for side in ("inputs", "outputs")]
        what = f"{self.target.runtime} does not run what Keras on {self.host.backend} wrote as {self.target.title}"
        process = artifact_worker(self.target.name, self.host.backend)
        return run_artifact(process, what, self.target.reader, artifact, names, inputs, self.interface["size"])

    def _batches(self) -> tuple[NamedBatches, NamedBatches]:
        """Return the artifact's inputs, and the same samples preprocessed, as the model takes them."""
        bundle = self.source.bundle
        recorded = bundle.input_arrays if bundle else self.interface["drawn"]
        chain = self.source.preprocessing.inputs
        if self.interface["raw"]:
            recorded = [as_dtype(chain.inverse(recorded[0]), self.interface["inputs"][0]["dtype"])]
        # A text is cut and filled up to one length.
        inputs = usual_batches(recorded) if self._text() else all_batches(recorded, self.interface)
        if not self.interface["raw"]:
            return inputs, inputs
        return inputs, {name: [chain(arrays[0])] for name, arrays in inputs.items()}

    @property
    def _reference(self) -> str:
        """The backend to compare with: the one that the model was trained on if it is installed, else the host."""
        origin = self.source.backend
        return origin if origin != UNKNOWN_BACKEND and catalog.find(origin).installed else self.host.backend

    def _expected(self, prepared: NamedBatches) -> tuple[NamedBatches, dict[str, str]]:
        """Return the expected outputs of each batch, and the name of the backend that computed them."""
        bundle = self.source.bundle
        expected: NamedBatches = {}
        if bundle and _same_samples(bundle.input_arrays, prepared[RECORDED]):
            expected[RECORDED] = bundle.output_arrays
        unanswered = {name: arrays for name, arrays in prepared.items() if name not in expected}
        answers = worker.get(self._reference).call(source_model.predict_batches, str(self.source.path), unanswered)
        references = {**dict.fromkeys(unanswered, self._reference), **dict.fromkeys(expected, self.source.backend)}
        return expected | answers, references

    def _compare(
        self,
        prepared: NamedBatches,
        expected: NamedBatches,
        references: dict[str, str],
        received: NamedBatches,
        facts: dict[str, Any],
    ) -> PortReport:
        answered = {name: expected[name] for name in prepared}
        predict_nudged = nudges.of_keras_model(self._reference, str(self.source.path), prepared, self.announce)
        checks = compare_batches(
            self.target.name, references, answered, received, self.interface["dtype"], predict_nudged
        )
        return PortReport(
            self.source.backend,
            self.target.name,
            self.destination.artifact,
            checks,
            self.host.backend,
            facts=facts,
            constant_outputs=find_constant_outputs(answered),
        )


def all_batches(recorded: list[np.ndarray], interface: dict[str, Any]) -> NamedBatches:
    """Return the recorded inputs and all others by which a model is checked, in the order in which they are run.

    Inputs of other lengths come first, the shortest before the rest: a runtime may plan by the first shape that it
    meets, so that what is right for the recorded length is wrong for others. (Attention by OpenVINO 2026.4 is wrong at
    length 17 if the first length was 1.)

    Args:
        interface: what `source_model.inspect_model` returned.
    """
    return {**resized_batches(recorded, interface), **usual_batches(recorded)}


def usual_batches(recorded: list[np.ndarray]) -> NamedBatches:
    """Return the recorded inputs, and random, single and extreme ones within their range."""
    return {RECORDED: recorded, **probe_batches(recorded)}


def resized_batches(recorded: list[np.ndarray], interface: dict[str, Any]) -> NamedBatches:
    """Return inputs of other lengths along open axes; none for a model without such axes."""
    batches = {}
    for size in interface["sizes"]:
        shapes = [closed(tensor["shape"], size, _SAMPLES) for tensor in interface["inputs"]]
        resized = [parity.resized_inputs(*pair, seed) for seed, pair in enumerate(zip(recorded, shapes, strict=True))]
        batches[f"length {size[0]}" if len(size) == 1 else "size " + "x".join(map(str, size))] = resized
    return batches


def probe_batches(recorded: list[np.ndarray]) -> NamedBatches:
    """Return further inputs within the range of the recorded ones, one array per input (see `parity.probe_inputs`)."""
    probes_by_input = [parity.probe_inputs(values, seed) for seed, values in enumerate(recorded)]
    return {name: [probes_of_input[name] for probes_of_input in probes_by_input] for name in probes_by_input[0]}


def as_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Cast values to another dtype; to an integer dtype they are rounded and clipped to its range."""
    if np.dtype(dtype).kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max), dtype)


def _same_samples(recorded: list[np.ndarray], prepared: list[np.ndarray]) -> bool:
    return all(
        one.shape == other.shape and parity.difference(one, other).within(_SAME_SAMPLE)
        for one, other in zip(recorded, prepared, strict=True)
    )
