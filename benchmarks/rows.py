"""The measurements of a cell as flat rows and ratios: one schema for all suites, described in docs/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .cells import TimedCell
from .measure import InterleavedRounds, make_row
from .statistics import ratio

# The metrics that `epoch_session.open_session` reports, with their units. An unknown value has no row.
_SESSION_METRICS = {
    "build": "s",
    "compile": "s",
    "first_epoch": "s",
    "parameters": "1",
    "memory": "B",
    "device_memory": "B",
}

# The columns of a row that hold a measurement; the other columns identify the cell.
_FIGURE_COLUMNS = {"metric", "unit", "n", "median", "q1", "q3", "epochs", "layer", "kind"}

Row = dict[str, Any]
RowMaker = Callable[[str, str, Sequence[float]], Row]


def rows_of(suite: str, cell: TimedCell, info: Mapping[str, Any], samples: Sequence[float]) -> Iterator[Row]:
    """Yield the rows of a cell: steady epochs, session metrics, arithmetic per second, energy, layer times and quality.

    Args:
        info: the report of `epoch_session.open_session`, with the answers to later calls.
        samples: seconds of each epoch; empty for a cell that failed.
    """

    def cell_row(metric: str, unit: str, values: Sequence[float]) -> Row:
        return make_row(suite, where, metric + cell.suffix, unit, values, **dict(cell.sweep_point))

    where = {"recipe": cell.recipe, "backend": cell.backend, "device": device_of(info), "runner": cell.runner}
    if samples:
        yield cell_row(cell.metric, "s", samples)
        if info.get("samples"):
            yield cell_row("throughput", "1/s", [info["samples"] / seconds for seconds in samples])
        yield from _arithmetic_rows(cell_row, info, samples)
    for metric, unit in _SESSION_METRICS.items():
        if info.get(metric) is not None:
            yield cell_row(metric.replace("epoch", cell.metric.removeprefix("steady_")), unit, [info[metric]])
    # The packages of the CPU tell nothing of what an accelerator takes.
    if device_of(info) == "cpu" and (joules := info.get("energy", {}).get("joules")):
        yield cell_row("energy", "J", joules)
    yield from _latency_rows(cell_row, cell.metric, info.get("latencies", {}))
    for layer in info.get("layer_times", []):
        yield {**cell_row("layer_answer", "s", [layer["seconds"]]), "layer": layer["layer"], "kind": layer["kind"]}
    if quality := info.get("quality"):
        for metric, value in _with_gap(quality["metrics"]).items():
            yield {**cell_row(metric, "1", [value]), "epochs": quality["epochs"]}


def ratio_row(
    suite: str,
    of: TimedCell,
    over: TimedCell,
    session_info: Mapping[TimedCell, dict[str, Any]],
    rounds: InterleavedRounds[TimedCell],
) -> Row:
    """Return one ratio as a flat row."""
    interval = ratio(rounds.samples[of], rounds.samples[over])
    device = joined_name(device_of(session_info[of]), device_of(session_info[over]))
    where = {"backend": joined_name(of.backend, over.backend), "device": device, "of": of.name, "over": over.name}
    return {
        "suite": suite,
        "recipe": joined_name(of.recipe, over.recipe),
        **where,
        "metric": of.metric,
        **vars(interval),
        **shared_point(of, over),
    }


def cell_key(row: Mapping[str, Any]) -> Row:
    """Return the columns of a row that identify its cell."""
    return {name: value for name, value in row.items() if name not in _FIGURE_COLUMNS}


def belongs_to(row: Mapping[str, Any], cell: TimedCell) -> bool:
    """Return whether a row is of this cell."""
    columns = {"recipe": cell.recipe, "backend": cell.backend, "runner": cell.runner, **dict(cell.sweep_point)}
    device = {"device": cell.device or row["device"]}
    return cell_key(row) == {"suite": row["suite"], **columns, **device}


def shared_point(of: TimedCell, over: TimedCell) -> dict[str, Any]:
    """Return the sweep point that two cells have in common."""
    return {name: value for name, value in of.sweep_point if (name, value) in over.sweep_point}


def joined_name(of: str, over: str) -> str:
    """Return one name for the two sides of a ratio: `a`, or `a ÷ b` where they differ."""
    return of if of == over else f"{of} ÷ {over}"


def device_of(info: Mapping[str, Any]) -> str:
    return str(info["environment"]["device"])


def _arithmetic_rows(cell_row: RowMaker, info: Mapping[str, Any], samples: Sequence[float]) -> Iterator[Row]:
    """Yield operations, operations per second, and the shares of the machine's ceilings, where they are known."""
    operations, traffic = info.get("operations", 0), info.get("traffic", 0)
    if not operations:
        return
    yield cell_row("flops", "FLOP", [operations])
    yield cell_row("intensity", "FLOP/B", [operations / traffic])
    yield cell_row("gflops", "GFLOP/s", [operations / seconds / 1e9 for seconds in samples])
    if ceilings := info.get("ceilings"):
        yield cell_row("gemm_share", "1", [operations / seconds / 1e9 / ceilings["gemm_gflops"] for seconds in samples])
        yield cell_row("copy_share", "1", [traffic / seconds / 1e9 / ceilings["copy_gbytes"] for seconds in samples])


def _latency_rows(cell_row: RowMaker, metric: str, latencies: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the mean and the percentiles of single predictions; `n` is the number of the predictions."""
    for name, seconds in latencies.items():
        if name != "n":
            yield {**cell_row(f"{metric}_{name}", "s", [seconds]), "n": latencies["n"]}


def _with_gap(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the finite metrics, and `gap`: how much worse the first of them is on held-out samples."""
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    for metric in ("accuracy", "loss"):
        if {metric, f"val_{metric}"} <= finite.keys():
            worse = finite[metric] - finite[f"val_{metric}"]
            return {**finite, "gap": worse if metric == "accuracy" else -worse}
    return finite
