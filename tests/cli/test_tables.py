"""A table with words, dates and gaps through the commands: trained, predicted, evaluated, ported with its raw rows."""

import json

import numpy as np
import polars
import pytest

import trivium
from trivium.backends import catalog
from trivium.data import datasets
from trivium.data.dataset import Dataset
from trivium.engine.bundles import bundle as bundles
from trivium.errors import RecipeError

pytestmark = pytest.mark.one_environment

ROWS = 120


def houses() -> polars.DataFrame:
    """A table whose price follows from size, town and day; some cells are empty."""
    generator = np.random.default_rng(3)
    size = generator.uniform(30, 200, ROWS)
    towns = generator.choice(["Aachen", "Bonn", "Köln"], ROWS)
    premium = np.select([towns == "Bonn", towns == "Köln"], [60, 120], 0)
    price = np.round(2 * size + premium + generator.normal(0, 3, ROWS), 2)
    days = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(ROWS)]
    frame = polars.DataFrame(
        {
            "price": price,
            "size": np.round(size, 1),
            "town": towns,
            "sold": days,
            "dear": np.where(price > 300, "yes", "no"),
        }
    )
    return frame.with_columns(
        polars.when(polars.int_range(ROWS) % 17 == 3).then(None).otherwise(polars.col("size")).alias("size"),
        polars.when(polars.int_range(ROWS) % 13 == 5).then(None).otherwise(polars.col("town")).alias("town"),
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("houses") / "houses.csv"
    houses().write_csv(path, separator=";", decimal_comma=True)
    return path


@pytest.fixture(scope="module")
def run(table):
    folder = table.with_name("run")
    trivium.train("tabular/mlp", f"{table}:target=price", out=folder, epochs=40, decay=0.5, dropout=0.1, noise=0.0)
    return folder


def test_prices_are_learned_and_predicted_in_their_unit(cli, run, table):
    evaluated = json.loads(cli("evaluate", run, "--json").out)["metrics"]
    assert evaluated["rms_error"] < 0.5 * houses()["price"].std()
    document = json.loads(cli("predict", run, table, "--json").out)
    predicted = np.array([row["prediction"] for row in document["predictions"]])
    assert np.corrcoef(predicted, houses()["price"].to_numpy())[0, 1] > 0.9
    assert "probability" not in cli("predict", run, table).out, "a value has none"


def test_the_columns_may_come_in_any_order_and_a_word_may_be_new(cli, run, table):
    reordered = table.with_name("reordered.parquet")
    frame = houses().select("sold", "dear", "town", "size")
    frame.write_parquet(reordered)
    first = [row["prediction"] for row in json.loads(cli("predict", run, table, "--json").out)["predictions"]]
    again = [row["prediction"] for row in json.loads(cli("predict", run, reordered, "--json").out)["predictions"]]
    assert again == first
    rome = frame.with_columns(town=polars.lit("Rom"))
    unknown = trivium.predict(run, rome).values
    gap = trivium.predict(run, frame.with_columns(town=polars.lit(None, polars.String))).values
    np.testing.assert_array_equal(unknown, gap)
    rows = trivium.predict(run, frame.to_dicts()).values
    np.testing.assert_allclose(rows[:, 0], first, rtol=1e-6)


def test_a_missing_column_is_one_line(refused, run, table):
    houses().drop("town").write_csv(table.with_name("short.csv"))
    assert "has no column town (it has: price, size, sold, dear)" in refused(
        "predict", run, table.with_name("short.csv")
    )


def test_another_table_is_evaluated_by_the_words_of_the_first(run, table):
    fewer = table.with_name("fewer.csv")
    houses().filter(polars.col("town") == "Köln").write_csv(fewer)
    metrics = trivium.evaluate(run, f"{fewer}:test_share=0.9")
    assert metrics["rms_error"] < 60


def test_the_run_says_what_was_done(cli, table):
    folder = table.with_name("e")
    result = cli("train", "tabular/embeddings", "--data", table, "--target", "dear", "--epochs", 2, "--out", folder)
    notes = [line for line in result.err.splitlines() if line.startswith("note:")]
    assert notes == [
        "note: Numbers are standardised: price, size, sold.",
        "note: Words become the number of the word, for an embedding: town.",
        "note: Gaps are filled with the mean, and flagged by a feature: size.",
    ]
    record = json.loads((folder / "run.json").read_text())
    assert record["dataset"]["targets"] == ["dear"]
    assert record["dataset"]["columns"] == ["price", "size", "town", "sold"]
    assert record["settings"]["options"]["categories"] == [4]


def test_a_builder_of_ones_own_gets_prepared_rows(table, tmp_path):
    import keras

    def build(inputs, classes):
        return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(classes, activation="softmax")])

    run = trivium.train(build, f"{table}:target=dear:numbers=min-max", epochs=1)
    assert run.model.input_shape == (None, 3 + 1 + 3)
    prepared = run.preprocessing.inputs(run.dataset.train.x)
    assert (prepared.min(), prepared.max()) == (0, 1)


