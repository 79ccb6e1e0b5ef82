"""The kinds of charts, by altair: bars with intervals, stacks, points, lines over a sweep, ratios, a roofline.

Text from a file appears only in a chart's data, never in an expression, a field name or a title: Vega does not evaluate
data. The page chooses the colours, light or dark; a backend has the same colour in every chart.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...engine.plots.page_libraries import altair
from ..results import STEADY
from .figures import differs, heading, interval, scaled, three, unit_of, words
from .results_reader import ReportPart, Row, fastest_first

_BAR, _LINE = 20, 14  # pixels of a bar, and of a line of a name
_SHORTEST, _LINES = 70, 240  # pixels
_LETTERS = 26  # letters of a name in a line
_TICKS = 5  # where more would not fit on a phone
_COLOURED = ("jax", "tensorflow", "torch")  # the series that have the first colours
_LABEL_GAP = 6  # pixels between labels

Values = list[dict[str, Any]]


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title, note: what the chart shows, and how to read it.
        spec: the Vega-Lite specification, as wide as its container.
    """

    title: str
    note: str
    spec: dict[str, Any]


# --- kinds of charts ------------------------------------------------------------------------------------------------


def bars(title: str, rows: Sequence[Row], name: Callable[[Row], str], series: Callable[[Row], str]) -> Chart:
    alt = altair()
    values = [value_of(row, name(row), series(row)) for row in fastest_first(rows)]
    offset = {} if _has_unique_names(values) else {"yOffset": _side_by_side(values)}
    base = _chart(values).encode(y=_names(), tooltip=_tooltips("name", "series", "median", "q1", "q3", "n"), **offset)
    across = alt.X("median:Q", title=_axis_of(values), stack=None, axis=_few_ticks())
    blocks = base.mark_bar().encode(x=across, color=_colour(values))
    spread = base.mark_rule(strokeWidth=2).encode(x="q1:Q", x2="q3:Q")
    return _make_chart(title, "Bars are medians, lines go from quartile to quartile.", blocks + spread, _height(values))


def stacked(title: str, note: str, values: Values) -> Chart:
    alt = altair()
    values = [{**value, "place": place} for place, value in enumerate(values)]
    blocks = (
        _chart(values)
        .mark_bar()
        .encode(
            y=_names(),
            x=alt.X("median:Q", title=_axis_of(values), stack="zero", axis=_few_ticks()),
            color=_colour(values, list(dict.fromkeys(value["series"] for value in values))),
            order=alt.Order("place:Q"),
            tooltip=_tooltips("name", "series", "median"),
        )
    )
    return _make_chart(title, note, blocks, _SHORTEST + _BAR * len({value["name"] for value in values}))


def breakdown(why: Sequence[Row]) -> Chart:
    alt = altair()
    values = [
        {
            "name": part["part"],
            "series": part["backend"],
            "median": part["seconds"],
            "share": f"{part['share']:.0%}",
            "difference": "yes" if part.get("differs", True) else "within the noise",
        }
        for part in why
    ]
    blocks = (
        _chart(values)
        .mark_bar()
        .encode(
            y=_names(),
            yOffset=_side_by_side(values),
            x=alt.X("median:Q", title="seconds of an epoch", stack=None, axis=_few_ticks()),
            color=_colour(values),
            tooltip=_tooltips("name", "series", "median", "share", "difference"),
        )
    )
    note = "The parts add up to the difference between pooling and striding; a negative part is noise, or a gain."
    return _make_chart("What pooling costs is made of", note, blocks, _height(values))


def points(title: str, rows: Sequence[Row]) -> Chart:
    alt = altair()
    values = [value_of(row, row["recipe"], row["backend"]) for row in rows]
    base = _chart(values).encode(y=_names(), tooltip=_tooltips("name", "series", "median", "q1", "q3", "n"))
    axis = alt.X("median:Q", title=_axis_of(values), scale=alt.Scale(type="log"), axis=_few_ticks())
    dots = base.mark_point(filled=True, size=70).encode(x=axis, color=_colour(values))
    names = len({value["name"] for value in values})
    return _make_chart(title, "Medians, on a logarithmic scale.", dots, _SHORTEST + _BAR * names)


