"""The table of checks that `verify`, `compare` and `transfer` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .common import table

if TYPE_CHECKING:
    from rich.table import Table

    from ..engine.verification.tolerances import BackendCheck


def check_table(checks: Sequence[BackendCheck], *, with_backends: bool = False) -> Table:
    """Return a table of what was compared, and how far it differs.

    Args:
        with_backends: whether to name the backends of each check.
    """
    columns = ("", "compared", *(["backends"] if with_backends else []), "difference", "allowed", "where")
    shown = table(*columns, right=("difference", "allowed"))
    for check in checks:
        backends = [" ".join(dict.fromkeys(check.backends))] if with_backends else []
        values = (f"{check.difference:.1e}", f"{check.tolerance:.0e}")
        shown.add_row("" if check.passed else "✗", check.what, *backends, *values, check.where)
    return shown
