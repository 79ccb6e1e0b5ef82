"""`trivium demo`: train, compare and port small models on every installed backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import common_options, console, print_json, seconds, table
from .progress import progress

if TYPE_CHECKING:
    from ..benchmarks.statistics import Ratio
    from ..benchmarks.suites.demo import DemoResult


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default="runs/demo", show_default=True, help="Folder for all results."
)
@common_options
@click.pass_context
def command(ctx: click.Context, out: Path, as_json: bool) -> None:
    """Train four recipes on every backend, compare, and port one.

    Takes a few minutes and needs no network: the digits come with trivium. If a ported model differs, the exit code
    is 1.

    \b
    Example:
      trivium demo --out runs/demo
    """
    from ..benchmarks.suites import demo
    from ..storage.atomic import require_writable_folder, write_json

    require_writable_folder(out)
    with progress("demo") as listener:
        result = demo.run(out, listener)
    write_json(out / "demo.json", result.to_json())
    if as_json:
        print_json(result.to_json())
    else:
        _print(result, out)
    if not all(report.passed for report in result.ports):
        ctx.exit(1)


def _print(result: DemoResult, out: Path) -> None:
    screen = console()
    numbers = ("s/epoch", "compile s", "pooling ÷ striding")
    shown = table("backend", "recipe", "s/epoch", "compile s", "how good", "pooling ÷ striding", right=numbers)
    for (backend, recipe), run in result.runs.items():
        timings = run["timings"]
        cost = _cost(result.costs[backend]) if recipe == "cnn/pooling" else ""
        shown.add_row(
            backend, recipe, seconds(timings["steady_epoch"]), seconds(timings["compile"]), _quality(run), cost
        )
    screen.print(shown)
    for report in result.ports:
        difference = f"largest difference {report.largest.absolute:.1e}"
        screen.print(f"cnn/striding ported from {report.source} to {report.target}: {report.finding}, {difference}")
    screen.print()
    screen.print(f"Bundles, histories and pictures are in {out}/; look at {out}/cnn-striding-*/curves.png first.")


def _quality(run: dict[str, Any]) -> str:
    last, test = run["history"][-1], run["evaluation"]
    if "val_accuracy" in last:
        return f"val. accuracy {last['val_accuracy']:.3f} after {len(run['history'])} epochs"
    return f"test RMS error {test['rms_error']:.3f} after {len(run['history'])} epochs"


def _cost(cost: Ratio) -> str:
    return f"{cost.ratio:.2f} [{cost.low:.2f}, {cost.high:.2f}]"
