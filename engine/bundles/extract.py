"""The parts of a trained model, each as a file of Keras' own: weights, architecture, or the whole of it.

They are taken out of the `.keras` file in the bundle as they are. So no framework is needed, and nothing is built
or run.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from ...errors import OptionError
from ...storage import safe_json, safe_zip
from ...storage.atomic import write_text, written_whole
from .bundle import Bundle

WEIGHTS, MODEL = ".weights.h5", ".keras"
ARCHITECTURES = (".json", ".yaml", ".yml")


def save(bundle: Bundle, path: Path) -> None:
    """Write the part of a bundle's model that the name asks for.

    Args:
        path: `*.weights.h5` for what `load_weights` takes; `*.json` or `*.yaml` for the architecture, the JSON being
            what `keras.models.model_from_json` takes; `*.keras` for the whole model.

    Raises:
        OptionError: another name, or YAML without PyYAML.
        FileError: the bundle's model is damaged.
        OutputError: it cannot be written.
    """
    if path.name.endswith(WEIGHTS):
        _write(path, _member(bundle, "model.weights.h5"))
    elif path.suffix == MODEL:
        _write(path, bundle.keras_file)
    elif path.suffix in ARCHITECTURES:
        config = safe_json.parse(_member(bundle, "config.json"), "config.json", finite=False)
        write_text(path, json.dumps(config, indent=1) + "\n" if path.suffix == ".json" else _as_yaml(path, config))
    else:
        raise OptionError(f"{path}: expected a name that ends in {WEIGHTS}, .json, .yaml or {MODEL}")


def _as_yaml(path: Path, config: Any) -> str:
    """Keras itself reads no YAML any more, so trivium does not bring a library for it along."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise OptionError(f"{path}: to write YAML: pip install pyyaml; or name it .json") from error
    return str(yaml.safe_dump(config, sort_keys=False))


def _member(bundle: Bundle, name: str) -> bytes:
    what = "the model in the bundle"
    with safe_zip.opened(bundle.keras_file, what) as archive:
        return safe_zip.read(archive, name, what)


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as aside:
        aside.write_bytes(content)
