"""A bug on one backend is found and located, and a model without a bug passes.

The models are in `planted.py`; their bugs show on the last installed backend only.
"""

import functools
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.data.dataset import Dataset, Split
from trivium.engine.runs import run_folder
from trivium.engine.training import saving
from trivium.engine.verification import tolerances
from trivium.engine.verification.model_under_test import ModelUnderTest
from trivium.engine.verification.tolerances import BackendCheck
from trivium.engine.verification.verification import INITIAL, REPEATED, Report, verify
from trivium.errors import BackendError, BundleError, DataError, OptionError, RecipeError
from trivium.models.recipe import find, registry

PLANTED = Path(__file__).parents[2] / "helpers" / "planted.py"
WITH_LOSSES = PLANTED.with_name("models_with_losses.py")
NAMES = [backend.name for backend in catalog.trainers()]
FAULTY = NAMES[-1]
ORDER = [INITIAL, REPEATED, f"{REPEATED} in training", *tolerances.LIMITS]
# The layers that differ most easily: one that behaves differently in training, and a stateful one. `tox -e slow`
# verifies all recipes.
SLICE = ("cnn/striding-batchnorm", "rnn/stateful")


@functools.cache
def report_on(name, steps=1, float64=False):
    """Return the cached report on a model of `planted.py`."""
    return verify(f"{PLANTED}:{name}", steps=steps, float64=float64)


def check(what, difference=0.0, backends=("tensorflow", "jax"), where="somewhere"):
    return BackendCheck(what, backends, difference, 1e-5, where, (1.0, 2.0))


# --- the report -----------------------------------------------------------------------------------------------------


def test_a_report_without_failures_has_the_verdict_same():
    report = Report("x", ("tensorflow", "jax", "torch"), (check("loss"), check("gradients", 1e-6)), (), False)
    assert report.passed
    assert (report.first_failure, report.outlier) == (None, None)
    assert report.finding == "the same on tensorflow, jax and torch"
    assert report.to_json()["verdict"] == "same"


def test_a_report_names_the_first_failure_and_the_backend_that_differs_from_all_others():
    pairs = [("tensorflow", "jax"), ("tensorflow", "torch"), ("jax", "torch")]
    failed = [check("loss", 0.5 if "jax" in pair else 0.0, pair) for pair in pairs]
    report = Report(
        "x", ("tensorflow", "jax", "torch"), (check("forward pass"), *failed, check("gradients", 0.9)), (), False
    )
    assert report.first_failure is failed[0]
    assert report.outlier == "jax"
    assert report.finding == "different: loss, somewhere (tensorflow 1, jax 2); only jax differs"
    assert json.loads(json.dumps(report.to_json()))["verdict"] == "different"


def test_a_report_names_a_layer_that_a_backend_is_known_to_train_otherwise():
    failed = (check("gradients", 0.5),)
    report = Report("x", ("tensorflow", "jax"), failed, (), False, ("norm: Keras trains it otherwise under JAX",))
    assert report.finding.endswith("(tensorflow 1, jax 2); norm: Keras trains it otherwise under JAX")
    assert report.to_json()["deviations"] == ["norm: Keras trains it otherwise under JAX"]


def test_two_backends_have_no_outlier():
    assert Report("x", ("tensorflow", "jax"), (check("loss", 0.5),), (), False).outlier is None


def test_the_worst_check_of_each_kind_is_shown():
    report = Report(
        "x", ("tensorflow", "jax"), (check("loss", 1e-7), check("loss", 2e-6), check("gradients")), (), False
    )
    assert [(worst.what, worst.difference) for worst in report.worst_by_kind()] == [("loss", 2e-6), ("gradients", 0.0)]


# --- errors ---------------------------------------------------------------------------------------------------------


def test_one_backend_alone_cannot_be_compared(backend):
    with pytest.raises(BackendError, match=f"two backends or more, received {backend.name} alone"):
        verify("dense/small", backends=[backend.name, backend.name])
    with pytest.raises(BackendError, match="unknown backend 'theano'"):
        verify("dense/small", backends=["theano"])


