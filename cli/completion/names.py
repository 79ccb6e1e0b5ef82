"""The names that a shell completes: recipes, datasets, backends, targets and runs. No framework is imported for them.

Each function takes the words before, and the beginning of a name. Where no name begins so, the shell completes files.
One table says which parameter is completed by which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem[str]]
Words = Sequence[str]
Completer = Callable[[Words, str], Items]

# The names of datasets with a setting that one would not guess.
_FURTHER_DATA = ("mnist:full", "mnist:sample", "waves:0", "waves:1", "waves:2")
_RUNS = Path("runs")


def files(_: Words, beginning: str) -> Items:
    """Complete a file."""
    return _matching((), beginning)


def recipes(_: Words, beginning: str) -> Items:
    """Complete the name of a recipe, or a file."""
    return _matching(_recipes(), beginning)


def models(_: Words, beginning: str) -> Items:
    """Complete the name of a recipe, a run folder, or a file."""
    return _matching([*_recipes(), *_runs(beginning)], beginning)


def runs(_: Words, beginning: str) -> Items:
    """Complete a run folder, or a file."""
    return _matching(_runs(beginning), beginning)


def datasets(_: Words, beginning: str) -> Items:
    """Complete the name of a dataset, or a file."""
    from ...data.datasets import LOADERS

    return _matching([*LOADERS, *_FURTHER_DATA], beginning)


def backends(_: Words, beginning: str) -> Items:
    """Complete the name of an installed backend."""
    return _matching(_backends(), beginning, or_files=False)


def backends_or_auto(_: Words, beginning: str) -> Items:
    """Complete the name of an installed backend, or `auto`."""
    return _matching([*_backends(), "auto"], beginning, or_files=False)


def targets(_: Words, beginning: str) -> Items:
    """Complete what a model can be ported to."""
    from ...porting.targets import names

    return _matching([*names(), "keras"], beginning, or_files=False)


def options_of_recipe(words: Words, beginning: str) -> Items:
    """Complete the name of an option of the recipe that stands in the line, and `=`."""
    from ...models.recipe import registry

    recipe = next((registry()[word] for word in words if word in registry()), None)
    return _matching([f"{name}=" for name in recipe.options] if recipe else [], beginning, or_files=False)


def several(complete: Completer) -> Completer:
    """Return a completer of names that are separated by commas: it completes the last one."""

    def complete_last(words: Words, beginning: str) -> Items:
        *before, last = beginning.split(",")
        items = complete(words, last)
        names = [item.value for item in items if item.type == "plain" and item.value not in before]
        return [CompletionItem(",".join((*before, name))) for name in names]

    return complete_last


def _matching(names: Iterable[str], beginning: str, *, or_files: bool = True) -> Items:
    items = [CompletionItem(name) for name in names if name.startswith(beginning)]
    return items or ([CompletionItem(beginning, "file")] if or_files else [])


def _recipes() -> Iterable[str]:
    from ...models.recipe import registry

    return registry()


def _backends() -> Iterable[str]:
    from ...backends import catalog

    return [backend.name for backend in catalog.installed()]


def _runs(beginning: str) -> list[str]:
    """Return the run folders in the folder that a name begins with; without one in runs/."""
    from ...engine.runs.run_record import RECORD

    folder = Path(beginning + "x").parent if "/" in beginning else _RUNS
    try:
        return sorted(f"{folder}/{each.name}" for each in folder.iterdir() if (each / RECORD).is_file())
    except OSError:
        return []


# By the option, or the name of the argument; before these by both the command and it.
COMPLETERS: dict[str, Completer] = {
    "--backend": backends,
    "train --backend": backends_or_auto,
    "--backends": several(backends),
    "--data": datasets,
    "--from": runs,
    **dict.fromkeys(("--against", "--config", "--map", "--model", "--record", "--test", "--validation"), files),
    "--recipe": recipes,
    "--recipes": several(recipes),
    "--set": options_of_recipe,
    "--to": targets,
    "train --out": runs,
    "compare a": models,
    "compare b": models,
    "data name": datasets,
    "inspect file": runs,
    "recipe": recipes,
    "recipes name": recipes,
    "run": runs,
    "runs compare runs": runs,
    "save bundle": runs,
    "source": runs,
    "transfer model": models,
    "verify source": models,
}


def completer_of(command: str, parameter: click.Parameter) -> Completer | None:
    """Return what completes a parameter of a command such as `bench epochs`; None where Click does it itself."""
    name = max(parameter.opts, key=len)
    return COMPLETERS.get(f"{command} {name}") or COMPLETERS.get(name)
