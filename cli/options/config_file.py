"""`--config FILE`: options of a command from a file, by the names that they have on the command line.

The file is YAML, TOML or JSON, or the `run.json` of a run. What is typed on the command line counts before it. A list
of values for an option that takes one is a sweep: `trivium search` tries each of them.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ...errors import FileError, OptionError, OutputError
from ...functions import suggest
from ...storage import safe_json, safe_yaml
from ...storage.budget import DOCUMENT
from .resume_options import as_json_value

Command = TypeVar("Command", bound=Callable[..., Any])

_PRINTED = f"{__name__}.printed"  # in the context of a command: whether its options are to be printed
# The option of a search that names values to try, and the options of training that it may try in a file by a list.
_GRID = "grid"
_SWEPT = ("epochs", "batch_size", "optimizer", "learning_rate")
_ENDINGS = ".yaml, .yml, .toml or .json"
# These are the user's decision at each call.
_NEVER_IN_A_FILE = ("trust", "config", "print_config", "debug", "help")


def config_options(command: Command) -> Command:
    """Add --config and --print-config to a command."""

    @functools.wraps(command)
    def run(*arguments: Any, **keywords: Any) -> Any:
        ctx = click.get_current_context()
        if ctx.meta.get(_PRINTED):
            click.echo(json.dumps(shown(ctx), indent=2, ensure_ascii=False))
            return None
        return command(*arguments, **keywords)

    config = click.option(
        "--config",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help=f"Options from a file ({_ENDINGS}), by their names here; or the run.json of a run. What is typed here "
        "counts before it.",
    )
    print_config = click.option(
        "--print-config",
        is_flag=True,
        expose_value=False,
        callback=lambda ctx, _, is_set: ctx.meta.update({_PRINTED: is_set}),
        help="Print all options that are set, as a file for --config, and do nothing.",
    )
    return config(print_config(run))  # type: ignore[return-value]


def _read_config(ctx: click.Context, _: click.Parameter, file: str | None) -> None:
    """Make the values of a file the defaults of the command."""
    if file is not None:
        path = Path(file)
        parameters = _by_name(ctx.command)
        values = _values(path)
        if unknown := [name for name in values if name.replace("_", "-") not in parameters]:
            raise OptionError(
                f"{path} has no option of {ctx.info_name} in {unknown[0]!r}"
                f"{suggest(unknown[0].replace('_', '-'), list(parameters))}"
            )
        by_parameter = {parameters[name.replace("_", "-")]: value for name, value in values.items()}
        typed = {each.name or "": _as_typed(each, value) for each, value in _one_valued(by_parameter).items()}
        ctx.default_map = {**(ctx.default_map or {}), **typed, **_swept(ctx, path, by_parameter, typed)}


def _is_list_of_values(parameter: click.Parameter, value: Any) -> bool:
    """Return whether a file names several values of an option that takes one."""
    takes_one = parameter.name in _SWEPT or not isinstance(parameter.type, click.types.StringParamType)
    return isinstance(value, list) and takes_one and not getattr(parameter, "multiple", False) and parameter.nargs == 1


def _one_valued(values: Mapping[click.Parameter, Any]) -> dict[click.Parameter, Any]:
    return {each: value for each, value in values.items() if not _is_list_of_values(each, value)}


def _swept(
    ctx: click.Context, path: Path, values: Mapping[click.Parameter, Any], typed: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return the grid of a command that has one, with each option of several values as a further line.

    Args:
        values: those in the file.
        typed: the options of one value each, and the grid in the file, as they are typed.

    Raises:
        OptionError: the command tries one value of an option only.
    """
    several = {each: value for each, value in values.items() if _is_list_of_values(each, value)}
    has_grid = any(parameter.name == _GRID for parameter in ctx.command.params)
    for parameter, value in several.items():
        if parameter.name not in _SWEPT or not has_grid:
            raise OptionError(
                f"{path}: {_name_of(parameter)} takes one value in {ctx.info_name}, received {len(value)}: "
                "`trivium search` tries several of a model's options and those of its training"
            )
    lines = [f"{each.name}={_text(value)}" for each, value in several.items()]
    return {_GRID: [*typed.get(_GRID, []), *lines]} if lines else {}


def _by_name(command: click.Command) -> dict[str, click.Parameter]:
    """Return the parameters of a command by the names that a file may use: the option, or what records call it."""
    names: dict[str, click.Parameter] = {}
    for parameter in command.params:
        if parameter.name in _NEVER_IN_A_FILE:
            continue
        for name in (_name_of(parameter), parameter.name or ""):
            names[name.replace("_", "-")] = parameter
    return names


def _name_of(parameter: click.Parameter) -> str:
    """Return the name of an option without its dashes; of an argument its own."""
    return max(parameter.opts, key=len).lstrip("-")


def _values(path: Path) -> dict[str, Any]:
    """Return the mapping in a file; of a run, the options that it was started with.

    Raises:
        FileError: the file cannot be read, or is none of options.
        OptionError: a run would decide about code, or about files outside of its folder.
    """
    from ...engine.runs.run_record import RECORD

    content = _of_run(path) if path.name == RECORD else _parse(path)
    if not isinstance(content, dict):
        raise FileError(f"{path} is no file of options: expected lines `option: value`")
    return {str(name): value for name, value in content.items() if value is not None}


def _of_run(path: Path) -> dict[str, Any]:
    from ...engine.runs.resume_rules import previous_arguments
    from ...engine.runs.run_record import read_record

    try:
        record = read_record(path.parent)
    except OutputError as error:
        raise FileError(f"{error}; options of your own need a file of another name") from error
    return previous_arguments(path.parent, record, {})


def _parse(path: Path) -> Any:
    ending = path.suffix.lower()
    if ending == ".json":
        return safe_json.read(path)
    content = safe_json.read_bytes(path, max_size=DOCUMENT.size)
    if ending in (".yaml", ".yml"):
        return safe_yaml.parse(content, str(path))
    if ending != ".toml":
        raise FileError(f"{path}: expected a file of options in {_ENDINGS}")
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileError(f"{path} is not TOML: {error}") from error


def _as_typed(parameter: click.Parameter, value: Any) -> Any:
    """Return a value as it is typed: a mapping as `a=1,b=2`, or its entries where an option may be repeated."""
    if getattr(parameter, "multiple", False):
        return [_text(each) for each in _items(value)]
    if isinstance(value, (dict, list)):
        return ",".join(map(_text, _items(value)))
    return value


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return [f"{name}={_text(each)}" for name, each in value.items()]
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """Return a value as it is typed; lists within a list keep their brackets."""
    if isinstance(value, list):
        return ",".join(json.dumps(each) if isinstance(each, list) else _text(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(ctx: click.Context) -> dict[str, Any]:
    """Return all options of a command that are set, by their names on the command line, as JSON values."""
    return {
        _name_of(parameter): as_json_value(ctx.params[parameter.name or ""])
        for parameter in ctx.command.params
        if parameter.name not in (*_NEVER_IN_A_FILE, "as_json", "resume", "explain")
        and _is_set(parameter, ctx.params.get(parameter.name or ""))
    }


def _is_set(parameter: click.Parameter, value: Any) -> bool:
    if value is False:  # --no-shuffle was typed; a flag without such a twin was not
        return bool(parameter.secondary_opts)
    return value is not None and value not in ("", ())