def lines_over(
    part: ReportPart, along: str, metric: str, title: str, note: str, *, log: bool = False
) -> Iterator[Chart]:
    """Yield a chart of a metric over a sweep, with a line for each recipe on each backend."""
    alt = altair()
    rows = [row for row in part.of(metric) if isinstance(row.get(along), int) and row[along] > 0]
    if not rows or (log and min(row["q1"] for row in rows) <= 0):
        return
    several = len({row["recipe"] for row in rows}) > 1
    values = [
        {**value_of(row, row["recipe"], f"{row['recipe']}, {row['backend']}" if several else row["backend"])}
        | {"along": row[along]}
        for row in rows
    ]
    steps = sorted({value["along"] for value in values})
    across = alt.X("along:Q", title=words(along), scale=_powers_of_two(steps), axis=_ticks(steps))
    log = log or _spans_much(rows)
    scale = alt.Scale(type="log") if log else alt.Scale(zero=metric == STEADY)
    upright = alt.Y("median:Q", title=_axis_of(values), scale=scale, axis=alt.Axis(tickCount=_TICKS))
    base = _chart(values).encode(x=across, color=_colour(values))
    lines = base.mark_line(point=True).encode(
        y=upright, tooltip=_tooltips("series", "along", "median", "q1", "q3", "n")
    )
    spread = base.mark_rule(strokeWidth=2, opacity=0.6).encode(y="q1:Q", y2="q3:Q")
    yield _make_chart(title, note, spread + lines, _LINES)


def trend(title: str, rows: Sequence[Row], changes: Sequence[Row]) -> Chart:
    """Draw medians over runs, a line for each backend and runner, and a dashed line where a time has changed."""
    alt = altair()
    values = [{**value_of(row, _run_of(row), _by(row)), "date": str(row["date"])} for row in rows]
    runs = [_run_of(row) for row in sorted(rows, key=lambda row: row["run"])]
    axis = alt.Axis(labelAngle=-50, labelOverlap="greedy", labelSeparation=_LABEL_GAP)
    across = alt.X("name:O", title=None, scale=alt.Scale(domain=list(dict.fromkeys(runs))), axis=axis)
    scale = alt.Scale(type="log" if _spans_much(rows) else "linear", zero=False)
    upright = alt.Y("median:Q", title=_axis_of(values), scale=scale, axis=_few_ticks())
    base = _chart(values).encode(x=across, color=_colour(values))
    lines = base.mark_line(point=True).encode(
        y=upright, tooltip=_tooltips("series", "name", "date", "median", "q1", "q3", "n")
    )
    spread = base.mark_rule(strokeWidth=2, opacity=0.6).encode(y="q1:Q", y2="q3:Q")
    marks = [{"name": _run_of(change), "series": _by(change), "said": interval(change)} for change in changes]
    layers = spread + lines
    if marks:
        dashed = _chart(marks).mark_rule(strokeDash=[4, 3], strokeWidth=2)
        layers += dashed.encode(x=across, color=_colour(values), tooltip=_tooltips("series", "name", "said"))
    note = (
        "Medians and quartiles of each run; at a dashed line the time has changed." if marks else "No change is shown."
    )
    return _make_chart(title, note, layers, _LINES)


def _run_of(row: Row) -> str:
    return f"{row['run']}: {row['commit']}"


def _by(row: Row) -> str:
    return str(row["backend"]) if row["runner"] in ("trivium", "predict") else f"{row['runner']} ({row['backend']})"


