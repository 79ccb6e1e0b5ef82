"""Read Keras model files that may be hostile: check the whole file before Keras builds anything from it.

`examine` reads a `.keras`, legacy `.h5` or weights file without Keras: its archive, its configuration, its arrays, and
the code that it would run. `load_model` examines the file and then lets Keras build the model in its safe mode.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import keras_internals, runtime
from ...errors import BundleError, FileError, TriviumError, first_line
from ...functions import first_of
from ...storage import safe_arrays, safe_hdf5, safe_json, safe_zip
from ...storage.budget import CONFIGURATION
from ...storage.regular_file import open_regular, read_regular
from ...storage.safe_hdf5 import StoredArray
from . import build_limits, trust
from .code_in_config import APPLICATION_LAYERS, Finding, find_code, is_application_layer
from .keras2 import optimizer_state
from .keras2.compilation import published_compilation, translate_compilation
from .keras2.configuration import is_keras2, translate_model
from .keras2.functions import untranslated_functions
from .keras2.rewriting import rewrite_archive, rewrite_hdf5

if TYPE_CHECKING:
    import h5py
    import keras

CONFIG, METADATA, ASSETS = "config.json", "metadata.json", "assets/"
_WEIGHTS = ("model.weights.h5", "model.weights.npz")
# The names of files that hold a whole model; the last ones in Keras' older format.
LEGACY_ENDINGS = (".h5", ".hdf5")
ENDINGS = (".keras", *LEGACY_ENDINGS)
HDF5 = b"\x89HDF\r\n\x1a\n"
# What precedes the reason where Keras reports an error within another.
_CAUSE = "Exception encountered: "


@dataclass(frozen=True)
class ModelFile:
    """The contents of a model file, as far as they are known without building the model.

    Attributes:
        format: `keras`, `h5` (legacy whole model) or `weights`.
        config: of the model, with its `compile_config`; empty if the file holds weights only. That of a file of Keras 2
            is translated into Keras 3's form.
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
    if read_regular(path, len(HDF5)) == HDF5:
        return True
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
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
    build_limits.require_plausible(model_file.config, model_file.arrays, what)
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
    model_config = _without_compilation(model_file.config)
    code = model_file.code if compiled else find_code(model_config)
    label = what
    if is_keras2(model_file.keras_version):
        label = f"{what}, which Keras {model_file.keras_version} wrote,"
        _require_translated(model_config, label, what)
    permission = trust.require(code, label, trust=trusted, recipe=recipe)
    load = _load_keras2 if is_keras2(model_file.keras_version) else _load_keras3
    try:
        with _with_objects(permission.objects), build_limits.limited_weights(model_file.arrays, what):
            model = load(source, model_file, what, permission.unsafe, compiled)
        build_limits.require_memory(model, what)
        return model
    except TriviumError:
        raise
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        raise BundleError(_refusal(what, model_file.keras_version, error)) from error


def _with_objects(objects: Mapping[str, Any]) -> contextlib.AbstractContextManager[Any]:
    """While it lasts, Keras builds models with these classes and functions of their authors' own."""
    import keras

    return keras.saving.custom_object_scope(dict(objects))  # type: ignore[no-any-return]


def _load(source: Path | bytes, model_file: ModelFile, unsafe: bool, compiled: bool) -> keras.Model:
    import keras

    if model_file.format == "h5":
        runtime.import_frameworks_of_keras()
    names = {node["class_name"] for node in safe_json.objects_in(model_file.config) if is_application_layer(node)}
    own = {name: keras_internals.private_class(APPLICATION_LAYERS[name][0], name) for name in names}
    with _file_for_keras(source, model_file.format) as path:
        return keras.saving.load_model(path, custom_objects=own, compile=compiled, safe_mode=not unsafe)


@contextlib.contextmanager
def _file_for_keras(source: Path | bytes, ending: str) -> Iterator[Path]:
    """Give a file whose name tells Keras its format: the file itself, or a copy while it lasts."""
    if isinstance(source, Path) and source.suffix.lower() in ENDINGS:
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{ending}"
        path.write_bytes(_content(source))
        yield path


def _content(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else read_regular(source)


def _load_keras3(source: Path | bytes, model_file: ModelFile, what: str, unsafe: bool, compiled: bool) -> keras.Model:
    try:
        return _load(source, model_file, unsafe, compiled)
    except Exception:
        compilation = model_file.config.get("compile_config") if compiled and model_file.format == "h5" else None
        arguments = published_compilation(compilation) if isinstance(compilation, dict) else None
        if arguments is None:
            raise
    model = _load(source, model_file, unsafe, compiled=False)
    model.compile_from_config(arguments)
    return model


def _load_keras2(source: Path | bytes, model_file: ModelFile, what: str, unsafe: bool, compiled: bool) -> keras.Model:
    """Build the model in a file of Keras 2, which Keras 3 can read only once it is translated."""
    content = _content(source)
    model_config = _without_compilation(model_file.config)
    rewrite = rewrite_archive if model_file.format == "keras" else rewrite_hdf5
    model = _load(rewrite(content, model_config), model_file, unsafe, compiled=False)
    compilation = model_file.config.get("compile_config")
    if compiled and compilation:
        model.compile_from_config(compilation)
        optimizer_state.restore(model, content, model_config, what)
    return model


def _without_compilation(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "compile_config"}


def _require_translated(model_config: dict[str, Any], label: str, what: str) -> None:
    """Raise a BundleError if the model of Keras 2 calls functions of TensorFlow that Keras 3 has no operation for."""
    if functions := untranslated_functions(model_config):
        raise BundleError(
            f"{label} calls {first_of(functions, 5)}, for which trivium knows no operation of Keras 3: write the model "
            f"anew as file.py:function, and give it the weights by `trivium train file.py:function --from {what}`"
        )


def _refusal(what: str, version: str | None, error: Exception) -> str:
    import keras

    written = f", which Keras {version} wrote" if version and version != keras.__version__ else ""
    innermost = str(error).rpartition(_CAUSE)[2]
    reason = first_line(Exception(innermost) if innermost else error)
    return f"Keras {keras.__version__} cannot load {what}{written}: {reason}"


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
    version = str(metadata.get("keras_version") or "") or None
    config = _in_form_of_keras3(config, version)
    return ModelFile(
        "keras",
        config,
        keras_version=version,
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
    config = _in_form_of_keras3({**model, **({"compile_config": training} if training else {})}, version)
    file_format = "h5" if config else "weights"
    return ModelFile(file_format, config, version or None, backend or None, arrays, code=find_code(config))


def _in_form_of_keras3(config: dict[str, Any], version: str | None) -> dict[str, Any]:
    """Return a configuration in Keras 3's form, translated if Keras 2 wrote it."""
    if not is_keras2(version) or not config:
        return config
    model = translate_model(_without_compilation(config))
    compilation = config.get("compile_config")
    return {**model, "compile_config": translate_compilation(compilation)} if isinstance(compilation, dict) else model


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
    config = safe_json.parse(content, what, budget=CONFIGURATION, finite=False)
    if not isinstance(config, dict):
        raise FileError(f"{what} holds {type(config).__name__}, expected an object")
    return config
