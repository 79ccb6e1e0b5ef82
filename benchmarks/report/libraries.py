"""The libraries that draw and write a page: imported when one is made, because only a report needs them."""

from __future__ import annotations

import importlib
from typing import Any

from ...errors import OptionError


def altair() -> Any:
    """The charts' grammar.

    Raises:
        OptionError: it is not installed.
    """
    return _import("altair")


def vl_convert() -> Any:
    """Vega as one script, and charts as PNG without a browser.

    Raises:
        OptionError: it is not installed.
    """
    return _import("vl_convert")


def jinja2() -> Any:
    """The page's template, which escapes what is put into it.

    Raises:
        OptionError: it is not installed.
    """
    return _import("jinja2")


def markupsafe() -> Any:
    """What Jinja2 marks text with that is not to be escaped again.

    Raises:
        OptionError: it is not installed.
    """
    return _import("markupsafe")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OptionError(f"a report needs {name}, which is not installed: pip install 'trivium[report]'") from error
