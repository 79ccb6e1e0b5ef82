"""When a text model writes texts while it trains, and which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ...errors import OptionError
from ...functions import require_known

FILE_NAME = "samples.txt"


@dataclass(frozen=True)
class SampleSettings:
    """When texts are written, and which.

    Attributes:
        every: after every how many epochs; the last epoch is always one.
        temperatures: as in `trivium generate`, one text for each.
        length: the number of letters or words to add to a window of the training text.
    """

    every: int = 1
    temperatures: tuple[float, ...] = (0.5, 1.0, 1.5)
    length: int = 200

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the settings over their defaults; `temperatures` may be one number, several, or a text `0.5+1`.

        Raises:
            OptionError: a setting that is unknown or out of range.
        """
        values = {**vars(cls()), **settings}
        require_known("`samples`", settings, list(vars(cls())))
        for name in ("every", "length"):
            if not isinstance(values[name], int) or isinstance(values[name], bool) or values[name] < 1:
                raise OptionError(f"`samples`: {name} must be a whole number of 1 or more, received {values[name]!r}")
        return cls(values["every"], _temperatures(values["temperatures"]), values["length"])


def _temperatures(value: Any) -> tuple[float, ...]:
    parts = value.split("+") if isinstance(value, str) else value
    numbers: Sequence[Any] = parts if hasattr(parts, "__iter__") else [parts]
    try:
        temperatures = tuple(float(each) for each in numbers)
    except (TypeError, ValueError):
        temperatures = ()
    if not temperatures or not all(0 <= each < math.inf for each in temperatures):
        raise OptionError(
            f"`samples`: temperatures must be numbers of 0 or more, such as 0.5+1+1.5, received {value!r}"
        )
    return temperatures
