"""A page for each JSON Schema in storage/schemas/: a list of the fields, and the schema itself.

`commands/NAME.json` is what `trivium NAME --json` prints; `files/NAME.json` is what a file of that name holds.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).resolve().parents[2] / "storage" / "schemas"
FOLDER = "reference/json"

Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Return the Markdown of the page of each schema, their index, and the schemas, by their paths in the site."""
    texts = {f"{FOLDER}/index.md": ""}
    rows: dict[str, list[str]] = {"commands": [], "files": []}
    for path in sorted(SCHEMAS.glob("*/*.json")):
        schema = json.loads(path.read_text("utf-8"))
        place = f"{path.parent.name}/{path.stem}"
        rows[path.parent.name].append(f"| [`{schema['title']}`]({_file(place)}.md) | {schema['description']} |")
        texts[f"{FOLDER}/{_file(place)}.md"] = "\n".join(_page(schema, place))
        texts[f"{FOLDER}/{_file(place)}.json"] = path.read_text("utf-8")
    texts[f"{FOLDER}/index.md"] = _index(rows)
    return texts


def _index(rows: Mapping[str, list[str]]) -> str:
    table = ["", "| output | what it holds |", "|---|---|"]
    return "\n".join(
        [
            "# JSON",
            "",
            "The schemas of what `--json` prints and of the files that a run, a benchmark and a port leave, as "
            "[JSON Schema](https://json-schema.org/draft/2020-12). They are installed with trivium, in "
            '`importlib.resources.files("trivium.storage") / "schemas"`. The suite validates real output by them.',
            "",
            "Later versions may add fields: ignore those that you do not know. A change that breaks readers raises "
            "the number in the field `schema`.",
            "",
            *("## What a command prints", *table, *rows["commands"], ""),
            *("## What a file holds", *table, *rows["files"], ""),
        ]
    )


def _page(schema: Schema, place: str) -> Iterator[str]:
    """Yield the lines about a schema, `commands/NAME` or `files/NAME`."""
    title = schema["title"].removeprefix("trivium ").removesuffix(" --json")
    yield from ("---", f"title: {title}", "---", "", f"# {schema['title']}", "", schema["description"], "")
    choices = schema.get("anyOf", [schema])
    for number, choice in enumerate(choices, 1):
        yield from (f"## Fields{f', form {number} of {len(choices)}' if len(choices) > 1 else ''}", "")
        if choice is not schema and "description" in choice:
            yield from (choice["description"], "")
        if "properties" not in choice:
            yield from (f"*{_type(choice, place)}*", "")
        yield from _fields(choice, place)
    for name, part in schema.get("$defs", {}).items():
        yield from (f"## {name}", "", part.get("description", ""), "")
        yield from _fields(part, place)
    yield from ("## Schema", "", f"[{place}.json]({_file(place)}.json)", "")
    yield from ("```json", json.dumps(schema, indent=1, ensure_ascii=False), "```", "")


def _fields(schema: Schema, place: str, prefix: str = "") -> Iterator[str]:
    """Yield an entry of a definition list for each field, those of objects inside of it included."""
    for choice in (schema, *(schema.get("anyOf", ()) if prefix else ())):
        if "items" in choice:
            yield from _fields(choice["items"], place, f"{prefix}[]")
        for name, field in choice.get("properties", {}).items():
            path = f"{prefix}.{name}" if prefix else name
            optional = "" if name in choice.get("required", ()) else ", may be absent"
            text = field.get("description", "")
            yield from (f"`{path}`", f":   *{_type(field, place)}{optional}*{'. ' if text else ''}{text}", "")
            yield from _fields(field, place, path)
        if isinstance(choice.get("additionalProperties"), Mapping):
            yield from _fields(choice["additionalProperties"], place, f"{prefix}.NAME" if prefix else "NAME")


def _type(field: Schema, place: str) -> str:
    """Return the type of a field in words, with a link where it is described elsewhere."""
    if "$ref" in field:
        return _link(field["$ref"], place)
    if "const" in field:
        return f"always {json.dumps(field['const'])}"
    if "enum" in field:
        return "one of " + ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(choice, place) for choice in field["anyOf"])
    kinds = field.get("type", "any value")
    name = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if "items" in field:
        return f"list of {_type(field['items'], place)}"
    if isinstance(field.get("additionalProperties"), Mapping):
        return f"object with {_type(field['additionalProperties'], place)} by name"
    return str(name)


def _link(reference: str, place: str) -> str:
    """Return a link to the description that a reference names, in this schema or in another one."""
    file, _, part = reference.partition("#/$defs/")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(place), file.removesuffix(".json"))) if file else place
    page = "" if target == place else f"{_file(target)}.md"
    anchor = f"#{part.replace(' ', '-')}" if part else ""
    return f"[{part or posixpath.basename(target)}]({page}{anchor})"


def _file(place: str) -> str:
    return place.replace("/", "-")
