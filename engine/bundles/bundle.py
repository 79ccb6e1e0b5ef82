"""The bundle format: one file, `bundle.trivium`, with a trained model and everything needed to use it.

A bundle is an uncompressed zip of a standard `model.keras` (plain Keras loads it without trivium), the fitted
preprocessing, the labels, the record of the run, and recorded inputs with the training backend's outputs for them. The
recorded outputs make it possible to check the model on a machine without that backend. The manifest has a checksum of
each member. Reading a bundle builds nothing and runs nothing from it; `Bundle.model` examines the model file and builds
it in Keras' safe mode (see `keras_files.py`).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...data.dataset import Labels, labels_to_json
from ...data.nests import Nest, is_array, take
from ...data.preprocessing.pipeline import Preprocessing
from ...errors import BundleError, DataError, FileError
from ...functions import is_file_function
from ...models import recipe as recipes
from ...notebook.elements import to_html
from ...storage import safe_arrays, safe_json, safe_zip
from ...storage.atomic import atomic_write
from ...storage.budget import DOCUMENT
from ...storage.visible_text import visible
from ..keras_model.inference import outputs_of
from ..keras_model.interface import by_name, input_names, match_inputs
from ..keras_model.model_bytes import keras_bytes
from . import keras_files, saved_model, trust
from .consistency import require_consistent
from .record_view import record_view, summary

if TYPE_CHECKING:
    import keras

    from ..runs.run import Run

FILE_NAME = "bundle.trivium"
SCHEMA = 1

_MANIFEST = "manifest.json"
_MEMBERS = ("model.keras", "preprocessing.json", "labels.json", "run.json", "recorded.npz")
_MODEL_DESCRIPTION = "the model in the bundle"
_RECORDED_SAMPLES = 32
_FEWEST_RECORDED = 4
_MOST_RECORDED_VALUES = 10_000_000
# Raw samples that are preprocessed for the recorded ones: windows over a series need more than one each.
_RECORDED_RAW_VALUES = 4_096


@dataclass(frozen=True)
class Bundle:
    """A trained model with its preprocessing, labels, run record, and recorded predictions.

    Attributes:
        keras_file: the bytes of the `.keras` file.
        preprocessing: fitted.
        labels: the names of the classes; empty for regression, by the name of the output where there are several.
        run: the run record, as from `Run.to_json`, with `"ported"` entries after porting.
        recorded_inputs, recorded_outputs: preprocessed samples, and the model's outputs for them on the training
            backend; dictionaries by name, in the model's order, where there are several.

    Example:
        >>> run = trivium.train("dense/points", "iris", epochs=1)
        >>> trivium.Bundle.of(run).save("flowers.trivium")
        >>> trivium.load("flowers.trivium").labels
        ('setosa', 'versicolor', 'virginica')
    """

    keras_file: bytes
    preprocessing: Preprocessing
    labels: Labels
    run: dict[str, Any]
    recorded_inputs: Nest
    recorded_outputs: Nest

    @property
    def input_arrays(self) -> list[np.ndarray]:
        """The recorded inputs, in the order of the model's."""
        return _in_order(self.recorded_inputs)

    @property
    def output_arrays(self) -> list[np.ndarray]:
        """The recorded outputs, in the order of the model's."""
        return _in_order(self.recorded_outputs)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {visible(summary(self.run))}"

    def _repr_html_(self) -> str:
        return to_html(*record_view(type(self).__name__, self.run, self.labels))

    @cached_property
    def model(self) -> keras.Model:
        """Return the model, built on first access under this process' backend; see `build`."""
        return self.build()

    def build(self, *, trusted: bool | None = None) -> keras.Model:
        """Build a new model, without running code from the file.

        Args:
            trusted: allow code that is not Keras' own; None means what `--trust` says.

        Raises:
            BundleError: the model would run code, or Keras refuses it; the reason is in the message.
        """
        runtime.current().release_models()  # those that were built before: a program may build one for each call
        try:
            return keras_files.load_model(
                self.keras_file, _MODEL_DESCRIPTION, trusted=trusted, recipe=str(self.run.get("recipe", ""))
            )
        except FileError as error:
            raise BundleError(str(error)) from error

    def save(self, path: str | Path) -> None:
        """Write the file atomically.

        Raises:
            OutputError: the file cannot be written. An existing file is kept.
        """
        members = {
            "model.keras": self.keras_file,
            "preprocessing.json": _to_json(self.preprocessing.to_json()),
            "labels.json": _to_json(labels_to_json(self.labels)),
            "run.json": _to_json(self.run),
            "recorded.npz": _to_npz(
                _recorded(self.recorded_inputs, "inputs") | _recorded(self.recorded_outputs, "outputs")
            ),
        }
        manifest = {"schema": SCHEMA, "sha256": {name: _sha256(content) for name, content in members.items()}}
        with (
            atomic_write(Path(path)) as temporary_path,
            zipfile.ZipFile(temporary_path, "w", zipfile.ZIP_STORED) as archive,
        ):
            for name, content in {_MANIFEST: _to_json(manifest), **members}.items():
                archive.writestr(zipfile.ZipInfo(name), content)  # without a date: equal contents, equal files

    @classmethod
    def of(cls, run: Run) -> Bundle:
        """Make the bundle of a finished run, and record predictions of its backend."""
        split = run.dataset.test or run.dataset.train
        raw = split.select(slice(0, _RECORDED_RAW_VALUES))
        prepared, _ = run.preprocessing.pairs(raw.x, raw.y)
        inputs = match_inputs(run.model, take(prepared, slice(0, _RECORDED_SAMPLES)))
        outputs = outputs_of(run.model, inputs)
        recorded = _few(by_name(input_names(run.model), inputs), outputs)
        return cls(keras_bytes(run.model), run.preprocessing, run.dataset.labels, run.to_json(), *recorded)


