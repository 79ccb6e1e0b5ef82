"""Elements of HTML and SVG, written by the standard library: text from data or files is escaped, and never markup.

A view needs no network and runs no script. It takes the colour of its text from the page, and its lines and bars are
seen on white and on black, so that it does not need to know whether the notebook's theme is light or dark.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from xml.etree.ElementTree import Element, tostring

from ..storage.visible_text import visible

Child = Element | str | None


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """Return an element.

    Args:
        tag: such as `td` or `polyline`.
        children: elements and texts, whose control characters are written out; None stands for nothing.
        attributes: by name; `class_` is the attribute `class`, and `stroke_width` is `stroke-width`.
    """
    names = {name.rstrip("_").replace("_", "-"): visible(str(value)) for name, value in attributes.items()}
    parent = Element(tag, names)
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
            last = child
        elif child is not None and last is None:
            parent.text = (parent.text or "") + visible(child)
        elif child is not None and last is not None:
            last.tail = (last.tail or "") + visible(child)
    return parent


def to_html(*children: Child) -> str:
    """Return a view as HTML: the elements, in a frame that has the style of all views."""
    frame = element("div", element("style", _style()), *children, class_="trivium")
    return tostring(frame, encoding="unicode", method="html")


@cache
def _style() -> str:
    return " ".join(resources.files(__package__ or "").joinpath("view.css").read_text("utf-8").split())
