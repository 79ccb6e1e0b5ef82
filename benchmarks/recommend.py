"""Which backend to take for a recipe on this machine: said in a line, and remembered for `--backend auto`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..storage.atomic import write_json
from .results import STEADY, Results

FILE = "backends.json"


@dataclass(frozen=True)
class Recommendation:
    """The fastest backend for a recipe.

    Attributes:
        recipe, backend, device: which, and where.
        seconds: of its median epoch.
        second: the next fastest, or None when there is no other.
        ratio, low, high: how many times as long that one takes, with its interval.
    """

    recipe: str
    backend: str
    device: str
    seconds: float
    second: str | None = None
    ratio: float = 1.0
    low: float = 1.0
    high: float = 1.0

    def __str__(self) -> str:
        here = f"{self.recipe}: take {self.backend} on the {self.device}, {self.seconds:.3g} s an epoch"
        if self.second is None:
            return f"{here} (nothing else was measured)"
        interval = f"[{self.low:.2f}, {self.high:.2f}]"
        if self.low <= 1:
            return f"{here}; no difference from {self.second} was found {interval}"
        return f"{here}, {self.ratio:.2f} × as fast as {self.second} {interval}"


def recommend(results: Results) -> list[Recommendation]:
    """The fastest backend for each recipe that the suite `epochs` has measured."""
    steady = sorted(results.find(metric=STEADY), key=lambda row: row["median"])
    found = []
    for recipe in dict.fromkeys(row["recipe"] for row in steady):
        best, *others = (row for row in steady if row["recipe"] == recipe)
        where = (recipe, best["backend"], best["device"], best["median"])
        compared = _ratio(results, best, others[0]) if others else None
        found.append(Recommendation(*where, **compared) if compared else Recommendation(*where))
    return found


def remember(found: list[Recommendation]) -> Path:
    """Keep them for `recommended`, beside those of other recipes; the file.

    Raises:
        OutputError: it cannot be written.
    """
    path = _path()
    write_json(path, {**_remembered(path), **{each.recipe: asdict(each) for each in found}})
    return path


def recommended(recipe: str) -> str:
    """The backend that was found fastest for a recipe on this machine.

    Raises:
        OptionError: it was never measured.
    """
    found = _remembered(_path()).get(recipe)
    if not isinstance(found, dict) or "backend" not in found:
        raise OptionError(
            f"--backend auto: it is not known yet which backend is fastest for {recipe} here; "
            f"run: trivium bench epochs --recipes {recipe} --recommend"
        )
    return str(found["backend"])


def _ratio(results: Results, best: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any] | None:
    """How many times as long the other takes, in whichever direction it was measured."""
    one, two = ((row["backend"], row["device"]) for row in (best, other))
    for found in results.ratios:
        if found["recipe"] != best["recipe"]:
            continue
        sides = list(zip(_sides(found["backend"]), _sides(found["device"]), strict=True))
        if sides == [two, one]:
            return {"second": found["of"], **{name: found[name] for name in ("ratio", "low", "high")}}
        if sides == [one, two]:
            turned = {"ratio": 1 / found["ratio"], "low": 1 / found["high"], "high": 1 / found["low"]}
            return {"second": found["over"], **turned}
    return None


def _sides(value: str) -> list[str]:
    sides = value.split(" ÷ ")
    return sides if len(sides) == 2 else sides * 2


def _path() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trivium" / FILE


def _remembered(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
