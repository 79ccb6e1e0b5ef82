"""`trivium recipes`: list the recipes, or show one in detail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OptionError
from ..models import measured
from ..models import recipe as recipes
from ..models.recipe import Recipe
from .common import backend_option, common_options, console, parse_assignments, print_json, set_option, table

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@click.argument("name", required=False)
@set_option
@click.option(
    "--draw",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the model as a picture: model.png, model.svg or model.pdf.",
)
@backend_option
@common_options
def command(
    name: str | None, assignments: tuple[str, ...], draw: Path | None, backend: str | None, as_json: bool
) -> None:
    """List the recipes, or show one: its layers and results.

    NAME is a recipe, your own model (path/to/file.py:function), an architecture (.json or .yaml), or a network of
    Keras, such as applications/MobileNetV2.

    \b
    Example:
      trivium recipes
      trivium recipes cnn/pooling --set dropout=0.5 --draw model.png
    """
    if name:
        from ..engine.bundles.named_recipe import find

        _show(find(name), parse_assignments(assignments), backend, draw, as_json)
        return
    if draw:
        raise OptionError(
            "`draw` draws one model: name its recipe, such as trivium recipes cnn/pooling --draw model.png"
        )
    if as_json:
        figures = measured.figures()
        print_json({"schema": 1, "recipes": [_describe(recipe, figures) for recipe in recipes.registry().values()]})
        return
    columns = ("recipe", "what it is", "data", "parameters", "published")
    shown = table(*columns, right=("parameters",), optional=("published", "parameters", "data"))
    for recipe in recipes.registry().values():
        parameters = f"{recipe.parameters:,}" if recipe.parameters else ""
        shown.add_row(recipe.name, recipe.summary, recipe.dataset or "", parameters, recipe.reference.result)
    console().print(shown)


def _describe(recipe: Recipe, figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "options": recipe.options,
        "dataset": recipe.dataset,
        "loss": recipe.loss,
        "optimizer": recipe.optimizer,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "parameters": recipe.parameters,
        "published": {
            "seconds_per_epoch": recipe.reference.seconds_per_epoch,
            "result": recipe.reference.result,
        },
        "measured": figures.get(recipe.name),
    }


def _show(recipe: Recipe, options: dict[str, Any], backend: str | None, picture: Path | None, as_json: bool) -> None:
    from ..engine.keras_model.diagram import draw
    from ..engine.keras_model.summary import layers

    rows = layers(recipe, options, backend)
    parameters = sum(row["parameters"] for row in rows)
    if picture:
        from ..engine.plots.model_picture import model_picture  # matplotlib

        model_picture(rows, picture, title=f"{recipe.name}: {parameters:,} parameters")
    if as_json:
        described = _describe(recipe, measured.figures())
        print_json({"schema": 1, **described, "parameters": parameters, "layers": rows})
        return
    screen = console()
    screen.print(f"{recipe.name}: {recipe.summary}", style="bold")
    screen.print(_layer_table(rows))
    for line in draw(rows).splitlines():
        screen.print(line, soft_wrap=True)
    screen.print()
    screen.print(f"parameters  {parameters:,}")
    screen.print("options     " + (", ".join(f"{k}={v}" for k, v in recipe.complete(options).items()) or "none"))
    screen.print(f"data        {recipe.dataset or 'yours, by --data'}")
    screen.print(f"training    {recipe.optimizer}, {recipe.loss or 'a loss chosen by the labels'}, ", end="")
    screen.print(f"batch {recipe.batch_size}, {recipe.epochs} epochs")
    if not options:  # the figures belong to the recipe with its default options
        _show_figures(recipe)
    if picture:
        screen.print(f"drawn       {picture}")


def _layer_table(rows: list[dict[str, Any]]) -> Table:
    """Return a table with a row for each layer: its settings, and the shapes of what it takes and returns."""
    from ..engine.keras_model.diagram import shape_text
    from ..engine.keras_model.layer_settings import settings_text

    shown = table("layer", "kind", "settings", "input", "output", "parameters", right=("parameters",))
    for row in rows:
        shapes = shape_text(row["input"]), shape_text(row["output"])
        shown.add_row(row["name"], row["kind"], settings_text(row["settings"]), *shapes, f"{row['parameters']:,}")
    return shown


def _show_figures(recipe: Recipe) -> None:
    """Print the published result, and our own measurement below it."""
    if recipe.reference.result:
        per_epoch = recipe.reference.seconds_per_epoch
        pace = f", {per_epoch} s an epoch" if per_epoch else ""
        console().print(f"published   {recipe.reference.result}{pace}")
    ours = measured.figures().get(recipe.name)
    if ours:
        console().print(f"ours        {measured.sentence(ours)}")
