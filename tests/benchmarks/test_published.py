"""The published experiments: which there are, and that a stopped one goes on."""

import json
import os
import re

import numpy as np
import pytest

from trivium.benchmarks.suites import published, published_table
from trivium.errors import DataError, OptionError, RecipeError
from trivium.models import recipe as recipes
from trivium.storage.atomic import write_json


@pytest.mark.plain
def test_the_figures_are_those_that_the_recipes_quote():
    for each in published.EXPERIMENTS:
        reference = recipes.find(each.recipe).reference
        numbers = {float(number) for number in re.findall(r"\d+\.\d+", reference.result)}
        assert each.value in numbers, each
        assert each.seconds in ("", reference.seconds_per_epoch) or each.seconds in reference.result


@pytest.mark.plain
def test_experiments_are_chosen_and_what_is_cut_says_so():
    chosen = published.experiments(["rnn", "text/letters"], data="text:story.txt", epochs=20)
    assert [each.name for each in chosen][-1] == "text-letters"
    assert (chosen[-1].data, chosen[-1].epochs, chosen[-1].full_epochs) == ("text:story.txt", 20, 100)
    assert chosen[0].data == "waves:2"
    (short,) = published.experiments(["dense/one-hidden"], epochs=20)
    assert (short.epochs, short.full_epochs) == (3, 0)
    with pytest.raises(OptionError, match="no experiment is published with dense/points"):
        published.experiments(["dense/points"])
    with pytest.raises(RecipeError, match="no recipe or family"):
        published.experiments(["dnese"])


@pytest.mark.plain
def test_a_part_of_the_digits_is_not_the_same_experiment():
    with pytest.raises(DataError, match=r"mnist:sample is a part of it: `trivium data mnist:full` downloads all"):
        published.require_all_digits(published.experiments(["cnn"], data="mnist:sample"))
    published.require_all_digits(published.experiments(["rnn"]))


@pytest.mark.one_environment
def test_experiments_are_timed_trained_and_not_trained_again(backend, shared_worker, tmp_path):
    chosen = published.experiments(["rnn/two-lstm", "dense/one-hidden"], data="mnist:sample:part=0.1", epochs=2)
    told, heard = [], []
    settings = {"listener": heard.append, "announce": lambda expected: told.append(dict(expected))}
    result = published.measure(chosen, tmp_path, [backend.name], **settings)
    assert told == [json.loads((tmp_path / "estimates.json").read_text()) and result.expected]
    assert {each.experiment.name for each in result.outcomes} == {"rnn-two-lstm", "dense-one-hidden"}
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert all(row["seconds"] > 0 and np.isfinite(row["value"]) for row in rows)
    assert {row["metric"] for row in rows} == {"val_accuracy", "loss"}
    assert {row["published_epochs"] for row in rows} == {3, 100}
    assert heard[-1]["stage"].endswith("epoch 2/2")
    section = published_table.table(json.loads((tmp_path / "results.json").read_text()))
    assert "| `dense/one-hidden` | mnist:sample:part=0.1 | 2 of 3 | validation accuracy | 0.9684 |" in section
    assert "Not run yet: `dense-dropout`" in section
    assert published_table.main([str(tmp_path)]) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("run.json")}
    again = published.measure(chosen, tmp_path, [backend.name], resume=True)
    assert [each.value for each in again.outcomes] == [each.value for each in result.outcomes]
    assert set(again.expected.values()) == {0.0}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("run.json")} == before
    published.measure(chosen[:1], tmp_path, [backend.name], resume=True)
    assert {row["name"] for row in json.loads((tmp_path / "results.json").read_text())["rows"]} == set(again.expected)


@pytest.mark.one_environment
def test_what_was_cut_goes_on_to_more_epochs(backend, shared_worker, tmp_path):
    settings = {"data": "mnist:sample:part=0.1"}
    for epochs, rows in ((1, 1), (2, 2), (1, 1)):
        (each,) = published.experiments(["dense/one-hidden"], epochs=epochs, **settings)
        result = published.measure([each], tmp_path, [backend.name], resume=True)
        history = json.loads((tmp_path / each.name / "run.json").read_text())["history"]
        assert result.outcomes[0].value == history[rows - 1]["val_accuracy"]
        assert result.outcomes[0].experiment.epochs == epochs
    assert len(history) == 2


@pytest.mark.several_backends
def test_an_experiment_goes_on_where_it_was_begun(tmp_path):
    (each,) = published.experiments(["dense/one-hidden"], data="mnist:sample:part=0.1", epochs=1)
    (begun,) = published.measure([each], tmp_path, ["jax"]).outcomes
    write_json(tmp_path / "estimates.json", {each.name: {"jax": 9.0, "tensorflow": 1.0}})
    (again,) = published.measure([each], tmp_path, ["jax", "tensorflow"], resume=True).outcomes
    assert (again.backend, again.value) == ("jax", begun.value)


@pytest.mark.one_environment
def test_a_cross_validation_is_scored_once(backend, shared_worker, tmp_path):
    (each,) = published.experiments(["dense/dropout"], data="mnist:sample:part=0.1", epochs=1)
    result = published.measure([each], tmp_path, [backend.name])
    assert 0 < result.outcomes[0].value < 1
    scored = (tmp_path / each.name / "scores.json").stat().st_mtime_ns
    again = published.measure([each], tmp_path, [backend.name], resume=True)
    assert again.outcomes[0].value == result.outcomes[0].value
    assert (tmp_path / each.name / "scores.json").stat().st_mtime_ns == scored
    scores = json.loads((tmp_path / each.name / "scores.json").read_text())
    assert len(scores["figures"]) == 10
    assert result.outcomes[0].value == pytest.approx(np.mean(scores["figures"]))
    assert os.path.getsize(tmp_path / "results.json") > 0


@pytest.mark.plain
def test_the_table_has_what_pooling_costs_beside_the_published_ratio():
    environment = {"cores": 2, "device_name": "a processor"}
    rows = [
        {
            "name": name,
            "recipe": name.replace("-", "/", 1),
            "data": "mnist",
            "epochs": 100,
            "metric": "val_accuracy",
            "published": 0.99,
            "value": 0.9912,
            "best": 0.992,
            "published_seconds": published_seconds,
            "seconds": seconds,
            "backend": "jax",
            "environment": environment,
        }
        for name, seconds, published_seconds in (("cnn-pooling", 6.0, "147"), ("cnn-striding", 2.0, "36"))
    ]
    section = published_table.table({"schema": 1, "suite": "published", "rows": rows, "ratios": []})
    assert "`cnn/pooling` ÷ `cnn/striding`, an epoch: 3.0 on jax, published 4.1." in section
    assert "Ours on 2 cores of a processor; published for a 2014 iMac" in section
    with pytest.raises(DataError, match="expected results of `trivium bench book --published`"):
        published_table.table({"suite": "epochs", "rows": []})
