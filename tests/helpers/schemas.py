"""Validates JSON by the schemas that trivium publishes, storage/schemas/.

The schemas let readers meet fields that they do not know. Here an object with a field that its schema does not name is
refused, so that no field goes without a description.
"""

import json
from functools import cache
from pathlib import Path

import jsonschema
import referencing
import referencing.jsonschema

SCHEMAS = Path(__file__).resolve().parents[2] / "storage" / "schemas"


def names(folder: str) -> list[str]:
    """The names of the schemas in `commands` or `files`."""
    return sorted(path.stem for path in (SCHEMAS / folder).glob("*.json"))


def schema_of(words: list[str]) -> str | None:
    """The schema of a command such as `["bench", "epochs"]`: its own, or that of its group; `runs` alone lists."""
    prefixes = ["-".join(words[:end]) for end in range(len(words), 0, -1)]
    return next((name for name in [*prefixes, f"{words[0]}-list"] if name in names("commands")), None)


def validate_output(arguments: list[str], output: str) -> None:
    """Raise an AssertionError if what a command printed with `--json` does not follow the command's schema."""
    name = schema_of([word for word in arguments if not word.startswith("-")])
    assert name, f"storage/schemas/commands has no schema for {arguments[0]}"
    validate(f"commands/{name}", json.loads(output))


def validate(place: str, document: object) -> None:
    """Raise an AssertionError if a document does not follow the schema `commands/NAME` or `files/NAME`."""
    error = jsonschema.exceptions.best_match(_validator(place).iter_errors(document))
    if error is not None:
        path = "".join(f"[{part!r}]" for part in error.absolute_path)
        reasons = [error.message, *(part.message for part in error.context)]
        raise AssertionError(
            f"storage/schemas/{place}.json, at {path or 'the top'}: " + "; ".join(reason[:200] for reason in reasons)
        )


@cache
def _validator(place: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"{place}.json"}, registry=_registry())


@cache
def _registry() -> referencing.Registry:
    schemas = {path.relative_to(SCHEMAS).as_posix(): json.loads(path.read_text()) for path in SCHEMAS.glob("*/*.json")}
    specification = referencing.jsonschema.DRAFT202012
    return referencing.Registry().with_resources(
        (place, specification.create_resource(closed(schema))) for place, schema in schemas.items()
    )


def closed(schema: object) -> object:
    """The schema without room for fields that it does not name, but where it says that there may be any."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {} if "properties" not in schema else {"additionalProperties": False}
    return shut | {name: closed(part) for name, part in schema.items()}
