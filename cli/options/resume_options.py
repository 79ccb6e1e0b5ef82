"""The command line of a run, recorded so that its options need not be repeated with `--resume`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ...backends import catalog
from ...errors import OptionError

# These say how the command runs, not what it trains.
_NOT_RECORDED = ("out", "resume", "as_json", "backend", "threads", "explain", "workers", "address")

_SET_BY_USER = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)


def from_command_line(ctx: click.Context) -> dict[str, Any]:
    """Return the parameters that were set on the command line or by --config, as JSON values."""
    return {
        name: as_json_value(value)
        for name, value in ctx.params.items()
        if name not in _NOT_RECORDED and ctx.get_parameter_source(name) in _SET_BY_USER
    }


def complete(ctx: click.Context, folder: Path, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Add the recorded parameters of the run in a folder that are not set now, and select its backend again.

    Recorded values are checked like those on the command line.

    Returns:
        All parameters of the run, as JSON values.

    Raises:
        OutputError, OptionError: there is no run in the folder, or its record has an invalid value.
    """
    from ...engine.runs import resume_rules
    from ...engine.runs.run_record import read_record

    record = read_record(folder)
    before = resume_rules.previous_arguments(folder, record, arguments)
    for parameter in ctx.command.params:
        if parameter.expose_value and parameter.name in before and parameter.name not in _NOT_RECORDED:
            try:
                ctx.params[parameter.name] = parameter.type_cast_value(ctx, before[parameter.name])
            except (click.BadParameter, TypeError) as error:
                raise OptionError(f"{folder}: the run's record asks for {parameter.name}: {error}") from error
    environment = record.get("environment")
    if not ctx.params["backend"] and catalog.BACKEND_VARIABLE not in os.environ and isinstance(environment, dict):
        ctx.params["backend"] = str(environment.get("backend"))
    return {**before, **arguments}


def as_json_value(value: Any) -> Any:
    """Return the value of a parameter as JSON has it: tuples are lists, and paths text."""
    if isinstance(value, tuple):
        return [as_json_value(each) for each in value]
    return str(value) if isinstance(value, Path) else value
