"""`trivium port`: a trained model moved to another backend, the move verified."""

from __future__ import annotations

from pathlib import Path

import click

from .common import common_options, console, print_json, table
from .progress import progress


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, metavar="TARGET", help="tensorflow, jax or torch.")
@click.option("--out", type=click.Path(path_type=Path), help="The new bundle; beside the source by default.")
@common_options
@click.pass_context
def command(ctx: click.Context, source: Path, target: str, out: Path | None, as_json: bool) -> None:
    """Move a trained model to another backend and check that it computes the same there.

    SOURCE is a run's folder or a bundle file. Exit 1, and nothing written, when the predictions differ.

    \b
    Example:
      trivium port runs/digits --to jax
    """
    from ..engine.porting import port

    with progress(f"port to {target}") as listener:
        report = port(source, target, out, listener=listener)
    if as_json:
        print_json(report.to_json())
    else:
        shown = table(
            "inputs", "samples", "against", "difference", "allowed", right=("samples", "difference", "allowed")
        )
        for check in report.checks:
            found = check.difference
            shown.add_row(
                check.inputs, str(found.samples), check.against, f"{found.relative:.1e}", f"{check.tolerance:.0e}"
            )
        console().print(shown)
        verdict = (
            f"same predictions, kept as {report.artifact}" if report.passed else "the predictions differ: nothing kept"
        )
        console().print(f"{report.source} → {report.target}: {verdict}")
    if not report.passed:
        ctx.exit(1)
