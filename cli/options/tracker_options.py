"""Where runs and searches are sent to: `--log`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import TriviumError
from ..common import say

if TYPE_CHECKING:
    from ...engine.tracking.destination import Destination

log_option = click.option(
    "--log",
    multiple=True,
    metavar="TRACKERS",
    help="Send it to mlflow, wandb or tensorboard: one or several, each with its arguments, such as "
    "mlflow:experiment=digits,artifacts=true. Later `trivium runs export` does it.",
)


def parse_trackers(texts: Sequence[str]) -> list[Destination]:
    """Return the trackers that the texts of `--log` name.

    Raises:
        OptionError: as `destination.parse`.
    """
    from ...engine.tracking.destination import parse

    return parse(texts) if texts else []


def export_or_warn(folder: Path, destinations: Sequence[Destination]) -> None:
    """Send what is in a folder to trackers. One that fails is a line on standard error: the folder has everything."""
    from ...engine.tracking.export import export

    for destination in destinations:
        try:
            export(folder, destination)
        except TriviumError as error:
            say(f"warning: {error}; {destination.export_command(folder)} sends it")
