"""A page for each public name of `trivium`, which mkdocstrings fills in from signature and docstring."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import griffe

import trivium

FOLDER = "reference/python"


def pages() -> dict[str, str]:
    """Return the Markdown of the page of each public name, and of their index, by its path in the site."""
    names = [name for name in trivium.__all__ if not name.startswith("__")]
    texts = {f"{FOLDER}/index.md": _index(names)}
    for name in names:
        texts[f"{FOLDER}/{_file(name)}"] = f"---\ntitle: {name}\n---\n\n::: trivium.{name}\n"
    return texts


def _file(name: str) -> str:
    """Return the file of a name. Some file systems do not tell `Run` from `run`: a class has an ending of its own."""
    return f"{name}-class.md" if name[0].isupper() else f"{name}.md"


def _index(names: list[str]) -> str:
    lines = [
        "# Python",
        "",
        "`import trivium` loads no framework. These are its public names; any other may change.",
        "",
    ]
    for title, members in (
        ("Functions", [name for name in names if name[0].islower()]),
        ("Classes", [name for name in names if name[0].isupper()]),
    ):
        lines += [f"## {title}", "", "| name | what it is |", "|---|---|"]
        lines += [f"| [`{name}`]({_file(name)}) | {_summary(name)} |" for name in members]
        lines += [""]
    return "\n".join(lines)


def _summary(name: str) -> str:
    """Return the first sentence of a name's docstring, read without importing its module."""
    member = _package()[name]
    target = member.final_target if isinstance(member, griffe.Alias) else member
    text = target.docstring.value if target.docstring else ""
    return text.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


@cache
def _package() -> griffe.Module:
    folder = Path(trivium.__file__).resolve().parent
    package = griffe.load("trivium", search_paths=[folder.parent], allow_inspection=False)
    if not isinstance(package, griffe.Module):
        raise TypeError(f"{folder}: expected a module, received {package}")
    return package
