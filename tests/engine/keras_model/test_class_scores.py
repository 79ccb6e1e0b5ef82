"""Outputs of a classifier mean what its loss makes of them: probabilities, logits or margins."""

import numpy as np
import pytest

from trivium.engine.keras_model import class_scores, loss_names

pytestmark = pytest.mark.one_environment


def test_a_margin_becomes_a_share_that_is_a_half_at_zero():
    shares = class_scores.to_probabilities(np.array([[-3.0], [-0.5], [0.0], [0.5], [3.0]]), loss_names.MARGINS)
    np.testing.assert_allclose(shares, [[0], [0.25], [0.5], [0.75], [1]])


def test_logits_of_one_value_become_a_probability():
    shares = class_scores.to_probabilities(np.array([[0.0], [np.log(3)]]), loss_names.LOGITS)
    np.testing.assert_allclose(shares, [[0.5], [0.75]])


def test_values_that_are_no_probabilities_become_some():
    one = class_scores.to_probabilities(np.array([[-0.5], [0.25], [1.5]]), loss_names.VALUES)
    np.testing.assert_allclose(one, [[0], [0.25], [1]])
    two = class_scores.to_probabilities(np.array([[0.75, 0.25], [np.log(3), -0.0], [-1.0, -1.0]]), loss_names.VALUES)
    np.testing.assert_allclose(two, [[0.75, 0.25], [0.75, 0.25], [0.5, 0.5]])


def test_a_threshold_moves_the_second_of_two_classes_alone():
    one, two = np.array([[0.2], [0.4], [0.6]]), np.array([[0.8, 0.2], [0.6, 0.4], [0.4, 0.6]])
    for outputs in (one, two):
        assert class_scores.predicted_classes(outputs).tolist() == [0, 0, 1]
        assert class_scores.predicted_classes(outputs, 0.3).tolist() == [0, 1, 1]
        assert class_scores.predicted_classes(outputs, 0.7).tolist() == [0, 0, 0]
    assert class_scores.predicted_classes(np.array([[0.2, 0.5, 0.3]]), 0.1).tolist() == [1]
