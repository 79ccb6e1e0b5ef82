"""The other suites, small: real epochs in real workers, and the figures that follow from rows."""

import itertools
import json

import pytest

from trivium.benchmarks import inference_session
from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import STEADY, GroupResult, Results, group_result
from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import batch_size, data_size, epochs, inference, pooling_vs_striding, start_up
from trivium.benchmarks.suites.variants import LADDER
from trivium.errors import OptionError, RecipeError

pytestmark = pytest.mark.one_environment

QUICK = BenchmarkOptions(budget=0.1, precision=1.0, ceilings=False)


def test_epochs_of_a_recipe_and_of_a_users_own_model(backend, shared_worker, tmp_path):
    import numpy as np

    (tmp_path / "mine.py").write_text(
        "import keras\ndef build():\n    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\n"
    )
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", x_train=generator.normal(size=(64, 4)), y_train=generator.normal(size=(64, 3)))
    model = f"{tmp_path / 'mine.py'}:build"
    results = epochs.measure([model], [backend.name], data=str(tmp_path / "mine.npz"), options=QUICK)
    (steady,) = results.find(metric=STEADY)
    assert (steady["recipe"], steady["backend"]) == (model, backend.name)
    # 48 samples are trained on: 12 products and sums, 3 biases, twice.
    assert results.median(metric="flops") == 48 * 2 * 27
    assert results.to_json()["stopped_by"] == {model: "budget"}


def test_epochs_over_windows_of_a_table(backend, shared_worker, tmp_path):
    (tmp_path / "sales.csv").write_text("sales\n" + "".join(f"{n % 5}.5\n" for n in range(50)))
    data = f"{tmp_path / 'sales.csv'}:window=4"
    results = epochs.measure(["rnn/lstm"], [backend.name], data=data, options=QUICK)
    assert results.arguments["data"] == data
    assert results.groups["rnn/lstm"].rows


@pytest.mark.several_backends
def test_epochs_compare_every_backend_with_every_other():
    results = epochs.measure(["rnn/lstm"], data="waves:0:20", options=QUICK)
    pairs = [(ratio["of"], ratio["over"], ratio["backend"]) for ratio in results.ratios]
    names = results.arguments["backends"]
    assert pairs == [(a, b, f"{a} ÷ {b}") for i, a in enumerate(names) for b in names[i + 1 :]]


def test_an_unknown_recipe_is_refused_before_anything_starts():
    with pytest.raises(RecipeError, match="did you mean 'rnn/lstm'"):
        epochs.measure(["rnn/lstmm"])


def test_batch_sizes_are_compared_with_the_largest_and_judged(backend, shared_worker):
    results = batch_size.measure("rnn/lstm", [backend.name], sizes=[16, 4], data="waves:0:40", options=QUICK)
    assert {row["batch_size"] for row in results.find(metric=STEADY)} == {4, 16}
    assert [(ratio["of"], ratio["over"]) for ratio in results.ratios] == [("batch 4", "batch 16")]
    losses = results.find(metric="loss")
    assert {row["batch_size"] for row in losses} == {4, 16}
    assert {row["epochs"] for row in losses} == {results.to_json()["rounds"] + 2}
    json.dumps(results.to_json(), allow_nan=False)


@pytest.mark.parametrize("sizes", [[], [0, 8]])
def test_batch_sizes_that_cannot_be_are_refused(sizes):
    with pytest.raises(OptionError, match="`sizes` needs batch sizes of 1 or more"):
        batch_size.measure(sizes=sizes)


def test_the_exponent_of_a_power_is_that_power():
    assert data_size.exponent([10, 100, 1000], [3 * n**1.5 for n in (10, 100, 1000)]) == pytest.approx(1.5)


def test_time_and_error_over_lengths_of_a_wave(backend, shared_worker):
    results = data_size.measure("rnn/lstm", [backend.name], sizes=[20, 80], waves="waves:0", options=QUICK)
    steady = {row["steps"]: row["median"] for row in results.find(metric=STEADY)}
    (fitted,) = results.find(metric="time_exponent")
    assert fitted["median"] == pytest.approx(data_size.exponent(list(steady), list(steady.values())))
    assert fitted["q1"] <= fitted["median"] <= fitted["q3"]
    assert len(results.find(metric="loss_exponent")) == 1
    with pytest.raises(OptionError, match="two lengths or more"):
        data_size.measure(sizes=[200])


def test_a_first_answer_has_its_stages(backend):
    stages = start_up.first_answer("dense/small")
    assert list(stages) == [*start_up.STAGES[1:], "environment"]
    # Which of the two takes longer is asked of fresh processes below: this one has predicted before.
    assert stages["first_prediction"] > 0
    assert stages["next_prediction"] > 0
    assert stages["environment"]["backend"] == backend.name


