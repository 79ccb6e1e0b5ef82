"""What a file holds, told without building a model, importing Keras, or running anything from the file.

Bundles, `.keras` files, legacy `.h5` files, weights, architectures as JSON or YAML, checkpoints, and run folders. Which
it is, its bytes tell and not its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import FileError
from ..storage import safe_json, safe_zip, tensor_file
from ..storage.safe_hdf5 import Stored
from .bundles import bundle as bundles
from .bundles import keras_files
from .bundles.bundle import Bundle
from .bundles.code_in_config import find_code
from .bundles.keras_files import LARGEST_CONFIG, ModelFile
from .keras_model.architecture import Layer, held_outside, layers_of, layers_of_weights
from .runs import run_list
from .runs.run_record import MARK

SCHEMA = 1

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_PIECE = 2**22  # bytes
# Of what holds numbers alone.
_NO_CODE: dict[str, Any] = {"runs_code": []}


def inspect(path: str | Path) -> dict[str, Any]:
    """What a file or a run's folder holds.

    Returns:
        JSON: `format` (bundle, keras, h5, weights, architecture, checkpoint, tensors, run), `bytes`, `sha256`,
        `keras_version`, `trained_on` (a backend), `parameters`, `layers` (name, kind, parameters, depth), `optimizer`,
        `arrays` (their number), `members` (SHA-256 of each), `runs_code` (what would run if the model were built), and
        what belongs to the format. What the file does not say is None, or not there.

    Raises:
        FileError: it is missing, truncated or altered, a hostile one, or none of these.
        BundleError, CheckpointError, OutputError: the same, of a bundle, a checkpoint, a run.
    """
    path = Path(path)
    found = {"schema": SCHEMA, "path": str(path)}
    if path.is_dir():
        return found | _of_run(path)
    start = safe_json.read_bytes(path, largest=7)
    found |= {"bytes": path.stat().st_size, "sha256": _checksum(path)}
    if start.startswith(_ZIP):
        return found | _of_archive(path)
    if start == _HDF5:
        return found | _of_model(keras_files.examine(path))
    if path.suffix == tensor_file.SUFFIX:
        return found | _of_tensors(path)
    if path.suffix in (".json", ".yaml", ".yml"):
        return found | _of_architecture(path)
    raise FileError(
        f"{path} is nothing that is known here: expected a bundle, a .keras, .h5, .safetensors or run folder, "
        "an architecture's .json or .yaml"
    )


def _of_run(folder: Path) -> dict[str, Any]:
    if not (folder / MARK).is_file():
        raise FileError(f"{folder} is no run: there is no {MARK} in it")
    kept = run_list.read(folder)
    checkpoints = sorted(path.name for path in (folder / "checkpoints").glob("*") if path.name[0] != ".")
    bundle = folder / bundles.FILE_NAME
    held = _of_archive(bundle) if bundle.is_file() else {"parameters": kept.record.get("parameters")}
    return {**held, **_of_record(kept.record), "format": "run", "run": kept.to_json(), "checkpoints": checkpoints}


def _of_archive(path: Path) -> dict[str, Any]:
    with safe_zip.opened(path, str(path)) as archive:
        names = archive.namelist()
    if "manifest.json" not in names:
        return _of_model(keras_files.examine(path))
    bundle = bundles.load(path)
    model = keras_files.examine(bundle.keras_file, f"{path}: model.keras")
    members = {name: hashlib.sha256(content).hexdigest() for name, content in bundles.read_members(path).items()}
    return {**_of_model(model), **_of_bundle(bundle), "members": members}


def _of_bundle(bundle: Bundle) -> dict[str, Any]:
    chains = bundle.preprocessing.to_json()
    return {
        "format": "bundle",
        **_of_record(bundle.run),
        "preprocessing": {name: [step["kind"] for step in steps] for name, steps in chains.items()},
        "labels": list(bundle.labels),
        "recorded": {"inputs": list(bundle.recorded_inputs.shape), "outputs": list(bundle.recorded_outputs.shape)},
    }


def _of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a run says of itself; whatever it has where words are expected becomes words."""
    environment, dataset = (part if isinstance(part := record.get(k), dict) else {} for k in ("environment", "dataset"))
    stated = {"recipe": record.get("recipe"), "dataset": dataset.get("name"), "trained_on": environment.get("backend")}
    return {name: None if value is None else str(value) for name, value in stated.items()}


