"""Imports of frameworks that write on file descriptor 2 while they load, whatever their log level."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from . import catalog


def import_quietly(name: str) -> ModuleType:
    """Import a module that may import a framework; what is written meanwhile is shown only if the import fails."""
    with _quiet():
        return importlib.import_module(name)


def import_frameworks_quietly() -> None:
    """From now on, every import of a framework in this process is quiet, also one by a user's file."""
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with tempfile.TemporaryFile() as captured:
        sys.stderr.flush()
        standard_error = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(standard_error, captured.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds the frameworks as they would be found without it, and makes the execution of their code quiet."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(backend.trains and backend.package == fullname for backend in catalog.BACKENDS):
            return None
        found = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, found), None)
        if spec is not None and spec.loader is not None:
            _silence(spec.loader)
        return spec


def _silence(loader: Any) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        with _quiet():
            execute(module)

    loader.exec_module = exec_module
