"""The folder in which measurements of this machine, and the key of the user's runs, are kept from run to run."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """Return trivium's folder in the user's cache, which need not exist: on Linux `$XDG_CACHE_HOME/trivium`."""
    return platformdirs.user_cache_path("trivium", appauthor=False)
