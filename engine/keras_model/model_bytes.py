"""Write a model as the bytes of a file that every backend can load and train."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import keras_internals

if TYPE_CHECKING:
    import keras


def keras_bytes(model: keras.Model) -> bytes:
    """Return the model with its optimizer state as a standard `.keras` file that every backend can load and train."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        with keras_internals.serialization():
            model.save(path)
        return for_any_backend(path.read_bytes())


def for_any_backend(keras_file: bytes) -> bytes:
    """Remove traces of the training backend that Keras 3.15 writes into a `.keras` file.

    There are two, each with a test that notices when the workaround can go. First, the optimizer is named by the module
    of its backend-specific class, so that a model saved under PyTorch cannot be loaded without PyTorch or trained under
    another backend. Second, `jit_compile` holds what the training backend chose, as if the user had asked for it: JAX
    would run op by op after TensorFlow on a CPU, and PyTorch would start its compiler after JAX.
    """
    rewritten = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(keras_file)) as before, zipfile.ZipFile(rewritten, "w") as after:
        for info in before.infolist():
            content = before.read(info)
            if info.filename == "config.json":
                config = json.loads(content)
                if compiled := config.get("compile_config"):
                    compiled["jit_compile"] = "auto"
                    compiled["optimizer"] = _public_optimizer(compiled.get("optimizer"))
                content = json.dumps(config).encode()
            after.writestr(info, content)
    return rewritten.getvalue()


def _public_optimizer(config: Any) -> Any:
    """Return a serialised optimizer under its public name; nested optimizers too."""
    import keras

    if not isinstance(config, dict):
        return config
    config = {key: _public_optimizer(value) for key, value in config.items()}
    if keras_internals.is_keras_module(str(config.get("module", ""))) and hasattr(
        keras.optimizers, config["class_name"]
    ):
        config["module"], config["registered_name"] = "keras.optimizers", None
    return config


def hdf5_bytes(model: keras.Model) -> bytes:
    """Return the model with its optimizer state as a whole-model `.h5` file, Keras' older format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        with keras_internals.serialization(), keras_internals.compilation_kept(model), without_advice():
            model.save(path)
        return path.read_bytes()


@contextlib.contextmanager
def without_advice() -> Iterator[None]:
    """Silence what Keras logs about its older format: that there is a newer one, and that nothing was evaluated yet."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
