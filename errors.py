"""The errors that trivium raises on purpose. This module imports nothing of trivium, so every module can raise them.

A `TriviumError` is something that the user can fix. Its text is one line that says what is wrong and what to do, and
the command line prints it without a traceback (exit code 2). Any other exception is a bug and looks like one.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path

_BOLD = re.compile(r"\x1b\[\d+m")  # Keras prints some errors in bold, even into files and pipes
_AROUND = "Exception encountered when calling"  # Keras' heading of an error that a layer raised


def first_line(error: BaseException, limit: int | None = None) -> str:
    """Return the first line of an error's message, or its class name if the message is empty.

    Args:
        error: any error, usually a framework's.
        limit: the maximum number of characters, unlimited by default.
    """
    lines = (_BOLD.sub("", line).strip() for line in str(error).splitlines())
    meaningful = (line for line in lines if line and not line.startswith(_AROUND))
    return next(meaningful, type(error).__name__)[:limit]


class TriviumError(Exception):
    """An error that the user can fix; `str(error)` is one line.

    Example:
        >>> try:
        ...     trivium.load("runs/nothing")
        ... except trivium.TriviumError as error:
        ...     print(error)
        no bundle at runs/nothing...
    """

    def _render_traceback_(self) -> list[str]:
        """Return the lines that a notebook shows: who called trivium, and the message. `%debug` has all frames."""
        frames = traceback.extract_tb(self.__traceback__)
        house = Path(__file__).parent
        ours = (place for place, frame in enumerate(frames) if Path(frame.filename).is_relative_to(house))
        called = frames[max(0, next(ours, len(frames)) - 1) :][:1]
        return [*(f"line {frame.lineno}: {frame.line}" for frame in called), f"{type(self).__name__}: {self}"]


class BackendError(TriviumError):
    """A backend that is unknown, not installed, or not the backend that Keras was imported with."""


class RecipeError(TriviumError):
    """A recipe that does not exist, cannot be loaded, or does not take an option."""


class DataError(TriviumError):
    """Data that is missing, truncated, of the wrong shape or dtype, or not finite."""


class SampleError(DataError, ValueError):
    """Samples or labels that an estimator cannot learn from; a ValueError too, as scikit-learn expects."""


class FileError(DataError):
    """A file that is damaged, not of its stated format, or that would run code or reach other files when read."""


class BundleError(TriviumError):
    """A bundle that is missing, truncated, altered, or of another schema version."""


class PortError(TriviumError):
    """A port that is impossible: no such target, no installed tool that makes it, or a model that it cannot express."""


class CheckpointError(TriviumError):
    """A checkpoint that is missing, truncated, altered, or of another model."""


class DivergedError(TriviumError):
    """A loss that became NaN or infinite; names the step, and the first layer with such values."""


class ModelError(TriviumError):
    """A model, or its loss or a metric, that Keras or the framework cannot compute or save; names the part."""


class OptionError(TriviumError):
    """A training option outside its range, such as zero epochs."""


class OutputError(TriviumError):
    """A path that cannot be written: a folder with other content, no permission, a full disk."""


class WorkerError(TriviumError):
    """A worker that crashed, hung, or raised; names its backend and shows its last lines."""


class DistributionError(TriviumError):
    """A model that cannot be trained on several devices: no copy of it can be made."""


class ClusterError(TriviumError):
    """A Ray cluster that cannot be reached, is too small, or whose nodes lack something; or Ray is not installed."""
