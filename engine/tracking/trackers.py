"""The tracker of each destination. The package of a tracker is imported only when a run is sent to it."""

from __future__ import annotations

from pathlib import Path

from ...errors import OptionError, TriviumError, first_line
from .destination import MLFLOW, WANDB, Destination
from .tracker import Tracker


def open_tracker(destination: Destination, folder: Path | None) -> Tracker:
    """Return the tracker of a destination; imports its package.

    Args:
        destination: which tracker, with its arguments.
        folder: of the run; None if it has none.

    Raises:
        OptionError: the destination lacks something that this tracker needs, or its package cannot be used.
        OutputError: the tracker writes into a folder that cannot be written to.
    """
    try:
        return _open(destination, folder)
    except TriviumError:
        raise
    except Exception as error:  # of the package: an import of its own, or an address that it does not take
        raise OptionError(f"`log` {destination}: {first_line(error, 200)}") from error


def _open(destination: Destination, folder: Path | None) -> Tracker:
    if destination.tracker == MLFLOW:
        from .mlflow_tracker import MlflowTracker

        return MlflowTracker(destination.arguments)
    if destination.tracker == WANDB:
        from .wandb_tracker import WandbTracker

        return WandbTracker(destination.arguments)
    from .tensorboard_tracker import TensorBoardTracker

    return TensorBoardTracker(destination.arguments, folder)
