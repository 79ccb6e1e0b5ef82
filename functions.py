"""Loads functions by name, `package.module:function` or `path/to/file.py:function`, and helps with names and calls.

Loading a function runs the code of its module. So a name must come from the user or from trivium itself, never from a
loaded file, unless the user trusts that file (engine/bundles/trust.py).
"""

import contextlib
import difflib
import hashlib
import importlib
import inspect
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import OptionError, RecipeError

# A function for another process to run: the function itself, or the name `path/to/file.py:function` of a user's.
FunctionOrName = Callable[..., Any] | str

_PREFIX = "trivium_user_"  # of the module of a user's file


def at_most_every(seconds: float, function: Callable[..., None]) -> Callable[..., None]:
    """Return the function, whose calls have no effect until so many seconds after the last one that had one."""
    last = time.monotonic()

    def call(*arguments: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            function(*arguments)
            last = time.monotonic()

    return call


def is_file_function(name: str) -> bool:
    """Return whether a name has the form `path/to/file.py:function`."""
    return name.partition(":")[0].endswith(".py")


def load_function(name: str) -> Callable[..., Any]:
    """Load the function of that name.

    Raises:
        RecipeError: the file is missing, raises an error, or has no such function.
    """
    module_name, _, attribute = name.partition(":")
    if is_file_function(name) and not Path(module_name).is_file():
        raise RecipeError(f"{module_name}: no such file; a model of your own is named path/to/file.py:function")
    module = load_file(Path(module_name)) if is_file_function(name) else importlib.import_module(module_name)
    function = getattr(module, attribute, None)
    if not callable(function):
        candidates = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise RecipeError(f"{module_name} has no function {attribute!r}{suggest(attribute, candidates)}")
    return function  # type: ignore[no-any-return]


def function_name(function: FunctionOrName) -> str:
    """Return the name by which `load_function` finds a function, in this process or in another.

    Raises:
        TypeError: the function is not at the top level of a module, so that no other process can find it.
    """
    if isinstance(function, str):
        return function
    module, name = sys.modules[function.__module__], function.__qualname__
    if getattr(module, name, None) is not function:
        raise TypeError(f"{function!r} is not at the top of a module: another process cannot find it")
    return f"{module.__name__ if _is_installed(module) else module.__file__}:{name}"


def takes_arguments(function: Callable[..., Any], count: int) -> bool:
    """Return whether a function can be called with so many arguments; also if its signature is not known."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # some built-in functions have none
        return True
    return True


def _is_installed(module: ModuleType) -> bool:
    """Return whether every process of this Python can import a module by name: trivium's own, or an installed one."""
    file = getattr(module, "__file__", None)
    if file is None or module.__name__.partition(".")[0] == __name__.partition(".")[0]:
        return True
    return any(Path(file).is_relative_to(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib"))


def suggest(word: str, known: list[str]) -> str:
    """Return `; did you mean 'a' or 'b'?` with the nearest known words, or an empty string."""
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return "; did you mean " + " or ".join(map(repr, near)) + "?" if near else ""


def first_of(names: Sequence[str], most: int) -> str:
    """Return the first names for a sentence, and how many more there are: `a, b and 7 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def require_known(option: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Raise an OptionError, with the nearest names, unless an option knows each of these names."""
    for name in names:
        if name not in known:
            listed = ", ".join(known)
            raise OptionError(f"{option}: {name!r} is none of {listed}{suggest(str(name), list(known))}")


def load_file(path: Path) -> ModuleType:
    """Import a file as a module of its own; it can import from its folder, as with `python file.py`.

    After an edit of the file, or of a module in its folder that it imports, it is imported anew.

    Raises:
        RecipeError: the file is missing, or raises an error.
    """
    if not path.is_file():
        raise RecipeError(f"{path}: no such file")
    path = path.resolve()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror or error}") from error
    # The content is part of the name: after an edit, the file is another module.
    name = f"{_PREFIX}{path.stem}_{hashlib.sha256(str(path).encode() + content).hexdigest()[:8]}"
    if name in sys.modules and all(_checksum(file) == known for file, known in _neighbours[name].items()):
        return sys.modules[name]
    _forget_edited(path.parent)
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(path)
    before = set(sys.modules)
    try:
        with _importing_from(path.parent):
            # Compiled here: the import system would leave a __pycache__ beside the user's file.
            exec(compile(content, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise RecipeError(f"{path}: {type(error).__name__}: {error}") from error
    _neighbours[name] = _imported_from(path.parent, before)
    _checksums.update(_neighbours[name])
    return module


# For each module made of a user's file: the files beside it that it imports, with their checksums; and those of all
# such files as they were imported last.
_neighbours: dict[str, dict[Path, str]] = {}
_checksums: dict[Path, str] = {}


def _imported_from(folder: Path, before: Collection[str]) -> dict[Path, str]:
    """Return the files of a folder that were imported as modules since, or by a file before, with their checksums."""
    files = {}
    for name, module in list(sys.modules.items()):
        top = folder / name.partition(".")[0]
        for file in map(Path, _places(module)):
            is_beside = file == top.with_suffix(".py") or file.is_relative_to(top)
            if is_beside and (name not in before or file in _checksums) and not _is_installed(module):
                files[file] = _checksum(file)
    return files


def _forget_edited(folder: Path) -> None:
    """Forget all modules beside the files of a folder if one has been edited: the others may import it."""
    files = {file for file in _checksums if file.is_relative_to(folder)}
    if all(_checksum(file) == _checksums[file] for file in files):
        return
    for name, module in list(sys.modules.items()):
        if any(Path(place) in files for place in _places(module)):
            del sys.modules[name]
    for file in files:
        del _checksums[file]


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


# Folders of files that were loaded.
_FOLDERS: set[Path] = set()


@contextlib.contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let a file import the modules of its folder before others of the same name, and stay in the working folder.

    Afterwards the folder comes last, for what is imported later. A module of the same name that was imported from the
    folder of another file is forgotten.
    """
    others = _FOLDERS - {folder}
    _FOLDERS.add(folder)
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        is_here = (folder / f"{top}.py").is_file() or (folder / top).is_dir()
        if is_here and any(Path(place).is_relative_to(other) for place in _places(module) for other in others):
            del sys.modules[name]
    places = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        with contextlib.chdir(os.getcwd()):  # which it may change: data and runs are named from here
            yield
    finally:
        added = [place for place in sys.path if place not in (*places, str(folder))]
        sys.path[:] = [*(place for place in places if place != str(folder)), *added, str(folder)]


def _places(module: object) -> list[str]:
    """Return the file of an imported module as a list; empty for a built-in one, and for a user's file itself."""
    file = getattr(module, "__file__", None)
    is_user_file = str(getattr(module, "__name__", "")).startswith(_PREFIX)
    return [file] if isinstance(file, str) and not is_user_file else []


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Return metrics in a line, such as `loss 0.4635  accuracy 0.8536`."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
