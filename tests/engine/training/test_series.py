"""Training on time series: the model learns their law, in their units, and reads their later rows alike."""

import json

import numpy as np
import pytest
import series_tables
from series_tables import build, build_flat, counted, linear

from trivium.data import datasets
from trivium.engine.bundles import bundle as bundles
from trivium.engine.prediction import inputs
from trivium.engine.prediction.evaluation import evaluate, predict
from trivium.engine.prediction.series_record import SeriesRecord
from trivium.engine.training.hold_out import AUTO, LAST, SHUFFLED, TIME, HoldOut
from trivium.engine.training.train import train
from trivium.errors import BundleError, DataError, OptionError

FILE = series_tables.__file__
LEARN = {"epochs": 150, "learning_rate": 0.05, "batch_size": 32}


@pytest.fixture(scope="module")
def load_table(tmp_path_factory):
    """A table of one series, of which `load` follows from the last two rows."""
    return linear(tmp_path_factory.mktemp("series") / "load.csv")


@pytest.fixture(scope="module")
def run(backend, load_table):
    return train(build, f"{load_table}:window=2:time=hour", **LEARN)


@pytest.fixture(scope="module")
def shops(backend, tmp_path_factory):
    """The folder of a run on two series, and their table."""
    folder = tmp_path_factory.mktemp("shops")
    table = counted(folder / "sales.csv")
    train(f"{FILE}:build", f"{table}:window=4:horizon=2:key=shop:time=day", epochs=2, out=folder / "run")
    return folder / "run", table


def test_a_linear_law_is_learned_and_the_error_is_in_the_units_of_the_target(run, load_table):
    test = datasets.load(f"{load_table}:window=2:time=hour").test
    values = predict(bundles.Bundle.of(run), test.x).values
    error = np.sqrt(np.mean((values[:, 0] - test.y) ** 2))
    assert error == pytest.approx(run.evaluation["rms_error"], rel=1e-4)
    assert test.y.std() > 80
    assert error < 2


def test_a_builder_gets_the_sizes_of_the_windows(run):
    assert run.settings["options"] == {"window": 2, "features": 2, "horizon": 1}
    assert run.settings["validation"] == TIME


