"""Recommends the fastest backend for a recipe on this machine, and remembers it for `--backend auto`.

A model of one's own is remembered by the content of its file, wherever the file is: once it is changed, another backend
may be faster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..storage.atomic import write_json
from ..storage.regular_file import sha256_of
from ..storage.user_cache import user_cache
from .results import STEADY, Results

FILE = "backends.json"


@dataclass(frozen=True)
class Recommendation:
    """The fastest backend for a recipe.

    Attributes:
        recipe, backend, device: the recipe, and where it is fastest.
        seconds: the seconds of its median epoch.
        second: the next fastest backend; None when there is no other.
        ratio, low, high: the time of the second relative to the fastest, with its interval.
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
    """Return the fastest backend for each recipe that the suite `epochs` has measured."""
    steady = sorted(results.find(metric=STEADY), key=lambda row: row["median"])
    recommendations = []
    for recipe in dict.fromkeys(row["recipe"] for row in steady):
        best, *others = (row for row in steady if row["recipe"] == recipe)
        where = (recipe, best["backend"], best["device"], best["median"])
        comparison = _ratio(results, best, others[0]) if others else None
        recommendations.append(Recommendation(*where, **comparison) if comparison else Recommendation(*where))
    return recommendations


def remember(recommendations: list[Recommendation]) -> Path:
    """Save recommendations for `recommended_backend`, beside those of other recipes; return the file.

    Raises:
        OutputError: the file cannot be written.
    """
    path = _path()
    write_json(
        path,
        {
            **_read_recommendations(path),
            **{_key(recommendation.recipe): asdict(recommendation) for recommendation in recommendations},
        },
    )
    return path


def recommended_backend(recipe: str) -> str:
    """Return the backend that was measured to be fastest for a recipe on this machine.

    Raises:
        OptionError: the recipe was never measured, or its file has changed since.
    """
    recommendation = _read_recommendations(_path()).get(_key(recipe))
    if not isinstance(recommendation, dict) or "backend" not in recommendation:
        is_file = _key(recipe) != recipe
        raise OptionError(
            f"`backend` auto: it is not known yet which backend is fastest for {recipe} here; "
            f"run: trivium bench epochs --{'model' if is_file else 'recipes'} {recipe} --recommend"
        )
    return str(recommendation["backend"])


def _ratio(results: Results, best: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the time of the other relative to the best, in whichever direction the ratio was measured."""
    one, two = ((row["backend"], row["device"]) for row in (best, other))
    for ratio in results.ratios:
        if ratio["recipe"] != best["recipe"]:
            continue
        sides = list(zip(_sides(ratio["backend"]), _sides(ratio["device"]), strict=True))
        if sides == [two, one]:
            return {"second": ratio["of"], **{name: ratio[name] for name in ("ratio", "low", "high")}}
        if sides == [one, two]:
            inverse = {"ratio": 1 / ratio["ratio"], "low": 1 / ratio["high"], "high": 1 / ratio["low"]}
            return {"second": ratio["over"], **inverse}
    return None


def _sides(value: str) -> list[str]:
    sides = value.split(" ÷ ")
    return sides if len(sides) == 2 else sides * 2


def _key(recipe: str) -> str:
    """Return the name of a recipe; of a model in a file the SHA-256 of the file, with the function."""
    place, colon, function = recipe.partition(":")
    return f"sha256:{sha256_of(Path(place))}{colon}{function}" if Path(place).is_file() else recipe


def _path() -> Path:
    return user_cache() / FILE


def _read_recommendations(path: Path) -> dict[str, Any]:
    try:
        recommendations = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return recommendations if isinstance(recommendations, dict) else {}