def sweep(ratios: Sequence[Row], along: str, fixed: str) -> Chart:
    alt = altair()
    values = [{**ratio_of(ratio), "series": ratio["backend"], "along": ratio[along]} for ratio in ratios]
    steps = sorted({value["along"] for value in values})
    base = _chart(values).encode(
        x=alt.X("along:Q", title=words(along), scale=_powers_of_two(steps), axis=_ticks(steps)), color=_colour(values)
    )
    upright = alt.Y("ratio:Q", title="pooling ÷ striding", scale=alt.Scale(zero=False))
    lines = base.mark_line(point=True).encode(y=upright, tooltip=_tooltips("series", "along", "said"))
    spread = base.mark_rule(strokeWidth=2, opacity=0.6).encode(y="low:Q", y2="high:Q")
    note = "The ratio with its 95 % interval; at 1 they cost the same."
    return _make_chart(f"Pooling ÷ striding over {words(along)}, {fixed}", note, _at_one("y") + spread + lines, _LINES)


def intervals(title: str, values: Values, *, coloured: bool, beside: bool) -> Chart:
    """Draw ratios with their intervals on one scale; several backends are shown side by side."""
    alt = altair()
    base = _chart(values).encode(y=_names(), tooltip=_tooltips("name", "series", "said", "verdict"))
    more = ({"color": _colour(values)} if coloured else {}) | ({"yOffset": _side_by_side(values)} if beside else {})
    ends = [min(1, *(value["low"] for value in values)) / 1.1, max(1, *(value["high"] for value in values)) * 1.1]
    scale = alt.Scale(type="log", domain=ends, nice=False)
    axis = alt.X("low:Q", title="ratio, and its 95 % interval", scale=scale, axis=_few_ticks())
    spread = base.mark_rule(strokeWidth=2).encode(x=axis, x2="high:Q", **more)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x="ratio:Q", **more)
    note = "An interval that crosses the dashed line holds 1: no difference."
    return _make_chart(title, note, _at_one("x") + spread + dots, _height(values))


def roofline(kind: str, values: Values, peak: float, bandwidth: float) -> Chart:
    alt = altair()
    ridge = peak / bandwidth
    reached = [value["intensity"] for value in values]
    left, right = min(ridge, *reached) / 3, max(ridge, *reached) * 3
    roof = [{"intensity": x, "median": min(peak, x * bandwidth)} for x in (left, ridge, right)]
    few = _few_ticks()
    across = alt.X(
        "intensity:Q", title="FLOP for each byte that has to move", scale=alt.Scale(type="log", nice=False), axis=few
    )
    upright = alt.Y("median:Q", title="GFLOP/s", scale=alt.Scale(type="log"), axis=few)
    line = _chart(roof).mark_line(strokeWidth=2, color="gray").encode(x=across, y=upright)
    dots = (
        _chart(values)
        .mark_point(filled=True, size=80, opacity=0.9)
        .encode(
            x=across, y=upright, color=_colour(values), tooltip=_tooltips("name", "series", "intensity", "median", "n")
        )
    )
    most = f"{three(peak)} GFLOP/s of a matrix product, {three(bandwidth)} GB/s of a copy"
    note = f"The line is what the {kind} can do: {most}."
    return _make_chart(f"Roofline of the {kind}", note, line + dots, _LINES + 40)


# --- the pieces of charts -------------------------------------------------------------------------------------------


def _chart(values: Values) -> Any:
    alt = altair()
    named = [{**value, "name": "\n".join(_lines(value["name"]))} if "name" in value else value for value in values]
    return alt.Chart(alt.InlineData(values=named))


def _make_chart(title: str, note: str, chart: Any, height: int) -> Chart:
    spec = chart.properties(width="container", height=height).to_dict()
    spec.pop("$schema", None)  # a URL; the page does not need it
    return Chart(title, note, spec)


def value_of(row: Row, name: str, series: str) -> dict[str, Any]:
    """Return the chart data of a row: its figures in the shown unit."""
    unit = unit_of(row)
    figures = {column: scaled(row[column], unit) for column in ("median", "q1", "q3")}
    where = {"name": name, "series": series, "of": heading(row)}
    return {**where, **figures, "n": row["n"]}


