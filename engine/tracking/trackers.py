"""The tracker of each destination. The package of a tracker is imported only when a run is sent to it."""

from __future__ import annotations

from pathlib import Path

from .destination import MLFLOW, WANDB, Destination
from .tracker import Tracker


def open_tracker(destination: Destination, folder: Path | None) -> Tracker:
    """Return the tracker of a destination; imports its package.

    Args:
        destination: which tracker, with its arguments.
        folder: of the run; None if it has none.

    Raises:
        OptionError: the destination lacks something that this tracker needs.
        OutputError: the tracker writes into a folder that cannot be written to.
    """
    if destination.tracker == MLFLOW:
        from .mlflow_tracker import MlflowTracker

        return MlflowTracker(destination.arguments)
    if destination.tracker == WANDB:
        from .wandb_tracker import WandbTracker

        return WandbTracker(destination.arguments)
    from .tensorboard_tracker import TensorBoardTracker

    return TensorBoardTracker(destination.arguments, folder)
