"""Settings of a wrong type are refused when they are read, not later when they are used."""

import pytest

from trivium.data.preprocessing.pipeline import TRANSFORMS, make
from trivium.storage.safe_fields import require_field_types

pytestmark = pytest.mark.plain


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_every_default_setting_has_the_right_type(kind):
    require_field_types(make(kind, {}))


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
def test_settings_of_the_right_type_are_accepted(kind, settings):
    require_field_types(make(kind, settings))


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
def test_settings_of_a_wrong_type_are_refused(kind, settings):
    with pytest.raises(TypeError, match=r"of \w+ is .*, expected \w+"):
        require_field_types(make(kind, settings))
