"""The published schemas of JSON: each command has one, and the files of a run follow theirs.

The output of the commands is validated wherever a test prints it: see tests/helpers/command_line.py.
"""

import json

import click
import jsonschema
import pytest
import schemas

from trivium.cli.main import cli as group

PLACES = [f"{folder}/{name}" for folder in ("commands", "files") for name in schemas.names(folder)]


def commands_with_json(command, path=()):
    """The words of each command that has `--json`, but of groups."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands_with_json(command.get_command(context, name), (*path, name))
    elif any("--json" in parameter.opts for parameter in command.params):
        yield path


@pytest.mark.plain
def test_each_command_with_json_has_a_schema_and_each_schema_a_command():
    expected = {words: schemas.schema_of(list(words)) for words in commands_with_json(group)}
    assert [words for words, name in expected.items() if name is None] == []
    assert set(expected.values()) == set(schemas.names("commands"))


@pytest.mark.plain
@pytest.mark.parametrize("place", PLACES)
def test_a_schema_is_valid_and_says_what_it_is_of(place):
    schema = json.loads((schemas.SCHEMAS / f"{place}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"]
    assert schema["description"]


@pytest.mark.plain
def test_output_with_an_unknown_a_missing_or_a_wrong_field_is_refused():
    sound = {"schema": 1, "source": "runs/a", "backend": "jax", "metrics": {"loss": 0.5}}
    schemas.validate_output(["evaluate", "runs/a", "--json"], json.dumps(sound))
    for unsound in (sound | {"other": 1}, {**sound, "metrics": {"loss": "low"}}, {"schema": 1}):
        with pytest.raises(AssertionError, match="commands/evaluate"):
            schemas.validate("commands/evaluate", unsound)


@pytest.mark.one_environment
@pytest.mark.parametrize("name", ["striding", "lstm"])
def test_the_files_of_a_run_follow_their_schemas(saved_runs, name):
    schemas.validate("files/run", json.loads((saved_runs[name] / "run.json").read_text()))
    for line in (saved_runs[name] / "history.jsonl").read_text().splitlines():
        schemas.validate("files/history", json.loads(line))
