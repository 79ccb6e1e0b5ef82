"""Shared code of the suites: options, saving and resuming of results, and printing of rows and ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import OptionError
from ..common import (
    Command,
    DurationType,
    FloatType,
    address_option,
    common_options,
    console,
    executor_option,
    matmul_option,
    print_json,
    say,
    seconds,
    table,
)
from ..options.config_file import config_options
from ..progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from ...benchmarks.baseline import Change
    from ...benchmarks.results import Results
    from ...benchmarks.suite import BenchmarkOptions


Printable = Iterable["Table | str"]

# Further columns of a table: prefix of the metric, heading, unit factor, format.
_COLUMNS = (
    ("compile", "compile s", 1.0, "seconds"),
    ("energy", "J/epoch", 1.0, ".3g"),
    ("memory", "MB", 1e-6, ".0f"),
    ("gflops", "GFLOP/s", 1.0, ".1f"),
    ("gemm_share", "of GEMM peak", 1.0, ".0%"),
    ("val_accuracy", "val. accuracy", 1.0, ".3f"),
)


ENERGY_NOTE = "Joules are those of the whole CPU packages, other work on the machine included."

# Columns of every row; any other is the point of a sweep.
_COMMON_COLUMNS = frozenset(
    ("suite", "recipe", "backend", "device", "runner", "metric", "unit", "n", "median", "q1", "q3", "epochs")
)


class ShareType(FloatType):
    """A share, such as `5%` or `0.05`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0.001 <= share <= 1:
            self.fail(f"expected a share from 0.1% to 100%, such as 5% or 0.05, received {text}", param, ctx)
        return share


backends_option = click.option(
    "--backends", metavar="NAMES", help="Backends, such as jax,torch. Default: all that are installed."
)
device_option = click.option(
    "--device", type=click.Choice(["cpu", "gpu"]), help="Device to compute on. Default: the choice of each backend."
)
history_option = click.option(
    "--history",
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="Append the results to a history, with commit, date and machine: a .jsonl file, or history.jsonl in a folder.",
)
out_option = click.option("--out", type=click.Path(path_type=Path), help="Folder for results.json.")


@dataclass(frozen=True)
class OutputOptions:
    """The options of every suite that say what to do with the results."""

    out: Path | None
    resume: bool
    baseline: Path | None
    fail_on: float
    as_json: bool
    history: Path | None


def quick_option(explanation: str, *, exposed: bool = False, **values: Any) -> Callable[[Command], Command]:
    """Return `--quick`, which gives other options smaller values than they have by default; what is typed counts first.

    Args:
        explanation: what it does, for the help.
        exposed: whether the command receives `quick`, too.
        values: the smaller values, as they are typed, by the names of their parameters.
    """

    def apply(ctx: click.Context, _: click.Parameter, is_set: bool) -> bool:
        if is_set:
            ctx.default_map = {**values, **(ctx.default_map or {})}
        return is_set

    return click.option(
        "--quick",
        is_flag=True,
        is_eager=True,
        expose_value=exposed,
        callback=apply,
        help=f"A first look: {explanation}.",
    )


