"""Trust: the user's permission for a model to run code that is not Keras' own (`--trust`, or `trust=True`).

The command line passes the permission in an environment variable, so that workers have it too. Code is announced on
standard error before it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BundleError, OptionError
from ...storage.visible_text import visible

if TYPE_CHECKING:
    from .code_in_config import Finding

VARIABLE = "TRIVIUM_TRUST"

_YES, _NO = ("1", "yes", "true", "on"), ("", "0", "no", "false", "off")

_announced: set[str] = set()


def is_enabled() -> bool:
    """Return whether the user trusts the files of this command.

    Raises:
        OptionError: the environment variable says neither yes nor no.
    """
    value = os.environ.get(VARIABLE, "")
    if value.strip().lower() not in (*_YES, *_NO):
        expected = f"{', '.join(_YES)} for trust, {', '.join(filter(None, _NO))} or nothing for none"
        raise OptionError(f"{VARIABLE} is {value!r}: expected {expected}")
    return value.strip().lower() in _YES


@dataclass(frozen=True)
class Permission:
    """What Keras may use to build a model.

    Attributes:
        unsafe: whether its safe mode has to be off.
        objects: the model's own classes and functions by name, for this model only: another's may have the same names.
    """

    unsafe: bool = False
    objects: Mapping[str, Any] = field(default_factory=dict)


def require(findings: Sequence[Finding], what: str, *, trust: bool | None = None, recipe: str = "") -> Permission:
    """Require that a model's code may run and that its custom classes are available.

    A class or function that this process has registered (`keras.saving.register_keras_serializable`) belongs to the
    user's own program and needs no trust. With trust, the recipe `file.py:function` of a bundle is imported if a class
    is missing, and called if it is missing then.

    Args:
        findings: from `code_in_config.find_code`.
        what: the name of the file in messages.
        trust: whether the code is trusted; None means what the environment says.
        recipe: the `file.py:function` that the model was trained from, or empty.

    Raises:
        BundleError: the code is not trusted, or a class is not available. The message lists the code.
    """
    unregistered = [finding for finding in findings if not _is_registered(finding)]
    if not unregistered:
        return Permission()
    if not (is_enabled() if trust is None else trust):
        raise BundleError(f"{what} would run {_join_findings(unregistered)}: use --trust if you trust whoever made it")
    announce(unregistered, what)
    missing = [finding for finding in unregistered if finding.kind in ("class", "function")]
    objects = _find_in_recipe(missing, what, recipe) if missing else {}
    return Permission(any(finding.kind in ("code", "path") for finding in unregistered), objects)


def recipe_file(recipe: str) -> Path | None:
    """Return the file of a recipe `file.py:function`; None for another recipe, or if the file is not here."""
    file = recipe.rpartition(":")[0]
    return Path(file) if file.endswith(".py") and Path(file).is_file() else None


def announce(findings: Sequence[Finding], what: str) -> None:
    """Announce on standard error, once, the code that is going to run."""
    if findings:
        _announce_once(f"{what} runs {_join_findings(findings)}")


def _announce_once(text: str) -> None:
    if text not in _announced:
        _announced.add(text)
        print(visible(f"trivium: trusted: {text}"), file=sys.stderr)


def _find_in_recipe(missing: Sequence[Finding], what: str, recipe: str) -> dict[str, Any]:
    """Return the classes and functions that the recipe's file has, or defines when its function is called."""
    from . import recipe_classes

    objects: dict[str, Any] = {}
    file, is_here = recipe.rpartition(":")[0], recipe_file(recipe) is not None
    if is_here:
        _announce_once(f"{what} imports {file!r}, by which it was trained")
        objects |= recipe_classes.from_file(recipe, [finding.name for finding in missing])
        if _absent(missing, objects) and recipe_classes.can_be_called(recipe):
            _announce_once(f"{what} calls {recipe!r}, by which it was trained")
            objects |= recipe_classes.from_function(recipe, [finding.name for finding in missing])
    if absent := _absent(missing, objects):
        elsewhere = f" (it was trained by {file}, which is not here)" if file.endswith(".py") and not is_here else ""
        raise BundleError(
            f"{what} needs {_join_findings(absent)}, which is not registered{elsewhere}: import the file that "
            "registers it with keras.saving.register_keras_serializable and load the model in Python, or build the "
            "model by a file.py:function and take the weights by `trivium train file.py:function --from FILE`"
        )
    return objects


def _absent(findings: Sequence[Finding], objects: Mapping[str, Any]) -> list[Finding]:
    return [finding for finding in findings if finding.name not in objects and not _is_registered(finding)]


def _is_registered(finding: Finding) -> bool:
    if finding.kind not in ("class", "function"):
        return False
    import keras

    return keras.saving.get_registered_object(finding.name) is not None


def _join_findings(findings: Sequence[Finding]) -> str:
    texts = [finding.text for finding in findings[:5]]
    more = [f"{len(findings) - 5} more"] if len(findings) > 5 else []
    return ", ".join(texts + more)
