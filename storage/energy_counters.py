"""The energy that the CPU packages of this machine take, from the counters that Linux has of them (powercap, RAPL).

A counter holds the microjoules of a whole package, whichever process they are spent for, and wraps around at a limit
that stands beside it. Processors of Intel and AMD have one for each package; virtual machines mostly have none. What
lies below a package (cores, memory) is part of it or not told apart, and is left out, and so is the platform (`psys`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
_ENERGY, _RANGE = "energy_uj", "max_energy_range_uj"
# No package takes more. In an interval that is long enough for a whole round of a counter at this power, nobody knows
# how often it wrapped around.
_MOST_WATTS = 600.0


@dataclass(frozen=True)
class _Package:
    """The counter of a package: its folder, and the microjoules at which it wraps around."""

    folder: Path
    range: int

    def microjoules(self) -> int:
        return _number(self.folder / _ENERGY)


class EnergyMeter:
    """Measures the energy of all CPU packages together.

    Args:
        folder: where the counters are.
        clock: returns seconds.

    Attributes:
        why_not: why nothing can be measured here, and what would help; empty where it can.
    """

    def __init__(self, folder: Path = POWERCAP, clock: Callable[[], float] = time.monotonic):
        self._packages: list[_Package] = []
        self._clock = clock
        self.why_not = ""
        try:
            self._packages = list(_packages(folder))
            for package in self._packages:
                package.microjoules()
        except PermissionError as error:
            self.why_not = (
                f"only root may read {error.filename}: sudo chmod a+r {folder}/intel-rapl:*/{_ENERGY} opens the "
                "counters to all users until the machine is restarted"
            )
        except (OSError, ValueError) as error:
            self.why_not = f"the energy counters in {folder} cannot be read: {error}"
        else:
            if not self._packages:
                self.why_not = f"this machine has no energy counter of a CPU package in {folder}"
        self.start()

    def start(self) -> None:
        """Begin an interval."""
        self._began, self._readings = self._clock(), self._read()

    def lap(self) -> float | None:
        """Return the joules since the interval began, and begin the next one.

        None if they cannot be measured, or if the interval was so long that a counter may have gone round as a whole.
        """
        began, before = self._began, self._readings
        self.start()
        if before is None or self._readings is None:
            return None
        if (self._began - began) * _MOST_WATTS > min(package.range for package in self._packages) / 1e6:
            return None
        steps = zip(self._packages, before, self._readings, strict=True)
        return sum((now - then) % (package.range + 1) for package, then, now in steps) / 1e6

    def _read(self) -> list[int] | None:
        """Return the microjoules of each package; None if they cannot be read."""
        if self.why_not:
            return None
        try:
            return [package.microjoules() for package in self._packages]
        except (OSError, ValueError):  # somebody has closed them meanwhile
            return None


def why_not() -> str:
    """Return why the energy of this machine cannot be measured; empty where it can."""
    return EnergyMeter().why_not


def _packages(folder: Path) -> Iterator[_Package]:
    for zone in sorted(folder.glob("intel-rapl:*")):
        is_outermost = zone.name.count(":") == 1
        if is_outermost and (zone / "name").read_text("utf-8").startswith("package"):
            yield _Package(zone, _number(zone / _RANGE))


def _number(path: Path) -> int:
    """Return the number in a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: there is no number above or at 0 in it.
    """
    text = path.read_text("utf-8").strip()
    if not text.isdecimal():
        raise ValueError(f"{path.name} holds {text[:20]!r}, not a number of microjoules")
    return int(text)
