"""Whether more or less of a metric is better: said by the user, else known from the metrics of the compiled model."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...errors import OptionError
from ...functions import suggest

MAX, MIN, AUTO = "max", "min", "auto"
MODES = (AUTO, MAX, MIN)


def require_mode(option: str, mode: str) -> None:
    """Raise an OptionError unless this is one of `MODES`."""
    if mode not in MODES:
        raise OptionError(f"{option}: mode must be {', '.join(MODES)}, received {mode!r}")


def resolve(option: str, monitor: str, mode: str, known: Mapping[str, str | None]) -> str:
    """Return `max` or `min`: which values of the monitored metric are better.

    Args:
        option: what monitors it, for messages.
        monitor: the name of the metric, with `val_` for that of the validation.
        mode: one of `MODES`.
        known: by the metric's name, as `metric_directions` returns it.

    Raises:
        OptionError: nobody knows the direction.
    """
    require_mode(option, mode)
    if mode != AUTO:
        return mode
    name = monitor.removeprefix("val_")
    if name not in known:
        names = [*known, *(f"val_{metric}" for metric in known)]
        raise OptionError(
            f"{option}: the model is compiled with no metric {name!r} (it has: {', '.join(known)})"
            f"{suggest(monitor, names)}; for one that it logs by itself add mode=max or mode=min"
        )
    direction = known[name]
    if direction is None:
        raise OptionError(
            f"{option}: Keras does not know whether more of {monitor} is better: add mode=max or mode=min"
        )
    return direction


def is_better(direction: str, value: float, than: float) -> bool:
    """Return whether a value is better than another; every number is better than NaN.

    Args:
        direction: `max` or `min`.
    """
    if math.isnan(than):
        return not math.isnan(value)
    return value > than if direction == MAX else value < than