@pytest.mark.several_backends
def test_invalid_arguments_are_refused(tmp_path):
    with pytest.raises(OptionError, match="steps must be 1 or more, received 0"):
        verify("dense/small", steps=0)
    with pytest.raises(OptionError, match="batch size must be 1 or more, received 0"):
        verify("dense/small", batch_size=0)
    with pytest.raises(RecipeError, match="'dense/smal' is no recipe, no bundle and no run folder; did you mean"):
        verify("dense/smal")
    with pytest.raises(BundleError, match="no bundle at"):
        verify(tmp_path)
    with pytest.raises(RecipeError, match="declares no inputs: begin it with"):
        report_on("without_inputs")
    with pytest.raises(RecipeError, match=r"planted.py has no function 'nosuch'"):
        report_on("nosuch")
    with pytest.raises(DataError, match="unknown dataset 'nosuch'"):
        verify("dense/small", "nosuch")


# --- drawn batches of a model without data --------------------------------------------------------------------------


def drawn(shared_worker, function, steps=3):
    model_under_test = ModelUnderTest(f"{PLANTED}:{function}", seed=1)
    return shared_worker.call("trivium.engine.verification.measurements:prepare", asdict(model_under_test), steps)[
        "batches"
    ]


def test_drawn_inputs_and_targets_fit_the_layers_and_losses(shared_worker):
    batches = drawn(shared_worker, "of_many_kinds")
    numbers, other, words = batches["x"]  # in the order of the model's inputs
    kinds, sizes = batches["y"]
    assert [values.shape for values in (numbers, other, words)] == [(3, 32, 5), (3, 32, 5), (3, 32, 8)]
    assert (words.min(), words.max()) == (0, 10), "the embedding knows eleven words"
    np.testing.assert_array_equal(words, np.round(words))
    assert numbers.dtype == "float32"
    assert numbers.std() == pytest.approx(1, abs=0.2)
    assert (kinds.dtype, kinds.shape, kinds.min(), kinds.max()) == ("int32", (3, 32), 0, 2)
    assert (sizes.dtype, sizes.shape) == ("float32", (3, 32, 1))


def test_the_same_seed_draws_the_same(shared_worker):
    first, second = (drawn(shared_worker, "sound") for _ in range(2))
    np.testing.assert_array_equal(first["x"][0], second["x"][0])
    np.testing.assert_array_equal(first["y"][0], second["y"][0])
    assert not np.array_equal(first["x"][0][0], first["x"][0][1]), "each step has samples of its own"


# --- planted bugs ---------------------------------------------------------------------------------------------------


@pytest.mark.several_backends
@pytest.mark.parametrize(
    ("name", "what", "where"),
    [
        ("transposed", "forward pass", "layer culprit at"),
        ("epsilon", "forward pass", "layer culprit at"),
        ("momentum", "weights after 1 step", "sequential/culprit/moving_"),
        ("reduction", "loss", "the loss of the first batch"),
        ("noise", REPEATED, "layer culprit at"),
        ("learning_rate", "weights after 1 step", "sequential/"),
        pytest.param("metric", "metrics", "metric culprit", marks=pytest.mark.slow),
        ("frozen", "gradients", "sequential/culprit/kernel: (6, 6) against nothing"),
        ("wider", INITIAL, "sequential/culprit/kernel: (6, 4) against (6, 5)"),
    ],
)
def test_a_planted_bug_is_found_and_located(name, what, where):
    report = report_on(name)
    assert not report.passed
    assert report.first_failure.what == what, report.finding
    assert report.first_failure.where.startswith(where)
    assert where in report.finding
    if name == "noise":  # fails on every backend by itself
        assert {failure.backends for failure in report.checks if failure.what == REPEATED and not failure.passed} == {
            (backend, backend) for backend in NAMES
        }
    elif len(NAMES) > 2:
        assert report.outlier == FAULTY
    else:
        assert report.first_failure.backends == (NAMES[0], FAULTY)


