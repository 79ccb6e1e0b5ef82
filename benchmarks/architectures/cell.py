"""The outcome of one port of one architecture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...porting.report import DIFFERENT, ILL_CONDITIONED, SAME, PortReport

# Beside the verdicts of a report: a clear refusal, and a process that crashed or took too long.
REFUSED, LOST = "refused", "lost"


@dataclass(frozen=True)
class Cell:
    """The outcome of one port.

    Attributes:
        row, column: the architecture's name, and the port's.
        verdict: that of the report, `REFUSED` or `LOST`.
        difference: the largest relative difference of the predictions; None if nothing was compared.
        host: the backend that wrote the port; empty if there is none.
        seconds: the time of the port, with the start of the processes that it needs.
        reason: why it was refused or lost, or how it is different.
        training: why no training step was compared; empty if one was.
    """

    row: str
    column: str
    verdict: str
    difference: float | None = None
    host: str = ""
    seconds: float = 0.0
    reason: str = ""
    training: str = ""

    @classmethod
    def of_report(cls, row: str, column: str, report: PortReport, seconds: float) -> Cell:
        """Return the cell of a port that was verified, whatever the checks say."""
        compared = bool(report.training)
        training = "" if compared else str(report.facts.get("training_not_compared") or "")
        largest = report.largest.relative
        return cls(
            *(row, column, report.verdict, largest if math.isfinite(largest) else None, report.host, seconds),
            reason="" if report.verdict == SAME else report.finding,
            training=training,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Cell:
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def passed(self) -> bool:
        """Whether the port was written."""
        return self.verdict in (SAME, ILL_CONDITIONED)

    def __str__(self) -> str:
        figure = "" if self.difference is None else f"{self.difference:.0e}"
        return {
            SAME: figure,
            ILL_CONDITIONED: f"ill-conditioned {figure}",
            DIFFERENT: f"**different** {figure}".strip(),
            REFUSED: "–",
            LOST: "**lost**",
        }[self.verdict]
