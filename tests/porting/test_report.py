"""The checks of a port compare two sets of outputs."""

import json

import numpy as np
import pytest

from trivium.errors import PortError
from trivium.porting.report import PortReport, compare_batch, compare_batches

PROBABILITIES = np.array([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]], "float32")


def test_the_output_with_the_largest_difference_is_reported():
    near, far = np.ones((2, 1), "float32"), np.full((2, 1), 4, "float32")
    check = compare_batch("random", "here", "there", [near, far], [near, far + np.float32(0.1)])
    assert not check.passed
    assert check.difference.relative == pytest.approx(0.025, rel=1e-3)


def test_small_outputs_are_compared_on_the_scale_of_the_recorded_outputs():
    typical, tiny, huge = (np.full((2, 1), value, "float32") for value in (0.5, 1e-6, 40.0))
    expected = {"random": [tiny], "recorded": [typical], "extreme": [huge]}
    received = {name: [values + np.float32(1e-7)] for name, (values,) in expected.items()}
    differences = {
        check.inputs: check.difference.relative
        for check in compare_batches("there", dict.fromkeys(expected, "here"), expected, received)
    }
    assert differences["random"] == pytest.approx(2e-7, rel=0.1)
    assert differences["extreme"] < 1e-7
    without = {name: values for name, values in expected.items() if name != "recorded"}
    alone, _ = compare_batches("there", dict.fromkeys(without, "here"), without, received)
    assert not alone.passed
    wrong = compare_batches("there", {"random": "here"}, {"random": [tiny]}, {"random": [tiny + np.float32(1e-4)]})
    assert not wrong[0].passed


def test_agreement_counts_equal_most_probable_classes():
    other = PROBABILITIES[:, [0, 2, 1]]
    assert compare_batch("random", "here", "there", [PROBABILITIES], [PROBABILITIES]).agreement == 1
    assert compare_batch("random", "here", "there", [PROBABILITIES], [other]).agreement == 0


def test_values_that_are_not_probabilities_have_no_agreement():
    assert compare_batch("random", "here", "there", [PROBABILITIES * 3], [PROBABILITIES * 3]).agreement is None


@pytest.mark.parametrize("received", [[PROBABILITIES.T], [PROBABILITIES, PROBABILITIES]], ids=["shape", "number"])
def test_outputs_of_other_shapes_are_refused(received):
    with pytest.raises(PortError, match=r"there gives outputs of shapes .* for single inputs, expected \[\(2, 3\)\]"):
        compare_batch("single", "here", "there", [PROBABILITIES], received)


def test_nan_fails_the_check_and_is_null_in_json():
    check = compare_batch("random", "here", "there", [PROBABILITIES], [PROBABILITIES * np.float32(np.nan)])
    port = PortReport("here", "there", None, (check,), "host")
    assert str(port) == "here → there: DIFFERENT predictions, nothing kept"
    report = port.to_json()
    assert report["verdict"] == "different"
    assert json.loads(json.dumps(report, allow_nan=False))["largest_difference"] is None


def test_layers_in_float16_round_more_than_the_float32_that_they_end_in():
    expected, received = np.ones((4, 2), "float32"), np.full((4, 2), 1.0004, "float32")
    assert not compare_batch("random", "here", "there", [expected], [received]).passed
    assert compare_batch("random", "here", "there", [expected], [received], dtype="float16").passed
    assert not compare_batch("random", "here", "there", [expected], [received + 0.1], dtype="float16").passed
