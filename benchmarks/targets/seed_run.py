"""One training to a target: a seed on a backend, and how long it took."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...errors import DataError


@dataclass(frozen=True)
class SeedRun:
    """One training to a target. Its JSON has the same keys.

    Attributes:
        backend, device: where it was trained.
        seed: of initial weights, batch order, dropout and augmentation.
        reached: whether the metric reached the target.
        epochs: the number of epochs to the target; all that were trained if it was not reached.
        seconds: from the beginning of the first epoch to the end of the last of them, compilation and validation
            included.
        compile: the part of `seconds` by which the first epoch was longer than the later ones; None if there was one.
        initialization: seconds from the prepared data to the first epoch, which are no part of `seconds`: building the
            model, choosing the epoch plan.
        joules: what the CPU packages took in `seconds`; None if they do not tell, or the backend computes elsewhere.
        value: of the metric when it reached the target, else the best one; None if none was finite.
    """

    backend: str
    device: str
    seed: int
    reached: bool
    epochs: int
    seconds: float
    compile: float | None
    initialization: float
    joules: float | None
    value: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> SeedRun:
        """Return the run that `to_json` wrote.

        Raises:
            DataError: the record is none of a run.
        """
        names = {each.name for each in fields(cls)}
        if not isinstance(record, dict) or record.keys() != names or not isinstance(record["seconds"], int | float):
            raise DataError(f"expected a run with {', '.join(sorted(names))}, received {str(record)[:60]}")
        return cls(**record)


def compile_seconds(epoch_ends: Sequence[float]) -> float | None:
    """Return by how many seconds the first epoch is longer than the median of the later ones; None if it is alone.

    Args:
        epoch_ends: seconds from the beginning of the first epoch to the end of each.
    """
    if len(epoch_ends) < 2:
        return None
    later = [end - begin for begin, end in itertools.pairwise(epoch_ends)]
    return max(0.0, epoch_ends[0] - statistics.median(later))