@pytest.mark.several_backends
@pytest.mark.parametrize(
    "name", ["gan", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vae", "siamese", "student"))]
)
def test_losses_that_are_written_once_train_the_same_on_all_backends(name):
    report = verify(f"{WITH_LOSSES}:{name}", float64=True, steps=20)
    assert report.passed
    assert max(check.difference for check in report.checks) < 1e-10


@pytest.mark.several_backends
def test_a_bug_that_begins_in_the_middle_of_training_is_located_at_its_step_and_layer():
    report = report_on("tiring", steps=5)
    assert (report.first_failure.what, report.first_failure.where) == ("loss curve", "step 3")
    checks = {result.what: result for result in report.step_checks}
    layer = checks["forward pass in training at step 3"]
    assert not layer.passed
    assert layer.where.startswith("layer culprit")
    assert layer.values[1] == pytest.approx(1.01 * layer.values[0], rel=1e-3)
    assert checks["weights before step 3"].passed
    assert "forward pass in training at step 3, layer culprit" in report.finding


@pytest.mark.several_backends
@pytest.mark.parametrize(
    ("name", "float64"),
    [
        ("sound", False),
        pytest.param("sound", True, marks=pytest.mark.slow),
        pytest.param("with_dropout", False, marks=pytest.mark.slow),
        ("with_dropout", True),
        ("mixed", False),
        pytest.param("mixed", True, marks=pytest.mark.slow),
        pytest.param("of_many_kinds", False, marks=pytest.mark.slow),
        pytest.param("of_many_kinds", True, marks=pytest.mark.slow),
    ],
)
def test_a_model_without_a_bug_passes(name, float64):
    report = report_on(name, 4, float64)
    assert report.passed, report.finding
    assert [result.what for result in report.worst_by_kind()] == ORDER
    largest = max(result.difference for result in report.checks)
    assert largest > 0, "no two frameworks sum in the same order"
    if float64 and name != "mixed":
        assert largest < 1e-10


@pytest.mark.several_backends
def test_a_bug_keeps_its_size_in_float64():
    single, double = (report_on("epsilon", float64=float64).first_failure for float64 in (False, True))
    assert double.where == single.where
    assert double.difference == pytest.approx(single.difference, rel=1e-2)
    assert double.tolerance < 1e-10


@pytest.mark.several_backends
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad"])
def test_an_embedding_is_trained_the_same_by_every_optimizer(optimizer):
    report = verify(f"{PLANTED}:embedding", options={"optimizer": optimizer}, steps=4, float64=True)
    assert report.passed, report.finding
    assert max(result.difference for result in report.checks) < 1e-10


# --- recipes, bundles, data -----------------------------------------------------------------------------------------


@pytest.fixture
def saved_lstm(lstm_run, tmp_path):
    """A run folder with a bundle."""
    run_folder.claim(tmp_path / "lstm")
    saving.save(lstm_run, tmp_path / "lstm")
    return tmp_path / "lstm"


@pytest.mark.several_backends
@pytest.mark.parametrize("name", SLICE)
def test_a_recipe_computes_the_same_everywhere(name):
    report = verify(name, steps=2)
    assert report.passed, report.finding
    expected = ORDER if find(name).metrics else ORDER[:-1]  # the metrics are last
    assert [result.what for result in report.worst_by_kind()] == expected


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("float64", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("name", sorted(registry()))
def test_every_recipe_computes_the_same_everywhere(name, float64):
    report = verify(name, steps=50, float64=float64)
    assert report.passed, report.finding


@pytest.mark.several_backends
@pytest.mark.parametrize("float64", [pytest.param(False, marks=pytest.mark.slow, id="float32"), True], ids=str)
def test_a_bundle_is_verified_on_what_it_recorded(saved_lstm, float64):
    report = verify(saved_lstm, steps=2, float64=float64)
    assert report.passed, report.finding
    assert max(result.difference for result in report.checks) < (1e-10 if float64 else 1e-3)


@pytest.mark.several_backends
def test_given_data_are_used(digits):
    few = Dataset("few", Split(digits.train.x[:40], digits.train.y[:40]), None, (), "given")
    backends, narrow = NAMES[:2], {"units": 4}
    own = verify("dense/small", few, backends=backends, steps=1, batch_size=40, options=narrow)
    zeros = Dataset("zeros", Split(np.zeros_like(few.train.x), few.train.y), None, (), "given")
    dark = verify("dense/small", zeros, backends=backends, steps=1, batch_size=40, options=narrow)
    assert own.passed
    assert dark.passed
    losses = [next(result.values[0] for result in report.checks if result.what == "loss") for report in (own, dark)]
    assert losses[1] == pytest.approx(np.log(10), rel=1e-5), "all that is left is the bias, which is zero"
    assert abs(losses[0] - losses[1]) > 1e-3


@pytest.mark.several_backends
def test_options_reach_the_model_and_progress_is_reported():
    events = []
    report = verify("dense/small", steps=2, options={"units": 3}, backends=NAMES[:2], listener=events.append)
    kernels = [result for result in report.checks if result.what == INITIAL]
    assert kernels[0].passed
    titles = [catalog.find(name).title for name in NAMES[:2]]
    assert list(dict.fromkeys(event["title"] for event in events)) == [*titles, f"{titles[0]}, perturbed"]
    assert {event["kind"] for event in events} == {"verify"}
    assert events[-1]["done"] == events[-1]["total"] == 2