def test_inputs_and_targets_are_scaled_by_the_training_part_alone(run, load_table):
    data = datasets.load(f"{load_table}:window=2:time=hour")
    training, _ = data.series.last_part(0.25)
    x, y = data.train.x[training], data.train.y[training]
    (of_inputs,), (of_targets,) = run.preprocessing.inputs.steps, run.preprocessing.targets.steps
    np.testing.assert_allclose(of_inputs.mean, x.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(of_inputs.deviation, x.std((0, 1)), rtol=1e-6)
    np.testing.assert_allclose([*of_targets.mean, *of_targets.deviation], [y.mean(), y.std()], rtol=1e-6)


def test_a_dense_builder_takes_a_window_as_a_row(backend, load_table):
    flat = train(build_flat, f"{load_table}:window=2:time=hour", **LEARN)
    assert flat.settings["options"] == {"inputs": 4, "outputs": 1}
    assert flat.evaluation["rms_error"] < 2


@pytest.mark.one_environment
def test_each_of_several_targets_has_its_own_error(backend, load_table):
    several = train(build_flat, f"{load_table}:window=2:time=hour:target=heat,load", **LEARN)
    assert several.evaluation["load_rms_error"] < 3, "in units of the load"
    assert 2 < several.evaluation["heat_rms_error"] < 5, "random between 0 and 10"
    assert "rms_error" not in several.evaluation


@pytest.mark.shared_out
@pytest.mark.parametrize("recipe", ["rnn/lstm", "rnn/stateful"])
def test_a_recurrent_recipe_takes_windows_of_several_columns(backend, load_table, recipe):
    trained = train(recipe, f"{load_table}:window=5:stride=20:horizon=3:time=hour", epochs=1)
    options = trained.settings["options"]
    assert (options["window"], options["features"], options["outputs"]) == (5, 2, 3)
    assert trained.model.output_shape[-1] == 3


@pytest.mark.one_environment
@pytest.mark.parametrize(
    ("recipe", "settings", "message"),
    [
        ("rnn/time-distributed", "", "it does not predict the values after a window: take rnn/lstm"),
        ("text/letters", "", "it does not predict the values after a window"),
        ("rnn/lstm", ":horizon=2:target=heat,load", r"has shape \(4,\), but the rows to predict have shape \(2, 2\)"),
    ],
)
def test_a_model_of_something_else_is_refused(backend, load_table, recipe, settings, message):
    with pytest.raises(DataError, match=message):
        train(recipe, f"{load_table}:window=5:time=hour{settings}", epochs=1)


@pytest.mark.one_environment
def test_a_single_output_is_not_compared_with_a_whole_horizon(backend, load_table):
    import keras

    model = keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(DataError, match=r"has shape \(1,\), but the rows to predict have shape \(3,\): end the model"):
        train(model, f"{load_table}:window=2:horizon=3:time=hour", epochs=1)


@pytest.mark.one_environment
def test_pictures_alone_are_augmented(backend, load_table):
    with pytest.raises(DataError, match="is a series: augmentation changes pictures"):
        train(build, f"{load_table}:window=2:time=hour", epochs=1, augment={"rotation": 5})


@pytest.mark.one_environment
def test_series_are_only_held_out_by_time(shops, tmp_path):
    data = datasets.load(f"{shops[1]}:window=4:key=shop:time=day")
    assert {HoldOut(0.25, mode, 1).resolved_mode(data) for mode in (AUTO, LAST, TIME)} == {TIME}
    training, held_out = HoldOut(0.25, AUTO, 1).parts(data)
    assert training.tolist() == [*range(20), *range(28, 48)]
    assert held_out.tolist() == [*range(24, 28), *range(52, 56)]
    with pytest.raises(OptionError, match="is a series: only its last part can be held out"):
        HoldOut(0.25, SHUFFLED, 1).resolved_mode(data)
    with pytest.raises(DataError, match="leaves no window to validate on: there are 32 rows before the test part"):
        HoldOut(0.1, AUTO, 1).parts(data)
    with pytest.raises(OptionError, match="`validation` time: moons has no series of windows"):
        HoldOut(0.25, TIME, 1).resolved_mode(datasets.load("moons"))


@pytest.mark.one_environment
def test_further_rows_are_forecast_after_the_last_window_of_each_series(shops, tmp_path):
    bundle = bundles.load(shops[0])
    path = tmp_path / "newest.csv"
    path.write_text("shop,sales,note,day,price\n" + "".join(f"x,{n},wet,2024-05-0{n},-{n}\n" for n in (5, 3, 1, 2, 4)))
    x, names = inputs.read_named(bundle, path)
    assert x.tolist() == [[[-2, 2], [-3, 3], [-4, 4], [-5, 5]]]
    assert names == [{"series": "x", "after": "2024-05-05"}]
    x, names = inputs.read_named(bundle, path, every_window=True)
    assert x[:, 0, 1].tolist() == [1, 2]
    assert [name["after"] for name in names] == ["2024-05-04", "2024-05-05"]


@pytest.mark.one_environment
def test_an_array_of_windows_is_predicted_as_it_is(shops, tmp_path):
    np.save(tmp_path / "windows.npy", np.ones((3, 4, 2)))
    x, names = inputs.read_named(bundles.load(shops[0]), tmp_path / "windows.npy")
    assert x.shape == (3, 4, 2)
    assert names == []


@pytest.mark.one_environment
def test_series_that_do_not_fit_are_refused(shops, tmp_path, saved_runs):
    bundle = bundles.load(shops[0])
    short = counted(tmp_path / "short.csv", rows=3)
    with pytest.raises(DataError, match=r"short.csv: the series north has 3 rows, but the model takes a window of 4"):
        inputs.read_named(bundle, short)
    (tmp_path / "other.csv").write_text("day,shop,sales\n1,a,2\n")
    with pytest.raises(DataError, match=r"other.csv has no column 'price'"):
        inputs.read_named(bundle, tmp_path / "other.csv")
    with pytest.raises(OptionError, match="`every_window`: the model of cnn/striding does not take windows"):
        inputs.read_named(bundles.load(saved_runs["striding"]), short, every_window=True)
    with pytest.raises(BundleError, match="does not say how its series are read"):
        SeriesRecord.of(bundles.Bundle(b"", bundle.preprocessing, (), {"dataset": {"kind": "series"}}, [], []))


@pytest.mark.one_environment
def test_forecasts_are_numbers_by_target_and_row():
    values = np.arange(12.0).reshape(1, 12)
    record = SeriesRecord({}, (), ("a", "b"), 4, 6)
    assert record.forecasts(values) == [{"a": [0, 2, 4, 6, 8, 10], "b": [1, 3, 5, 7, 9, 11]}]
    assert SeriesRecord({}, (), ("a",), 4, 1).forecasts(np.ones((2, 1))) == [1.0, 1.0]
    assert SeriesRecord({}, (), ("a", "b"), 4, 1).forecasts(values[:, :2]) == [{"a": 0.0, "b": 1.0}]


@pytest.mark.one_environment
def test_evaluation_reads_the_data_as_the_training_did(shops, tmp_path):
    folder, table = shops
    recorded = json.loads((folder / "run.json").read_text())["evaluation"]
    assert evaluate(folder) == pytest.approx(recorded, rel=1e-5)
    assert evaluate(folder, table) == pytest.approx(recorded, rel=1e-5)
    assert evaluate(folder, f"{table}:test_share=0.5")["rms_error"] != pytest.approx(recorded["rms_error"], rel=1e-5)
    for setting, value in (("target", "price"), ("horizon", 1), ("window", 3)):
        with pytest.raises(DataError, match=rf"{setting}={value}.*but the model was trained with window=4, horizon=2"):
            evaluate(folder, f"{table}:{setting}={value}")
    (tmp_path / "turned.csv").write_text(table.read_text().replace("price,sales", "sales,price"))
    with pytest.raises(
        DataError, match="has the columns sales, price, but the model takes price, sales, in this order"
    ):
        evaluate(folder, tmp_path / "turned.csv")
    with pytest.raises(DataError, match="has the columns of no series, but the model takes price, sales"):
        evaluate(folder, "moons")


@pytest.mark.one_environment
def test_a_data_frame_is_a_series_and_settings_are_keywords(backend, load_table):
    import polars

    frame = polars.read_csv(load_table)
    first = train(build, frame, window=2, time="hour", epochs=1)
    second = train(build, load_table, window=2, time="hour", epochs=1)
    assert first.dataset.checksum == second.dataset.checksum
    assert second.dataset.name == f"{load_table}:window=2:time=hour"
    assert first.history["loss"] == pytest.approx(second.history["loss"], rel=1e-5)
    assert evaluate(bundles.Bundle.of(first), frame) == pytest.approx(first.evaluation, rel=1e-5)
    forecast = predict(bundles.Bundle.of(first), frame)
    window = frame.sort("hour")[-2:].select("heat", "load").to_numpy()
    assert forecast.values.tolist() == predict(bundles.Bundle.of(first), window[None]).values.tolist()
