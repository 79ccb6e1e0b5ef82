"""Put a translated configuration into a file of Keras 2, so that Keras 3 reads the model and its weights.

What the model was compiled with is left out: Keras 3 compiles from it after loading, as it does for a `.keras` file.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any


def rewrite_archive(content: bytes, config: Mapping[str, Any]) -> bytes:
    """Return a `.keras` file with this configuration; its archive was checked before."""
    rewritten = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(rewritten, "w") as after:
        for info in before.infolist():
            after.writestr(info, json.dumps(config).encode() if info.filename == "config.json" else before.read(info))
    return rewritten.getvalue()


def rewrite_hdf5(content: bytes, config: Mapping[str, Any]) -> bytes:
    """Return an `.h5` file with this configuration; its objects were checked before."""
    import h5py

    rewritten = io.BytesIO(content)
    with h5py.File(rewritten, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs.pop("training_config", None)
    return rewritten.getvalue()
