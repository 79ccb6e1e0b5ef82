"""`trivium runs`: list the runs, show one, compare several, or send some to an experiment tracker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..functions import metrics_text
from .common import common_options, console, print_json, say, seconds, table

if TYPE_CHECKING:
    from ..engine.runs.run_list import StoredRun

FOLDER = "runs"


class _RunGroup(click.Group):
    """Group for `runs`, `runs FOLDER`, and `runs show …` and its like: any other word is a folder to list."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not ctx.resilient_parsing:  # not while a shell completes
            args = ["list", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunGroup)
@common_options
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List, show, compare or export runs.

    `trivium runs [FOLDER]` lists them. A run is `running`, `finished`, `interrupted`, `failed`, or `died` (its process
    ended without a message). Continue a run that is not finished with `trivium train --resume --out RUN`.

    \b
    Example:
      trivium runs
      trivium runs show runs/digits
      trivium runs compare runs/digits runs/other --out curves.png
      trivium runs export runs/digits --to mlflow
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

    stored_runs = run_list.find(folder, lambda reason: say(f"note: left out: {reason}"))
    if as_json:
        print_json([stored.to_json() for stored in stored_runs])
        return
    rows = table("run", "recipe", "backend", "state", "epochs", "best", right=("epochs",))
    for stored in stored_runs:
        facts = stored.to_json()
        rows.add_row(
            str(stored.folder), facts["recipe"], facts["backend"] or "–", stored.state, _progress(stored), _best(stored)
        )
    if stored_runs:
        console().print(rows)
    else:
        console().print(f"There is no run in {folder}.")


@command.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@common_options
def show(run: Path, as_json: bool) -> None:
    """Show the state, settings and last epochs of a run.

    \b
    Example:
      trivium runs show runs/digits
    """
    from ..engine.runs import run_list

    stored = run_list.read(run)
    if as_json:
        parts = {"settings": stored.record["settings"], "history": stored.history.to_json()}
        print_json({**_described(stored), **parts})
        return
    screen, facts = console(), stored.to_json()
    for name in ("recipe", "backend", "state"):
        screen.print(f"{name:<10}  {facts[name] or '–'}")
    if "error" in facts:
        screen.print(f"error       {facts['error']}")
    screen.print(f"epochs      {_progress(stored)}")
    screen.print(f"best        {_best(stored)}")
    if stored.stopped:
        screen.print(f"stopped     {stored.stopped}")
    screen.print(f"s/epoch     {seconds(stored.seconds_per_epoch)}")
    for name, metrics in stored.evaluations.items():
        screen.print(f"{name:<10}  {_metrics(metrics)}")
    for name, value in run_list.settings_as_text(stored).items():
        screen.print(f"{name:<18}  {value}")
    if stored.history.metrics:
        _print_epochs(stored)


@command.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="PNG", help="Draw the curves of all runs into one plot."
)
@common_options
def compare(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Compare runs: results, settings that differ, curves.

    \b
    Example:
      trivium runs compare runs/pooling runs/striding --out curves.png
    """
    from ..engine.runs import run_list

    stored_runs = [run_list.read(run) for run in runs]
    differing = run_list.differences(stored_runs)
    if out:
        from ..engine.plots.overlay import overlay  # slow to import, and only needed here

        overlay(stored_runs, out)
    if as_json:
        print_json({"runs": [_described(stored) for stored in stored_runs], "differences": dict(differing)})
        return
    stopped = any(stored.stopped for stored in stored_runs)
    rows = table("", *(str(stored.folder) for stored in stored_runs))
    for name, values in [
        ("state", [stored.state for stored in stored_runs]),
        ("epochs", [_progress(stored) for stored in stored_runs]),
        ("best", [_best(stored) for stored in stored_runs]),
        *_evaluation_rows(stored_runs),
        ("s/epoch", [seconds(stored.seconds_per_epoch) for stored in stored_runs]),
        *([("stopped", [stored.stopped or "–" for stored in stored_runs])] if stopped else []),
        *differing,
    ]:
        rows.add_row(name, *values)
    screen = console()
    screen.print(rows)
    if out:
        screen.print(f"curves      {out}")


@command.command("export")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    "log",
    multiple=True,
    required=True,
    metavar="TRACKERS",
    help="mlflow, wandb or tensorboard: one or several, each with its arguments, as `trivium train --log` has them.",
)
@common_options
def export_runs(runs: tuple[Path, ...], log: tuple[str, ...], as_json: bool) -> None:
    """Send runs to experiment trackers.

    The folder of a search is one run per combination. What a tracker has of a run already is not sent again.

    \b
    Example:
      trivium runs export runs/digits --to mlflow
      trivium runs export runs/* --to mlflow:uri=http://host:5000 --to wandb
    """
    from ..engine.tracking import destination
    from ..engine.tracking.export import export

    exported = [export(run, each) for each in destination.parse(log) for run in runs]
    if as_json:
        print_json([each.to_json() for each in exported])
        return
    for each in exported:
        count, noun = (each.combinations, "combination") if each.combinations else (each.epochs, "epoch")
        amount = f"{count} {noun}" + "s" * (count != 1)
        action = f"sent {amount} to" if each.is_new else f"all {amount} there already:"
        console().print(f"{each.folder}  {each.tracker}: {action} {each.place}")


def _evaluation_rows(stored_runs: list[StoredRun]) -> list[tuple[str, list[str]]]:
    """Return the rows of the metrics of each part that any of the runs was evaluated on."""
    parts = dict.fromkeys(part for stored in stored_runs for part in stored.evaluations)
    return [(part, [_metrics(stored.evaluations.get(part, {})) for stored in stored_runs]) for part in parts]


def _described(stored: StoredRun) -> dict[str, Any]:
    """Return a run as JSON, with what it was evaluated to."""
    measured = {name: stored.record[name] for name in ("evaluation", "training_evaluation") if name in stored.record}
    return {**stored.to_json(), **measured}


def _metrics(metrics: Mapping[str, float]) -> str:
    return metrics_text(metrics) or "–"


def _progress(stored: StoredRun) -> str:
    total = "?" if stored.epochs is None else stored.epochs
    return f"{len(stored.history)}/{total}"


def _best(stored: StoredRun) -> str:
    if stored.best is None:
        return "–"
    metric, value, epoch = stored.best
    return f"{metric} {value:.4g} (epoch {epoch})"


def _print_epochs(stored: StoredRun) -> None:
    metrics, most = stored.history.metrics, 10
    rows = table("epoch", *metrics, right=("epoch", *metrics))
    first = max(0, len(stored.history) - most)
    for number, logs in enumerate(stored.history.epochs[first:], start=first + 1):
        rows.add_row(str(number), *(f"{logs[name]:.4g}" if name in logs else "–" for name in metrics))
    console().print(rows)
