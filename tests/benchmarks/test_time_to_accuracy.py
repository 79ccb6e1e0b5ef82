"""Time to accuracy: which targets are refused, what a seed that fails counts, and a small training of each kind."""

import json
import math

import numpy as np
import pytest
import schemas

from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import time_to_accuracy
from trivium.benchmarks.targets import target_rows
from trivium.benchmarks.targets.seed_run import SeedRun, compile_seconds
from trivium.benchmarks.targets.target import Target
from trivium.errors import DataError, OptionError

ACCURACY = Target("val_accuracy", 0.9, "max")


def runs_of(seconds, failed=(), backend="jax", watts=None):
    """A training of each seed; `failed` are the seeds that did not reach the target."""
    return [
        SeedRun(backend, "cpu", seed, seed not in failed, seed + 1, time, 0.5, 0.1, watts and watts * time, 0.9)
        for seed, time in enumerate(seconds, 1)
    ]


# --- the target -----------------------------------------------------------------------------------------------------


@pytest.mark.plain
@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("val_accuracy", 1.5, "`value`: val_accuracy lies between 0 and 1, received 1.5"),
        ("val_accuracy", 0, "`value`: val_accuracy lies between 0 and 1, received 0"),
        ("val_top_k_categorical_accuracy", -1, "lies between 0 and 1"),
        ("val_auc", 2, "lies between 0 and 1"),
        ("val_mean_squared_error", -0.1, "is never below 0, received -0.1"),
        ("val_loss", math.nan, "expected a number, received nan"),
        ("val_loss", math.inf, "expected a number, received inf"),
        ("accuracy", 0.9, "expected a metric of the validation, such as val_accuracy or val_loss, received 'accuracy'"),
        ("val_", 0.9, "expected a metric of the validation"),
    ],
)
def test_a_target_that_no_model_or_every_model_reaches_is_refused(metric, value, message):
    with pytest.raises(OptionError, match=message):
        Target(metric, value)


@pytest.mark.plain
def test_a_target_is_risen_or_fallen_to():
    assert [ACCURACY.is_reached(value) for value in (0.89, 0.9, 0.95, math.nan)] == [False, True, True, False]
    loss = Target("val_loss", 0.3).resolved({"loss": "min"})
    assert [loss.is_reached(value) for value in (0.31, 0.3, 0.1, math.nan)] == [False, True, True, False]
    assert loss.best_of([0.5, math.nan, 0.4]) == 0.4
    assert ACCURACY.best_of([0.5, 0.7, 0.6]) == 0.7
    assert ACCURACY.best_of([math.nan]) is None


@pytest.mark.plain
def test_a_metric_without_a_known_direction_needs_one():
    with pytest.raises(OptionError, match="Keras does not know whether more of val_dice is better"):
        Target("val_dice", 0.9).resolved({"dice": None})
    assert Target("val_dice", 0.9, "max").resolved({"dice": None}).mode == "max"
    with pytest.raises(OptionError, match="compiled with no metric 'acuracy'"):
        Target("val_acuracy", 0.9).resolved({"loss": "min", "accuracy": "max"})


# --- the figures ----------------------------------------------------------------------------------------------------


@pytest.mark.plain
def test_compilation_is_what_the_first_epoch_takes_beyond_the_later_ones():
    assert compile_seconds([3.0, 4.0, 5.5, 6.5]) == 2.0  # 3 s, then 1, 1.5 and 1
    assert compile_seconds([1.0, 3.0]) == 0.0
    assert compile_seconds([1.0]) is None


@pytest.mark.plain
def test_a_seed_that_fails_counts_as_the_slowest_of_its_backend():
    runs = runs_of([1.0, 0.2, 3.0, 2.0, 2.5], failed={2})  # the second diverged early
    assert target_rows.times(runs) == [1.0, 3.0, 3.0, 2.0, 2.5]
    rows = {row["metric"]: row for row in target_rows.rows("s", "r", runs)}
    assert (rows["time_to_target"]["n"], rows["time_to_target"]["median"]) == (5, 2.5)
    assert rows["seeds_reached"]["median"] == 4
    assert rows["epochs_to_target"]["median"] == 4


@pytest.mark.plain
def test_there_is_no_time_to_a_target_that_half_of_the_seeds_miss():
    rows = {row["metric"] for row in target_rows.rows("s", "r", runs_of([1.0, 2.0, 3.0, 4.0], failed={1, 2}))}
    assert rows == {"seeds_reached", "initialization", "compile"}


