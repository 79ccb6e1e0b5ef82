"""`trivium backends`: list the backends, and show which one is used."""

from __future__ import annotations

import time
from typing import Any

import click

from ..backends import catalog
from ..backends.workers import worker
from ..errors import BackendError
from .common import common_options, console, print_json, seconds, table


@click.command()
@click.option("--probe", is_flag=True, help="Start each backend in its own process and list its devices.")
@common_options
def command(probe: bool, as_json: bool) -> None:
    """List the backends, and how to install those that are missing.

    \b
    Example:
      trivium backends --probe
    """
    rows = [_row(backend) for backend in catalog.BACKENDS]
    if probe:
        for row in rows:
            if row["installed"]:
                row.update(_probe(row["name"]))
    if as_json:
        print_json({"schema": 1, "backends": rows})
        return
    shown = table("", "backend", "version", *(("device", "threads", "start") if probe else ("",)))
    for row in rows:
        state = (row["version"] or "?") if row["installed"] else f"not installed: {row['install']}"
        probed = (row.get("device", ""), str(row.get("threads", "")), _start(row)) if probe else ("",)
        shown.add_row("▸" if row["selected"] else "", row["name"], state, *probed)
    console().print(shown)
    console().print(f"▸ marks the backend that is used unless --backend or {catalog.BACKEND_VARIABLE} names another.")


def _row(backend: catalog.Backend) -> dict[str, Any]:
    try:
        selected = catalog.selected() == backend
    except BackendError:  # none is installed, or the switch names one that is not
        selected = False
    return {
        "name": backend.name,
        "installed": backend.installed,
        "version": backend.version,
        "selected": selected,
        "install": backend.install_hint,
    }


def _probe(name: str) -> dict[str, Any]:
    from ..engine.epochs import environment

    began = time.perf_counter()
    description: dict[str, Any] = worker.get(name).call(environment.describe)
    return {
        "device": f"{description['device']} ({description['device_name']})",
        "threads": description["threads"],
        "start_seconds": time.perf_counter() - began,
        "versions": description["versions"],
    }


def _start(row: dict[str, Any]) -> str:
    return f"{seconds(row['start_seconds'])} s" if "start_seconds" in row else ""
