"""`trivium runs`: the runs that are kept, how each stands, and two of them side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import common_options, console, print_json, table

if TYPE_CHECKING:
    from ..engine.runs.run_list import StoredRun

FOLDER = "runs"


class _Runs(click.Group):
    """`runs`, `runs FOLDER`, `runs show …` and `runs compare …`: what is no subcommand is a folder to list."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            args = ["list", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Runs)
@common_options
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the runs in a folder (`trivium runs [FOLDER]`), show one, or compare several.

    A run is `running`, `finished`, `interrupted`, `failed`, or `died`: its process is gone without a word. All but the
    finished ones go on with `trivium train --resume --out RUN`.

    \b
    Example:
      trivium runs
      trivium runs show runs/digits
      trivium runs compare runs/digits runs/other --out curves.png
    """
    ctx.default_map = {name: {"as_json": as_json} for name in command.commands}  # `--json` may stand before them


@command.command("list")
@click.argument("folder", type=click.Path(path_type=Path), default=FOLDER)
@common_options
def list_runs(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER, runs/ by default.

    \b
    Example:
      trivium runs list experiments
    """
    from ..engine.runs import run_list

    found = run_list.find(folder)
    if as_json:
        print_json([kept.to_json() for kept in found])
        return
    rows = table("run", "recipe", "backend", "state", "epochs", "best", right=("epochs",))
    for kept in found:
        facts = kept.to_json()
        rows.add_row(
            str(kept.folder), facts["recipe"], facts["backend"] or "–", kept.state, _progress(kept), _best(kept)
        )
    if found:
        console().print(rows)
    else:
        console().print(f"There is no run in {folder}.")


@command.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@common_options
def show(run: Path, as_json: bool) -> None:
    """Show how RUN, a folder, stands, what it was asked for, and its last epochs.

    \b
    Example:
      trivium runs show runs/digits
    """
    from ..engine.runs import run_list

    kept = run_list.read(run)
    if as_json:
        print_json({**kept.to_json(), "settings": kept.record["settings"], "history": kept.history.to_json()})
        return
    screen, facts = console(), kept.to_json()
    for name in ("recipe", "backend", "state"):
        screen.print(f"{name:<10}  {facts[name] or '–'}")
    if "error" in facts:
        screen.print(f"error       {facts['error']}")
    screen.print(f"epochs      {_progress(kept)}")
    screen.print(f"best        {_best(kept)}")
    for name, value in kept.record["settings"].items():
        screen.print(f"{name:<18}  {value}")
    if kept.history.metrics:
        _print_epochs(kept)


@command.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="PNG", help="Draw their curves over each other.")
@common_options
def compare(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Compare RUNS, folders: how each did, what they were asked for differently, and their curves.

    \b
    Example:
      trivium runs compare runs/pooling runs/striding --out curves.png
    """
    from ..engine.runs import run_list

    found = [run_list.read(run) for run in runs]
    differing = run_list.differences(found)
    if out:
        from ..engine.plots.overlay import overlay  # slow to import, and only needed here

        overlay(found, out)
    if as_json:
        print_json({"runs": [kept.to_json() for kept in found], "differences": dict(differing)})
        return
    rows = table("", *(str(kept.folder) for kept in found))
    for name, values in [
        ("state", [kept.state for kept in found]),
        ("epochs", [_progress(kept) for kept in found]),
        ("best", [_best(kept) for kept in found]),
        *differing,
    ]:
        rows.add_row(name, *values)
    screen = console()
    screen.print(rows)
    if out:
        screen.print(f"curves      {out}")


def _progress(kept: StoredRun) -> str:
    asked = "?" if kept.epochs is None else kept.epochs
    return f"{len(kept.history)}/{asked}"


def _best(kept: StoredRun) -> str:
    if kept.best is None:
        return "–"
    metric, value, epoch = kept.best
    return f"{metric} {value:.4g} (epoch {epoch})"


def _print_epochs(kept: StoredRun) -> None:
    metrics, most = kept.history.metrics, 10
    rows = table("epoch", *metrics, right=("epoch", *metrics))
    first = max(0, len(kept.history) - most)
    for number, logs in enumerate(kept.history.epochs[first:], start=first + 1):
        rows.add_row(str(number), *(f"{logs[name]:.4g}" if name in logs else "–" for name in metrics))
    console().print(rows)
