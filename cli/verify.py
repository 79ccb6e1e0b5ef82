"""`trivium verify`: compare one model on several backends, step by step and layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .check_table import check_table
from .common import (
    backend_names,
    common_options,
    console,
    matmul_option,
    parse_assignments,
    print_json,
    set_option,
    trust_option,
)
from .options.data_options import data_options
from .options.help_page import GroupedCommand
from .progress import progress

if TYPE_CHECKING:
    from ..backends.workers.worker import Listener
    from ..engine.verification.verification import Report


@click.command(cls=GroupedCommand)
@click.argument("source")
@click.option("--backends", metavar="NAMES", help="Backends, such as jax,torch. Default: all that are installed.")
@click.option("--steps", type=int, default=50, show_default=True, metavar="N", help="Number of training steps.")
@click.option("--float64", is_flag=True, help="Compute in float64: rounding shrinks to 1e-12, and a bug stands out.")
@data_options
@set_option
@click.option("--batch-size", type=int, metavar="N", help="Samples per step. Default: the recipe's own, at most 32.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed of the weights, the batch order and generated data."
)
@click.option("--record", "record_to", metavar="FILE", help="Record what one backend computes, to check others later.")
@click.option("--against", metavar="FILE", help="Check one backend against what --record wrote, here or elsewhere.")
@matmul_option
@trust_option
@common_options
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    backends: str | None,
    steps: int,
    float64: bool,
    data: str | None,
    assignments: tuple[str, ...],
    batch_size: int | None,
    seed: int,
    record_to: str | None,
    against: str | None,
    as_json: bool,
) -> None:
    """Check that a model computes the same on several backends.

    Where it does not, the first step and layer that differ are shown.     SOURCE is a recipe, a run folder, a bundle
    file, or path/to/file.py:function. For a model without data, suitable data are generated. The exit code is 1 if the
    backends differ.

    \b
    Example:
      trivium verify cnn/striding --backends jax,torch --steps 20
      trivium verify my_model.py:build --float64
      trivium verify my_model.py:build --record golden.trivium --backends jax
      trivium verify my_model.py:build --against golden.trivium --backends torch
    """
    from ..engine.verification.verification import verify

    names = backend_names(backends)
    if record_to and against:
        raise click.UsageError("--record writes a file and --against reads one: choose one")
    if (record_to or against) and len(names) > 1:
        raise click.UsageError("--record and --against take one backend: give one to --backends")
    options = parse_assignments(assignments)
    settings: dict[str, Any] = {"steps": steps, "float64": float64, "batch_size": batch_size, "seed": seed}
    if record_to:
        _record(source, record_to, data, names, {**settings, "options": options}, as_json)
        return
    with progress(f"verify {source}") as listener:
        if against:
            # Steps, batches and seed are those of the recording; the model's options may follow from the data.
            report = _check(source, against, data, names[:1], float64, options, listener)
        else:
            report = verify(source, data, backends=names, options=options, listener=listener, **settings)
    if as_json:
        print_json(report.to_json())
    else:
        console().print(check_table(report.worst_by_kind(), with_backends=True))
        console().print(f"{source}: {report.finding}")
    if not report.passed:
        ctx.exit(1)


def _check(
    source: str,
    against: str,
    data: str | None,
    names: list[str],
    float64: bool,
    options: dict[str, Any],
    listener: Listener,
) -> Report:
    from ..engine.verification import golden

    backend = names[0] if names else None
    return golden.check(
        source, against, data, backend=backend, float64=float64 or None, options=options, listener=listener
    )


def _record(
    source: str, file: str, data: str | None, names: list[str], settings: dict[str, Any], as_json: bool
) -> None:
    from ..engine.verification import golden

    with progress(f"record {source}") as listener:
        recorded = golden.record(source, file, data, backend=names[0] if names else None, listener=listener, **settings)
    if as_json:
        print_json({"schema": golden.SCHEMA, "file": file, "source": source, "recorded": recorded.origin})
    else:
        console().print(f"{file}: {source} as computed on {recorded.origin}; check it with --against {file}")
