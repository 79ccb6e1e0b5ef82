"""What is told of a cell as flat rows and ratios: one schema for all suites, which docs/benchmarks.md explains."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .cells import Cell
from .measure import Rounds, row
from .statistics import ratio

# What `session.open_session` tells, and in which unit; what it does not know has no row.
_TOLD = {
    "build": "s",
    "compile": "s",
    "first_epoch": "s",
    "parameters": "1",
    "memory": "B",
    "device_memory": "B",
}

# Of a row: what was measured of the cell, and how it came out; the rest says which cell.
_FIGURES = {"metric", "unit", "n", "median", "q1", "q3", "epochs", "layer", "kind"}

Row = dict[str, Any]
Make = Callable[[str, str, Sequence[float]], Row]


def rows_of(suite: str, cell: Cell, told: Mapping[str, Any], samples: Sequence[float]) -> Iterator[Row]:
    """A cell's rows: seconds of its steady epochs, what opening it told, its arithmetic a second, what it was asked.

    Args:
        told: what `session.open_session` told, and what later questions added.
        samples: may be none, of a cell that failed.
    """

    def made(metric: str, unit: str, values: Sequence[float]) -> Row:
        return row(suite, where, metric + cell.suffix, unit, values, **dict(cell.at))

    where = {"recipe": cell.recipe, "backend": cell.backend, "device": device_of(told), "runner": cell.runner}
    if samples:
        yield made(cell.metric, "s", samples)
        if told.get("samples"):
            yield made("throughput", "1/s", [told["samples"] / each for each in samples])
        yield from _arithmetic(made, told, samples)
    for metric, unit in _TOLD.items():
        if told.get(metric) is not None:
            yield made(metric.replace("epoch", cell.metric.removeprefix("steady_")), unit, [told[metric]])
    for layer in told.get("layer_times", []):
        yield {**made("layer_answer", "s", [layer["seconds"]]), "layer": layer["layer"], "kind": layer["kind"]}
    if quality := told.get("quality"):
        for metric, value in _with_gap(quality["metrics"]).items():
            yield {**made(metric, "1", [value]), "epochs": quality["epochs"]}


def ratio_row(suite: str, of: Cell, over: Cell, opened: Mapping[Cell, dict[str, Any]], rounds: Rounds[Cell]) -> Row:
    """One ratio as a flat row."""
    found = ratio(rounds.samples[of], rounds.samples[over])
    device = both(device_of(opened[of]), device_of(opened[over]))
    where = {"backend": both(of.backend, over.backend), "device": device, "of": of.name, "over": over.name}
    return {
        "suite": suite,
        "recipe": both(of.recipe, over.recipe),
        **where,
        "metric": of.metric,
        **vars(found),
        **varied(of, over),
    }


def about(found: Mapping[str, Any]) -> Row:
    """The part of a row that says which cell it is of."""
    return {name: value for name, value in found.items() if name not in _FIGURES}


def is_of(found: Mapping[str, Any], cell: Cell) -> bool:
    """Whether a row is one of that cell's."""
    alike = {"recipe": cell.recipe, "backend": cell.backend, "runner": cell.runner, **dict(cell.at)}
    device = {"device": cell.device or found["device"]}
    return about(found) == {"suite": found["suite"], **alike, **device}


def varied(of: Cell, over: Cell) -> dict[str, Any]:
    """What was varied, as far as both have the same of it."""
    return {name: value for name, value in of.at if (name, value) in over.at}


def both(of: str, over: str) -> str:
    """What stands in a ratio for two sides."""
    return of if of == over else f"{of} ÷ {over}"


def device_of(told: Mapping[str, Any]) -> str:
    return str(told["environment"]["device"])


def _arithmetic(made: Make, told: Mapping[str, Any], samples: Sequence[float]) -> Iterator[Row]:
    """Operations, operations a second, and the shares of what the machine can do, as far as they are known."""
    operations, traffic = told.get("operations", 0), told.get("traffic", 0)
    if not operations:
        return
    yield made("flops", "FLOP", [operations])
    yield made("intensity", "FLOP/B", [operations / traffic])
    yield made("gflops", "GFLOP/s", [operations / each / 1e9 for each in samples])
    if ceilings := told.get("ceilings"):
        yield made("gemm_share", "1", [operations / each / 1e9 / ceilings["gemm_gflops"] for each in samples])
        yield made("copy_share", "1", [traffic / each / 1e9 / ceilings["copy_gbytes"] for each in samples])


def _with_gap(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that are finite, with how much worse the first of them is on samples that were held out."""
    found = {name: value for name, value in metrics.items() if math.isfinite(value)}
    for metric in ("accuracy", "loss"):
        if {metric, f"val_{metric}"} <= found.keys():
            worse = found[metric] - found[f"val_{metric}"]
            return {**found, "gap": worse if metric == "accuracy" else -worse}
    return found
