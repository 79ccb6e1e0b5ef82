"""Tolerances, and the location of a difference, on small hand-written arrays, without a framework."""

import json

import numpy as np
import pytest

from trivium.engine.verification import tolerances
from trivium.engine.verification.tolerances import FORWARD, GRADIENTS, LOSSES, BackendCheck

pytestmark = pytest.mark.plain

PAIR = ("one", "other")
LAYERS = [("layer a", np.array([1.0, 2.0])), ("layer b", np.array([[3.0, -4.0]])), ("layer c", np.array([5.0]))]


def changed(**by):
    """Return the layers with values added to some of them."""
    return [(name, array + by.get(name[-1], 0.0)) for name, array in LAYERS]


def curve(*losses):
    return [(f"step {step}", np.array(loss)) for step, loss in enumerate(losses, 1)]


def test_equal_results_differ_by_nothing():
    check = tolerances.compare(FORWARD, PAIR, LAYERS, changed(), [1e-5] * 3)
    assert (check.passed, check.difference, check.excess) == (True, 0.0, 0.0)


def test_the_first_layer_that_differs_is_named_even_if_a_later_one_differs_more():
    check = tolerances.compare(FORWARD, PAIR, LAYERS, changed(b=np.array([[0, 0.1]]), c=2.0), [1e-5] * 3)
    assert not check.passed
    assert check.where == "layer b at [0, 1]"
    assert check.values == pytest.approx((-4.0, -3.9))
    assert check.difference == pytest.approx(0.1 / 4)
    assert check.index == 1


def test_the_gradient_furthest_above_its_tolerance_is_named():
    received = changed(a=0.2, b=0.4, c=0.5)  # each a tenth of its largest
    assert tolerances.compare(GRADIENTS, PAIR, LAYERS, received, [1e-5, 1e-6, 1e-5]).where.startswith("layer b")


def test_a_passed_check_shows_the_array_closest_to_its_tolerance():
    check = tolerances.compare(FORWARD, PAIR, LAYERS, changed(a=2e-7, c=2e-5), [1e-5] * 3)
    assert check.passed
    assert check.where.startswith("layer c")
    assert check.excess == pytest.approx(0.4, rel=1e-2)


def test_a_difference_is_relative_to_the_largest_value_of_its_array():
    array = [("x", np.array([1000.0, 1e-6]))]
    assert tolerances.compare(FORWARD, PAIR, array, [("x", np.array([1000.0, 2e-6]))], [1e-5]).passed
    assert not tolerances.compare(FORWARD, PAIR, array, [("x", np.array([1000.1, 1e-6]))], [1e-5]).passed


def test_an_array_that_is_zero_but_for_rounding_is_compared_on_the_scale_of_its_kind():
    expected = [("kernel", np.array([1.0])), ("bias", np.array([0.0]))]
    for off, passed in ((1e-10, True), (1e-8, False)):
        assert (
            tolerances.compare(GRADIENTS, PAIR, expected, [expected[0], ("bias", np.array([off]))], [1e-5] * 2).passed
            == passed
        )


def test_a_loss_is_compared_on_the_scale_of_its_curve():
    check = tolerances.compare(LOSSES, PAIR, curve(10.0, 0.001), curve(10.0, 0.0011), [1e-4] * 2)
    assert check.difference == pytest.approx(1e-5)
    assert check.where == "step 2"


@pytest.mark.parametrize(
    ("received", "where"),
    [
        ([LAYERS[0], ("layer b", np.zeros((2, 2))), LAYERS[2]], "layer b: (1, 2) against (2, 2)"),
        (LAYERS[:2], "layer c: (1,) against nothing"),
        ([*LAYERS, ("layer d", np.zeros(3))], "layer d: nothing against (3,)"),
    ],
)
def test_results_of_different_shapes_differ_infinitely(received, where):
    check = tolerances.compare(FORWARD, PAIR, LAYERS, received, [1e-5] * 3)
    assert (check.passed, check.difference, check.where) == (False, np.inf, where)


def test_nan_against_nan_passes_and_against_a_number_fails():
    nan = [("x", np.array([1.0, np.nan]))]
    assert tolerances.compare(FORWARD, PAIR, nan, nan, [1e-5]).passed
    assert tolerances.compare(FORWARD, PAIR, nan, [("x", np.array([1.0, 2.0]))], [1e-5]).difference == np.inf