@pytest.mark.plain
def test_the_energy_to_the_target_is_told_where_that_of_every_seed_is_known():
    runs = runs_of([1.0, 2.0, 3.0], failed={1}, watts=10)
    (row,) = (row for row in target_rows.rows("s", "r", runs) if row["metric"] == "energy_to_target")
    assert (row["unit"], row["n"], row["median"]) == ("J", 3, 30)
    mixed = [*runs[:2], *runs_of([1.0, 2.0, 3.0])[2:]]
    assert "energy_to_target" not in {row["metric"] for row in target_rows.rows("s", "r", mixed)}


@pytest.mark.plain
def test_backends_are_compared_seed_by_seed():
    # Twice as slow with every seed, however much the seeds differ.
    seconds = [1.0, 5.0, 2.0, 9.0, 3.0]
    row = target_rows.ratio_row("s", "r", runs_of([2 * each for each in seconds]), runs_of(seconds, backend="torch"))
    assert (row["backend"], row["of"], row["over"]) == ("jax ÷ torch", "jax", "torch")
    assert (row["low"], row["ratio"], row["high"]) == pytest.approx((2.0, 2.0, 2.0))


@pytest.mark.plain
def test_the_intervals_of_few_seeds_hold_less_often():
    # All of the ratios lie above the true one, or below it, with 1 / 2 ** n each.
    assert target_rows.confidence(5) == 1 - 2 / 32
    assert target_rows.confidence(1) == 0
    assert target_rows.confidence(8) == 0.95
    # What is promised, measured: five log-ratios, symmetric about zero.
    generator, hits = np.random.default_rng(0), 0
    for _ in range(400):
        log_ratios = generator.normal(size=5)
        row = target_rows.ratio_row("s", "r", runs_of(np.exp(log_ratios)), runs_of([1.0] * 5))
        hits += row["low"] <= 1 <= row["high"]
    assert hits / 400 == pytest.approx(target_rows.confidence(5), abs=0.03)


@pytest.mark.plain
def test_a_run_is_read_from_its_json():
    run = runs_of([1.0])[0]
    assert SeedRun.from_json(json.loads(json.dumps(run.to_json()))) == run
    with pytest.raises(DataError, match="expected a run with backend, compile"):
        SeedRun.from_json({"backend": "jax"})


@pytest.mark.plain
def test_the_chart_shows_each_seed(tmp_path):
    from trivium.benchmarks.targets import seed_chart

    runs = {"jax": runs_of([1.0, 1.2, 1.1]), "torch": runs_of([2.0, 3.0, 2.5], failed={2}, backend="torch")}
    target = {"metric": "val_accuracy", "value": 0.9, "mode": "max", "epochs": 5}
    seed_chart.save_seeds(runs, target, tmp_path / "seeds.png")
    assert (tmp_path / "seeds.png").read_bytes().startswith(b"\x89PNG")


# --- real trainings -------------------------------------------------------------------------------------------------


@pytest.fixture
def problem(tmp_path):
    """A user's model and easy data: two clouds of points."""
    (tmp_path / "mine.py").write_text(
        "import keras\n\n\n"
        "def build():\n"
        "    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation='softmax')])\n"
        "    model.compile(keras.optimizers.Adam(0.05), 'sparse_categorical_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
    )
    generator = np.random.default_rng(0)
    y = np.arange(128) % 2
    x = generator.normal(size=(128, 2)) + 4 * (2 * y[:, None] - 1)
    np.savez(tmp_path / "clouds.npz", x_train=x.astype("float32"), y_train=y)
    return {"recipe": f"{tmp_path / 'mine.py'}:build", "data": str(tmp_path / "clouds.npz")}


