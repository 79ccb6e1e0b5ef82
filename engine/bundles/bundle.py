"""One file that holds a trained model with everything needed to use it: `bundle.trivium`.

It is an uncompressed zip of a standard `model.keras` (taken out, plain Keras loads it without trivium), the fitted
preparation, the labels, the run that made it, and some recorded inputs with the outputs that the training backend
gave for them, so that a model can prove itself on a machine where that backend is not installed. The manifest has a
checksum of each. Reading a bundle builds nothing and runs nothing from it; `Bundle.model` looks through the model
file and builds it in Keras' safe mode (see `keras_files.py`).
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...errors import BundleError, DataError, FileError
from ...storage import safe_arrays, safe_json, safe_zip
from ...storage.atomic import written_whole
from ...storage.safe_fields import require_kinds
from ..keras_model.inference import outputs_of
from ..preprocessing.pipeline import Preprocessing
from . import keras_files, trust

if TYPE_CHECKING:
    import keras

    from ..runs.run import Run

FILE_NAME = "bundle.trivium"
SCHEMA = 1

_MANIFEST = "manifest.json"
_MEMBERS = ("model.keras", "preprocessing.json", "labels.json", "run.json", "recorded.npz")
_MODEL = "the model in the bundle"
_RECORDED_SAMPLES = 32
# Raw values that give as many samples, windows over a series included.
_ENOUGH = 4_096


@dataclass(frozen=True)
class Bundle:
    """A trained model with what belongs to it.

    Attributes:
        keras_file: the bytes of the `.keras` file.
        preprocessing: fitted.
        labels: the names of the classes, or empty.
        run: what `Run.to_json` wrote, with `"ported"` entries when it has moved.
        recorded_inputs, recorded_outputs: prepared samples, and what the model gave for them where it was trained.
    """

    keras_file: bytes
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    run: dict[str, Any]
    recorded_inputs: np.ndarray
    recorded_outputs: np.ndarray

    @cached_property
    def model(self) -> keras.Model:
        """The model, built once under this process' backend: see `build`."""
        return self.build()

    def build(self, *, trusted: bool | None = None) -> keras.Model:
        """A new model each time, without running code from the file.

        Args:
            trusted: run code that is not Keras' own; None for what `--trust` says.

        Raises:
            BundleError: the model would run code, or Keras refuses it; the reason is in the message.
        """
        runtime.current()
        try:
            return keras_files.load_model(
                self.keras_file, _MODEL, trusted=trusted, recipe=str(self.run.get("recipe", ""))
            )
        except FileError as error:
            raise BundleError(str(error)) from error

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written; a file that was there is kept.
        """
        members = {
            "model.keras": self.keras_file,
            "preprocessing.json": _to_json(self.preprocessing.to_json()),
            "labels.json": _to_json(list(self.labels)),
            "run.json": _to_json(self.run),
            "recorded.npz": _to_npz(inputs=self.recorded_inputs, outputs=self.recorded_outputs),
        }
        manifest = {"schema": SCHEMA, "sha256": {name: _sha256(content) for name, content in members.items()}}
        with written_whole(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
            for name, content in {_MANIFEST: _to_json(manifest), **members}.items():
                archive.writestr(zipfile.ZipInfo(name), content)  # without a date: equal contents, equal files

    @classmethod
    def of(cls, run: Run) -> Bundle:
        """The bundle of a finished run, with predictions recorded by the backend it ran on."""
        split = run.dataset.test or run.dataset.train
        inputs, _ = run.preprocessing.pairs(split.x[:_ENOUGH], split.y[:_ENOUGH])
        inputs = inputs[:_RECORDED_SAMPLES]
        outputs = outputs_of(run.model, inputs)
        return cls(keras_bytes(run.model), run.preprocessing, run.dataset.labels, run.to_json(), inputs, outputs)


def load(source: Bundle | str | Path) -> Bundle:
    """Read a bundle: its file, or the run folder that holds it. Needs no framework.

    Raises:
        BundleError: there is none, or it is truncated, altered or of another schema.
    """
    if isinstance(source, Bundle):
        return source
    path = locate(Path(source))
    try:
        members = read_members(path)
        if trust.is_given():
            keras_files.examine(members["model.keras"], _MODEL)
        recorded = safe_arrays.read_npz(members["recorded.npz"], "recorded.npz")
        described = {name: safe_json.parse(members[name], name) for name in _MEMBERS if name.endswith(".json")}
        return Bundle(
            members["model.keras"],
            _preprocessing(described["preprocessing.json"]),
            _words(described["labels.json"]),
            _run(described["run.json"]),
            recorded["inputs"],
            recorded["outputs"],
        )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, DataError, OSError) as error:
        raise BundleError(f"{path} is not a bundle, or was truncated: {error}; train or copy it again") from error


def locate(source: Path) -> Path:
    """The bundle's file: `source` itself, or `bundle.trivium` in the folder `source`.

    Raises:
        BundleError: it is not there.
    """
    path = source / FILE_NAME if source.is_dir() else source
    if not path.is_file():
        raise BundleError(f"no bundle at {path}: `trivium train RECIPE --out {source}` makes one")
    return path


def keras_bytes(model: keras.Model) -> bytes:
    """The model as a standard `.keras` file, optimizer state included, that any backend loads and trains further."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return _for_any_backend(path.read_bytes())


