"""The suite `book`: its recipes and data, the figures that it saves, and one run in a real worker."""

import json
import math

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.benchmarks.suites import book
from trivium.benchmarks.suites.book import BookResult, Measurement
from trivium.errors import OutputError, RecipeError
from trivium.models import measured
from trivium.models import recipe as recipes

pytestmark = pytest.mark.one_environment

COLUMNS = ["suite", "recipe", "backend", "device", "runner", "metric", "unit", "n", "median", "q1", "q3"]


def measurement(name="dense/small", backend="jax", seconds=(3.0, 1.0, 2.0), history=None):
    """What training a recipe would give."""
    history = history or [{"loss": 1.0, "val_accuracy": value} for value in (0.5, 0.75, 0.625)][: len(seconds)]
    run = {
        "dataset": {"name": "mnist", "train": 60_000},
        "settings": {"batch_size": 256},
        "parameters": 50_890,
        "history": history,
        "timings": {
            "epochs": list(seconds),
            "steady_epoch": float(np.median(seconds[1:])) if len(seconds) > 1 else None,
        },
        "environment": {
            "backend": backend,
            "device": "cpu",
            "device_name": "a processor",
            "cores": 2,
            "versions": {"trivium": "0", "keras": "3.15.1", "numpy": "2", "jax": "0.10.2", "jaxlib": "0.10.2"},
        },
    }
    return Measurement(recipes.find(name), run)


# --- what is trained ------------------------------------------------------------------------------------------------


def test_recipes_are_chosen_by_name_and_family_in_the_order_of_the_book():
    assert [recipe.name for recipe in book.select_recipes()] == list(recipes.registry())
    assert [recipe.name for recipe in book.select_recipes(["functional", "rnn/lstm", "rnn/lstm"])] == [
        "rnn/lstm",
        *(name for name in recipes.registry() if name.startswith("functional/")),
    ]


@pytest.mark.parametrize(("name", "near"), [("cn", "'cnn'"), ("dense/smal", "'dense/small'")])
def test_an_unknown_name_is_refused_with_the_nearest_names(name, near):
    with pytest.raises(RecipeError, match=f"no recipe or family '{name}'; did you mean .*{near}"):
        book.select_recipes(["cnn", name])


def test_data_go_to_the_recipes_of_their_kind():
    selected = book.select_recipes(["cnn/simple", "rnn/lstm", "rnn/two-lstm"])
    own = {"cnn/simple": "mnist", "rnn/lstm": "waves:0", "rnn/two-lstm": "waves:2"}
    assert book.data_for(selected, None) == own
    assert book.data_for(selected, "mnist:sample") == {**own, "cnn/simple": "mnist:sample"}
    assert book.data_for(selected, "waves:2:50") == {**own, "rnn/lstm": "waves:2:50", "rnn/two-lstm": "waves:2:50"}


@pytest.mark.parametrize("data", ["some/where.npz", "text"])
def test_data_of_an_unknown_kind_go_to_all_recipes(data):
    """So that a file can be given at all, and data that fit nowhere are refused instead of forgotten."""
    assert set(book.data_for(book.select_recipes(["cnn/simple", "rnn/lstm"]), data).values()) == {data}


# --- what is said of a run ------------------------------------------------------------------------------------------


def test_a_measurement_tells_the_last_and_the_best_epoch():
    accuracy = measurement()
    assert (accuracy.metric, accuracy.value, accuracy.best, accuracy.steady_epoch) == ("val_accuracy", 0.625, 0.75, 1.5)
    losses = measurement("rnn/lstm", history=[{"loss": 2.0}, {"loss": 0.25}, {"loss": 0.5}])
    assert (losses.metric, losses.value, losses.best) == ("loss", 0.5, 0.25)


def test_every_figure_is_a_row():
    rows = list(measurement().rows())
    assert all(list(row) == COLUMNS for row in rows)
    assert {row["metric"]: (row["unit"], row["n"], row["median"]) for row in rows} == {
        "parameters": ("1", 1, 50_890),
        "steady_epoch": ("s", 2, 1.5),
        "val_accuracy": ("1", 1, 0.625),
        "best_val_accuracy": ("1", 1, 0.75),
    }
    assert {(row["suite"], row["recipe"], row["backend"], row["runner"]) for row in rows} == {
        ("book", "dense/small", "jax", "trivium")
    }


def test_a_missing_or_infinite_figure_has_no_row():
    once = measurement(seconds=(3.0,), history=[{"loss": math.nan}])
    assert [row["metric"] for row in once.rows()] == ["parameters"]
    described = once.describe()
    assert (described["seconds_per_epoch"], described["value"], described["best"]) == (None, None, None)
    assert measured.result(described) == "loss not finite after 1 epoch"


