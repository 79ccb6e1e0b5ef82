"""`trivium compare`: two models that were written independently, layer by layer, gradient by gradient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .check_table import check_table
from .common import backend_names, common_options, console, matmul_option, print_json, table, trust_option
from .options.help_page import GroupedCommand
from .progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from ..comparison.report import ComparisonReport


@click.command(cls=GroupedCommand)
@click.argument("a")
@click.argument("b")
@click.option("--as-they-are", is_flag=True, help="Compare with the weights that each has, instead of those of A.")
@click.option("--copy", "copy_out", metavar="FILE.keras", help="Write B with the weights of A.")
@click.option("--map", "map_file", metavar="FILE", help="Lines `layer of A: layer of B`, where the map is wrong.")
@click.option("--write-map", metavar="FILE", help="Write the map that was found, to be corrected for --map.")
@click.option("--reduce", "reduce_to", metavar="FOLDER", help="Write the smallest parts that differ, and a script.")
@click.option("--html", metavar="FILE", help="Write the comparison as one page: graph, layers, losses, weights.")
@click.option("--backends", metavar="NAMES", help="On which A and B compute: one, or two, such as torch,jax.")
@click.option("--steps", type=int, default=20, show_default=True, metavar="N", help="Number of training steps.")
@click.option("--float64", is_flag=True, help="Compute in float64: rounding shrinks to 1e-12, and a bug stands out.")
@click.option(
    "--loss", default="mean_squared_error", show_default=True, metavar="NAME", help="Keras' name of the loss."
)
@click.option("--optimizer", default="sgd", show_default=True, metavar="NAME", help="Keras' name of the optimizer.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the inputs and targets that are drawn.")
@matmul_option
@trust_option
@common_options
@click.pass_context
def command(
    ctx: click.Context,
    a: str,
    b: str,
    as_they_are: bool,
    copy_out: str | None,
    map_file: str | None,
    write_map: str | None,
    reduce_to: str | None,
    html: str | None,
    backends: str | None,
    steps: int,
    float64: bool,
    loss: str,
    optimizer: str,
    seed: int,
    as_json: bool,
) -> None:
    """Check that two models compute and train the same.

    Where and why they part is shown. A and B are each a recipe, a run folder, a bundle, a Keras file, an .onnx or .pt2
    file, or path/to/file.py:function that returns a Keras model, a module of PyTorch or TensorFlow (alone or with its
    example inputs), or a function of JAX with its parameters and example inputs. Which weight of B is which of A is
    found by their shapes and their places. One of the two may be an artifact instead (OpenVINO, LiteRT, SavedModel), of
    which the answers are compared, and the results inside. Dropout is off meanwhile. The exit code is 1 if they differ.

    \b
    Example:
      trivium compare my_torch.py:build my_keras.py:build
      trivium compare net.onnx my_keras.py:build --copy trained.keras
      trivium compare old.py:build new.py:build --reduce difference
      trivium compare runs/cnn-striding model.tflite
    """
    from ..comparison.compare import compare

    if as_they_are and copy_out:
        raise click.UsageError("--copy writes B with the weights of A, and --as-they-are leaves B its own: choose one")
    with progress(f"compare {a} and {b}") as listener:
        report = compare(
            a,
            b,
            copy=copy_out or not as_they_are,
            known_pairs=map_file,
            map_out=write_map,
            reduce=reduce_to,
            backends=backend_names(backends),
            steps=steps,
            float64=float64,
            loss=loss,
            optimizer=optimizer,
            seed=seed,
            listener=listener,
        )
    if html:
        from ..comparison.page import write_page

        write_page(report, Path(html))
    if as_json:
        print_json(report.to_json())
    else:
        _print(report, copy_out)
    if not report.passed:
        ctx.exit(1)


def _print(report: ComparisonReport, copy_out: str | None) -> None:
    screen = console()
    screen.print(layer_table(report) if report.of_artifact else map_table(report))
    screen.print(check_table(report.checks))
    for note in report.notes:
        screen.print(note)
    screen.print(report.finding)
    if report.reduction:
        layers = " and ".join(map(str, report.reduction.layers))
        screen.print(f"{report.reduction.folder}/reproduce.py: parts of {layers} layers that still differ")
    if copy_out:
        screen.print(f"{copy_out}: B with the weights of A")


def map_table(report: ComparisonReport) -> Table:
    """Return a table of which weight of B is which of A."""
    shown = table("weight of A", "shape", "weight of B", "shape", "layout")
    for piece in report.map.pieces:
        shapes = [str(shape) for shape in piece.shapes]
        shown.add_row(".".join(piece.mine), shapes[0], ".".join(piece.others), shapes[1], piece.how)
    for key, shape in report.map.only_mine:
        shown.add_row(".".join(key), str(shape), "-", "", "no counterpart")
    for key, shape in report.map.only_others:
        shown.add_row("-", "", ".".join(key), str(shape), "no counterpart")
    return shown


def layer_table(report: ComparisonReport) -> Table:
    """Return a table of which result inside an artifact is that of which layer."""
    shown = table("layer", "inside the artifact", "difference", "allowed")
    for layer in report.layers:
        shown.add_row(layer.mine, layer.others, f"{layer.difference:.1e}", f"{layer.tolerance:.1e}")
    return shown
