"""What a bundle from a stranger may do when it is used: its labels, preparation and model may not fit together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ...data.dataset import labels_of
from ...errors import BundleError, TriviumError, first_line
from ..bundles.bundle import Bundle
from ..bundles.consistency import require_class_count
from ..keras_model.interface import output_names


def require_labels(bundle: Bundle) -> None:
    """Raise a BundleError unless each output with classes has a value for each of them, or one for two."""
    several = len(bundle.model.outputs) > 1
    for name, output in zip(output_names(bundle.model), bundle.model.outputs, strict=True):
        labels = labels_of(bundle.labels, name) if several or isinstance(bundle.labels, dict) else bundle.labels
        require_class_count(name, tuple(output.shape), len(labels))


@contextlib.contextmanager
def as_bundle_errors(what: str) -> Iterator[None]:
    """Tell what a framework or NumPy raises because of what a bundle holds as a BundleError.

    Args:
        what: what could not be done, for the message.
    """
    try:
        yield
    except (TriviumError, MemoryError):
        raise
    except Exception as error:  # a file decides what is computed, so anything may be raised
        raise BundleError(f"{what}: {type(error).__name__}: {first_line(error, 200)}") from error
