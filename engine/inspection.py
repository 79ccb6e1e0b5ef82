"""Inspect a file without building a model, importing Keras, or running anything from the file.

The file may be a bundle, a `.keras` or legacy `.h5` file, weights, an architecture as JSON or YAML, a checkpoint, or a
run folder. Archives and HDF5 files are recognised by their content, not by the file name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.dataset import labels_to_json
from ..data.nests import map_arrays
from ..errors import FileError
from ..storage import safe_json, safe_zip, tensor_file
from ..storage.regular_file import require_regular, sha256_of
from ..storage.safe_hdf5 import StoredArray
from .bundles import architecture_file, keras_files, saved_model
from .bundles import bundle as bundles
from .bundles.bundle import Bundle
from .bundles.code_in_config import find_code
from .bundles.keras_files import ModelFile
from .keras_model.architecture import LayerSummary, is_auxiliary, layers_of, layers_of_weights
from .runs import run_folder, run_list
from .runs.file_names import files_below
from .runs.run_record import RECORD

SCHEMA = 1

_ZIP = b"PK\x03\x04"
# For files that hold only numbers.
_NO_CODE: dict[str, Any] = {"runs_code": []}


def inspect(path: str | Path) -> dict[str, Any]:
    """Describe a file or a run folder.

    Returns:
        JSON: `format` (bundle, keras, h5, weights, architecture, checkpoint, tensors, run), `bytes`, `sha256`,
        `keras_version`, `trained_on` (a backend), `parameters`, `layers` (name, kind, parameters, depth), `optimizer`,
        `arrays` (their number), `members` (SHA-256 of each), `runs_code` (the code that would run if the model were
        built), and further keys of the format. Unknown values are None or missing.

    Raises:
        FileError: the file is missing, truncated, altered, hostile, or of another format.
        BundleError, CheckpointError, OutputError: likewise, for a bundle, a checkpoint, or a run.

    Example:
        >>> report = trivium.inspect("runs/flowers")
        >>> report["recipe"], report["dataset"], report["runs_code"]
        ('dense/points', 'iris', [])
    """
    path = Path(path)
    report = {"schema": SCHEMA, "path": str(path)}
    require_regular(path)
    if path.is_dir():
        return report | _describe_run(path)
    start = safe_json.read_bytes(path, max_size=7)
    report |= {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    if start.startswith(_ZIP):
        return report | _describe_archive(path)
    if start == keras_files.HDF5:
        return report | _describe_model(keras_files.examine(path))
    if path.suffix == tensor_file.SUFFIX:
        return report | _describe_tensors(path)
    if architecture_file.is_architecture(path):
        return report | _describe_architecture(path)
    raise FileError(
        f"{path} has an unknown format: expected a bundle, a .keras, .h5 or .safetensors file, a run folder, or "
        "an architecture as .json or .yaml"
    )


def _describe_run(folder: Path) -> dict[str, Any]:
    if not (folder / RECORD).is_file():
        if saved_model.is_saved_model(folder):
            raise FileError(saved_model.refusal(folder))
        raise FileError(f"{folder} is no run: there is no {RECORD} in it")
    run = run_list.read(folder)
    place = folder / run_folder.CHECKPOINTS
    checkpoints = sorted(path.relative_to(place).as_posix() for path in files_below(place) if path.name[0] != ".")
    bundle = folder / bundles.FILE_NAME
    contents = _describe_archive(bundle) if bundle.is_file() else {"parameters": _count(run.record.get("parameters"))}
    return {
        **contents,
        **_describe_record(run.record),
        "format": "run",
        "run": run.to_json(),
        "checkpoints": checkpoints,
    }


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _describe_archive(path: Path) -> dict[str, Any]:
    with safe_zip.open_checked(path, str(path)) as archive:
        names = archive.namelist()
    if "manifest.json" not in names:
        return _describe_model(keras_files.examine(path))
    bundle = bundles.load(path)
    model = keras_files.examine(bundle.keras_file, f"{path}: model.keras")
    members = {name: hashlib.sha256(content).hexdigest() for name, content in bundles.read_members(path).items()}
    return {**_describe_model(model), **_describe_bundle(bundle), "members": members}


def _describe_bundle(bundle: Bundle) -> dict[str, Any]:
    chains = bundle.preprocessing.to_json()
    return {
        "format": "bundle",
        **_describe_record(bundle.run),
        "preprocessing": {name: [step["kind"] for step in steps] for name, steps in chains.items()},
        "labels": labels_to_json(bundle.labels),
        "recorded": {
            "inputs": map_arrays(lambda array: list(array.shape), bundle.recorded_inputs),
            "outputs": map_arrays(lambda array: list(array.shape), bundle.recorded_outputs),
        },
    }


def _describe_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a run record. Values that should be strings are converted to strings."""
    environment, dataset = (part if isinstance(part := record.get(k), dict) else {} for k in ("environment", "dataset"))
    fields = {"recipe": record.get("recipe"), "dataset": dataset.get("name"), "trained_on": environment.get("backend")}
    return {name: None if value is None else str(value) for name, value in fields.items()}


def _describe_model(model: ModelFile) -> dict[str, Any]:
    layers = layers_of(model.config, model.arrays) if model.config else layers_of_weights(model.arrays)
    compiled = model.config.get("compile_config")
    optimizer = compiled.get("optimizer") or compiled.get("optimizer_config") if isinstance(compiled, dict) else None
    name = optimizer.get("class_name") if isinstance(optimizer, dict) else optimizer
    return {
        "format": model.format,
        "keras_version": model.keras_version,
        "trained_on": model.backend,
        "parameters": sum(array.size for path, array in model.arrays.items() if not is_auxiliary(path)),
        "layers": [layer.to_json() for layer in layers],
        "optimizer": name if isinstance(name, str) else None,
        "arrays": len(model.arrays),
        "members": model.members,
        "runs_code": [finding.text for finding in model.code],
    }


def _describe_architecture(path: Path) -> dict[str, Any]:
    config = architecture_file.read_config(path)
    layers: list[LayerSummary] = layers_of(config, None)
    version = config.get("keras_version")
    return {
        "format": "architecture",
        "keras_version": None if version is None else str(version),
        "trained_on": None,
        "parameters": None,
        "layers": [layer.to_json() for layer in layers],
        "runs_code": [finding.text for finding in find_code(config)],
    }


def _describe_tensors(path: Path) -> dict[str, Any]:
    """Describe a checkpoint of a run, or any other safetensors file."""
    arrays, is_checkpoint = _read_tensors(path)
    if not is_checkpoint:
        parameters = sum(array.size for array in arrays.values())
        return {"format": "tensors", "trained_on": None, "parameters": parameters, "arrays": len(arrays)} | _NO_CODE
    from .runs import checkpoint

    state = checkpoint.load(path)
    return {
        "format": "checkpoint",
        "trained_on": state.backend,
        "epoch": state.epoch,
        "stopped": state.stopped,
        "parameters": sum(a.size for name, a in arrays.items() if name.startswith("model/") and not is_auxiliary(name)),
        "arrays": len(arrays),
    } | _NO_CODE


def _read_tensors(path: Path) -> tuple[dict[str, StoredArray], bool]:
    """Return the arrays in a safetensors file by name, and whether the file is a checkpoint of trivium."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no dictionary
            arrays = {name: StoredArray(tuple(part.get_shape()), str(part.get_dtype())) for name, part in parts.items()}
            return arrays, "record" in (file.metadata() or {})
    except (SafetensorError, OSError, ValueError, OverflowError) as error:
        raise FileError(f"{path} is no file of tensors, or was truncated ({error})") from error
