"""The templates of pages that need no network: one base, with the style that all pages share."""

from __future__ import annotations

from importlib import resources
from typing import Any

from .page_libraries import jinja2, markupsafe


def page_environment(style: str) -> Any:
    """Return the environment of a page's template, which extends `base.html` and escapes what it is filled with.

    Args:
        style: the page's own rules, which follow those that all pages share.

    Raises:
        OptionError: Jinja2 is not installed.
    """
    templates = jinja2()
    environment = templates.Environment(
        autoescape=True,
        undefined=templates.StrictUndefined,
        trim_blocks=True,
        loader=templates.DictLoader({"base.html": _file("page_base.html")}),
    )
    environment.globals["style"] = markupsafe().Markup(_file("page_base.css") + style)
    return environment


def _file(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text("utf-8")
