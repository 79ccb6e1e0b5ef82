"""Keras model files that may be hostile: looked at whole before Keras builds anything from them.

`examine` reads a `.keras` or legacy `.h5` file, or one of weights, without Keras: its archive, its configuration, its
arrays, and what in it would run. `load_model` does that first and then lets Keras build the model in its safe mode.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BundleError, FileError, first_line
from ...storage import safe_arrays, safe_hdf5, safe_json, safe_zip
from ...storage.safe_hdf5 import Stored
from . import trust
from .code_in_config import Finding, find_code

if TYPE_CHECKING:
    import h5py
    import keras

CONFIG, METADATA, ASSETS = "config.json", "metadata.json", "assets/"
_WEIGHTS = ("model.weights.h5", "model.weights.npz")
# A vocabulary of a million words is within it.
LARGEST_CONFIG = 64 * 2**20  # bytes
# A layer has at least as many weights as these say; of fewer it is not worth asking whether the file holds them.
_SIZES = ("units", "filters", "input_dim", "output_dim")
_MANY = 10_000_000


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds, as far as it can be told without building anything.

    Attributes:
        format: `keras`, `h5` (legacy, whole) or `weights`.
        config: of the model, with its `compile_config`; empty where the file has weights alone.
        keras_version, backend: by which it was saved, where it says so.
        arrays: every array, by its path; values are not kept.
        members: SHA-256 of each member of an archive.
        code: what would run if it were built.
    """

    format: str
    config: dict[str, Any] = field(default_factory=dict)
    keras_version: str | None = None
    backend: str | None = None
    arrays: dict[str, Stored] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    code: tuple[Finding, ...] = ()


def examine(source: Path | bytes, what: str = "") -> ModelFile:
    """What a model file holds; nothing is built or run, and no framework is needed.

    Args:
        source: a `.keras`, `.h5` or `.weights.h5` file, or its bytes; which it is, its bytes tell.
        what: the file, for the message; by default its path.

    Raises:
        FileError: it is none of them, was truncated or altered, or is a hostile one.
    """
    what = what or str(source)
    start = source[:8] if isinstance(source, bytes) else safe_json.read_bytes(source, largest=7)
    found = _of_hdf5(source, what) if start.startswith(b"\x89HDF\r\n\x1a\n") else _of_archive(source, what)
    _require_weights_for(found, what)
    if trust.is_given():  # said here too because a worker, where the model is built, is not heard
        trust.announce(found.code, what)
    return found


def load_model(source: Path | bytes, what: str = "", *, trusted: bool | None = None, recipe: str = "") -> keras.Model:
    """The model in a `.keras` or legacy `.h5` file, built under this process' backend.

    Args:
        source, what: as in `examine`.
        trusted: run code that is not Keras' own; None for what `--trust` says.
        recipe: `file.py:function` that the model was trained by, where it is known.

    Raises:
        FileError: as `examine`.
        BundleError: it would run code and nobody trusts it, or Keras refuses it; the reason is in the message.
    """
    what = what or str(source)
    found = examine(source, what)
    if not found.config:
        raise BundleError(f"{what} holds weights and no model: give the whole model's file")
    unsafe = trust.require(found.code, what, trust=trusted, recipe=recipe)
    if isinstance(source, Path) and source.suffix.lower() in (".keras", ".h5", ".hdf5"):
        return _built(source, what, unsafe)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{found.format}"
        path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
        return _built(path, what, unsafe)


def _built(path: Path, what: str, unsafe: bool) -> keras.Model:
    import keras

    try:
        return keras.saving.load_model(path, safe_mode=not unsafe)
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        raise BundleError(f"Keras cannot load {what}: {first_line(error)}") from error


def _of_archive(source: Path | bytes, what: str) -> ModelFile:
    """What a `.keras` file holds."""
    with safe_zip.opened(source, what) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        weights = [name for name in names if name in _WEIGHTS]
        strange = [n for n in names if n not in (CONFIG, METADATA, *weights) and not n.startswith(ASSETS)]
        if CONFIG not in names or len(weights) != 1 or strange:
            raise FileError(
                f"{what} is no .keras file: expected {CONFIG}, {METADATA}, {_WEIGHTS[0]}; found {names[:8]}"
            )
        contents = {name: safe_zip.read(archive, name, what) for name in names}
    config = _parsed(contents[CONFIG], f"{what}: {CONFIG}")
    metadata = _parsed(contents.get(METADATA, b"{}"), f"{what}: {METADATA}")
    return ModelFile(
        "keras",
        config,
        keras_version=str(metadata.get("keras_version") or "") or None,
        arrays=_arrays_of(contents[weights[0]], f"{what}: {weights[0]}"),
        members={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        code=find_code(config),
    )


def _arrays_of(content: bytes, what: str) -> dict[str, Stored]:
    if what.endswith(".npz"):
        return {name: Stored(a.shape, a.dtype.name) for name, a in safe_arrays.read_npz(content, what).items()}
    return safe_hdf5.check(content, what)


def _of_hdf5(source: Path | bytes, what: str) -> ModelFile:
    """What a legacy `.h5` file, or one of weights, holds."""
    with safe_hdf5.opened(source, what) as (file, arrays):
        described = {name: _text(file, name, what) for name in ("model_config", "training_config")}
        group = file.get("model_weights", file)
        version = _text(file, "keras_version", what) or _text(group, "keras_version", what)
        backend = _text(file, "backend", what) or _text(group, "backend", what)
    model, training = (_parsed(text, f"{what}: {name}") if text else {} for name, text in described.items())
    config = {**model, **({"compile_config": training} if training else {})}
    form = "h5" if config else "weights"
    return ModelFile(form, config, version or None, backend or None, arrays, code=find_code(config))


def _text(group: h5py.Group, name: str, what: str) -> str:
    """An attribute that is one text, or nothing when it is not there."""
    if name not in group.attrs:
        return ""
    value = group.attrs[name]
    value = value.decode("utf-8") if isinstance(value, bytes) else value
    if not isinstance(value, str):
        raise FileError(f"{what}: its attribute {name} is {type(value).__name__}, expected text")
    return value


def _parsed(content: bytes | str, what: str) -> dict[str, Any]:
    found = safe_json.parse(content, what, largest=LARGEST_CONFIG, finite=False)
    if not isinstance(found, dict):
        raise FileError(f"{what} holds {type(found).__name__}, expected an object")
    return found


def _require_weights_for(found: ModelFile, what: str) -> None:
    """Raise a FileError for a layer with more weights than the file has values: building it would take the memory."""
    held = max(_MANY, sum(array.size for array in found.arrays.values()))
    for node, _ in safe_json.nodes(found.config):
        for key in _SIZES if isinstance(node, dict) else ():
            if isinstance(value := node.get(key), int) and value > held:
                raise FileError(f"{what}: a layer declares {key} {value:,}, and the file does not hold so many weights")
