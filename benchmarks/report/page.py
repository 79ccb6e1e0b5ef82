"""One page of HTML that works with no network: charts, tables and the JSON itself within it.

Everything from a file goes through the template's escaping, or into a script of JSON that holds no `<`. Should that
ever fail, the page's own policy runs no script but the two whose digests it names, and loads nothing from anywhere.
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

from . import answers, tables
from .libraries import altair, jinja2, markupsafe, vl_convert
from .marks import Drawn
from .reading import Part

# Colours that stay apart for the colour-blind (Okabe and Ito, 2008), lighter ones on a dark page.
PALETTES = {
    "light": ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9"],
    "dark": ["#56B4E9", "#F2903F", "#2BC59A", "#E59AC4", "#F0E442", "#9AA7FF"],
}

# Addresses that name a kind of XML and are never opened.
_NAMESPACES = "www.w3.org/"
_ADDRESS = re.compile(rf"https?://(?!{re.escape(_NAMESPACES)})[\w.-][^\s\"'`<>\\]*")


def write(parts: Sequence[Part], drawn: Sequence[Sequence[Drawn]], title: str) -> str:
    """The whole page.

    Args:
        drawn: the charts of each part.

    Raises:
        OptionError: altair, vl-convert or Jinja2 is not installed.
    """
    templates = jinja2()
    environment = templates.Environment(autoescape=True, undefined=templates.StrictUndefined, trim_blocks=True)
    markup = markupsafe().Markup  # of our own files, and of what has been escaped
    table = environment.from_string(_file("table.html"))
    scripts = {
        "vega": _vega(),
        "script": f"const PALETTES = {json.dumps(PALETTES)};\n{_file('page.js')}",
    }
    return str(
        environment.from_string(_file("page.html")).render(
            title=title,
            made=_made(parts),
            style=markup(_file("page.css")),
            hashes=[markup(_digest(script)) for script in scripts.values()],
            drawn=lambda found: markup(table.render(table=found)),
            parts=[_shown(part, each, markup) for part, each in zip(parts, drawn, strict=True)],
            **{name: markup(script) for name, script in scripts.items()},
        )
    )


def without_addresses(script: str) -> str:
    """A script whose texts and comments name no place in the network; namespaces of XML are left."""
    return _ADDRESS.sub("", script)


def as_script(value: Any) -> str:
    """JSON that can stand in a script of HTML: it cannot end it, nor begin a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shown(part: Part, drawn: Sequence[Drawn], markup: Any) -> dict[str, Any]:
    return {
        **answers.as_json(part),
        "charts": [{"title": each.title, "note": each.note, "spec": markup(as_script(each.spec))} for each in drawn],
        "tables": tables.tables(part),
        "everything": tables.everything(part),
        "environment": tables.environment(part),
        "raw": markup(as_script(json.dumps(part.raw, indent=1) + "\n")),
        "file": f"{slug(part.suite)}.json",
    }


def slug(text: str) -> str:
    """A name that a file can have anywhere."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "results"


def _made(parts: Sequence[Part]) -> str:
    """On what machines and with which versions, in a line."""
    found = []
    for part in parts:
        for told in part.get("environment", {}).values():
            versions = told.get("versions") if isinstance(told.get("versions"), dict) else {}
            found.append(f"{told.get('device_name') or told.get('processor')}, {told.get('cores')} cores")
            found += [f"{name} {version}" for name, version in (versions or {}).items() if version]
    return " · ".join(dict.fromkeys(found))


@functools.cache
def _vega() -> str:
    version = altair().SCHEMA_VERSION.lstrip("v").rpartition(".")[0]
    script = without_addresses(vl_convert().javascript_bundle(vl_version=version))
    # What a parser of HTML would take for its own, and the line ends that it would change before the digest.
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "")


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
