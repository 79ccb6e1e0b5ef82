"""`trivium recipes`: the book of recipes, or one of them in detail."""

from __future__ import annotations

from typing import Any

import click

from ..models import measured
from ..models import recipe as recipes
from ..models.recipe import Recipe
from .common import backend_option, common_options, console, parse_assignments, print_json, set_option, table


@click.command()
@click.argument("name", required=False)
@set_option
@backend_option
@common_options
def command(name: str | None, assignments: tuple[str, ...], backend: str | None, as_json: bool) -> None:
    """List the recipes, or show one: its layers, a drawing of them, what is published and what we measured.

    NAME is a recipe, or a model of your own: path/to/file.py:function.

    \b
    Example:
      trivium recipes
      trivium recipes cnn/pooling --set dropout=0.5
    """
    if name:
        _show(recipes.find(name), parse_assignments(assignments), backend, as_json)
        return
    if as_json:
        figures = measured.figures()
        print_json({"schema": 1, "recipes": [_describe(found, figures) for found in recipes.registry().values()]})
        return
    shown = table("recipe", "what it is", "data", "parameters", "published", right=("parameters",))
    for found in recipes.registry().values():
        parameters = f"{found.reference.parameters:,}" if found.reference.parameters else ""
        shown.add_row(found.name, found.summary, found.dataset or "", parameters, found.reference.result)
    console().print(shown)


def _describe(found: Recipe, figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": found.name,
        "summary": found.summary,
        "options": found.options,
        "dataset": found.dataset,
        "loss": found.loss,
        "optimizer": found.optimizer,
        "batch_size": found.batch_size,
        "epochs": found.epochs,
        "published": {
            "parameters": found.reference.parameters,
            "seconds_per_epoch": found.reference.seconds_per_epoch,
            "result": found.reference.result,
        },
        "measured": figures.get(found.name),
    }


def _show(found: Recipe, options: dict[str, Any], backend: str | None, as_json: bool) -> None:
    from ..engine.keras_model.diagram import draw
    from ..engine.keras_model.summary import layers

    rows = layers(found, options, backend)
    parameters = sum(row["parameters"] for row in rows)
    if as_json:
        described = _describe(found, measured.figures())
        print_json({"schema": 1, **described, "layers": rows, "parameters": parameters})
        return
    screen = console()
    screen.print(f"{found.name}: {found.summary}", style="bold")
    shown = table("layer", "kind", "output", "parameters", right=("parameters",))
    for row in rows:
        shown.add_row(row["name"], row["kind"], str(row["output"]), f"{row['parameters']:,}")
    screen.print(shown)
    screen.print(draw(rows), soft_wrap=True)
    screen.print()
    published = f" (published: {found.reference.parameters:,})" if found.reference.parameters and not options else ""
    screen.print(f"parameters  {parameters:,}{published}")
    screen.print("options     " + (", ".join(f"{k}={v}" for k, v in found.complete(options).items()) or "none"))
    screen.print(f"data        {found.dataset or 'yours, by --data'}")
    screen.print(f"training    {found.optimizer}, {found.loss or 'a loss chosen by the labels'}, ", end="")
    screen.print(f"batch {found.batch_size}, {found.epochs} epochs")
    if not options:  # the figures are those of the model as it stands in the book
        _show_figures(found)


def _show_figures(found: Recipe) -> None:
    """What is published, and right under it what we measured."""
    if found.reference.result:
        per_epoch = found.reference.seconds_per_epoch
        pace = f", {per_epoch} s an epoch" if per_epoch else ""
        console().print(f"published   {found.reference.result}{pace}")
    ours = measured.figures().get(found.name)
    if ours:
        console().print(f"ours        {measured.sentence(ours)}")