def test_a_recipe_of_other_steps_refuses_words(refused, table, tmp_path):
    (tmp_path / "m.py").write_text(
        "import keras, trivium\n"
        "@trivium.recipe('own/scaled', 'scaled', inputs=(trivium.step('standardise'),))\n"
        "def build(inputs):\n    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(1)])\n"
    )
    said = refused("train", f"{tmp_path}/m.py:build", "--data", table, "--target", "price", "--out", tmp_path / "r")
    assert "prepare numbers without gaps" in said
    assert said.endswith("if town holds sentences, add `:text=town` to the name of the data")


def test_several_values_are_the_columns_of_one_output(table):
    frame = houses().with_columns(size=polars.col("size").fill_null(100.0))
    frame.write_csv(table.with_name("full.csv"))
    run = trivium.train("tabular/mlp", f"{table.with_name('full.csv')}:target=price,size", epochs=1)
    assert run.model.output_shape == (None, 2)
    assert trivium.predict(bundles.Bundle.of(run), frame).values.shape == (ROWS, 2)


def test_a_data_frame_is_data(table):
    frame = houses()
    run = trivium.train("tabular/mlp", frame, target="price", epochs=1)
    assert isinstance(run.dataset, Dataset)
    assert run.dataset.targets == ("price",)


def build_regression(inputs):
    """Return a model for rows of a table; the workers of a verification find it by its name."""
    import keras

    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])


@pytest.mark.several_backends
def test_a_builder_is_verified_on_a_table_in_memory():
    backends = ["numpy", catalog.selected().name]
    report = trivium.verify(build_regression, datasets.load("houses"), backends=backends, steps=1)
    assert report.passed, report.to_json()


@pytest.mark.several_backends
def test_what_another_process_cannot_find_is_refused():
    with pytest.raises(RecipeError, match="put its function at the top of a file"):
        trivium.verify(lambda: None, "iris")


def test_a_loaded_bundle_predicts_evaluates_and_is_saved_by_a_path_as_text(run, tmp_path):
    loaded = trivium.load(run)
    loaded.save(str(tmp_path / "copy.trivium"))
    again = trivium.load(str(tmp_path / "copy.trivium"))
    rows = houses().head(3)
    np.testing.assert_array_equal(again.predict(rows).values, trivium.predict(run, rows).values)
    assert again.evaluate() == trivium.evaluate(run)


def test_data_are_evaluated_as_they_were_read_for_the_training(table, run, tmp_path):
    frame = houses().sample(fraction=1, shuffle=True, seed=0)
    frame.select("price", "size", "town", "dear", "sold").write_csv(tmp_path / "turned.csv")
    by_name = trivium.evaluate(run, tmp_path / "turned.csv")
    assert by_name.keys() == {"loss", "rms_error"}
    assert trivium.evaluate(run, frame).keys() == by_name.keys()
    counted = frame.with_columns(rooms=polars.Series([2, 3] * (ROWS // 2)))
    counted.write_csv(tmp_path / "rooms.csv")
    rooms = trivium.train("tabular/mlp", f"{tmp_path / 'rooms.csv'}:target=rooms:task=regression", epochs=1)
    assert "rms_error" in trivium.evaluate(bundles.Bundle.of(rooms), tmp_path / "rooms.csv")
    assert "rms_error" in trivium.evaluate(bundles.Bundle.of(rooms), counted)
