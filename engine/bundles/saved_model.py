"""SavedModel folders, which are refused: they hold a graph that TensorFlow runs, and no layers that Keras 3 can build.

Keras 2 wrote a description of its layers beside the graph. Only Keras 2 can put these and the weights together again,
so the refusal names the version that wrote it and the command that makes a `.keras` file of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...storage.regular_file import read_regular

GRAPH, _DESCRIPTION = "saved_model.pb", "keras_metadata.pb"
_MOST_BYTES = 2**26
_VERSION = re.compile(rb'"keras_version": "(2\.[0-9A-Za-z.+-]{1,30})"')
# What Keras 2 calls its objects, in the graph itself before TensorFlow 2.5.
_OBJECTS = b"_tf_keras_"


def is_saved_model(folder: Path) -> bool:
    """Return whether a folder holds a graph that TensorFlow saved."""
    return (folder / GRAPH).is_file()


def refusal(folder: Path) -> str:
    """Return in one line what a SavedModel is, and what can be done instead of giving it."""
    described = _read(folder / _DESCRIPTION) or _read(folder / GRAPH)
    if _OBJECTS not in described:
        return (
            f"{folder} is a SavedModel, which holds a graph instead of layers: give the .keras file that it was "
            "exported from (tf.saved_model.load runs it as it is)"
        )
    version = _VERSION.search(described)
    writer = f"Keras {version[1].decode()}" if version else "Keras 2"
    path = str(folder).rstrip("/")
    command = f"import tf_keras; tf_keras.models.load_model({path!r}).save({path + '.keras'!r})"
    return (
        f"{folder} is a SavedModel, which {writer} wrote and Keras 3 cannot read: if you trust whoever made it, run "
        f'python -c "{command}" where TensorFlow and tf_keras are installed, and give {path}.keras'
    )


def _read(path: Path) -> bytes:
    """Return the beginning of a file; nothing if there is none."""
    if not path.is_file():
        return b""
    return read_regular(path, _MOST_BYTES)
