"""Extract a part of a bundle's model as a file that Keras reads: the weights, the architecture, or the whole model.

The parts are copied from the `.keras` file in the bundle: no framework is needed, and nothing is built or run. Only for
an `.h5` file, the older format of a whole model, is the model built and saved again.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from ...errors import OptionError
from ...storage import safe_json, safe_zip
from ...storage.atomic import atomic_write, write_text
from ...storage.budget import CONFIGURATION
from ..keras_model.model_bytes import hdf5_bytes
from . import architecture_file, keras_files
from .bundle import Bundle

WEIGHTS, MODEL = ".weights.h5", ".keras"


def save(bundle: Bundle, path: Path) -> None:
    """Write a part of a bundle's model; the file name says which.

    Args:
        path: `*.weights.h5` for the weights, as `load_weights` takes them; `*.json` (for
            `keras.models.model_from_json`) or `*.yaml` for the architecture; `*.keras` for the whole model, `*.h5` for
            the same in Keras' older format.

    Raises:
        BundleError: the model has to be built, and would run code or Keras refuses it.
        OptionError: the file name has another ending, or PyYAML is missing for YAML.
        FileError: the model in the bundle is damaged.
        OutputError: the file cannot be written.
    """
    if path.name.endswith(WEIGHTS):
        _write(path, _read_member(bundle, "model.weights.h5"))
    elif path.suffix == MODEL:
        _write(path, bundle.keras_file)
    elif path.suffix in keras_files.LEGACY_ENDINGS:
        _write(path, hdf5_bytes(bundle.model))
    elif path.suffix in architecture_file.ENDINGS:
        config = safe_json.parse(_read_member(bundle, "config.json"), "config.json", budget=CONFIGURATION, finite=False)
        write_text(path, json.dumps(config, indent=1) + "\n" if path.suffix == ".json" else _to_yaml(path, config))
    else:
        raise OptionError(f"{path}: expected a name that ends in {WEIGHTS}, .json, .yaml, {MODEL} or .h5")


def _to_yaml(path: Path, config: Any) -> str:
    """Return the configuration as YAML. PyYAML is not a dependency, as Keras no longer reads YAML."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise OptionError(f"{path}: to write YAML: pip install pyyaml; or name it .json") from error
    return str(yaml.safe_dump(config, sort_keys=False))


def _read_member(bundle: Bundle, name: str) -> bytes:
    what = "the model in the bundle"
    with safe_zip.open_checked(bundle.keras_file, what) as archive:
        return safe_zip.read(archive, name, what)


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary_path:
        temporary_path.write_bytes(content)