@pytest.mark.one_environment
def test_seeds_are_trained_to_the_target_and_those_of_earlier_results_are_not_trained_again(
    backend, shared_worker, problem
):
    heard = []
    asked = {**problem, "target": Target("val_accuracy", 0.95), "seeds": 2, "epochs": 60, "batch_size": 16}
    results = time_to_accuracy.measure(
        backends=[backend.name], **asked, options=BenchmarkOptions(listener=heard.append)
    )
    runs = results.extra["runs"]
    assert [run["seed"] for run in runs] == [1, 2]
    for run in runs:
        assert run["reached"]
        assert run["value"] >= 0.95
        assert 1 <= run["epochs"] <= 60
        assert run["compile"] is not None
        assert min(run["seconds"], run["initialization"]) > 0
    assert results.median(metric="time_to_target") == pytest.approx(np.median([run["seconds"] for run in runs]))
    document = json.loads(json.dumps(results.to_json(), allow_nan=False))
    schemas.validate("files/results", document)
    assert (document["rounds"], document["stopped_by"]) == (2, "seeds")
    assert any("seed 2, epoch" in event["stage"] for event in heard)
    again = BenchmarkOptions(earlier_results=document)
    assert time_to_accuracy.measure(backends=[backend.name], **asked, options=again).extra["runs"] == runs


@pytest.mark.one_environment
def test_a_seed_that_does_not_reach_the_target_is_recorded_and_the_budget_ends_the_seeds(
    backend, shared_worker, problem
):
    results = time_to_accuracy.measure(
        **problem,
        backends=[backend.name],
        target=Target("val_loss", 1e-9),
        epochs=2,
        options=BenchmarkOptions(budget=0.0),
    )
    (run,) = results.extra["runs"]
    assert (run["reached"], run["epochs"]) == (False, 2)
    assert run["value"] > 1e-9
    assert results.find(metric="time_to_target") == []
    assert results.to_json()["stopped_by"] == "budget"
    assert results.extra["target"] == {"metric": "val_loss", "value": 1e-9, "mode": "min", "epochs": 2}


@pytest.mark.one_environment
def test_a_seed_that_diverges_has_not_reached_the_target(backend, shared_worker, problem, tmp_path):
    model = tmp_path / "mine.py"
    model.write_text(model.read_text().replace("Adam(0.05)", "SGD(1e38)"))
    results = time_to_accuracy.measure(
        **problem, backends=[backend.name], target=Target("val_loss", 0.1), seeds=1, epochs=3
    )
    (run,) = results.extra["runs"]
    assert (run["reached"], run["epochs"], run["value"]) == (False, 0, None)
    assert results.median(metric="seeds_reached") == 0


@pytest.mark.plain
def test_earlier_results_without_runs_are_not_resumed():
    target = {"metric": "val_accuracy", "value": 0.9, "mode": "max"}
    asked = {"recipe": "dense/small", "backends": [], "target": target, "seeds": 1, "epochs": None}
    measurement = {"batch_size": None, "data": None, "device": None}
    for records in (None, [], [runs_of([1.0], backend="other")[0].to_json()]):
        earlier = {"suite": time_to_accuracy.SUITE, "asked": {**asked, **measurement}, "runs": records}
        with pytest.raises(DataError, match="no `runs` on these backends"):
            time_to_accuracy._Measurement(
                "dense/small",
                [],
                ACCURACY,
                {"epochs": None, **measurement},
                earlier["asked"],
                BenchmarkOptions(earlier_results=earlier),
            )


@pytest.mark.one_environment
def test_what_cannot_be_reached_is_refused_before_the_first_epoch(backend, shared_worker, problem):
    ours = {**problem, "backends": [backend.name]}
    with pytest.raises(OptionError, match="compiled with no metric 'f1_score'"):
        time_to_accuracy.measure(**ours, target=Target("val_f1_score", 0.9))
    with pytest.raises(OptionError, match=r"rnn/lstm holds nothing out of waves:0\S* for validation"):
        time_to_accuracy.measure("rnn/lstm", [backend.name], target=Target("val_loss", 0.1))
    with pytest.raises(OptionError, match="`seeds` of 1 or more and `epochs` of 2 or more, received 0 and None"):
        time_to_accuracy.measure(**ours, target=ACCURACY, seeds=0)


@pytest.mark.several_backends
def test_equal_seeds_take_equally_many_epochs_on_every_backend(problem):
    results = time_to_accuracy.measure(**problem, target=ACCURACY, seeds=1, epochs=60, batch_size=16)
    names = results.arguments["backends"]
    assert [run["backend"] for run in results.extra["runs"]] == names
    assert len({run["epochs"] for run in results.extra["runs"]}) == 1
    assert [(ratio["of"], ratio["over"]) for ratio in results.ratios] == [
        (a, b) for at, a in enumerate(names) for b in names[at + 1 :]
    ]