def _for_any_backend(keras_file: bytes) -> bytes:
    """A `.keras` file without what Keras 3.15 wrote into it of the backend that it was trained on.

    Two things, each with a test that notices when it is no longer needed. An optimizer is named by the module of that
    backend's own form of it, so that a model saved under PyTorch cannot be loaded where PyTorch is not installed, nor
    trained elsewhere. And whether the *training* backend compiled its steps is written down as the user's wish: JAX
    would run op by op after TensorFlow on a CPU, PyTorch would start its compiler after JAX.
    """
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(keras_file)) as before, zipfile.ZipFile(changed, "w") as after:
        for info in before.infolist():
            content = before.read(info)
            if info.filename == "config.json":
                config = json.loads(content)
                if compiled := config.get("compile_config"):
                    compiled["jit_compile"] = "auto"
                    compiled["optimizer"] = _public_optimizer(compiled.get("optimizer"))
                content = json.dumps(config).encode()
            after.writestr(info, content)
    return changed.getvalue()


def _public_optimizer(config: Any) -> Any:
    """A serialised optimizer named as everybody can import it; one within it too."""
    import keras

    if not isinstance(config, dict):
        return config
    config = {key: _public_optimizer(value) for key, value in config.items()}
    if str(config.get("module", "")).startswith("keras.src.") and hasattr(keras.optimizers, config["class_name"]):
        config["module"], config["registered_name"] = "keras.optimizers", None
    return config


def read_members(path: Path) -> dict[str, bytes]:
    """The members of a bundle but its manifest, each with the checksum that the manifest has for it.

    Raises:
        BundleError: they are others, or one was altered.
        FileError: it is no archive, was truncated, or is a hostile one.
    """
    with safe_zip.opened(path, "it") as archive:
        names = archive.namelist()
        if sorted(names) != sorted([_MANIFEST, *_MEMBERS]):
            raise BundleError(f"{path} is not a bundle: expected {_MANIFEST}, {', '.join(_MEMBERS)}; found {names[:8]}")
        for info in archive.infolist():
            # Nothing in a bundle is compressed, so that no member can be larger than the file that holds it.
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > path.stat().st_size:
                raise BundleError(
                    f"{path}: {info.filename} is compressed or longer than the file: not written by trivium"
                )
        manifest = _read_manifest(path, archive)
        members = {name: safe_zip.read(archive, name, "it") for name in _MEMBERS}
    for name, content in members.items():
        if _sha256(content) != manifest[name]:
            raise BundleError(f"{path} was altered: the checksum of {name} is not the one in its manifest")
    return members


def _read_manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    """The checksums in the manifest."""
    content = safe_zip.read(archive, _MANIFEST, "it", largest=safe_json.LARGEST)
    manifest = safe_json.parse(content, _MANIFEST)
    if manifest["schema"] != SCHEMA:
        raise BundleError(f"{path} has bundle schema {manifest['schema']}, this trivium reads {SCHEMA}: update trivium")
    return dict(manifest["sha256"])


def _preprocessing(value: Any) -> Preprocessing:
    found = Preprocessing.from_json(value)
    for step in (*found.inputs.steps, *found.targets.steps):
        require_kinds(step)
    return found


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("labels.json holds no list of names")
    return tuple(value)


def _run(value: Any) -> dict[str, Any]:
    """The record of a run, with what others rely on in it."""
    found = {name: value.get(name) for name in ("recipe", "settings", "dataset", "environment")}
    words = [found["recipe"], found["dataset"]["name"], found["environment"]["backend"]]
    if not isinstance(found["settings"], dict) or not all(isinstance(each, str) for each in words):
        raise TypeError("run.json is not the record of a run")
    return dict(value)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _to_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, allow_nan=False).encode()


def _to_npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