def suite_options(
    budget: str = "120s",
    precision: str | None = "5%",
    *,
    elsewhere: bool = True,
    quick: Callable[[Any], Any] | None = None,
) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of a suite which times epochs in rounds.

    Args:
        precision: None for a suite that does not stop at narrow intervals.
        elsewhere: whether the suite can also run on a Ray cluster.
        quick: the suite's own `quick_option`; by default it has a short budget and a wide precision.
    """
    options = (
        quick or quick_option("--budget 20s --precision 20%", budget="20s", precision="20%"),
        click.option(
            "--budget",
            type=DurationType(),
            default=budget,
            show_default=True,
            help="Time for measuring, such as 90s or 5m.",
        ),
        *([_precision_option(precision)] if precision else []),
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            metavar="N",
            help="CPU threads per operation, the same for every backend.",
        ),
        matmul_option,
        out_option,
        click.option("--resume", is_flag=True, help="Measure only what is missing in --out."),
        click.option(
            "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Earlier results to compare with."
        ),
        click.option(
            "--fail-on",
            type=click.FloatRange(min=1),
            default=1.1,
            show_default=True,
            metavar="FACTOR",
            help="Exit with 1 if something is significantly slower than the baseline by this factor.",
        ),
        history_option,
        *((executor_option, address_option) if elsewhere else ()),
        common_options,
        config_options,
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _precision_option(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--precision",
        type=ShareType(),
        default=default,
        show_default=True,
        help="Stop earlier once the intervals are this narrow.",
    )


def run(
    ctx: click.Context,
    suite: str,
    measure: Callable[[BenchmarkOptions], Results],
    show: Callable[[Results], Printable],
    options: Mapping[str, Any],
    after: Callable[[Results, Path], list[Path]] | None = None,
) -> None:
    """Measure, save results while measuring, and print them.

    The exit code is 1 if a cell failed, or if something is slower than the baseline.

    Args:
        options: the values of `suite_options`.
        after: draws charts into the folder, and returns their files.
    """
    from ...backends.workers.executors import find_executor
    from ...benchmarks import results as data
    from ...benchmarks.suite import BenchmarkOptions
    from ...benchmarks.trends import history_file
    from ...storage.atomic import require_writable_folder, write_json

    limits = {name: options[name] for name in ("budget", "precision", "threads") if name in options}
    if options.get("limit"):
        limits["limit"] = options["limit"]
    output = OutputOptions(**{each.name: options[each.name] for each in fields(OutputOptions)})
    if output.out:
        require_writable_folder(output.out)
    if output.history:
        history_file.require_writable(output.history)
    baseline = data.read_file(output.baseline) if output.baseline else None
    earlier = data.read(output.out) if output.out and output.resume else None

    def keep(so_far: Results) -> None:
        if output.out:
            write_json(output.out / data.FILE, so_far.to_json())

    with progress(suite) as listener:
        executor = find_executor(options.get("executor", "local"), options.get("address"))
        results = measure(
            BenchmarkOptions(**limits, executor=executor, earlier_results=earlier, listener=listener, save=keep)
        )
    keep(results)
    files = [output.out / data.FILE, *(after(results, output.out) if after else [])] if output.out else []
    if output.history:
        files.append(history_file.append(output.history, results.to_json(), Path.cwd()))
    changes = _changes(baseline, results)
    _present(results, show, files, changes, output)
    slower = [change for change in changes if change.is_slowdown(output.fail_on)]
    for change in slower:
        say(change.sentence())
    if slower or results.failed:
        ctx.exit(1)


def _present(
    results: Results,
    show: Callable[[Results], Printable],
    files: list[Path],
    changes: Sequence[Change],
    output: OutputOptions,
) -> None:
    """Print results, and what has changed since the baseline, as JSON or as tables."""
    if output.as_json:
        compared = {"changes": [change.to_json() for change in changes]} if output.baseline else {}
        print_json({**results.to_json(), **compared})
        return
    _print(results, show, files)
    if changes:
        console().print(_change_table(changes))


def split_names(names: str | None) -> list[str]:
    """Split `a,b` into a list."""
    return [name for name in (names or "").split(",") if name]


def parse_counts(option: str, names: str) -> list[int]:
    """Parse `8,16` into a list of integers.

    Raises:
        OptionError: an entry is not a whole number above 0.
    """
    words = split_names(names)
    if not all(name.strip().isdecimal() and int(name) for name in words):
        raise OptionError(f"{option} {names}: expected whole numbers above 0, such as 8,64,512")
    return [int(name) for name in words]


# --- printing -------------------------------------------------------------------------------------------------------


def cells_table(results: Results, varied: Mapping[str, str] | None = None) -> Table:
    """Return a table with a line for each cell: where it ran, seconds per epoch, and its other measurements.

    Args:
        varied: the keys that distinguish the rows besides the backend, with their headings.
    """
    from ...benchmarks.results import STEADY

    varied = dict(varied or {"recipe": "recipe"})
    steady = [each for each in results.rows if each["metric"].startswith(STEADY)]
    extra = [column for column in _COLUMNS if any(each["metric"].startswith(column[0]) for each in results.rows)]
    numbers = ("s/epoch", "quartiles", *(heading for _, heading, *_ in extra))
    optional = ("of GEMM peak", "GFLOP/s", "MB", "quartiles", "J/epoch")
    shown = table("backend", *varied.values(), *numbers, right=numbers, optional=optional)
    for each in steady:
        suffix = each["metric"].removeprefix(STEADY)
        cells = [each["backend"], *(str(_value(each, name, suffix)) for name in varied)]
        quartiles = f"{seconds(each['q1'])} – {seconds(each['q3'])}"
        columns = [
            _format_value(results.cell_median(each, metric + suffix), factor, form) for metric, _, factor, form in extra
        ]
        shown.add_row(*cells, seconds(each["median"]), quartiles, *columns)
    return shown


def ratio_lines(results: Results) -> list[str]:
    """Return a sentence for each ratio. It names the recipe, where the two sides are not recipes themselves."""
    lines = []
    for each in results.ratios:
        recipe = each.get("recipe", "")
        of = each["of"] if recipe in ("", each["of"], f"{each['of']} ÷ {each['over']}") else f"{recipe}: {each['of']}"
        verdict = "" if not each["low"] <= 1 <= each["high"] else ": no difference"
        interval = f"[{each['low']:.2f}, {each['high']:.2f}]"
        lines.append(f"{each['backend']:<10} {of} costs {each['ratio']:.2f} × {each['over']} {interval}{verdict}")
    return lines


def _print(results: Results, show: Callable[[Results], Printable], files: list[Path]) -> None:
    from ...benchmarks.results import LIMIT

    screen = console()
    for part in show(results):
        screen.print(part)
    for each in results.failed:
        screen.print(f"FAILED {each['cell']}: {each['why']}")
    document = results.to_json()
    if isinstance(document["rounds"], int):
        screen.print(f"{document['rounds']} interleaved rounds, stopped by {document['stopped_by']}.")
    else:
        stops = list(document["stopped_by"].values())
        ends = ", ".join(f"{stops.count(end)} by {end}" for end in dict.fromkeys(stops))
        least, most = min(document["rounds"].values()), max(document["rounds"].values())
        screen.print(f"{least} to {most} interleaved rounds; groups stopped: {ends}.")
    if document.get("load", {}).get("busy"):
        load = document["load"]
        screen.print(
            f"The machine was busy before this began (load {load['average']:.2f} on {load['cores']} cores): "
            "times are longer, and ratios less certain, than on a quiet one."
        )
    if late := [title for title, group in results.groups.items() if group.stopped_by == LIMIT]:
        screen.print(f"No time was left for {', '.join(late)}; --resume measures them, with the same --out.")
    if files:
        screen.print(f"kept {', '.join(map(str, files))}")


def _changes(baseline: Mapping[str, Any] | None, results: Results) -> list[Change]:
    if baseline is None:
        return []
    from ...benchmarks.baseline import compare

    return compare(baseline, results.to_json())


def _change_table(changes: Iterable[Change]) -> Table:
    """Return a table of each measurement with that of the baseline, and their ratio with its interval."""
    numbers = ("before", "now", "now ÷ before")
    shown = table("recipe", "on", "measurement", *numbers, "", right=numbers)
    for change in changes:
        row = change.after
        where = row["backend"] if row["runner"] == "trivium" else f"{row['backend']}, {row['runner']}"
        point = "".join(f", {name} {row[name]}" for name in row if name not in _COMMON_COLUMNS)
        unit = "" if row["unit"] == "1" else f" {row['unit']}"
        values = (f"{each['median']:.4g}{unit}" for each in (change.before, row))
        ratio = "–" if change.ratio is None else f"{change.ratio:.2f}"
        interval = "" if change.low is None else f" [{change.low:.2f}, {change.high:.2f}]"
        shown.add_row(row["recipe"], where, row["metric"] + point, *values, ratio + interval, change.verdict)
    return shown


def _value(row: Mapping[str, Any], name: str, suffix: str) -> Any:
    return suffix.strip("_") if name == "suffix" else row.get(name, "")


def _format_value(value: float | None, factor: float, form: str) -> str:
    if value is None:
        return "–"
    return seconds(value) if form == "seconds" else format(value * factor, form)
