"""Options such as `patience=3,monitor=loss` become mappings."""

import pytest

from trivium.cli.entries import parse_entries, parse_value, split_list
from trivium.cli.options.checkpoint_rules import parse_rules, parse_settings
from trivium.engine.runs.checkpoint_policy import DEFAULT_RULE, CheckpointRule
from trivium.errors import OptionError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64", 64),
        ("1_000", 1000),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("False", False),
        ("null", None),
        ("None", None),
        ("[8,4]", (8, 4)),
        ("(8, 4)", (8, 4)),
        ("'64'", "64"),
        ("relu", "relu"),
        ("[8,", "[8,"),
        ("", ""),
        *((text, text) for text in ("Infinity", "1e400", "{1, 2}", "b'x'", "3j", "[1, NaN]")),
    ],
)
def test_a_value_is_json_or_a_python_literal_or_a_word(text, value):
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("a, b", ["a", "b"]),
        ("[8,4],[16,8]", ["[8,4]", "[16,8]"]),
        ('"a,b","c"', ['"a,b"', '"c"']),
        ('x="a,b",y=2', ['x="a,b"', "y=2"]),
        ("w{epoch:,},every=2", ["w{epoch:,}", "every=2"]),
        ("don't=2,b=3", ["don't=2", "b=3"]),
        ("a(=2,b)=3", ["a(=2,b)=3"]),
        ("a(=2,b=3", ["a(=2", "b=3"]),
        ("a)=2,b=3", ["a)=2", "b=3"]),
    ],
)
def test_a_list_is_split_at_its_own_commas(text, elements):
    assert split_list(text) == elements


def test_entries_become_a_mapping():
    def parse(text, **more):
        return parse_entries("--early-stopping", text, example="patience=3", **more)

    assert parse("patience=3,min_delta=.5,restore_best=True") == {
        "patience": 3,
        "min_delta": 0.5,
        "restore_best": True,
    }
    assert parse("") == {}
    assert parse("monitor=1", texts=("monitor",)) == {"monitor": "1"}
    assert parse("a=b=2") == {"a=b": 2}, "the name of a class may hold the sign"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patience", "--early-stopping patience: 'patience' has no value: expected NAME=VALUE, such as patience=3"),
        ("patience=3,", "--early-stopping patience=3,: '' has no value"),
        ("=3", "'=3' has no value"),
        ("patience=3,patience=4", "patience appears twice"),
    ],
)
def test_entries_without_name_or_value_are_refused(text, message):
    with pytest.raises(OptionError) as refused:
        parse_entries("--early-stopping", text, example="patience=3")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("every=5,keep=3", {"every": 5, "keep": 3}),
        ("best=val_accuracy", {"best": "val_accuracy"}),
        ("model-{epoch:03d}-{val_loss:.3f}", {"name": "model-{epoch:03d}-{val_loss:.3f}"}),
        ("every=2,weights,name=w{epoch:,}", {"every": 2, "weights": True, "name": "w{epoch:,}"}),
        ("name=w{epoch:=5}", {"name": "w{epoch:=5}"}),
    ],
)
def test_a_checkpoint_rule_has_a_short_form(text, settings):
    assert parse_settings(text) == settings


def test_checkpoints_can_be_turned_off():
    assert parse_rules(["off"]) == ()
    assert parse_rules([]) == (DEFAULT_RULE,)
    assert parse_rules(["every=5"]) == (CheckpointRule(every=5),)


@pytest.mark.parametrize("text", ["every", "every=", "weight"])
def test_a_checkpoint_rule_that_cannot_be_parsed_is_refused(text):
    with pytest.raises(
        OptionError, match="is not one of every=N, keep=N, best=METRIC, mode=MODE, name=PATTERN, weights"
    ):
        parse_rules([text])
