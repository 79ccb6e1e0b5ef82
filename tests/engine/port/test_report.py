"""What a port's checks say of two sets of answers."""

import json

import numpy as np
import pytest

from trivium.engine.port.report import PortReport, compare
from trivium.errors import PortError

PROBABILITIES = np.array([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]], "float32")


def test_the_output_that_is_furthest_off_is_told():
    near, far = np.ones((2, 1), "float32"), np.full((2, 1), 4, "float32")
    check = compare("random", "here", "there", [near, far], [near, far + np.float32(0.1)])
    assert not check.passed
    assert check.difference.relative == pytest.approx(0.025, rel=1e-3)


def test_classes_that_are_likeliest_for_both_are_counted():
    other = PROBABILITIES[:, [0, 2, 1]]
    assert compare("random", "here", "there", [PROBABILITIES], [PROBABILITIES]).agreement == 1
    assert compare("random", "here", "there", [PROBABILITIES], [other]).agreement == 0


def test_values_that_are_no_probabilities_have_no_likeliest_class():
    assert compare("random", "here", "there", [PROBABILITIES * 3], [PROBABILITIES * 3]).agreement is None


@pytest.mark.parametrize("received", [[PROBABILITIES.T], [PROBABILITIES, PROBABILITIES]], ids=["shape", "number"])
def test_outputs_of_another_form_are_refused(received):
    with pytest.raises(PortError, match=r"there gives outputs of shapes .* for single inputs, expected \[\(2, 3\)\]"):
        compare("single", "here", "there", [PROBABILITIES], received)


def test_what_is_no_number_fails_and_is_null_in_json():
    check = compare("random", "here", "there", [PROBABILITIES], [PROBABILITIES * np.float32(np.nan)])
    report = PortReport("here", "there", None, (check,), "host").to_json()
    assert report["verdict"] == "different"
    assert json.loads(json.dumps(report, allow_nan=False))["largest_difference"] is None
