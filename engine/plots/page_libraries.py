"""The optional libraries that draw charts and render pages, imported only when a page is made."""

from __future__ import annotations

import importlib
from typing import Any

from ...errors import OptionError


def altair() -> Any:
    """Return altair, which describes the charts.

    Raises:
        OptionError: the library is not installed.
    """
    return _import("altair")


def vl_convert() -> Any:
    """Return vl-convert, which bundles Vega as one script and renders charts as PNG without a browser.

    Raises:
        OptionError: the library is not installed.
    """
    return _import("vl_convert")


def jinja2() -> Any:
    """Return Jinja2, which renders the page's templates and escapes their values.

    Raises:
        OptionError: the library is not installed.
    """
    return _import("jinja2")


def markupsafe() -> Any:
    """Return MarkupSafe, which marks text that Jinja2 must not escape again.

    Raises:
        OptionError: the library is not installed.
    """
    return _import("markupsafe")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OptionError(f"a page needs {name}, which is not installed: pip install 'trivium[report]'") from error
