"""The charts of a suite: which there are, and of which rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..machine import CEILINGS, highest
from ..results import STEADY
from .answers import name_of
from .figures import words
from .marks import Drawn, bars, breakdown, intervals, lines_over, points, ratio_of, roofline, stacked, sweep, value_of
from .reading import Part, Row, varied


def draw(part: Part) -> list[Drawn]:
    """All charts of a suite.

    Raises:
        OptionError: altair is not installed.
    """
    return [*_OWN.get(part.suite, _by_runner)(part), *_ratios(part), *_rooflines(part)]


# --- what each suite draws ------------------------------------------------------------------------------------------


def _epochs(part: Part) -> Iterator[Drawn]:
    for recipe, rows in _split(part.of(STEADY), lambda row: row["recipe"]):
        places = len({row["device"] for row in rows}) > 1
        name = (lambda row: f"{row['backend']} ({row['device']})") if places else _backend
        yield bars(f"{recipe}: a steady epoch", rows, name, _backend)


def _pooling(part: Part) -> Iterator[Drawn]:
    book = [row for row in part.of(STEADY) if not varied(row)]
    yield from _when(book, lambda: bars("A steady epoch", book, lambda row: row["recipe"], _backend))
    yield from _when(part.get("why", []), lambda: breakdown(part.get("why", [])))
    layers = part.of("layer_answer")
    for backend, rows in _split(layers, _backend):
        yield stacked(
            f"Where the time goes on {backend}",
            "What each layer takes to answer a batch by itself; one after the other.",
            [value_of(row, row["recipe"], str(row.get("kind", ""))) for row in rows],
        )
    swept = [each for each in part.ratios if all(_is_count(each.get(name)) for name in ("filters", "image_size"))]
    for along, fixed in (("filters", "image_size"), ("image_size", "filters")):
        for value, ratios in _split(swept, lambda each, name=fixed: each[name]):  # type: ignore[misc]
            if len({each[along] for each in ratios}) > 1:
                yield sweep(ratios, along, f"{words(fixed)} {value}")


def _batch_size(part: Part) -> Iterator[Drawn]:
    yield from lines_over(
        part, "batch_size", STEADY, "Time against batch size", "Median and quartiles of a steady epoch."
    )
    yield from lines_over(part, "batch_size", "val_accuracy", "Accuracy on held-out data against batch size", "")
    yield from lines_over(
        part, "batch_size", "gap", "How much worse it is on held-out data", "Training minus held-out."
    )


def _data_size(part: Part) -> Iterator[Drawn]:
    yield from lines_over(part, "steps", STEADY, "Time against steps of the wave", "Median and quartiles.", log=True)
    yield from lines_over(part, "steps", "loss", "Error against steps of the wave", "", log=True)


def _start_up(part: Part) -> Iterator[Drawn]:
    from ..suites.start_up import STAGES

    rows = part.of(*STAGES[:-1])
    values = [value_of(row, row["backend"], words(row["metric"])) for row in rows]
    yield from _when(rows, lambda: stacked("Until the first answer", "Median seconds of each stage.", values))


def _inference(part: Part) -> Iterator[Drawn]:
    for (recipe, size), rows in _split(part.of("answer"), lambda row: (row["recipe"], row.get("batch_size"))):
        title = f"{recipe}: an answer for {size} sample{'' if size == 1 else 's'}"
        yield bars(title, rows, lambda row: name_of(row, part.ratios), _backend)


def _by_runner(part: Part) -> Iterator[Drawn]:
    """Bars of whatever was timed, by metric where there are several, else by runner."""
    told = {"build", "compile", "first_epoch"}
    timed = [row for row in part.rows if row["unit"] == "s" and not told & {row["metric"]} and "layer" not in row]
    timed = [row for row in timed if not row["metric"].startswith(("build_", "compile_", "first_epoch_"))]
    several = len({row["metric"] for row in timed}) > 1 and len({row["runner"] for row in timed}) == 1
    for recipe, rows in _split(timed, lambda row: row["recipe"] if several else (row["recipe"], row["metric"])):
        name = recipe if several else f"{recipe[0]}: {words(recipe[1])}"
        yield bars(name, rows, _by_metric if several else _backend, _backend if several else _runner)


def _book(part: Part) -> Iterator[Drawn]:
    rows = sorted((row for row in part.of(STEADY) if row["median"] > 0), key=lambda row: -row["median"])
    yield from _when(rows, lambda: points("Steady epochs of the recipes", rows))


_OWN: dict[str, Callable[[Part], Iterator[Drawn]]] = {
    "epochs": _epochs,
    "pooling-vs-striding": _pooling,
    "batch-size": _batch_size,
    "data-size": _data_size,
    "import": _start_up,
    "inference": _inference,
    "book": _book,
}


# --- what all suites draw -------------------------------------------------------------------------------------------


def _ratios(part: Part) -> Iterator[Drawn]:
    if not part.ratios:
        return
    known = {(_title_of(each, False), each["backend"]) for each in part.ratios}
    several = len(known) < len(part.ratios)  # then it takes the recipe to tell them apart
    values = [{**ratio_of(each), "name": _title_of(each, several), "series": each["backend"]} for each in part.ratios]
    same = not any("÷" in each["backend"] for each in part.ratios)
    yield intervals("Ratios", values, coloured=same, beside=same and len(part.backends) > 1)


def _rooflines(part: Part) -> Iterator[Drawn]:
    """For each kind of device what was reached, under what it can do at most; where FLOPs and ceilings are known."""
    for kind, measured in part.get("machine", {}).items():
        rows = [row for row in part.of("gflops") if row["device"] == kind and row["median"] > 0]
        values = [
            {**value_of(row, _title_of(row, True), row["backend"]), "intensity": part.beside(row, "intensity")}
            for row in rows
        ]
        values = [value for value in values if (value["intensity"] or 0) > 0]
        if measured and values:
            yield roofline(kind, values, *(highest(measured)[name] for name in CEILINGS))


# --- rows -----------------------------------------------------------------------------------------------------------


def _title_of(row: Row, with_recipe: bool) -> str:
    """What a line or a point is called: what was compared or measured, and what was varied."""
    compared = f"{row['of']} ÷ {row['over']}" if "of" in row else ""
    repeated = "÷" in row["recipe"] or not with_recipe
    at = [f"{words(name)} {value}" for name, value in varied(row).items() if name not in _OF_A_RATIO]
    return ", ".join(filter(None, [compared, "" if repeated and compared else row["recipe"], *at]))


_OF_A_RATIO = {"of", "over", "ratio", "low", "high"}


def _split(rows: Iterable[Row], by: Callable[[Row], Any]) -> list[tuple[Any, list[Row]]]:
    """Rows by a key, in the order in which the keys come."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(by(row), []).append(row)
    return list(found.items())


def _when(rows: Sequence[Any], made: Callable[[], Drawn]) -> Iterator[Drawn]:
    if rows:
        yield made()


def _backend(row: Row) -> str:
    return str(row["backend"])


def _runner(row: Row) -> str:
    return str(row["runner"])


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _by_metric(row: Row) -> str:
    return words(row["metric"])
