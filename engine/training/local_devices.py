"""The devices that a run trains on together: found before it begins, and let go when it has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ...backends import runtime
from ...backends.device_group import Group
from ...errors import OptionError
from ..epochs.precision import FLOAT64


class Spreading:
    """What a run was asked to train on.

    Args:
        count: how many devices of this machine.
        group: the devices themselves, where they are not this machine's.
    """

    def __init__(self, count: int, group: Group | None):
        self._count = count
        self._given = group
        self._found: Group | None = None

    @property
    def several(self) -> bool:
        """Whether it is more than the one device that there always is."""
        return self._count > 1 or self._given is not None

    def require_possible(self, rng: str, plan: str, precision: str | None) -> None:
        """Raise an OptionError where other options forbid it."""
        if self._count < 1:
            raise OptionError(f"devices must be 1 or more, received {self._count}")
        if not self.several:
            return
        if rng != "owned":
            raise OptionError("several devices need --rng owned: each would draw the masks of a whole batch of its own")
        if plan not in ("auto", "devices"):
            raise OptionError(f"--plan {plan} is for one device: leave it out, or --devices")
        if precision == FLOAT64:
            raise OptionError(f"--precision {precision} is for one device: leave it out, or --devices")

    def find(self) -> Group | None:
        """The devices that train together, None for one.

        Raises:
            BackendError: there are fewer than were asked for.
        """
        if self._found is None and self._given is None and self.several:
            self._found = runtime.current().group(self._count)
        return self._given or self._found

    @contextlib.contextmanager
    def found(self) -> Iterator[None]:
        """Find them, and let go of those that are ours when it is over."""
        self.find()
        try:
            yield
        finally:
            if self._found:
                self._found.close()
                self._found = None