def ratio_of(ratio: Row) -> dict[str, Any]:
    """Return the chart data of a ratio."""
    verdict = "a difference" if differs(ratio) else "no difference"
    return {
        **{column: ratio[column] for column in ("ratio", "low", "high")},
        "said": interval(ratio),
        "verdict": verdict,
    }


_IN_LINES = "split(datum.label, '\\n')"  # breaks a name into lines; the names themselves are data


def _axis_of(values: Values) -> str:
    """Return the title of an axis: the metric, or `seconds` for several metrics."""
    titles: set[str] = {value["of"] for value in values}
    return titles.pop() if len(titles) == 1 else "seconds"


def _spans_much(rows: Sequence[Row]) -> bool:
    """Return whether to use a logarithmic scale: all values are positive, and the largest is ten times the smallest."""
    least = min(row["q1"] for row in rows)
    return bool(least > 0 and max(row["q3"] for row in rows) > 10 * least)


def _names() -> Any:
    alt = altair()
    return alt.Y(
        "name:N", title=None, sort=None, axis=alt.Axis(labelLimit=170, domain=False, ticks=False, labelExpr=_IN_LINES)
    )


def _colour(values: Values, order: Sequence[str] = ()) -> Any:
    """Return one colour per series; a backend has one colour in every chart, whichever others are there."""
    alt = altair()
    present = list(order) or sorted({value["series"] for value in values})
    backends = [] if order else [name for name in _COLOURED if set(_COLOURED) & set(present)]
    domain = [*backends, *(name for name in present if name not in backends)]
    has_legend = len(present) > 1 and any(value["series"] != value.get("name") for value in values)
    legend = alt.Legend(title=None, orient="bottom", labelLimit=200, values=present) if has_legend else None
    return alt.Color("series:N", scale=alt.Scale(domain=domain), legend=legend)


def _side_by_side(values: Values) -> Any:
    """Put the bars of one name side by side, in the order of their colours."""
    alt = altair()
    return alt.YOffset("series:N", scale=alt.Scale(domain=sorted({value["series"] for value in values})))


def _tooltips(*fields: str) -> list[Any]:
    alt = altair()
    titles = {"name": "what", "series": "of", "along": "at", "said": "ratio", "n": "samples"}
    numbers = {"median", "q1", "q3", "intensity"}
    return [
        alt.Tooltip(f"{field}:Q", title=titles.get(field, field), format=".3~g")
        if field in numbers
        else alt.Tooltip(f"{field}:N", title=titles.get(field, field))
        for field in fields
    ]


def _at_one(axis: str) -> Any:
    """Draw a dashed line at 1."""
    alt = altair()
    return _chart([{"one": 1}]).mark_rule(strokeDash=[4, 3], color="gray").encode(**{axis: alt.datum(1)})


def _powers_of_two(steps: Sequence[int]) -> Any:
    alt = altair()
    return alt.Scale(type="log", base=2 if steps[-1] < 5000 else 10, nice=False)


def _ticks(steps: Sequence[int]) -> Any:
    alt = altair()
    return alt.Axis(values=steps, format=",d", labelOverlap="greedy", labelSeparation=_LABEL_GAP)


def _few_ticks() -> Any:
    """Return an axis with few labels, none of which touches another on a phone."""
    alt = altair()
    return alt.Axis(tickCount=_TICKS, labelOverlap="greedy", labelSeparation=_LABEL_GAP)


def _height(values: Values) -> int:
    """Return the height in pixels: a bar for each value, with some room between names."""
    names = {value["name"] for value in values}
    lines = max(len(_lines(name)) for name in names)
    return max(_SHORTEST, len(names) * max(_BAR * len(values) // len(names) + 6, _LINE * lines + 8))


def _lines(name: str) -> list[str]:
    """Wrap a name into lines that are short enough beside a chart on a phone."""
    return textwrap.wrap(name, _LETTERS, break_on_hyphens=False) or [name]


def _has_unique_names(values: Values) -> bool:
    return len({value["name"] for value in values}) == len(values)
