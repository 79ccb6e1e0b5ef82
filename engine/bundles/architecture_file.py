"""The architecture of a model in a file of its own, JSON or YAML, as `model.to_json()` and `trivium save` write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import runtime
from ...errors import BundleError, FileError, first_line
from ...storage import safe_json, safe_yaml
from ...storage.budget import CONFIGURATION
from ...storage.regular_file import require_regular
from . import build_limits, trust
from .code_in_config import find_code
from .keras2.configuration import is_keras2, translate_model

if TYPE_CHECKING:
    import keras

ENDINGS = (".json", ".yaml", ".yml")


def is_architecture(path: str | Path) -> bool:
    """Return whether a name is that of an architecture's file, by its ending."""
    return Path(path).suffix.lower() in ENDINGS


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration of a model; nothing is built. That of Keras 2 is translated into Keras 3's form.

    Raises:
        FileError: the file is missing, damaged, hostile, or no architecture; or PyYAML is missing for YAML.
    """
    require_regular(path)
    content = safe_json.read_bytes(path, max_size=CONFIGURATION.size)
    config = (
        safe_json.parse(content, str(path), budget=CONFIGURATION, finite=False)
        if path.suffix.lower() == ".json"
        else safe_yaml.parse(content, str(path))
    )
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise FileError(f"{path} is no architecture of a model: expected class_name and config in it")
    build_limits.require_plausible(config, {}, str(path))
    return translate_model(config) if is_keras2(config.get("keras_version")) else config


def build(path: Path) -> keras.Model:
    """Build the model of an architecture, uncompiled and with new weights, without running code from the file.

    Raises:
        FileError: as `read_config`.
        BundleError: the model would run code that is not trusted, or Keras refuses the configuration.
    """
    runtime.current()
    import keras

    config = {name: value for name, value in read_config(path).items() if name != "compile_config"}
    permission = trust.require(find_code(config), str(path))
    try:
        with build_limits.limited_weights(None, str(path)):
            model = keras.saving.deserialize_keras_object(config, safe_mode=not permission.unsafe)
    except FileError:
        raise
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        raise BundleError(f"Keras cannot build {path}: {first_line(error)}") from error
    if not isinstance(model, keras.Model):
        raise BundleError(f"{path} holds a {type(model).__name__}, expected a model")
    build_limits.require_memory(model, str(path))
    return model
