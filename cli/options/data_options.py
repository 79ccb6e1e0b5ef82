"""`--data`, and the options that say how it is read. The command receives one name, with settings after it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...data import data_name
from ...data.columns import TASKS
from ...errors import OptionError

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = {
    "target": click.option(
        "--target",
        metavar="COLUMN",
        help="Column of a table to predict, or several: price,rent. Default: label, class, target or y; else the last.",
    ),
    "task": click.option(
        "--task",
        type=click.Choice(TASKS),
        help="What the --target of a table is. Default: classes are words, and integers of which few differ.",
    ),
    "window": click.option(
        "--window", metavar="N", help="--data is a time series: predict what follows N rows of it, from these rows."
    ),
    "horizon": click.option("--horizon", metavar="N", help="Rows after a window to predict. Default: 1."),
    "stride": click.option("--stride", metavar="N", help="Rows from one window to the next. Default: 1."),
    "key": click.option("--key", metavar="COLUMN", help="Column that tells several time series apart."),
    "time": click.option("--time", metavar="COLUMN", help="Column of numbers or dates to sort a time series by."),
    "test": click.option(
        "--test",
        metavar="FILE",
        help="Test on all samples of this file, which is read as --data is.",
    ),
    "test_share": click.option(
        "--test-share", metavar="SHARE", help="Share of --data to test on, where it has no test part. Default: 0.2."
    ),
    "part": click.option(
        "--part", metavar="SHARE", help="Train on a share of the training samples, chosen evenly by class: 0.1."
    ),
    "size": click.option(
        "--size", metavar="HEIGHTxWIDTH", help="Bring the pictures of --data to one size, such as 64x64; see --fit."
    ),
    "fit": click.option(
        "--fit",
        metavar="resize|crop|pad",
        help="How pictures get other proportions: changed (resize, the default), cut off, or with a white border.",
    ),
    "skip_broken": click.option(
        "--skip-broken", is_flag=True, help="Leave out the pictures of --data that cannot be read."
    ),
}
_DATA = click.option(
    "--data",
    metavar="NAME|FILE",
    help="Dataset (mnist, waves:0, …), .npz or .safetensors file, table (.csv, .parquet), folder of .npy files or "
    "pictures, or file.py:function that returns arrays or a stream of batches.",
)


def data_options(command: Command) -> Command:
    """Add `--data` and the options that say how it is read; the command's `data` is a name with its settings."""
    return _DATA(reading_options(command))


def reading_options(command: Command, name: str = "data") -> Command:
    """Add the options that say how data are read, to a command that has a parameter `name` for the data."""

    @functools.wraps(command)
    def composed(**values: Any) -> Any:
        params = click.get_current_context().params
        settings = {key: value for key in _OPTIONS if (value := params.pop(key)) not in (None, False)}
        if settings and not values[name]:
            option = next(iter(settings)).replace("_", "-")
            raise OptionError(f"--{option} says how data are read: add --data FILE")
        if settings:
            params[name] = data_name.compose(values[name], settings)
        return command(**params)

    for option in reversed(_OPTIONS.values()):
        composed = option(composed)
    return composed  # type: ignore[return-value]
