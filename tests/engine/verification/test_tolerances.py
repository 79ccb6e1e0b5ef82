"""What counts as a difference, and where it is said to be: arrays made up here, no framework."""

import json

import numpy as np
import pytest

from trivium.engine.verification import tolerances
from trivium.engine.verification.tolerances import FORWARD, GRADIENTS, LOSSES, Check

pytestmark = pytest.mark.plain

PAIR = ("one", "other")
LAYERS = [("layer a", np.array([1.0, 2.0])), ("layer b", np.array([[3.0, -4.0]])), ("layer c", np.array([5.0]))]


def changed(**by):
    """The layers with something added to some."""
    return [(name, array + by.get(name[-1], 0.0)) for name, array in LAYERS]


def curve(*losses):
    return [(f"step {step}", np.array(loss)) for step, loss in enumerate(losses, 1)]


def test_equal_results_differ_by_nothing():
    check = tolerances.compare(FORWARD, PAIR, LAYERS, changed(), [1e-5] * 3)
    assert (check.passed, check.difference, check.excess) == (True, 0.0, 0.0)


def test_of_layers_the_first_that_parts_is_named_though_a_later_one_is_further_off():
    check = tolerances.compare(FORWARD, PAIR, LAYERS, changed(b=np.array([[0, 0.1]]), c=2.0), [1e-5] * 3)
    assert not check.passed
    assert check.where == "layer b at [0, 1]"
    assert check.values == pytest.approx((-4.0, -3.9))
    assert check.difference == pytest.approx(0.1 / 4)
    assert check.index == 1


def test_of_gradients_the_one_is_named_that_is_furthest_beyond_what_it_may():
    received = changed(a=0.2, b=0.4, c=0.5)  # each a tenth of its largest
    assert tolerances.compare(GRADIENTS, PAIR, LAYERS, received, [1e-5, 1e-6, 1e-5]).where.startswith("layer b")


def test_where_all_is_well_the_nearest_to_its_tolerance_is_shown():
    check = tolerances.compare(FORWARD, PAIR, LAYERS, changed(a=2e-7, c=2e-5), [1e-5] * 3)
    assert check.passed
    assert check.where.startswith("layer c")
    assert check.excess == pytest.approx(0.4, rel=1e-2)


def test_a_difference_is_relative_to_the_largest_value_of_its_array():
    array = [("x", np.array([1000.0, 1e-6]))]
    assert tolerances.compare(FORWARD, PAIR, array, [("x", np.array([1000.0, 2e-6]))], [1e-5]).passed
    assert not tolerances.compare(FORWARD, PAIR, array, [("x", np.array([1000.1, 1e-6]))], [1e-5]).passed


def test_what_is_zero_but_for_rounding_is_held_against_the_largest_of_its_kind():
    expected = [("kernel", np.array([1.0])), ("bias", np.array([0.0]))]
    for off, passed in ((1e-10, True), (1e-8, False)):
        assert (
            tolerances.compare(GRADIENTS, PAIR, expected, [expected[0], ("bias", np.array([off]))], [1e-5] * 2).passed
            == passed
        )


def test_a_loss_is_held_against_the_largest_of_its_curve():
    check = tolerances.compare(LOSSES, PAIR, curve(10.0, 0.001), curve(10.0, 0.0011), [1e-4] * 2)
    assert check.difference == pytest.approx(1e-5)
    assert check.where == "step 2"


@pytest.mark.parametrize(
    ("received", "told"),
    [
        ([LAYERS[0], ("layer b", np.zeros((2, 2))), LAYERS[2]], "layer b: (1, 2) against (2, 2)"),
        (LAYERS[:2], "layer c: (1,) against nothing"),
        ([*LAYERS, ("layer d", np.zeros(3))], "one more: nothing against (3,)"),
    ],
)
def test_results_of_other_shapes_differ_infinitely(received, told):
    check = tolerances.compare(FORWARD, PAIR, LAYERS, received, [1e-5] * 3)
    assert (check.passed, check.difference, check.where) == (False, np.inf, told)


def test_nothing_is_no_number_against_a_number():
    nan = [("x", np.array([1.0, np.nan]))]
    assert tolerances.compare(FORWARD, PAIR, nan, nan, [1e-5]).passed
    assert tolerances.compare(FORWARD, PAIR, nan, [("x", np.array([1.0, 2.0]))], [1e-5]).difference == np.inf


def test_as_json_it_is_what_other_tools_read():
    found = json.loads(
        json.dumps(Check(FORWARD, PAIR, np.inf, 1e-5, "layer a", (1.0, np.nan)).to_json(), allow_nan=False)
    )
    assert found == {
        "what": "forward pass",
        "backends": ["one", "other"],
        "difference": None,
        "tolerance": 1e-5,
        "where": "layer a",
        "values": [1.0, None],
        "passed": False,
    }


def test_more_is_allowed_where_a_nudge_does_more():
    allowed = tolerances.allowances("float32", {FORWARD: LAYERS}, {FORWARD: changed(b=0.004)})[FORWARD]
    assert allowed == pytest.approx([1e-5, 2 * 0.001, 1e-5])


def test_what_is_allowed_goes_with_the_dtype():
    least = {
        dtype: tolerances.allowances(dtype, {GRADIENTS: LAYERS}, {GRADIENTS: LAYERS})[GRADIENTS][0]
        for dtype in ("float16", "float64")
    }
    assert least == pytest.approx({"float16": 1e-1, "float64": 1e-11})


def test_what_a_step_may_be_off_the_next_may_be_too():
    allowed = tolerances.allowances("float32", {LOSSES: curve(1, 1, 1)}, {LOSSES: curve(1, 1.01, 1)})[LOSSES]
    assert allowed == pytest.approx([1e-4, 0.1, 0.1])


def test_a_nudge_that_ends_in_no_number_allows_nothing_more():
    nudged = {FORWARD: changed(a=np.nan)}
    assert tolerances.allowances("float32", {FORWARD: LAYERS}, nudged)[FORWARD] == pytest.approx([1e-5] * 3)


def test_a_nudge_is_as_large_as_rounding_and_leaves_whole_numbers():
    variables = [np.full((50, 50), 3.0, "float32"), np.array(2.0, "float64"), np.array([7, 8], "uint32")]
    kernel, scalar, state = tolerances.nudge(variables, "float32", seed=0)
    assert [value.dtype for value in (kernel, scalar, state)] == ["float32", "float64", "uint32"]
    assert isinstance(scalar, np.ndarray)
    assert 5e-6 < np.abs(kernel / 3 - 1).max() < 1.1e-5
    np.testing.assert_array_equal(state, variables[2])