def load(source: Bundle | str | Path) -> Bundle:
    """Read a bundle from its file or its run folder. No framework is needed.

    Raises:
        BundleError: the bundle is missing, truncated, altered, or of another schema.
    """
    if isinstance(source, Bundle):
        return source
    path = locate(Path(source))
    if keras_files.is_model(path):
        raise BundleError(
            f"{path} is a model without its preparation and its record, and a run folder or a bundle is needed here "
            "(evaluate, predict, save, verify, port, inspect and train --from take it as it is)"
        )
    try:
        members = read_members(path)
        if trust.is_enabled():
            keras_files.examine(members["model.keras"], _MODEL_DESCRIPTION)
        recorded = safe_arrays.read_npz(members["recorded.npz"], "recorded.npz")
        documents = {name: safe_json.parse(members[name], name) for name in _MEMBERS if name.endswith(".json")}
        preprocessing = Preprocessing.from_json(documents["preprocessing.json"])
        labels = _labels(documents["labels.json"])
        inputs, outputs = _read_recorded(recorded, "inputs"), _read_recorded(recorded, "outputs")
        require_consistent(preprocessing, labels, inputs, outputs)
        return Bundle(
            members["model.keras"], preprocessing, labels, _run_record(documents["run.json"]), inputs, outputs
        )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, DataError, OSError) as error:
        raise BundleError(f"{path} is not a bundle, or was truncated: {error}; train or copy it again") from error


def locate(source: Path) -> Path:
    """Return the path of the bundle: `source` itself, or `bundle.trivium` in the folder `source`.

    Raises:
        BundleError: there is no such file.
    """
    if saved_model.is_saved_model(source):
        raise BundleError(saved_model.refusal(source))
    path = source / FILE_NAME if source.is_dir() else source
    if not path.is_file() and path.suffix.lower() in keras_files.ENDINGS:
        raise BundleError(f"no model file at {path}")
    if not path.is_file():  # a pipe or a device is none either
        raise BundleError(_how_to_make(source, path))
    return path


def _how_to_make(source: Path, path: Path) -> str:
    """Return what to do where there is no bundle, in one line."""
    name = source.as_posix()
    if is_file_function(name) or name in recipes.registry():
        return f"{name} is not trained: run `trivium train {name} --out runs/NAME`, and name runs/NAME here"
    return f"no bundle at {path}: `trivium train RECIPE --out {source}` makes one"


def read_members(path: Path) -> dict[str, bytes]:
    """Return the members of a bundle except the manifest, after checking their checksums.

    Raises:
        BundleError: members are missing, unexpected, or altered.
        FileError: the file is no archive, is truncated, or is hostile.
    """
    with safe_zip.open_checked(path, "it") as archive:
        names = archive.namelist()
        if sorted(names) != sorted([_MANIFEST, *_MEMBERS]):
            raise BundleError(f"{path} is not a bundle: expected {_MANIFEST}, {', '.join(_MEMBERS)}; found {names[:8]}")
        for info in archive.infolist():
            # Members of a bundle are not compressed, so none can be larger than the bundle.
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
    """Return the checksums in the manifest."""
    content = safe_zip.read(archive, _MANIFEST, "it", max_size=DOCUMENT.size)
    manifest = safe_json.parse(content, _MANIFEST)
    if manifest["schema"] != SCHEMA:
        raise BundleError(f"{path} has bundle schema {manifest['schema']}, this trivium reads {SCHEMA}: update trivium")
    return dict(manifest["sha256"])


def _labels(value: Any) -> Labels:
    if isinstance(value, dict):
        return {str(name): _label_names(names) for name, names in value.items()}
    return _label_names(value)


def _label_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise TypeError("labels.json holds no list of names")
    return tuple(value)


def _run_record(value: Any) -> dict[str, Any]:
    """Return the run record, after checking the fields that other modules rely on."""
    fields = {name: value.get(name) for name in ("recipe", "settings", "dataset", "environment")}
    names = [fields["recipe"], fields["dataset"]["name"], fields["environment"]["backend"]]
    if not isinstance(fields["settings"], dict) or not all(isinstance(name, str) for name in names):
        raise TypeError("run.json is not the record of a run")
    return dict(value)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _to_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, allow_nan=False).encode()


def _few(inputs: Nest, outputs: Nest) -> tuple[Nest, Nest]:
    """Return as many of the recorded samples as a bundle should be large: fewer where each is a large picture."""
    arrays = [*_in_order(inputs), *_in_order(outputs)]
    values_per_sample = sum(array[0].size for array in arrays)
    samples = slice(0, max(_FEWEST_RECORDED, _MOST_RECORDED_VALUES // values_per_sample))
    return take(inputs, samples), take(outputs, samples)


def _in_order(recorded: Nest) -> list[np.ndarray]:
    return [recorded] if is_array(recorded) else list(recorded.values())


def _recorded(nest: Nest, side: str) -> dict[str, np.ndarray]:
    """Return the arrays of a side by the names of their members; several arrays keep their order."""
    if is_array(nest):
        return {side: nest}
    return {f"{side}/{name}": array for name, array in nest.items()}


def _read_recorded(members: Mapping[str, np.ndarray], side: str) -> Nest:
    """Return the recorded array of a side, or its arrays by name.

    Raises:
        KeyError: there is none.
    """
    if any(name.startswith(f"{side}/") for name in members):
        return {name.partition("/")[2]: array for name, array in members.items() if name.startswith(f"{side}/")}
    return members[side]


def _to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
