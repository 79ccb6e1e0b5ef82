"""Read the candidates of an earlier search, so that it goes on where it stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import OptionError, first_line
from .candidates import Candidate

# What two searches must have in common for the scores of one to hold in the other; keys of their JSON.
_THE_SAME = ("recipe", "kind", "metric", "folds", "settings", "data")


def known_candidates(earlier: Mapping[str, Any], now: Mapping[str, Any], *, training_scores: bool) -> list[Candidate]:
    """Return the candidates of the JSON of an earlier search.

    Args:
        now: the JSON of the search that begins.
        training_scores: whether only those with training scores are taken.

    Raises:
        OptionError: the earlier one scored something else, or its scores cannot be read.
    """
    changed = [name for name in _THE_SAME if earlier.get(name) != now[name]]
    if changed:
        name = changed[0]
        raise OptionError(
            f"the earlier search had other {name} ({earlier.get(name)!r}, now {now[name]!r}): begin anew, in another "
            "`out`"
        )
    try:
        known = [_candidate(row, now["folds"]) for row in earlier["rows"]]
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError(f"the earlier search has no scores that can be read: {first_line(error)}") from error
    return [candidate for candidate in known if candidate.training_scores or not training_scores]


def _candidate(row: Mapping[str, Any], folds: int) -> Candidate:
    """Return the candidate of a row of JSON."""
    tested, trained = (
        tuple(math.nan if score is None else float(score) for score in row[name])
        for name in ("scores", "training_scores")
    )
    if len(tested) != folds:
        raise ValueError(f"{len(tested)} scores of {folds} folds")
    return Candidate(dict(row["params"]), int(row["epochs"]), tested, training_scores=trained)
