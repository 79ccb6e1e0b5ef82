"""Functions found by name, `package.module:function` or `path/to/file.py:function`, below every other module.

Naming a function runs the code of its module, so a name must come from the user or from trivium itself, never out of a
file that was loaded, unless the user trusts that file (engine/bundles/trust.py).
"""

import difflib
import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import RecipeError


def is_file_function(name: str) -> bool:
    """Whether a name has the form `path/to/file.py:function`."""
    return name.partition(":")[0].endswith(".py")


def load_function(name: str) -> Callable[..., Any]:
    """The function of that name.

    Raises:
        RecipeError: no such file or no such function in it; or the file itself raised.
    """
    place, _, function = name.partition(":")
    module = _load_file(Path(place)) if is_file_function(name) else importlib.import_module(place)
    found = getattr(module, function, None)
    if not callable(found):
        candidates = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise RecipeError(f"{place} has no function {function!r}{suggest(function, candidates)}")
    return found  # type: ignore[no-any-return]


def suggest(word: str, known: list[str]) -> str:
    """`; did you mean 'a' or 'b'?` for the nearest known words, or nothing."""
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return "; did you mean " + " or ".join(map(repr, near)) + "?" if near else ""


def _load_file(path: Path) -> ModuleType:
    """Import a file under a name of its own; its folder is importable from it, as it is for `python file.py`."""
    if not path.is_file():
        raise RecipeError(f"{path}: no such file; a model of your own is named path/to/file.py:function")
    path = path.resolve()
    name = f"trivium_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(path)
    try:
        # Compiled here and not by the import system, which would leave a __pycache__ beside the user's file.
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise RecipeError(f"{path}: {type(error).__name__}: {error}") from error
    return module
