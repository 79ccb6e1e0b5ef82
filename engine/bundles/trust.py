"""Whether a model may run code that is not Keras' own, which only the user can say: `--trust`, or `trust=True`.

The command line says it by a variable of the environment, so that its workers know it too. What will run is told before
it does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import BundleError

if TYPE_CHECKING:
    from .code_in_config import Finding

VARIABLE = "TRIVIUM_TRUST"

_told: set[str] = set()


def is_given() -> bool:
    """Whether the user trusts the files of this command."""
    return bool(os.environ.get(VARIABLE))


def require(findings: Sequence[Finding], what: str, *, trust: bool | None = None, recipe: str = "") -> bool:
    """Make sure that what a model would run may run, and that classes of the user's own are there.

    A class or function that this process has registered by itself (`keras.saving.register_keras_serializable`) is the
    user's own program and needs no trust. With trust, a recipe `file.py:function` that a bundle was trained by is
    imported when a class is missing.

    Args:
        findings: of `safe_config.find_code`.
        what: the file, for the message.
        trust: None for what the environment says.

    Returns:
        Whether Keras' safe mode must be off.

    Raises:
        BundleError: it may not; the message says all that would run.
    """
    unknown = [finding for finding in findings if not _is_registered(finding)]
    if not unknown:
        return False
    if not (is_given() if trust is None else trust):
        raise BundleError(f"{what} would run {_listed(unknown)}: use --trust if you trust whoever made it")
    announce(unknown, what)
    missing = [finding for finding in unknown if finding.kind in ("class", "function")]
    if missing:
        _import_recipe(missing, what, recipe)
    return any(finding.kind in ("code", "path") for finding in unknown)


def announce(findings: Sequence[Finding], what: str) -> None:
    """Say once, on standard error, what is going to run."""
    if findings:
        _tell(f"{what} runs {_listed(findings)}")


def _tell(text: str) -> None:
    if text not in _told:
        _told.add(text)
        print(f"trivium: trusted: {text}", file=sys.stderr)


def _import_recipe(missing: Sequence[Finding], what: str, recipe: str) -> None:
    from ...functions import load_function

    place = recipe.rpartition(":")[0]
    if place.endswith(".py") and Path(place).is_file():
        _tell(f"{what} imports {place!r}, by which it was trained")
        load_function(recipe)
    absent = [finding for finding in missing if not _is_registered(finding)]
    if absent:
        raise BundleError(
            f"{what} needs {_listed(absent)}, which is not here: import the file that registers it with "
            "keras.saving.register_keras_serializable and load the model in Python"
        )


def _is_registered(finding: Finding) -> bool:
    if finding.kind not in ("class", "function"):
        return False
    import keras

    return keras.saving.get_registered_object(finding.name) is not None


def _listed(findings: Sequence[Finding]) -> str:
    shown = [finding.text for finding in findings[:5]]
    more = [f"{len(findings) - 5} more"] if len(findings) > 5 else []
    return ", ".join(shown + more)
