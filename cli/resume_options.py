"""What a run was asked for on the command line, so that `--resume` need not be told again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..backends import catalog
from ..errors import OptionError

# How the command is run, not what is trained.
_NOT_KEPT = ("out", "resume", "as_json", "backend", "threads", "explain", "workers", "address")


def of(ctx: click.Context) -> dict[str, Any]:
    """The parameters that stood on the command line, as JSON."""
    return {
        name: _as_json(value)
        for name, value in ctx.params.items()
        if name not in _NOT_KEPT and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def complete(ctx: click.Context, folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what the run in a folder was asked for and is not asked for now, and choose its backend again.

    What is read from the folder is checked as if it stood on the command line.

    Returns:
        All that is asked for, as JSON.

    Raises:
        OutputError, OptionError: there is no run in the folder, or what it was asked for cannot be.
    """
    from ..engine.runs import resume_rules
    from ..engine.runs.run_record import read_record

    record = read_record(folder)
    before = resume_rules.previous_arguments(folder, record, given)
    for parameter in ctx.command.params:
        if parameter.expose_value and parameter.name in before and parameter.name not in _NOT_KEPT:
            try:
                ctx.params[parameter.name] = parameter.type_cast_value(ctx, before[parameter.name])
            except (click.BadParameter, TypeError) as error:
                raise OptionError(f"{folder}: the run's record asks for {parameter.name}: {error}") from error
    environment = record.get("environment")
    if not ctx.params["backend"] and catalog.SWITCH not in os.environ and isinstance(environment, dict):
        ctx.params["backend"] = str(environment.get("backend"))
    return {**before, **given}


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_as_json(each) for each in value]
    return str(value) if isinstance(value, Path) else value
