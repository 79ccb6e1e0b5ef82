"""Charts as PNG, on white, drawn without a browser: for a README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...backends.workers.worker import Listener
from ...storage.atomic import written_whole
from ..cells import stage
from .libraries import altair, vl_convert
from .marks import Drawn
from .page import PALETTES, slug
from .reading import Part

_WIDTH, _SCALE = 640, 2  # pixels, and of these so many for one
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
    parts: Sequence[Part], drawn: Sequence[Sequence[Drawn]], folder: Path, listener: Listener
) -> list[dict[Path, str]]:
    """Write every chart into a folder; of each part the files, with the charts' titles.

    Raises:
        OptionError: vl-convert is not installed.
        OutputError: a file cannot be written.
    """
    version = altair().SCHEMA_VERSION.lstrip("v").rpartition(".")[0]
    total, made = sum(map(len, drawn)), 0
    found: list[dict[Path, str]] = []
    for number, (part, charts) in enumerate(zip(parts, drawn, strict=True), 1):
        before = f"{number}-" if len(parts) > 1 else ""
        files = {}
        for place, chart in enumerate(charts, 1):
            path = folder / f"{before}{slug(part.suite)}-{place}-{slug(chart.title)}.png"
            listener(stage("pictures", chart.title, made, total))
            spec = {**chart.spec, "width": _WIDTH, "title": chart.title, "config": _CONFIG}
            png = vl_convert().vegalite_to_png(spec, vl_version=version, scale=_SCALE, allowed_base_urls=[])
            with written_whole(path) as aside:
                aside.write_bytes(png)
            files[path], made = chart.title, made + 1
        found.append(files)
    listener(stage("pictures", "done", total, total))
    return found
