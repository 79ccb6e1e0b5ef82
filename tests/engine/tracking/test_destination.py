"""The texts and mappings that name trackers and their arguments."""

import importlib.util

import pytest

from trivium.engine.tracking.destination import parse
from trivium.errors import OptionError

pytestmark = pytest.mark.plain
for package in ("mlflow", "wandb", "tensorboard"):
    pytest.importorskip(package)


@pytest.mark.parametrize(
    "value",
    [
        "mlflow:uri=http://host:5000,experiment=a=b,artifacts=true,tensorboard",
        ["mlflow:uri=http://host:5000,experiment=a=b,artifacts=true", "tensorboard"],
        {"mlflow": {"uri": "http://host:5000", "experiment": "a=b", "artifacts": True}, "tensorboard": {}},
    ],
    ids=["text", "list", "mapping"],
)
def test_trackers_have_arguments(value):
    first, second = parse(value)
    assert (first.tracker, first.artifacts) == ("mlflow", True)
    assert first.arguments == {"uri": "http://host:5000", "experiment": "a=b"}
    assert (second.tracker, second.arguments, second.artifacts) == ("tensorboard", {}, False)
    assert parse(str(first)) == [first]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mlfow", "`log`: 'mlfow' is none of mlflow, wandb, tensorboard; did you mean 'mlflow'"),
        ("mlflow:url=x", "`log` mlflow: 'url' is none of uri, .*; did you mean 'uri'"),
        ("mlflow:experiment", "'experiment' has no value: expected NAME=VALUE"),
        ("mlflow:uri=", "uri has no value"),
        ("mlflow:uri=a,uri=b", "uri appears twice"),
        ("wandb,wandb", "wandb appears twice"),
        ("wandb:mode=off", "mode: 'off' is none of online, offline; did you mean 'offline'"),
        ("tensorboard:artifacts=maybe", "artifacts must be true or false, received 'maybe'"),
        ("mlflow:uri=http://me:secret@host", "which runs would record: set MLFLOW_TRACKING_USERNAME"),
        ("", "`log`: '' is none of"),
    ],
)
def test_what_names_no_tracker_is_refused(text, message):
    with pytest.raises(OptionError, match=message):
        parse(text)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"package wandb is not installed: pip install 'trivium\[wandb\]'"):
        parse("wandb")
