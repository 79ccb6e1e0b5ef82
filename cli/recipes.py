"""`trivium recipes`: the book of recipes, or one of them in detail."""

from __future__ import annotations

from typing import Any

import click

from ..models import recipe as recipes
from ..models.recipe import Recipe
from .common import backend_option, common_options, console, parse_assignments, print_json, set_option, table


@click.command()
@click.argument("name", required=False)
@set_option
@backend_option
@common_options
def command(name: str | None, assignments: tuple[str, ...], backend: str | None, as_json: bool) -> None:
    """List the recipes, or show the layers of one.

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
        print_json({"schema": 1, "recipes": [_describe(found) for found in recipes.book().values()]})
        return
    shown = table("recipe", "what it is", "data", "parameters", "published", right=("parameters",))
    for found in recipes.book().values():
        parameters = f"{found.reference.parameters:,}" if found.reference.parameters else ""
        shown.add_row(found.name, found.summary, found.dataset or "", parameters, found.reference.result)
    console().print(shown)


def _describe(found: Recipe) -> dict[str, Any]:
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
    }


def _show(found: Recipe, options: dict[str, Any], backend: str | None, as_json: bool) -> None:
    from ..engine.summary import layers

    rows = layers(found, options, backend)
    parameters = sum(row["parameters"] for row in rows)
    if as_json:
        print_json({"schema": 1, **_describe(found), "layers": rows, "parameters": parameters})
        return
    screen = console()
    screen.print(f"{found.name}: {found.summary}", style="bold")
    shown = table("layer", "kind", "output", "parameters", right=("parameters",))
    for row in rows:
        shown.add_row(row["name"], row["kind"], str(row["output"]), f"{row['parameters']:,}")
    screen.print(shown)
    published = f" (published: {found.reference.parameters:,})" if found.reference.parameters and not options else ""
    screen.print(f"parameters  {parameters:,}{published}")
    screen.print("options     " + (", ".join(f"{k}={v}" for k, v in found.complete(options).items()) or "none"))
    screen.print(f"data        {found.dataset or 'yours, by --data'}")
    screen.print(f"training    {found.optimizer}, {found.loss or 'a loss chosen by the labels'}, ", end="")
    screen.print(f"batch {found.batch_size}, {found.epochs} epochs")
    if found.reference.result:
        per_epoch = found.reference.seconds_per_epoch
        screen.print(f"published   {found.reference.result}" + (f", {per_epoch} s an epoch" if per_epoch else ""))
