"""The names of data: a name or a path, and settings after it, as in `houses.csv:target=price:test_share=0.3`.

A run records the name, so that its data are read again in the same way, by any command and in any process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import DataError

_FLAGS = {"yes": True, "no": False}
_SETTING = re.compile(r":([a-z_]+)=")


def parse(name: str) -> tuple[str, dict[str, str]]:
    """Return the name without its settings, and the settings as text.

    Example:
        >>> parse("houses.csv:target=price:test_share=0.3")
        ('houses.csv', {'target': 'price', 'test_share': '0.3'})
    """
    bare, *parts = _SETTING.split(name)
    return bare, dict(zip(parts[::2], parts[1::2], strict=True))


def compose(name: str, settings: Mapping[str, Any]) -> str:
    """Return the name with these settings; they replace those of the same name that it has.

    A setting of None is left out; True and False are `yes` and `no`, and a sequence is joined by commas.
    """
    bare, before = parse(name)
    texts = {key: _to_text(value) for key, value in settings.items() if value is not None}
    return bare + "".join(f":{key}={value}" for key, value in {**before, **texts}.items())


def parse_flag(setting: str, text: str) -> bool:
    """Return whether a setting such as `skip_broken=yes` is set.

    Raises:
        DataError: the text is neither yes nor no.
    """
    if text not in _FLAGS:
        raise DataError(f"{setting}={text}: expected yes or no")
    return _FLAGS[text]


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
