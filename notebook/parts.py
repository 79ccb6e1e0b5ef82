"""The parts that views are put together from: a heading, a verdict, tables, a bar."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element

from .elements import element

# A longer table shows its first rows, and how many more there are.
MOST_ROWS = 20
# Values in between are written out, such as prices: 452,033 rather than 4.52e+05.
_FOUR_DIGITS, _MOST_DIGITS = 9_999.5, 1e9


def heading(title: str, *facts: str) -> Element:
    """Return a title in bold, and facts beside it; empty ones are left out."""
    text = " · ".join(filter(None, facts))
    between = " · " if title and text else ""
    return element("p", element("strong", title) if title else None, element("span", between + text, class_="quiet"))


def verdict(passed: bool, finding: str) -> Element:
    """Return a finding, marked by whether a check has passed."""
    return element("p", finding, class_="verdict" if passed else "verdict different")


def sentences(texts: Iterable[str], kind: str = "") -> list[Element]:
    """Return a paragraph for each text, such as a warning."""
    return [element("p", f"{kind}: {text}" if kind else text, class_="quiet") for text in texts]


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    failed: Sequence[bool] = (),
    total: int | None = None,
) -> Element:
    """Return a table.

    Args:
        header: the titles of the columns.
        rows: the cells; floats have four digits, and None is an empty cell.
        numbers: the titles of the columns that are aligned to the right.
        failed: for each row whether it is marked as a check that failed.
        total: how many rows there are, if `rows` are only the first of them.
    """
    classes = [{"class_": "number"} if title in numbers else {} for title in header]
    shown = rows[:MOST_ROWS]
    body = []
    for place, row in enumerate(shown):
        cells = [element("td", text_of(cell), **kind) for cell, kind in zip(row, classes, strict=True)]
        body.append(element("tr", *cells, **({"class_": "different"} if place < len(failed) and failed[place] else {})))
    titles = [element("th", title, **kind) for title, kind in zip(header, classes, strict=True)]
    whole = element("table", element("thead", element("tr", *titles)), element("tbody", *body), class_="values")
    rest = (len(rows) if total is None else total) - len(shown)
    more = element("p", f"and {rest:,} more", class_="quiet") if rest else None
    return element("div", whole, more, class_="scroll")


def metrics_table(parts: Mapping[str, Mapping[str, float]]) -> Element | None:
    """Return a table with a row for each part, such as `test`, and a column for each metric; None without any."""
    names = list(dict.fromkeys(name for metrics in parts.values() for name in metrics))
    rows = [[part, *(metrics.get(name) for name in names)] for part, metrics in parts.items() if metrics]
    return table(["", *names], rows, numbers=names) if rows else None


def bar(share: float) -> Element:
    """Return a progress bar.

    Args:
        share: of the work that is done, 0 to 1.
    """
    percent = f"{100 * min(max(share, 0.0), 1.0):.1f}"
    filled = element("div", style=f"width: {percent}%")
    return element("div", filled, class_="bar", role="progressbar", aria_valuenow=percent)


def text_of(value: object) -> str:
    """Return the content of a cell as text."""
    if value is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "∞" if value == math.inf else str(value)
        return f"{value:,.0f}" if _FOUR_DIGITS <= abs(value) < _MOST_DIGITS else f"{value:.4g}"
    return str(value)
