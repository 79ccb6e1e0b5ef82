"""`trivium inspect`: show what a file contains, without building a model or running code from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .common import backend_option, common_options, console, print_json, table, trust_option

_INDENT = "  "
_MOST_MEMBERS = 12


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--draw",
    "picture",
    type=click.Path(path_type=Path),
    metavar="PICTURE",
    help="Build the model, unless that would run code, and draw it: model.png, model.svg or model.pdf.",
)
@backend_option
@trust_option
@common_options
def command(file: Path, picture: Path | None, backend: str | None, as_json: bool) -> None:
    """Show what a file contains, and whether it would run code.

    FILE is a bundle, a .keras, .h5, .weights.h5 or .safetensors file, an architecture in .json or .yaml, or a run
    folder. Without --draw no model is built, no code from the file runs, and no framework is needed.

    \b
    Example:
      trivium inspect runs/digits
      trivium inspect model-from-the-internet.keras --json
      trivium inspect runs/digits --draw model.svg
    """
    from ..engine.inspection import inspect

    report = inspect(file)
    if picture:
        _draw(file, picture, backend)
    if as_json:
        print_json(report)
        return
    _print(report)
    if picture:
        console().print(f"drawn         {picture}")


def _draw(file: Path, picture: Path, backend: str | None) -> None:
    from ..backends import catalog

    catalog.use(backend)
    from ..engine.model_drawing import draw_model

    draw_model(file, picture)


def _print(report: dict[str, Any]) -> None:
    screen = console()
    for name, value in _facts(report):
        screen.print(f"{name:<13} {value}")
    if report.get("layers"):
        shown = table("layer", "kind", "parameters", right=("parameters",))
        for layer in report["layers"]:
            shown.add_row(
                _INDENT * layer["depth"] + str(layer["name"]),
                str(layer["kind"] or "–"),
                "–" if layer["parameters"] is None else f"{layer['parameters']:,}",
            )
        screen.print(shown)
    for text in report.get("runs_code", []):
        screen.print(f"would run     {text}")
    if "runs_code" in report and not report["runs_code"]:
        screen.print("would run     nothing but Keras' own layers" if report.get("layers") else "would run     nothing")


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the known facts as (name, value) pairs, the most interesting first."""
    names = ("format", "recipe", "dataset", "trained_on", "keras_version", "epoch", "optimizer")
    facts = [(name.replace("_", " "), str(report[name])) for name in names if report.get(name) is not None]
    if run := report.get("run"):
        epochs = f"{run['epochs_done']} of {run['epochs'] or '?'} epochs"
        facts.append(("state", f"{run['state']}, {epochs}"))
        if best := run["best"]:
            facts.append(("best", f"{best['metric']} {best['value']} in epoch {best['epoch']}"))
    if checkpoints := report.get("checkpoints"):
        facts.append(("checkpoints", ", ".join(map(str, checkpoints[:_MOST_MEMBERS]))))
    for chain, steps in report.get("preprocessing", {}).items():
        facts.append((chain, " → ".join(steps) or "as they are"))
    if report.get("labels"):
        facts.append(("labels", ", ".join(map(str, report["labels"]))))
    if report.get("parameters") is not None:
        facts.append(("parameters", f"{int(report['parameters']):,}"))
    if "bytes" in report:
        facts += [("bytes", f"{report['bytes']:,}"), ("sha256", report["sha256"])]
    return facts + [(str(name), digest) for name, digest in list(report.get("members", {}).items())[:_MOST_MEMBERS]]
