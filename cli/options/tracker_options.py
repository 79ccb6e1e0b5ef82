"""Where runs are sent to: `--log` while they train, `--to` afterwards."""

from __future__ import annotations

import click

log_option = click.option(
    "--log",
    multiple=True,
    metavar="TRACKERS",
    help="Send the run to mlflow, wandb or tensorboard: one or several, each with its arguments: "
    "mlflow:uri=http://host:5000,experiment=digits,artifacts=true. Export it later with `trivium runs export`.",
)
