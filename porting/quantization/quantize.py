"""Quantise a verified artifact, and measure what that saves and loses.

The tool of the format writes the quantised artifact in the worker of the host. Both artifacts then predict the same
test samples in their runtime, without Keras. `result.py` says whether the loss is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backends.workers import worker
from ...backends.workers.worker import Worker
from ...engine.bundles import thresholds
from ...errors import PortError, WorkerError
from ...functions import function_name
from ..artifact_worker import artifact_worker, run_artifact
from ..source_model import SourceModel
from ..targets import Format, Host
from . import timing
from .accuracy import read_outputs
from .methods import INT8, TOOLS, QuantizationOptions
from .result import Quantization
from .samples import Samples, load_samples

_BATCH = 256


@dataclass(frozen=True)
class FloatArtifact:
    """A verified artifact that is to be quantised.

    Attributes:
        path: of the artifact, alone in its folder with the files that belong to it.
        source: the model that was ported; a bundle.
        target: the format.
        host: the backend that wrote the artifact.
        interface: what `source_model.inspect_model` returned.
        description: what was written into the artifact.
        recorded: the samples that the bundle recorded, as the artifact takes them.
        to_inputs: turns samples of the data into what the artifact takes.
    """

    path: Path
    source: SourceModel
    target: Format
    host: Host
    interface: dict[str, Any]
    description: dict[str, Any]
    recorded: list[np.ndarray]
    to_inputs: Callable[[list[np.ndarray]], list[np.ndarray]]

    @property
    def names(self) -> list[list[str]]:
        """The names of the inputs, and those of the outputs."""
        return [[tensor["name"] for tensor in self.description[side]] for side in ("inputs", "outputs")]

    @property
    def process(self) -> Worker:
        """The process that runs it."""
        return artifact_worker(self.target.name, self.host.backend)

    def samples(self) -> Samples:
        """Return samples of the data of the bundle's training, or the recorded ones if these cannot be read."""
        options = str(self.source.path), self.description["raw_inputs"]
        data = worker.get(self.host.backend).call(load_samples, *options)
        if "reason" in data:
            origin = f"{len(self.recorded[0])} samples that the bundle recorded ({data['reason']})"
            return Samples(self.recorded, origin, self.recorded, f"the same answers for the {origin}", None)
        calibration, test = (self.to_inputs(data[name]) for name in ("calibration", "test"))
        counts = (f"{len(arrays[0]):,} samples of the" for arrays in (calibration, test))
        origins = [f"{count} {part} part" for count, part in zip(counts, ("training", data["part"]), strict=True)]
        return Samples(calibration, origins[0], test, origins[1], data["targets"])


def quantize(
    artifact: FloatArtifact, options: QuantizationOptions, folder: Path, announce: Callable[[str], None]
) -> tuple[Quantization, dict[str, Any]]:
    """Write the quantised artifact into a folder, under the name of the artifact, and compare the two.

    Returns:
        The comparison; and the `inputs`, `outputs` and `versions` of the quantised artifact.

    Raises:
        PortError: the tool cannot quantise this artifact, or its runtime does not run the result.
    """
    announce("reading samples of its data")
    samples = artifact.samples()
    path = folder / artifact.path.name
    announce(f"quantising it to {options.method}")
    versions = _write(artifact, options.method, path, samples.calibration)
    announce(f"measuring both in {artifact.target.runtime}")
    before, after = (_run(artifact, each, samples.test) for each in (artifact.path, path))
    readers = _read_outputs(artifact)
    targets: Sequence[np.ndarray | None] = [None] * len(readers) if samples.targets is None else samples.targets
    outputs = zip(readers, before["answers"], after["answers"], targets, strict=True)
    result = Quantization(
        options.method,
        options.max_drop,
        samples.calibration_source if options.method == INT8 else "",
        samples.test_source,
        (_size(artifact.path.parent), _size(folder)),
        _time(artifact, path, samples.test),
        tuple(reader.score(*arrays) for reader, *arrays in outputs),
    )
    facts = {side: after[side] for side in ("inputs", "outputs")}
    return result, {**facts, "versions": {**versions, **after["versions"]}}


def _write(artifact: FloatArtifact, method: str, path: Path, calibration: list[np.ndarray]) -> dict[str, str]:
    """Let the tool of the format write the quantised artifact; return the versions of its packages."""
    description = json.dumps({**artifact.description, "quantization": method})
    export = (
        artifact.interface["size"],
        str(artifact.source.path),
        artifact.interface["raw"],
        artifact.host.unroll,
        artifact.names[0],
        description,
    )
    tool = TOOLS[artifact.target.name].function
    try:
        return dict(
            worker.get(artifact.host.backend).call(tool, method, str(artifact.path), str(path), calibration, *export)
        )
    except WorkerError as error:  # each tool raises its own
        raise PortError(f"{artifact.target.title} cannot be quantised to {method}: {error}") from error


def _run(artifact: FloatArtifact, path: Path, inputs: list[np.ndarray]) -> dict[str, Any]:
    """Return what `artifact_runtimes.run_artifact` returns; `answers` has one array per output."""
    starts = range(0, len(inputs[0]), _BATCH)
    batches = {str(start): [array[start : start + _BATCH] for array in inputs] for start in starts}
    which = "the artifact" if path == artifact.path else "the quantised artifact"
    what = f"{artifact.target.runtime} does not run {which}"
    settings = (artifact.names, batches, artifact.interface["size"])
    result = run_artifact(artifact.process, what, artifact.target.reader, path, *settings)
    parts = [result["answers"][name] for name in batches]
    return {**result, "answers": [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]}


def _time(artifact: FloatArtifact, path: Path, inputs: list[np.ndarray]) -> tuple[float, float]:
    """Return the milliseconds per sample of both artifacts."""
    opener, paths = function_name(artifact.target.reader), [str(artifact.path), str(path)]
    sample = [array[:1] for array in inputs]
    options = (opener, paths, artifact.names, sample, artifact.interface["size"])
    before, after = artifact.process.call(timing.time_samples, *options)
    return before, after


def _read_outputs(artifact: FloatArtifact) -> list[Any]:
    bundle = artifact.source.bundle
    assert bundle
    kinds, threshold = artifact.interface["output_kinds"], thresholds.in_force(bundle, None)
    return read_outputs(artifact.interface["outputs"], kinds, bundle.labels, bundle.preprocessing, threshold)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
