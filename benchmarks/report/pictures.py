"""Renders charts as PNG on white, without a browser, for a README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...backends.workers.worker import Listener
from ...engine.plots.page_libraries import altair, vl_convert
from ...storage.atomic import atomic_write
from ..cells import progress_event
from .marks import Chart
from .page import PALETTES, slug
from .results_reader import ReportPart

_WIDTH, _SCALE = 640, 2  # pixels, and the factor of the resolution
_CONFIG = {
    "background": "white",
    "padding": 12,
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12},
    "legend": {"labelFontSize": 12, "columns": 3},
    "title": {"anchor": "start", "fontSize": 14},
    "range": {"category": PALETTES["light"]},
}


def save(
    parts: Sequence[ReportPart], drawn: Sequence[Sequence[Chart]], folder: Path, listener: Listener
) -> list[dict[Path, str]]:
    """Write every chart into a folder; return the files of each part, with the charts' titles.

    Raises:
        OptionError: vl-convert is not installed.
        OutputError: a file cannot be written.
    """
    version = altair().SCHEMA_VERSION.lstrip("v").rpartition(".")[0]
    total, count = sum(map(len, drawn)), 0
    files_of_parts: list[dict[Path, str]] = []
    for number, (part, charts) in enumerate(zip(parts, drawn, strict=True), 1):
        before = f"{number}-" if len(parts) > 1 else ""
        files = {}
        for place, chart in enumerate(charts, 1):
            path = folder / f"{before}{slug(part.suite)}-{place}-{slug(chart.title)}.png"
            listener(progress_event("pictures", chart.title, count, total))
            spec = {**chart.spec, "width": _WIDTH, "title": chart.title, "config": _CONFIG}
            png = vl_convert().vegalite_to_png(spec, vl_version=version, scale=_SCALE, allowed_base_urls=[])
            with atomic_write(path) as aside:
                aside.write_bytes(png)
            files[path], count = chart.title, count + 1
        files_of_parts.append(files)
    listener(progress_event("pictures", "done", total, total))
    return files_of_parts
