"""Goldens: what a model computed on one machine, in a file against which another machine is checked.

The other machine may have another backend, device, version of Keras, or precision. Nothing of the file is run: the
model is built there from its own source, which its user names; the file has inputs, weights and results alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import catalog
from ...backends.workers import worker
from ...backends.workers.worker import Listener
from ...data.dataset import Dataset
from ...errors import CheckpointError, FileError, OptionError
from ...storage import tensor_file
from ...storage.safe_fields import require_field_types
from ..training.options import DEFAULT_SEED
from . import measurements, parity, tolerances
from .model_under_test import StepBatches
from .tolerances import BackendCheck, NamedArrays
from .verification import INITIAL, Report, model_under_test_of

SCHEMA = 1
RECORDED = "recorded"
_KIND = "golden"


@dataclass(frozen=True)
class GoldenSettings:
    """How a golden was recorded; the fields are those of `ModelUnderTest`, and the number of training steps."""

    seed: int
    batch_size: int | None
    float64: bool
    steps: int


@dataclass(frozen=True)
class Golden:
    """What a model computed, and from what.

    Attributes:
        source: the recipe, file or bundle, as it was called there.
        backend, versions: of the machine that recorded it.
        dtype: the coarsest dtype that a layer computed in.
        settings: how it was recorded.
        options: options of the recipe.
        batches: of all steps.
        variables: the initial values of all variables.
        results: by kind, as in `tolerances.by_kind`.
        limits: the tolerance of each result, by kind.
    """

    source: str
    backend: str
    versions: Mapping[str, str]
    dtype: str
    settings: GoldenSettings
    options: Mapping[str, Any]
    batches: StepBatches = field(repr=False)
    variables: NamedArrays = field(repr=False)
    results: Mapping[str, NamedArrays] = field(repr=False)
    limits: Mapping[str, list[float]] = field(repr=False)

    @property
    def origin(self) -> str:
        """Return where it was recorded, in words."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{self.backend} ({versions})" if versions else self.backend


def record(
    source: Any,
    out: str | Path,
    data: Dataset | str | Path | None = None,
    *,
    backend: str | None = None,
    steps: int = 50,
    float64: bool = False,
    options: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    seed: int = DEFAULT_SEED,
    listener: Listener | None = None,
) -> Golden:
    """Record what a model computes on one backend, and write it to a file.

    Args:
        source, data, steps, float64, options, batch_size, seed: as for `verify`.
        out: the file to write.
        backend: its name. The default is the selected backend.
        listener: called with `{"kind": "verify", "title", "stage", "done", "total"}` events.

    Raises:
        TriviumError: the source or its data cannot be loaded, or the file cannot be written.
    """
    chosen = catalog.find(backend) if backend else catalog.selected()
    named, model = model_under_test_of(source, data, options, batch_size, seed, float64, steps)
    prepared = worker.get(chosen.name).call(measurements.prepare, asdict(model), steps)
    batches, variables = prepared["batches"], prepared["variables"]

    def measure(values: NamedArrays) -> dict[str, Any]:
        process = worker.get(chosen.name)
        call = process.call(measurements.measure, asdict(model), batches, values, listener=listener)
        return dict(call)

    evidence = measure(variables)
    moved = tolerances.perturb_named(variables, evidence["dtype"], seed)
    results = tolerances.by_kind(evidence)
    limits = tolerances.derive_tolerances(evidence["dtype"], results, tolerances.by_kind(measure(moved)))
    origin = (named, chosen.name, worker.get(chosen.name).call(measurements.versions), evidence["dtype"])
    settings = GoldenSettings(seed, batch_size, float64, steps)
    golden = Golden(*origin, settings, model.options, batches, variables, results, limits)
    write(Path(out), golden)
    return golden


