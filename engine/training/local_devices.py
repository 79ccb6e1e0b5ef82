"""The devices that a run trains on together: acquired before the run, and released after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ...backends import runtime
from ...backends.device_group import DeviceGroup
from ...errors import OptionError
from ..epochs.precision import FLOAT64


class LocalDevices:
    """The devices of a run.

    Args:
        count: how many devices of this machine.
        group: devices of other machines, which take the place of this machine's.
    """

    def __init__(self, count: int, group: DeviceGroup | None):
        self._count = count
        self._remote = group
        self._local: DeviceGroup | None = None

    @property
    def several(self) -> bool:
        """Whether the run trains on more than one device."""
        return self._count > 1 or self._remote is not None

    def require_compatible(self, rng: str, plan: str, precision: str | None) -> None:
        """Raise an OptionError if several devices do not go with the other options."""
        if self._count < 1:
            raise OptionError(f"devices must be 1 or more, received {self._count}")
        if not self.several:
            return
        if rng != "owned":
            raise OptionError(
                "several devices need `rng` owned: with native generators, each would draw masks for a whole batch"
            )
        if plan not in ("auto", "devices"):
            raise OptionError(f"`plan` {plan} works on one device only: leave out `plan`, or `devices`")
        if precision == FLOAT64:
            raise OptionError(f"`precision` {precision} works on one device only: leave out `precision`, or `devices`")

    def group(self) -> DeviceGroup | None:
        """Return the devices that train together, or None for one device.

        Raises:
            BackendError: this machine has fewer devices.
        """
        if self._local is None and self._remote is None and self.several:
            self._local = runtime.current().device_group(self._count)
        return self._remote or self._local

    @contextlib.contextmanager
    def acquire(self) -> Iterator[None]:
        """Acquire the devices, and release those of this machine when the block ends."""
        self.group()
        try:
            yield
        finally:
            if self._local:
                self._local.close()
                self._local = None