@pytest.mark.slow
def test_the_wait_for_a_first_prediction_is_measured_in_fresh_processes(backend):
    results = start_up.measure("dense/small", [backend.name], options=QUICK)
    medians = {name: results.median(metric=name) for name in (*start_up.STAGES, start_up.TOTAL)}
    assert all(seconds > 0 for seconds in medians.values())
    assert medians["import"] > medians["next_prediction"]
    assert results.find(metric=start_up.TOTAL)[0]["n"] == 3


def test_answers_are_timed_for_one_sample_and_for_many(backend, shared_worker):
    results = inference.measure(["dense/small"], [backend.name], formats=[], options=QUICK)
    answers = {row["batch_size"]: row for row in results.find(metric=inference.METRIC)}
    assert set(answers) == {1, 256}
    many = results.median(metric="throughput", batch_size=256)
    assert many == pytest.approx(256 / answers[256]["median"], rel=0.5)
    (p50,), (p90,), (p99,) = (results.find(metric=f"answer_p{rank}", batch_size=1) for rank in (50, 90, 99))
    assert 0 < p50["median"] <= p90["median"] <= p99["median"]
    assert p99["n"] == p50["n"] > 8, "single predictions, not rounds"
    # 784 → 64 relu → 10 softmax.
    assert results.median(metric="flops", batch_size=1) == 2 * 784 * 64 + 128 + 2 * 640 + 10 + 50


@pytest.mark.several_backends
@pytest.mark.parametrize("name", inference_session.FORMATS)
def test_an_artifact_answers_the_same_beside_keras(name):
    engine = inference_session.FORMATS[name]
    pytest.importorskip(inference_session.PACKAGES[engine])
    results = inference.measure(["dense/small"], formats=[name], options=QUICK)
    assert results.extra["without"] == {}
    assert {row["batch_size"] for row in results.find(metric=inference.METRIC, runner=engine)} == {1, 256}


def test_an_unknown_format_is_refused():
    with pytest.raises(OptionError, match="no format 'tar' to measure: choose from onnx, openvino, litert"):
        inference.measure(["dense/small"], formats=["tar"])


# --- why pooling costs more -----------------------------------------------------------------------------------------


def ladder(*seconds):
    """Results in which the rungs take these seconds."""
    cells = [TimedCell("variants/pair", "jax", way, sweep_point=(("way", way),)) for way in LADDER[: len(seconds)]]
    info = {"environment": {"device": "cpu"}, "plan": {}}
    samples = {cell: [value] * 8 for cell, value in zip(cells, seconds, strict=True)}
    group = group_result(
        "x",
        CellGroup("ladder", cells, list(itertools.pairwise(cells))),
        dict.fromkeys(cells, info),
        {},
        InterleavedRounds(samples, "budget"),
    )
    return Results("x", groups={"ladder": group})


def test_the_cost_of_pooling_is_the_sum_of_its_parts():
    parts = pooling_vs_striding.explain(ladder(10.0, 8.0, 7.0, 2.0), "jax")
    assert [part["part"] for part in parts] == list(pooling_vs_striding.PARTS)
    assert [part["seconds"] for part in parts] == pytest.approx([2.0, 1.0, 5.0])
    assert [part["share"] for part in parts] == pytest.approx([0.25, 0.125, 0.625])


def test_a_part_whose_interval_contains_one_is_no_difference():
    parts = pooling_vs_striding.explain(ladder(10.0, 8.0, 8.0, 2.0), "jax")
    assert [part["differs"] for part in parts] == [True, False, True]


def test_there_are_no_parts_if_a_variant_is_missing_or_pooling_costs_nothing():
    assert pooling_vs_striding.explain(ladder(10.0, 8.0, 7.0), "jax") == []
    assert pooling_vs_striding.explain(ladder(1.0, 1.0, 1.0, 2.0), "jax") == []
    assert pooling_vs_striding.explain(Results("x", groups={"g": GroupResult()}), "jax") == []


def test_the_ends_of_the_ladder_are_the_recipes_of_the_book(backend):
    """The same operations and weights; activation is a layer of its own."""
    from trivium.benchmarks.flops import count, total
    from trivium.benchmarks.suites.variants import blocks, pair
    from trivium.models import recipe as recipes

    for variant, way, name in ((pair, "striding", "cnn/striding"), (blocks, "pooling", "cnn/blocks-pooling")):
        ours, theirs = variant(way=way), recipes.find(name)()
        assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
        assert total(count(ours))["forward"] == total(count(theirs))["forward"]


def test_each_rung_is_cheaper_than_the_one_above(backend):
    from trivium.benchmarks.flops import count, total
    from trivium.benchmarks.suites.variants import pair

    for size in (28, 15):
        operations = [total(count(pair(way=way, size=size))) for way in LADDER]
        assert not any(totals["unknown"] for totals in operations)
        training = [totals["training"] for totals in operations]
        assert training == sorted(training, reverse=True)