def test_a_check_as_json_has_no_infinity_or_nan():
    document = json.loads(
        json.dumps(BackendCheck(FORWARD, PAIR, np.inf, 1e-5, "layer a", (1.0, np.nan)).to_json(), allow_nan=False)
    )
    assert document == {
        "what": "forward pass",
        "backends": ["one", "other"],
        "difference": None,
        "tolerance": 1e-5,
        "where": "layer a",
        "values": [1.0, None],
        "passed": False,
    }


def test_a_tolerance_grows_with_the_effect_of_the_perturbation():
    allowed = tolerances.derive_tolerances("float32", {FORWARD: LAYERS}, {FORWARD: changed(b=0.004)})[FORWARD]
    assert allowed == pytest.approx([1e-5, 2 * 0.001, 1e-5])


def test_the_minimum_tolerance_depends_on_the_dtype():
    least = {
        dtype: tolerances.derive_tolerances(dtype, {GRADIENTS: LAYERS}, {GRADIENTS: LAYERS})[GRADIENTS][0]
        for dtype in ("float16", "float64")
    }
    assert least == pytest.approx({"float16": 1e-1, "float64": 1e-11})


def test_the_tolerance_of_a_loss_never_shrinks_in_later_steps():
    allowed = tolerances.derive_tolerances("float32", {LOSSES: curve(1, 1, 1)}, {LOSSES: curve(1, 1.01, 1)})[LOSSES]
    assert allowed == pytest.approx([1e-4, 0.1, 0.1])


def test_a_perturbation_that_ends_in_nan_leaves_the_minimum_tolerance():
    perturbed = {FORWARD: changed(a=np.nan)}
    assert tolerances.derive_tolerances("float32", {FORWARD: LAYERS}, perturbed)[FORWARD] == pytest.approx([1e-5] * 3)


def test_a_perturbation_is_as_large_as_rounding_and_leaves_integers():
    variables = [np.full((50, 50), 3.0, "float32"), np.array(2.0, "float64"), np.array([7, 8], "uint32")]
    kernel, scalar, state = tolerances.perturb(variables, "float32", seed=0)
    assert [value.dtype for value in (kernel, scalar, state)] == ["float32", "float64", "uint32"]
    assert isinstance(scalar, np.ndarray)
    assert 5e-6 < np.abs(kernel / 3 - 1).max() < 1.1e-5
    np.testing.assert_array_equal(state, variables[2])


def test_an_array_without_a_counterpart_is_told_by_its_name():
    kernels = [(f"dense_{number}/kernel", np.zeros((6, 6))) for number in range(4)]
    check = tolerances.compare(GRADIENTS, PAIR, kernels, kernels[1:], [1e-5] * 4)
    assert check.where == "dense_0/kernel: (6, 6) against nothing"
    check = tolerances.compare(GRADIENTS, PAIR, kernels[:3], kernels, [1e-5] * 3)
    assert check.where == "dense_3/kernel: nothing against (6, 6)"
    renamed = [(f"other_{number}", np.zeros((6, 5))) for number in range(4)]
    check = tolerances.compare(GRADIENTS, PAIR, kernels, renamed, [1e-5] * 4)
    assert check.where == "dense_0/kernel: (6, 6) against (6, 5)"


def test_arrays_are_compared_by_their_names_and_not_by_their_places():
    kernels = [(f"dense_{number}/kernel", np.full((6, 6), number + 1.0)) for number in range(4)]
    check = tolerances.compare(GRADIENTS, PAIR, kernels, kernels[::-1], [1e-5] * 4)
    assert (check.passed, check.difference) == (True, 0)
    # Another weight is trainable on each backend: as many arrays of the same shapes, but not the same weights.
    check = tolerances.compare(GRADIENTS, PAIR, kernels[:3], [kernels[1], kernels[3], kernels[0]], [1e-5] * 3)
    assert check.where == "dense_2/kernel: (6, 6) against nothing"


def test_arrays_of_one_name_are_compared_in_their_order():
    shared = [("layer shared", np.array([1.0])), ("layer shared", np.array([2.0]))]
    assert tolerances.compare(FORWARD, PAIR, shared, shared, [1e-5] * 2).passed
    assert not tolerances.compare(FORWARD, PAIR, shared, shared[::-1], [1e-5] * 2).passed


def test_tolerances_belong_to_names():
    one, two, new = ((name, np.zeros(2)) for name in ("one", "two", "new"))
    limits = dict(zip(tolerances.by_name([one, two]), [0.1, 0.2], strict=True))
    assert tolerances.tolerances_for([two, new, one], limits) == [0.2, 0.2, 0.1]