def _of_model(model: ModelFile) -> dict[str, Any]:
    layers = layers_of(model.config, model.arrays) if model.config else layers_of_weights(model.arrays)
    compiled = model.config.get("compile_config")
    optimizer = compiled.get("optimizer") or compiled.get("optimizer_config") if isinstance(compiled, dict) else None
    name = optimizer.get("class_name") if isinstance(optimizer, dict) else optimizer
    return {
        "format": model.format,
        "keras_version": model.keras_version,
        "trained_on": model.backend,
        "parameters": sum(array.size for path, array in model.arrays.items() if not held_outside(path)),
        "layers": [layer.to_json() for layer in layers],
        "optimizer": name if isinstance(name, str) else None,
        "arrays": len(model.arrays),
        "members": model.members,
        "runs_code": [finding.text for finding in model.code],
    }


def _of_architecture(path: Path) -> dict[str, Any]:
    content = safe_json.read_bytes(path, largest=LARGEST_CONFIG)
    config = (
        safe_json.parse(content, str(path), largest=LARGEST_CONFIG, finite=False)
        if path.suffix == ".json"
        else _parse_yaml(path, content)
    )
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise FileError(f"{path} is no architecture of a model: expected class_name and config in it")
    layers: list[Layer] = layers_of(config, None)
    version = config.get("keras_version")
    return {
        "format": "architecture",
        "keras_version": None if version is None else str(version),
        "trained_on": None,
        "parameters": None,
        "layers": [layer.to_json() for layer in layers],
        "runs_code": [finding.text for finding in find_code(config)],
    }


def _parse_yaml(path: Path, content: bytes) -> Any:
    """YAML of plain values; an alias, by which a few lines become gigabytes, is refused."""
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise FileError(f"{path}: reading YAML needs PyYAML (pip install pyyaml), or give the JSON form") from error
    if len(content) > safe_json.LARGEST:
        raise FileError(f"{path} has more than {safe_json.LARGEST:,} bytes of YAML")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(content)):
            raise FileError(f"{path} holds aliases, which no architecture needs: not read")
        found = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileError(f"{path} is not YAML, or was truncated ({' '.join(str(error).split())})") from error
    return safe_json.require_flat(found, str(path))


def _of_tensors(path: Path) -> dict[str, Any]:
    """A checkpoint of a run, or any other file of tensors in that format."""
    arrays, is_checkpoint = _read_tensors(path)
    if not is_checkpoint:
        parameters = sum(array.size for array in arrays.values())
        return {"format": "tensors", "trained_on": None, "parameters": parameters, "arrays": len(arrays)} | _NO_CODE
    from .runs import checkpoint

    held = checkpoint.load(path)
    return {
        "format": "checkpoint",
        "trained_on": held.backend,
        "epoch": held.epoch,
        "stopped": held.stopped,
        "parameters": sum(a.size for name, a in arrays.items() if name.startswith("model/") and not held_outside(name)),
        "arrays": len(arrays),
    } | _NO_CODE


def _read_tensors(path: Path) -> tuple[dict[str, Stored], bool]:
    """The arrays in a file of tensors by name, and whether it says that it is one of trivium's checkpoints."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no dictionary
            arrays = {name: Stored(tuple(part.get_shape()), str(part.get_dtype())) for name, part in parts.items()}
            return arrays, "record" in (file.metadata() or {})
    except (SafetensorError, OSError, ValueError, OverflowError) as error:
        raise FileError(f"{path} is no file of tensors, or was truncated ({error})") from error


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
