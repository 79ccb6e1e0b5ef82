"""The charts of each suite, and the rows that they show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..machine import CEILINGS, highest
from ..results import STEADY
from ..targets.target_rows import METRIC
from .answers import HISTORY, name_of
from .figures import words
from .marks import (
    Chart,
    bars,
    breakdown,
    intervals,
    lines_over,
    points,
    ratio_of,
    roofline,
    stacked,
    sweep,
    trend,
    value_of,
)
from .results_reader import ReportPart, Row, sweep_point


def draw(part: ReportPart) -> list[Chart]:
    """Return all charts of a suite.

    Raises:
        OptionError: altair is not installed.
    """
    return [*_OWN.get(part.suite, _by_runner)(part), *_ratios(part), *_rooflines(part)]


# --- the charts of each suite ---------------------------------------------------------------------------------------


def _epochs(part: ReportPart) -> Iterator[Chart]:
    for recipe, rows in _split(part.of(STEADY), lambda row: row["recipe"]):
        places = len({row["device"] for row in rows}) > 1
        name = (lambda row: f"{row['backend']} ({row['device']})") if places else _backend
        yield bars(f"{recipe}: a steady epoch", rows, name, _backend)


def _time_to_accuracy(part: ReportPart) -> Iterator[Chart]:
    for recipe, rows in _split(part.of(METRIC), lambda row: row["recipe"]):
        yield bars(f"{recipe}: time to the target", rows, _backend, _backend)


def _pooling(part: ReportPart) -> Iterator[Chart]:
    book = [row for row in part.of(STEADY) if not sweep_point(row)]
    yield from _when(book, lambda: bars("A steady epoch", book, lambda row: row["recipe"], _backend))
    yield from _when(part.get("why", []), lambda: breakdown(part.get("why", [])))
    layers = part.of("layer_answer")
    for backend, rows in _split(layers, _backend):
        yield stacked(
            f"Where the time goes on {backend}",
            "Seconds of each layer's forward pass on one batch, measured by itself.",
            [value_of(row, row["recipe"], str(row.get("kind", ""))) for row in rows],
        )
    swept = [ratio for ratio in part.ratios if all(_is_count(ratio.get(name)) for name in ("filters", "image_size"))]
    for along, fixed in (("filters", "image_size"), ("image_size", "filters")):
        for value, ratios in _split(swept, lambda ratio, name=fixed: ratio[name]):  # type: ignore[misc]
            if len({ratio[along] for ratio in ratios}) > 1:
                yield sweep(ratios, along, f"{words(fixed)} {value}")


def _batch_size(part: ReportPart) -> Iterator[Chart]:
    yield from lines_over(
        part, "batch_size", STEADY, "Time against batch size", "Median and quartiles of a steady epoch."
    )
    yield from lines_over(part, "batch_size", "val_accuracy", "Accuracy on held-out data against batch size", "")
    yield from lines_over(
        part, "batch_size", "gap", "How much worse it is on held-out data", "Training minus held-out."
    )


def _data_size(part: ReportPart) -> Iterator[Chart]:
    yield from lines_over(part, "steps", STEADY, "Time against steps of the wave", "Median and quartiles.", log=True)
    yield from lines_over(part, "steps", "loss", "Error against steps of the wave", "", log=True)


def _start_up(part: ReportPart) -> Iterator[Chart]:
    from ..suites.start_up import STAGES

    rows = part.of(*STAGES[:-1])
    values = [value_of(row, row["backend"], words(row["metric"])) for row in rows]
    yield from _when(rows, lambda: stacked("Until the first answer", "Median seconds of each stage.", values))


def _inference(part: ReportPart) -> Iterator[Chart]:
    for (recipe, size), rows in _split(part.of("answer"), lambda row: (row["recipe"], row.get("batch_size"))):
        title = f"{recipe}: an answer for {size} sample{'' if size == 1 else 's'}"
        yield bars(title, rows, *[lambda row: name_of(row, part.ratios)] * 2)


def _by_runner(part: ReportPart) -> Iterator[Chart]:
    """Yield bars of all times, by metric where there are several, otherwise by runner."""
    opening_metrics = {"build", "compile", "first_epoch"}
    timed = [
        row for row in part.rows if row["unit"] == "s" and not opening_metrics & {row["metric"]} and "layer" not in row
    ]
    timed = [row for row in timed if not row["metric"].startswith(("build_", "compile_", "first_epoch_"))]
    several = len({row["metric"] for row in timed}) > 1 and len({row["runner"] for row in timed}) == 1
    for recipe, rows in _split(timed, lambda row: row["recipe"] if several else (row["recipe"], row["metric"])):
        name = recipe if several else f"{recipe[0]}: {words(recipe[1])}"
        yield bars(name, rows, _by_metric if several else _backend, _backend if several else _runner)


def _book(part: ReportPart) -> Iterator[Chart]:
    rows = sorted((row for row in part.of(STEADY) if row["median"] > 0), key=lambda row: -row["median"])
    yield from _when(rows, lambda: points("Steady epochs of the recipes", rows))


def _history(part: ReportPart) -> Iterator[Chart]:
    """Yield a line over the runs for each cell and metric, those with a change first."""
    changed = {(ratio["recipe"], ratio["metric"]) for ratio in part.ratios}
    groups = _split(part.rows, lambda row: (row["recipe"], row["metric"], *_point_without_run(row)))
    groups.sort(key=lambda group: group[0][:2] not in changed)
    for (recipe, metric, *point), rows in groups[:_MOST_TRENDS]:
        places = [ratio for ratio in part.ratios if _is_of(ratio, rows)]
        yield trend(", ".join([f"{recipe}: {words(metric)}", *point]), rows, places)


def _point_without_run(row: Row) -> list[str]:
    point = sweep_point(row).items()
    return [f"{words(name)} {value}" for name, value in point if name not in _RUN]


def _is_of(ratio: Row, rows: Sequence[Row]) -> bool:
    names = ("recipe", "backend", "runner", "metric")
    return any(
        all(ratio[name] == row[name] for name in names)
        and all(ratio.get(name) == value for name, value in sweep_point(row).items() if name not in _RUN)
        for row in rows
    )


_RUN = ("run", "commit", "date")
_MOST_TRENDS = 40

_OWN: dict[str, Callable[[ReportPart], Iterator[Chart]]] = {
    "epochs": _epochs,
    "time-to-accuracy": _time_to_accuracy,
    "pooling-vs-striding": _pooling,
    "batch-size": _batch_size,
    "data-size": _data_size,
    "import": _start_up,
    "inference": _inference,
    "book": _book,
    HISTORY: _history,
}


# --- the charts of all suites ---------------------------------------------------------------------------------------


def _ratios(part: ReportPart) -> Iterator[Chart]:
    if not part.ratios:
        return
    known = {(_title_of(ratio, False), ratio["backend"]) for ratio in part.ratios}
    several = len(known) < len(part.ratios)  # then the recipe has to tell them apart
    values = [
        {**ratio_of(ratio), "name": _title_of(ratio, several), "series": ratio["backend"]} for ratio in part.ratios
    ]
    same = not any("÷" in ratio["backend"] for ratio in part.ratios)
    yield intervals("Ratios", values, coloured=same, beside=same and len(part.backends) > 1)


def _rooflines(part: ReportPart) -> Iterator[Chart]:
    """Yield a roofline for each kind of device with known ceilings and counted operations."""
    for kind, ceilings in part.get("machine", {}).items():
        rows = [row for row in part.of("gflops") if row["device"] == kind and row["median"] > 0]
        values = [
            {**value_of(row, _title_of(row, True), row["backend"]), "intensity": part.cell_median(row, "intensity")}
            for row in rows
        ]
        values = [value for value in values if (value["intensity"] or 0) > 0]
        if ceilings and values:
            yield roofline(kind, values, *(highest(ceilings)[name] for name in CEILINGS))


# --- rows -----------------------------------------------------------------------------------------------------------


def _title_of(row: Row, with_recipe: bool) -> str:
    """Return the name of a line or a point: the comparison or the recipe, and the sweep point."""
    comparison = f"{row['of']} ÷ {row['over']}" if "of" in row else ""
    repeated = "÷" in row["recipe"] or not with_recipe
    point = [f"{words(name)} {value}" for name, value in sweep_point(row).items() if name not in _RATIO_COLUMNS]
    return ", ".join(filter(None, [comparison, "" if repeated and comparison else row["recipe"], *point]))


_RATIO_COLUMNS = {"of", "over", "ratio", "low", "high", "run", "commit", "date"}


def _split(rows: Iterable[Row], by: Callable[[Row], Any]) -> list[tuple[Any, list[Row]]]:
    """Group rows by a key, in the order in which the keys appear."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(by(row), []).append(row)
    return list(groups.items())


def _when(rows: Sequence[Any], make_chart: Callable[[], Chart]) -> Iterator[Chart]:
    if rows:
        yield make_chart()


def _backend(row: Row) -> str:
    return str(row["backend"])


def _runner(row: Row) -> str:
    return str(row["runner"])


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _by_metric(row: Row) -> str:
    return words(row["metric"])
