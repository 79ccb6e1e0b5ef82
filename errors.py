"""The errors that trivium raises on purpose, below every other module so that each floor can raise them.

A `TriviumError` is something that the user can mend: its text is one line that says what is wrong and what to do, and
the command line prints it without a traceback (exit 2). Anything else that escapes is a bug and looks like one.
"""

from __future__ import annotations

import re

_BOLD = re.compile(r"\x1b\[\d+m")  # Keras writes some of its errors so, into files and pipes too
_AROUND = "Exception encountered when calling"  # what Keras puts before the error that a layer raised


def first_line(error: BaseException, longest: int | None = None) -> str:
    """What an error says, in a line; its class where it says nothing.

    Args:
        error: any, a framework's for the most part.
        longest: characters that are kept, all by default.
    """
    lines = (_BOLD.sub("", line).strip() for line in str(error).splitlines())
    said = (line for line in lines if line and not line.startswith(_AROUND))
    return next(said, type(error).__name__)[:longest]


class TriviumError(Exception):
    """Something that the user can mend; `str(error)` is one line."""


class BackendError(TriviumError):
    """A backend that is unknown, not installed, or not the one that Keras was imported under."""


class RecipeError(TriviumError):
    """A recipe that does not exist, cannot be loaded, or does not take an option."""


class DataError(TriviumError):
    """Data that is missing, truncated, of the wrong shape or dtype, or not finite."""


class SampleError(DataError, ValueError):
    """Samples or labels that an estimator cannot learn from: what scikit-learn expects to be a ValueError."""


class FileError(DataError):
    """A file that is damaged, is not what it says it is, or that would do more than be read."""


class BundleError(TriviumError):
    """A bundle that is missing, truncated, altered, or from another schema."""


class PortError(TriviumError):
    """A port that cannot be: no such target, nothing here that makes it, or a model that it does not hold."""


class CheckpointError(TriviumError):
    """A checkpoint that is missing, truncated, altered, or of another model."""


class DivergedError(TriviumError):
    """A loss that became NaN or infinite; names the step, and the first layer that gave such values."""


class OptionError(TriviumError):
    """A training option outside its range, such as zero epochs."""


class OutputError(TriviumError):
    """A place that cannot be written to: a folder of something else, no permission, a full disk."""


class WorkerError(TriviumError):
    """A worker that crashed, hung, or raised; names its backend and shows its last lines."""


class SpreadError(TriviumError):
    """A model that cannot be trained on several devices: no copy of it can be made."""


class ClusterError(TriviumError):
    """A Ray cluster that cannot be reached, is too small, or whose nodes lack something; or no Ray to reach it with."""
