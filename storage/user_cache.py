"""The folder in which measurements of this machine, and the key of the user's runs, are kept from run to run."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from ..errors import OutputError


def user_cache() -> Path:
    """Return trivium's folder in the user's cache, which need not exist: on Linux `$XDG_CACHE_HOME/trivium`.

    Raises:
        OutputError: the account has no home folder, so that the path would be one of the current folder.
    """
    try:
        folder = platformdirs.user_cache_path("trivium", appauthor=False)
    except RuntimeError:  # platformdirs 4.14; earlier versions return a relative path
        folder = Path()
    if not folder.is_absolute():
        raise OutputError("this account has no home folder: set XDG_CACHE_HOME to a folder that can be written to")
    return folder
