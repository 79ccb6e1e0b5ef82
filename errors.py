"""The errors that trivium raises on purpose, below every other module so that each floor can raise them.

A `TriviumError` is something that the user can mend: its text is one line that says what is wrong and what to do, and
the command line prints it without a traceback (exit 2). Anything else that escapes is a bug and looks like one.
"""


class TriviumError(Exception):
    """Something that the user can mend; `str(error)` is one line."""


class BackendError(TriviumError):
    """A backend that is unknown, not installed, or not the one that Keras was imported under."""


class RecipeError(TriviumError):
    """A recipe that does not exist, cannot be loaded, or does not take an option."""


class DataError(TriviumError):
    """Data that is missing, truncated, of the wrong shape or dtype, or not finite."""


class BundleError(TriviumError):
    """A bundle that is missing, truncated, altered, or from another schema."""


class OptionError(TriviumError):
    """A training option outside its range, such as zero epochs."""


class OutputError(TriviumError):
    """A place that cannot be written to: a folder of something else, no permission, a full disk."""


class WorkerError(TriviumError):
    """A worker that crashed, hung, or raised; names its backend and shows its last lines."""
