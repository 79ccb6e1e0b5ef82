"""The probability above which the second of two classes is predicted: checked, and taken from the record of a run."""

from __future__ import annotations

from ...data.dataset import Labels
from ...errors import OptionError
from .bundle import Bundle


def in_force(bundle: Bundle, threshold: float | None) -> float | None:
    """Return the given threshold, else that of the bundle's training; None for the more probable of two classes.

    Raises:
        OptionError: it is no probability, or the bundle's model does not tell two classes apart.
    """
    if threshold is None:
        recorded = bundle.run.get("settings", {}).get("threshold")  # a bundle need not be of a run
        return recorded if isinstance(recorded, float) and 0 < recorded < 1 else None
    check(threshold)
    require_two_classes(bundle.labels)
    return threshold


def check(threshold: float) -> None:
    """Raise an OptionError unless this is a probability between 0 and 1."""
    if not 0 < threshold < 1:
        raise OptionError(f"`threshold` must be a probability between 0 and 1, received {threshold:g}")


def require_two_classes(labels: Labels) -> None:
    """Raise an OptionError unless an output tells two classes apart."""
    counts: list[int] = list(map(len, labels.values())) if isinstance(labels, dict) else [len(labels)]
    if 2 not in counts:
        most = max(counts, default=0)
        received = f"{most} classes" if most else "values, no classes"
        raise OptionError(f"`threshold` decides between two classes, but the data have {received}: leave it out")
