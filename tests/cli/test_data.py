"""`trivium data`: what is told of some data is what is in them."""

import json

import pytest


def test_json_tells_splits_and_classes(cli):
    found = json.loads(cli("data", "mnist:sample", "--json").out)
    assert found["splits"]["train"]["samples"] == 5000
    assert found["splits"]["test"]["shape"] == [28, 28]
    assert sum(found["splits"]["train"]["classes"].values()) == 5000


def test_a_table_is_shown_and_a_picture_drawn(cli, tmp_path):
    shown = cli("data", "moons:50", "--preview", str(tmp_path / "moons.png"))
    assert shown.code == 0
    assert "-" in shown.out
    assert "scikit-learn" in shown.out
    assert (tmp_path / "moons.png").stat().st_size > 5_000


def test_without_a_name_the_sets_are_listed(cli):
    assert "mnist" in json.loads(cli("data", "--json").out)["datasets"]
    assert "waves" in cli("data").out.split()


@pytest.mark.parametrize("name", ["minst", "nosuch.npz", "nosuch.csv"])
def test_data_that_are_not_there_are_refused(refused, name):
    assert name in refused("data", name)
