"""Read Keras model files that may be hostile: check the whole file before Keras builds anything from it.

`examine` reads a `.keras`, legacy `.h5` or weights file without Keras: its archive, its configuration, its arrays, and
the code that it would run. `load_model` examines the file and then lets Keras build the model in its safe mode.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BundleError, FileError, first_line
from ...storage import safe_arrays, safe_hdf5, safe_json, safe_zip
from ...storage.safe_hdf5 import StoredArray
from . import trust
from .code_in_config import Finding, find_code

if TYPE_CHECKING:
    import h5py
    import keras

CONFIG, METADATA, ASSETS = "config.json", "metadata.json", "assets/"
_WEIGHTS = ("model.weights.h5", "model.weights.npz")
# Large enough for a vocabulary of a million words.
LARGEST_CONFIG = 64 * 2**20  # bytes
# The names of files that hold a whole model; the last ones in Keras' older format.
LEGACY_ENDINGS = (".h5", ".hdf5")
ENDINGS = (".keras", *LEGACY_ENDINGS)
HDF5 = b"\x89HDF\r\n\x1a\n"
# A layer has at least as many weights as each of these settings. Sizes up to `_ALWAYS_PLAUSIBLE` are not checked.
_SIZE_KEYS = ("units", "filters", "input_dim", "output_dim")
_ALWAYS_PLAUSIBLE = 10_000_000


@dataclass(frozen=True)
class ModelFile:
    """The contents of a model file, as far as they are known without building the model.

    Attributes:
        format: `keras`, `h5` (legacy whole model) or `weights`.
        config: of the model, with its `compile_config`; empty if the file holds weights only.
        keras_version, backend: those that saved the file; None if the file does not say.
        arrays: shape and dtype of every array, by path.
        members: SHA-256 of each member of the archive.
        code: the code that would run if the model were built.
    """

    format: str
    config: dict[str, Any] = field(default_factory=dict)
    keras_version: str | None = None
    backend: str | None = None
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    code: tuple[Finding, ...] = ()


def is_model(path: Path) -> bool:
    """Return whether a file is one of Keras' own, by its content."""
    with path.open("rb") as file:
        if file.read(len(HDF5)) == HDF5:
            return True
    try:
        with zipfile.ZipFile(path) as archive:
            # In a truncated bundle, the model is an archive that does not begin where the file does.
            return CONFIG in archive.namelist() and min(info.header_offset for info in archive.infolist()) == 0
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def examine(source: Path | bytes, what: str = "") -> ModelFile:
    """Read the contents of a model file. Nothing is built or run, and no framework is needed.

    Args:
        source: a `.keras`, `.h5` or `.weights.h5` file, or its bytes. The format is read from the bytes, not the name.
        what: the name of the file in messages; by default its path.

    Raises:
        FileError: the file is none of these, is truncated or altered, or is hostile.
    """
    what = what or str(source)
    start = source[:8] if isinstance(source, bytes) else safe_json.read_bytes(source, max_size=7)
    model_file = _read_hdf5(source, what) if start.startswith(HDF5) else _read_keras_archive(source, what)
    _require_weights_for(model_file, what)
    if trust.is_enabled():  # announced here too: messages of the worker that builds the model are not shown
        trust.announce(model_file.code, what)
    return model_file


def load_model(
    source: Path | bytes, what: str = "", *, trusted: bool | None = None, recipe: str = "", compiled: bool = True
) -> keras.Model:
    """Build the model in a `.keras` or legacy `.h5` file, under this process' backend.

    Args:
        source, what: as in `examine`.
        trusted: allow code that is not Keras' own; None means what `--trust` says.
        recipe: the `file.py:function` that the model was trained from, if known.
        compiled: whether to compile the model as it was; without it, code that only its compilation needs is not used.

    Raises:
        FileError: as in `examine`.
        BundleError: the model would run code that is not trusted, or Keras refuses it; the message has the reason.
    """
    what = what or str(source)
    model_file = examine(source, what)
    if not model_file.config:
        raise BundleError(f"{what} holds weights and no model: give the whole model's file")
    model_config = {name: value for name, value in model_file.config.items() if name != "compile_config"}
    code = model_file.code if compiled else find_code(model_config)
    unsafe = trust.require(code, what, trust=trusted, recipe=recipe)
    if isinstance(source, Path) and source.suffix.lower() in ENDINGS:
        return _load(source, what, unsafe, compiled)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{model_file.format}"
        path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
        return _load(path, what, unsafe, compiled)


