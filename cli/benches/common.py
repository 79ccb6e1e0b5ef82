"""What the suites share: their options, keeping and resuming results, and how rows and ratios are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import OptionError
from ..common import Command, address_option, common_options, console, executor_option, print_json, seconds, table
from ..progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from ...benchmarks.results import Results
    from ...benchmarks.suite import BenchmarkOptions

    _Float = click.ParamType[float]
else:
    _Float = click.ParamType  # older ones cannot be subscripted

Shown = Iterable["Table | str"]

# What a table shows of a row whose metric begins so: heading, unit factor, form.
_COLUMNS = (
    ("compile", "compile s", 1.0, "seconds"),
    ("memory", "MB", 1e-6, ".0f"),
    ("gflops", "GFLOP/s", 1.0, ".1f"),
    ("gemm_share", "of GEMM peak", 1.0, ".0%"),
    ("val_accuracy", "val. accuracy", 1.0, ".3f"),
)


class Share(_Float):
    """`5%` or `0.05`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            found = 0.0
        if not 0.001 <= found <= 1:
            self.fail(f"{text} is no share such as 5% or 0.05 (0.1% to 100%)", param, ctx)
        return found


class Duration(_Float):
    """`120`, `120s` or `2m`: seconds, at least one."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        factor = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
        try:
            found = float(text[:-1]) * factor if factor else float(text)
        except ValueError:
            found = 0.0
        if not 1 <= found < 1e6:
            self.fail(f"{text} is no time such as 120s or 2m (at least one second)", param, ctx)
        return found


backends_option = click.option(
    "--backends", metavar="NAMES", help="Such as jax,torch; all that are installed by default."
)
device_option = click.option(
    "--device", type=click.Choice(["cpu", "gpu"]), help="Where to compute; by default what each backend chooses."
)
out_option = click.option("--out", type=click.Path(path_type=Path), help="A folder for results.json.")


@dataclass(frozen=True)
class Keeping:
    """What is done with results, as the options of every suite say it."""

    out: Path | None
    resume: bool
    baseline: Path | None
    fail_on: float
    as_json: bool


def suite_options(
    budget: str = "120s", precision: str = "5%", *, elsewhere: bool = True
) -> Callable[[Command], Command]:
    """The options that every suite has which times epochs in rounds.

    Args:
        elsewhere: whether it can be measured on a Ray cluster too.
    """
    options = (
        click.option("--budget", type=Duration(), default=budget, show_default=True, help="Time for measuring."),
        click.option(
            "--precision", type=Share(), default=precision, show_default=True, help="Interval at which to stop earlier."
        ),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads one operation may use, alike for all."),
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
            help="Exit 1 when something is significantly slower than the baseline by this factor.",
        ),
        *((executor_option, address_option) if elsewhere else ()),
        common_options,
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def run(
    ctx: click.Context,
    suite: str,
    measure: Callable[[BenchmarkOptions], Results],
    show: Callable[[Results], Shown],
    options: Mapping[str, Any],
    after: Callable[[Results, Path], list[Path]] | None = None,
) -> None:
    """Measure, keep while measuring, print; exit 1 when a cell was lost or something is slower than the baseline.

    Args:
        options: those of `suite_options`.
        after: draws into the folder; the files it made.
    """
    from ...backends.workers.executors import find_executor
    from ...benchmarks import results as data
    from ...benchmarks.suite import BenchmarkOptions
    from ...storage.atomic import require_writable_folder, write_json

    limits = {name: options[name] for name in ("budget", "precision", "threads")}
    keeping = Keeping(**{each.name: options[each.name] for each in fields(Keeping)})
    if keeping.out:
        require_writable_folder(keeping.out)
    before = data.read_file(keeping.baseline) if keeping.baseline else None
    kept = data.read(keeping.out) if keeping.out and keeping.resume else None

    def keep(so_far: Results) -> None:
        if keeping.out:
            write_json(keeping.out / data.FILE, so_far.to_json())

    with progress(suite) as listener:
        executor = find_executor(options.get("executor", "local"), options.get("address"))
        found = measure(
            BenchmarkOptions(**limits, executor=executor, earlier_results=kept, listener=listener, save=keep)
        )
    keep(found)
    files = [keeping.out / data.FILE, *(after(found, keeping.out) if after else [])] if keeping.out else []
    slower = _slower(before, found, keeping.fail_on)
    if keeping.as_json:
        print_json(found.to_json())
    else:
        _print(found, show, files)
    for line in slower:
        click.echo(line, err=True)
    if slower or found.failed:
        ctx.exit(1)


def listed(names: str | None) -> list[str]:
    """`a,b` as a list."""
    return [name for name in (names or "").split(",") if name]


def numbers(option: str, names: str) -> list[int]:
    """`8,16` as a list.

    Raises:
        OptionError: one is no whole number above 0.
    """
    found = listed(names)
    if not all(name.strip().isdecimal() and int(name) for name in found):
        raise OptionError(f"{option} {names}: expected whole numbers above 0, such as 8,64,512")
    return [int(name) for name in found]


# --- printing -------------------------------------------------------------------------------------------------------


def cells_table(found: Results, varied: Mapping[str, str] | None = None) -> Table:
    """A line for each cell: where it ran, seconds of an epoch, and what else is known of it.

    Args:
        varied: the columns of a row that tell cells apart beside backend and recipe, with their headings.
    """
    from ...benchmarks.results import STEADY

    varied = dict(varied or {"recipe": "recipe"})
    steady = [each for each in found.rows if each["metric"].startswith(STEADY)]
    extra = [column for column in _COLUMNS if any(each["metric"].startswith(column[0]) for each in found.rows)]
    numbers = ("s/epoch", "quartiles", *(heading for _, heading, *_ in extra))
    shown = table("backend", *varied.values(), *numbers, right=numbers)
    for each in steady:
        suffix = each["metric"].removeprefix(STEADY)
        cells = [each["backend"], *(str(_value(each, name, suffix)) for name in varied)]
        quartiles = f"{seconds(each['q1'])} – {seconds(each['q3'])}"
        told = [_told(found.cell_median(each, metric + suffix), factor, form) for metric, _, factor, form in extra]
        shown.add_row(*cells, seconds(each["median"]), quartiles, *told)
    return shown


def ratio_lines(found: Results) -> list[str]:
    """A sentence for each ratio."""
    lines = []
    for each in found.ratios:
        verdict = "" if not each["low"] <= 1 <= each["high"] else ": no difference"
        interval = f"[{each['low']:.2f}, {each['high']:.2f}]"
        lines.append(
            f"{each['backend']:<10} {each['of']} costs {each['ratio']:.2f} × {each['over']} {interval}{verdict}"
        )
    return lines


def _print(found: Results, show: Callable[[Results], Shown], files: list[Path]) -> None:
    screen = console()
    for part in show(found):
        screen.print(part)
    for each in found.failed:
        screen.print(f"FAILED {each['cell']}: {each['why']}")
    told = found.to_json()
    if isinstance(told["rounds"], int):
        screen.print(f"{told['rounds']} interleaved rounds, stopped by {told['stopped_by']}.")
    else:
        stops = list(told["stopped_by"].values())
        ends = ", ".join(f"{stops.count(end)} by {end}" for end in dict.fromkeys(stops))
        least, most = min(told["rounds"].values()), max(told["rounds"].values())
        screen.print(f"{least} to {most} interleaved rounds; groups stopped: {ends}.")
    if told.get("load", {}).get("busy"):
        load = told["load"]
        screen.print(
            f"The machine was busy before this began (load {load['average']:.2f} on {load['cores']} cores): "
            "times are longer, and ratios less certain, than on a quiet one."
        )
    if files:
        screen.print(f"kept {', '.join(map(str, files))}")


def _slower(before: Mapping[str, Any] | None, found: Results, fail_on: float) -> list[str]:
    if before is None:
        return []
    from ...benchmarks.baseline import find_slowdowns

    return find_slowdowns(before, found.to_json(), fail_on)


def _value(row: Mapping[str, Any], name: str, suffix: str) -> Any:
    return suffix.strip("_") if name == "suffix" else row.get(name, "")


def _told(value: float | None, factor: float, form: str) -> str:
    if value is None:
        return "–"
    return seconds(value) if form == "seconds" else format(value * factor, form)
