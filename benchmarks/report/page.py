"""The report as one HTML page that needs no network: it contains the charts, the tables and the JSON.

All text from a file is escaped by the template, or put into a JSON script without any `<`. If that ever failed, the
page's content security policy would still run only the two scripts whose digests it names, and load nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

from ...engine.plots.page_libraries import altair, markupsafe, vl_convert
from ...engine.plots.page_templates import page_environment
from . import answers, tables
from .marks import Chart
from .results_reader import ReportPart

# Colours that are distinct for the colour-blind (Okabe and Ito, 2008), lighter ones on a dark page.
PALETTES = {
    "light": ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9"],
    "dark": ["#56B4E9", "#F2903F", "#2BC59A", "#E59AC4", "#F0E442", "#9AA7FF"],
}

# The height in pixels above which a chart is as wide as the page.
_TALL = 400

# The addresses of XML namespaces, which are never opened.
_NAMESPACES = "www.w3.org/"
_ADDRESS = re.compile(rf"https?://(?!{re.escape(_NAMESPACES)})[\w.-][^\s\"'`<>\\]*")


def write(parts: Sequence[ReportPart], drawn: Sequence[Sequence[Chart]], title: str) -> str:
    """Return the whole page.

    Args:
        drawn: the charts of each part.

    Raises:
        OptionError: altair, vl-convert or Jinja2 is not installed.
    """
    environment = page_environment(_file("page.css"))
    markup = markupsafe().Markup  # for our own files, and for escaped text
    table = environment.from_string(_file("table.html"))
    scripts = {
        "vega": _vega(),
        "script": f"const PALETTES = {json.dumps(PALETTES)};\n{_file('page.js')}",
    }
    return str(
        environment.from_string(_file("page.html")).render(
            title=title,
            made=_machines_and_versions(parts),
            hashes=[markup(_digest(script)) for script in scripts.values()],
            drawn=lambda data: markup(table.render(table=data)),
            parts=[_part_context(part, each, markup) for part, each in zip(parts, drawn, strict=True)],
            **{name: markup(script) for name, script in scripts.items()},
        )
    )


def without_addresses(script: str) -> str:
    """Remove all network addresses from a script, except XML namespaces."""
    return _ADDRESS.sub("", script)


def as_script(value: Any) -> str:
    """Return JSON that is safe in an HTML script: it can neither end the script nor begin a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part_context(part: ReportPart, drawn: Sequence[Chart], markup: Any) -> dict[str, Any]:
    return {
        **answers.as_json(part),
        "charts": [
            {"title": chart.title, "note": chart.note, "spec": markup(as_script(chart.spec)), "wide": wide}
            for chart, wide in _placed(drawn)
        ],
        "tables": tables.tables(part),
        "everything": tables.everything(part),
        "environment": tables.environment(part),
        "raw": markup(as_script(json.dumps(part.raw, indent=1) + "\n")),
        "file": f"{slug(part.suite)}.json",
    }


def _placed(drawn: Sequence[Chart]) -> list[tuple[Chart, bool]]:
    """Return the charts in the order of the page, and whether each is as wide as the page.

    The others stand in pairs, so that no column stays empty. Tall ones come last.
    """
    tall = [chart for chart in drawn if chart.spec["height"] > _TALL]
    pairs = [chart for chart in drawn if chart.spec["height"] <= _TALL]
    lonely = len(pairs) % 2 == 1
    return [
        *((chart, lonely and place == len(pairs)) for place, chart in enumerate(pairs, 1)),
        *((chart, True) for chart in tall),
    ]


def slug(text: str) -> str:
    """Return a file name that is valid on every system."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "results"


def _machines_and_versions(parts: Sequence[ReportPart]) -> str:
    """Return the machines and the versions, in one line."""
    entries = []
    for part in parts:
        for environment in part.get("environment", {}).values():
            versions = environment.get("versions") if isinstance(environment.get("versions"), dict) else {}
            entries.append(
                f"{environment.get('device_name') or environment.get('processor')}, {environment.get('cores')} cores"
            )
            entries += [f"{name} {version}" for name, version in (versions or {}).items() if version]
    return " · ".join(dict.fromkeys(entries))


@functools.cache
def _vega() -> str:
    version = altair().SCHEMA_VERSION.lstrip("v").rpartition(".")[0]
    script = without_addresses(vl_convert().javascript_bundle(vl_version=version))
    # Escape what an HTML parser would interpret, and the line ends that it would change before computing the digest.
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "")


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