def test_the_report_has_measured_and_published_figures():
    report = json.loads(json.dumps(BookResult([measurement(), measurement("cnn/simple")]).to_json(), allow_nan=False))
    assert report["schema"] == 1
    assert report["environment"]["jax"]["cores"] == 2
    assert report["published"]["cnn/simple"] == {
        "seconds_per_epoch": "66",
        "result": "val. accuracy 0.9862 after 100 epochs",
    }
    assert [each["recipe"] for each in report["measured"]] == ["dense/small", "cnn/simple"]


def test_the_sentence_names_the_conditions_of_the_figures():
    described = measurement().describe()
    assert described["versions"] == {"keras": "3.15.1", "jax": "0.10.2"}
    assert measured.sentence(described) == (
        "val. accuracy 0.625 (at best 0.75) after 3 epochs of mnist (60,000 samples), 1.5 s an epoch, jax, "
        "2 cores of a processor"
    )
    accelerator = {**described, "device": "gpu", "processor": "an accelerator", "seconds_per_epoch": None}
    assert measured.sentence(accelerator).endswith("(60,000 samples), jax, an accelerator")


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_the_fastest_backend_of_each_recipe_is_merged_into_the_file(tmp_path):
    path = tmp_path / "measured.json"
    book.update_figures(BookResult([measurement("rnn/lstm"), measurement("cnn/simple")]), path)
    before = json.loads(path.read_text())
    slow, fast = measurement(backend="torch", seconds=(1, 5)), measurement(backend="tensorflow", seconds=(1, 4))
    unknown = measurement(seconds=(1,))
    book.update_figures(BookResult([slow, fast, unknown, measurement("cnn/simple", seconds=(1, 9))]), path)
    figures = json.loads(path.read_text())
    assert list(figures) == ["cnn/simple", "dense/small", "rnn/lstm"]
    assert (figures["dense/small"]["backend"], figures["dense/small"]["seconds_per_epoch"]) == ("tensorflow", 4)
    assert (before["cnn/simple"]["seconds_per_epoch"], figures["cnn/simple"]["seconds_per_epoch"]) == (1.5, 9)
    assert figures["rnn/lstm"] == before["rnn/lstm"]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"measured\.json"):
        book.update_figures(BookResult([measurement()]), tmp_path / "file" / "measured.json")


def test_the_figures_in_the_package_are_of_the_book_and_have_sentences():
    all_figures = measured.figures()
    assert list(all_figures) == sorted(all_figures)
    assert all_figures.keys() <= recipes.registry().keys()
    assert json.loads(book.MEASURED.read_text()) == all_figures
    for name, figures in all_figures.items():
        assert figures["recipe"] == name
        assert figures.keys() == measurement().describe().keys()
        assert figures["backend"] in measured.sentence(figures)


# --- a run ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def few_digits(digits, tmp_path):
    """The path of a file with 300 training and 100 test digits."""
    path = tmp_path / "few.npz"
    np.savez(path, x_train=digits.train.x, y_train=digits.train.y, x_test=digits.test.x, y_test=digits.test.y)
    return str(path)


def test_a_recipe_is_trained_in_a_worker_and_reported_after_each(backend, shared_worker, few_digits):
    heard, so_far = [], []
    result = book.measure(
        ["dense/small", "dense/two-small"],
        [backend.name],
        data=few_digits,
        epochs=2,
        listener=heard.append,
        after_each=lambda result: so_far.append([measurement.recipe.name for measurement in result.measurements]),
    )
    first = result.measurements[0]
    assert so_far == [["dense/small"], ["dense/small", "dense/two-small"]]
    assert (first.backend, first.metric) == (backend.name, "val_accuracy")
    assert first.run["parameters"] == first.recipe.parameters
    assert 0 < first.value <= first.best <= 1
    assert first.steady_epoch > 0
    described = first.describe()
    assert (described["epochs"], described["samples"], described["batch_size"]) == (2, 300, 256)
    assert set(described["versions"]) == {"keras", backend.package}
    assert all(described["versions"].values())
    done = [event["done"] for event in heard]
    assert done == sorted(done)
    assert (heard[0]["done"], heard[-1]["done"], {event["total"] for event in heard}) == (0, 2, {2})
    assert any(event["stage"] == f"dense/two-small on {backend.name}, epoch 2/2" for event in heard)


@pytest.mark.several_backends
def test_a_recipe_is_trained_on_every_backend(few_digits):
    result = book.measure(["dense/small"], data=few_digits, epochs=1)
    assert [item.backend for item in result.measurements] == [item.name for item in catalog.trainers()]
    assert {item.run["parameters"] for item in result.measurements} == {50_890}
    assert {item.steady_epoch for item in result.measurements} == {None}, "the only epoch holds the compilation"
