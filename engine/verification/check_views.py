"""The checks of two computations as a table in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ...notebook.parts import table
from .tolerances import BackendCheck


def checks_table(checks: Sequence[BackendCheck]) -> Element:
    """Return a table of what was compared, and how far it differs; the checks that failed are marked."""
    rows = [
        [
            check.what,
            " ".join(dict.fromkeys(check.backends)),
            f"{check.difference:.1e}",
            f"{check.tolerance:.0e}",
            check.where,
        ]
        for check in checks
    ]
    header = ("compared", "between", "difference", "allowed", "where")
    failed = [not check.passed for check in checks]
    return table(header, rows, numbers=("difference", "allowed"), failed=failed)