def check(
    source: Any,
    against: str | Path,
    data: Dataset | str | Path | None = None,
    *,
    backend: str | None = None,
    float64: bool | None = None,
    options: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
) -> Report:
    """Compare what a model computes here with what was recorded.

    Args:
        source: as for `verify`.
        against: the file that `record` wrote.
        data: what the model's own options follow from, such as the number of classes, as for `verify`. The samples are
            those that were recorded.
        backend: its name. The default is the selected backend.
        float64: whether to compute in float64; by default as it was recorded.
        options: options of the recipe: those with which it was recorded.
        listener: as for `record`.

    Returns:
        The report; its first backend is `recorded`.

    Raises:
        FileError: the file is no golden, or was altered.
        OptionError: it was recorded with other options of the recipe.
        TriviumError: the source cannot be loaded.
    """
    golden = read(Path(against))
    chosen = catalog.find(backend) if backend else catalog.selected()
    if dict(options or {}) != golden.options:
        recorded = " ".join(f"--set {name}={value}" for name, value in golden.options.items())
        raise OptionError(f"{against} was recorded with {recorded or 'no options of the recipe'}: set the same")
    settings = golden.settings
    precise = settings.float64 if float64 is None else float64
    named, model = model_under_test_of(
        source, data, options, settings.batch_size, settings.seed, precise, settings.steps
    )
    evidence = worker.get(chosen.name).call(
        measurements.measure, asdict(model), golden.batches, golden.variables, listener=listener
    )
    names = (RECORDED, chosen.name)
    if "passes" not in evidence:
        least = [parity.tolerance(golden.dtype)] * len(evidence["own"])
        initial = tolerances.compare(INITIAL, names, golden.variables, evidence["own"], least)
        return Report(named, names, (initial,), (), model.float64, recorded=golden.origin)
    checks = tuple(_compare(golden, evidence, names))
    return Report(named, names, checks, (), model.float64, tuple(evidence["deviations"]), golden.origin)


def _compare(golden: Golden, evidence: dict[str, Any], names: tuple[str, str]) -> list[BackendCheck]:
    """Compare all kinds of results. Where this side computes in a coarser dtype, the tolerances are as much coarser."""
    coarser = max(1.0, parity.tolerance(evidence["dtype"]) / parity.tolerance(golden.dtype))
    received = tolerances.by_kind(evidence)
    return [
        tolerances.compare(
            what, names, expected, received.get(what, []), [coarser * each for each in golden.limits[what]]
        )
        for what, expected in golden.results.items()
    ]


# --- the file ---------------------------------------------------------------------------------------------------------


def write(path: Path, golden: Golden) -> None:
    """Write a golden: arrays and a JSON record with a checksum, in the format of safetensors.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: dict[str, tensor_file.LazyArray] = {}

    def number(named: NamedArrays) -> list[list[Any]]:
        numbered = []
        for name, array in named:
            arrays[str(len(arrays))] = tensor_file.LazyArray.of(np.asarray(array))
            numbered.append([name, len(arrays) - 1])
        return numbered

    contents = {
        "kind": _KIND,
        "schema": SCHEMA,
        "source": golden.source,
        "backend": golden.backend,
        "versions": dict(golden.versions),
        "dtype": golden.dtype,
        "settings": asdict(golden.settings),
        "options": dict(golden.options),
        "batches": {side: number([("", array) for array in arrays_]) for side, arrays_ in golden.batches.items()},
        "variables": number(golden.variables),
        "results": {what: number(named) for what, named in golden.results.items()},
        "limits": {what: list(limits) for what, limits in golden.limits.items()},
    }
    tensor_file.write(path, contents, arrays)


def read(path: Path) -> Golden:
    """Read a golden that may come from a stranger.

    Raises:
        FileError: it is no golden, was altered, or is of a later version of trivium.
    """
    try:
        contents = tensor_file.read_record(path, kind="golden")
        if not isinstance(contents, dict) or contents.get("kind") != _KIND:
            raise FileError(f"{path} is no golden: `trivium verify SOURCE --record FILE` writes one")
        if contents.get("schema") != SCHEMA:
            raise FileError(f"{path} was written by a later version of trivium: schema {contents.get('schema')}")
        with tensor_file.open_arrays(path) as array:

            def arrays(numbered: Any) -> NamedArrays:
                return [(str(name), array(str(int(number)))) for name, number in numbered]

            return Golden(
                str(contents["source"]),
                str(contents["backend"]),
                {str(name): str(version) for name, version in contents["versions"].items()},
                str(contents["dtype"]),
                _settings(contents["settings"]),
                dict(contents["options"]),
                {side: [value for _, value in arrays(contents["batches"][side])] for side in ("x", "y")},
                arrays(contents["variables"]),
                {what: arrays(contents["results"][what]) for what in tolerances.LIMITS if what in contents["results"]},
                {what: [float(value) for value in contents["limits"][what]] for what in contents["results"]},
            )
    except CheckpointError as error:
        raise FileError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{path} is no golden: {type(error).__name__} in its record") from error


def _settings(fields: Any) -> GoldenSettings:
    settings = GoldenSettings(**fields)
    require_field_types(settings)
    return settings
