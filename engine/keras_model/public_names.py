"""The names that Keras publishes, read from its source: importing Keras takes seconds and fixes the backend."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path


@functools.cache
def public_names(module: str) -> frozenset[str]:
    """Return the names that a package of Keras publishes; empty if there is no such package.

    They are read from Keras' source, because importing Keras takes seconds.
    """
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    path = Path(spec.submodule_search_locations[0], *module.split(".")[1:], "__init__.py")
    if not path.is_file():
        return frozenset()
    imports = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)]
    return frozenset(alias.asname or alias.name for node in imports for alias in node.names)
