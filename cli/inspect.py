"""`trivium inspect`: what a file holds, without building a model or running anything from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .common import common_options, console, print_json, table

_INDENT = "  "
_MOST_MEMBERS = 12


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@common_options
def command(file: Path, as_json: bool) -> None:
    """Tell what a file holds: its format, layers, sizes, checksums, and whether anything in it would run code.

    FILE is a bundle, a .keras, .h5, .weights.h5 or .safetensors file, an architecture's .json or .yaml, or a run's
    folder. No model is built, nothing from the file is run, and no framework is needed.

    \b
    Example:
      trivium inspect runs/digits
      trivium inspect model-from-the-internet.keras --json
    """
    from ..engine.inspection import inspect

    found = inspect(file)
    if as_json:
        print_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    screen = console()
    for name, value in _facts(found):
        screen.print(f"{name:<13} {value}")
    if found.get("layers"):
        shown = table("layer", "kind", "parameters", right=("parameters",))
        for layer in found["layers"]:
            shown.add_row(
                _INDENT * layer["depth"] + _plain(layer["name"]),
                _plain(layer["kind"] or "–"),
                "–" if layer["parameters"] is None else f"{layer['parameters']:,}",
            )
        screen.print(shown)
    for text in found.get("runs_code", []):
        screen.print(f"would run     {text}")
    if "runs_code" in found and not found["runs_code"]:
        screen.print("would run     nothing but Keras' own layers" if found.get("layers") else "would run     nothing")


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known, a line each, in the order of interest."""
    names = ("format", "recipe", "dataset", "trained_on", "keras_version", "epoch", "optimizer")
    facts = [(name.replace("_", " "), _plain(found[name])) for name in names if found.get(name) is not None]
    if run := found.get("run"):
        epochs = f"{run['epochs_done']} of {run['epochs'] or '?'} epochs"
        facts.append(("state", f"{_plain(run['state'])}, {epochs}"))
        if best := run["best"]:
            facts.append(("best", f"{_plain(best['metric'])} {best['value']} in epoch {best['epoch']}"))
    if checkpoints := found.get("checkpoints"):
        facts.append(("checkpoints", ", ".join(map(_plain, checkpoints[:_MOST_MEMBERS]))))
    for chain, steps in found.get("preprocessing", {}).items():
        facts.append((chain, " → ".join(steps) or "as they are"))
    if found.get("labels"):
        facts.append(("labels", ", ".join(map(_plain, found["labels"]))))
    if found.get("parameters") is not None:
        facts.append(("parameters", f"{int(found['parameters']):,}"))
    if "bytes" in found:
        facts += [("bytes", f"{found['bytes']:,}"), ("sha256", found["sha256"])]
    return facts + [(_plain(name), digest) for name, digest in list(found.get("members", {}).items())[:_MOST_MEMBERS]]


def _plain(text: Any) -> str:
    """As it can be shown on a terminal: what is in a file of somebody else's may hold commands to the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text))