def _load(path: Path, what: str, unsafe: bool, compiled: bool) -> keras.Model:
    import keras

    try:
        return keras.saving.load_model(path, compile=compiled, safe_mode=not unsafe)
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        raise BundleError(f"Keras cannot load {what}: {first_line(error)}") from error


def _read_keras_archive(source: Path | bytes, what: str) -> ModelFile:
    """Read the contents of a `.keras` file."""
    with safe_zip.open_checked(source, what) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        weights = [name for name in names if name in _WEIGHTS]
        unexpected = [n for n in names if n not in (CONFIG, METADATA, *weights) and not n.startswith(ASSETS)]
        if CONFIG not in names or len(weights) != 1 or unexpected:
            raise FileError(
                f"{what} is no .keras file: expected {CONFIG}, {METADATA}, {_WEIGHTS[0]}; found {names[:8]}"
            )
        contents = {name: safe_zip.read(archive, name, what) for name in names}
    config = _parse_config(contents[CONFIG], f"{what}: {CONFIG}")
    metadata = _parse_config(contents.get(METADATA, b"{}"), f"{what}: {METADATA}")
    return ModelFile(
        "keras",
        config,
        keras_version=str(metadata.get("keras_version") or "") or None,
        arrays=_list_arrays(contents[weights[0]], f"{what}: {weights[0]}"),
        members={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        code=find_code(config),
    )


def _list_arrays(content: bytes, what: str) -> dict[str, StoredArray]:
    if what.endswith(".npz"):
        return {name: StoredArray(a.shape, a.dtype.name) for name, a in safe_arrays.read_npz(content, what).items()}
    return safe_hdf5.list_arrays(content, what)


def _read_hdf5(source: Path | bytes, what: str) -> ModelFile:
    """Read the contents of a legacy `.h5` file or a weights file."""
    with safe_hdf5.open_checked(source, what) as (file, arrays):
        texts = {name: _text_attribute(file, name, what) for name in ("model_config", "training_config")}
        group = file.get("model_weights", file)
        version = _text_attribute(file, "keras_version", what) or _text_attribute(group, "keras_version", what)
        backend = _text_attribute(file, "backend", what) or _text_attribute(group, "backend", what)
    model, training = (_parse_config(text, f"{what}: {name}") if text else {} for name, text in texts.items())
    config = {**model, **({"compile_config": training} if training else {})}
    file_format = "h5" if config else "weights"
    return ModelFile(file_format, config, version or None, backend or None, arrays, code=find_code(config))


def _text_attribute(group: h5py.Group, name: str, what: str) -> str:
    """Return an attribute that holds text, or an empty string if it is missing."""
    if name not in group.attrs:
        return ""
    value = group.attrs[name]
    value = value.decode("utf-8") if isinstance(value, bytes) else value
    if not isinstance(value, str):
        raise FileError(f"{what}: its attribute {name} is {type(value).__name__}, expected text")
    return value


def _parse_config(content: bytes | str, what: str) -> dict[str, Any]:
    config = safe_json.parse(content, what, max_size=LARGEST_CONFIG, finite=False)
    if not isinstance(config, dict):
        raise FileError(f"{what} holds {type(config).__name__}, expected an object")
    return config


def _require_weights_for(model_file: ModelFile, what: str) -> None:
    """Raise a FileError if a layer declares more weights than the file holds: building it would use up the memory."""
    largest = max(_ALWAYS_PLAUSIBLE, sum(array.size for array in model_file.arrays.values()))
    widest = max((length for array in model_file.arrays.values() for length in array.shape), default=0)
    for node, _ in safe_json.walk(model_file.config):
        for key in _SIZE_KEYS if isinstance(node, dict) else ():
            if isinstance(value := node.get(key), int) and value > largest:
                raise FileError(f"{what}: a layer declares {key} {value:,}, and the file does not hold so many weights")
        rank = node.get("lora_rank") if isinstance(node, dict) else None
        if isinstance(rank, int) and rank > widest:  # the file holds the product, whose axes are at least as long
            raise FileError(f"{what}: a layer declares lora_rank {rank:,}, more than any axis of its weights")
