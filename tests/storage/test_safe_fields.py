"""Settings of a wrong kind are refused when they are read, and not where somebody computes with them."""

import pytest

from trivium.engine.preprocessing.pipeline import TRANSFORMS, make
from trivium.storage.safe_fields import require_kinds

pytestmark = pytest.mark.plain


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_every_step_as_it_is_by_default_is_right(kind):
    require_kinds(make(kind, {}))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("scale", {"low": 0, "high": 1.5, "source": [0, 255]}),
        ("reshape", {"shape": [28, 28], "before": [784]}),
        ("standardise", {"axis": "all", "mean": [0.5], "deviation": [1]}),
        ("standardise", {"axis": 3}),
        ("words", {"vocabulary": ["a", "b"]}),
        ("window", {"length": 3, "tokens": True}),
    ],
)
def test_right_kinds_are_taken(kind, settings):
    require_kinds(make(kind, settings))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("scale", {"low": "0"}),
        ("scale", {"high": None}),
        ("scale", {"high": True}),
        ("scale", {"source": [0]}),
        ("scale", {"source": [0, "x"]}),
        ("scale", {"source": {}}),
        ("reshape", {"shape": "28"}),
        ("reshape", {"shape": [1.5]}),
        ("reshape", {"shape": [[1]]}),
        ("standardise", {"axis": "none"}),
        ("standardise", {"axis": []}),
        ("words", {"vocabulary": "abc"}),
        ("words", {"size": 2.5}),
        ("window", {"tokens": 1}),
    ],
)
def test_wrong_kinds_are_refused(kind, settings):
    with pytest.raises(TypeError, match=r"of \w+ is .*, which cannot be"):
        require_kinds(make(kind, settings))
