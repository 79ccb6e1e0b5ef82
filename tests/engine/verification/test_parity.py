"""The comparison of arrays, on which every verification rests: it finds differences and locates them."""

import numpy as np
import pytest

from trivium.engine.verification import parity

pytestmark = pytest.mark.plain


def test_equal_arrays_have_no_difference(generator):
    x = generator.normal(size=(5, 3))
    result = parity.difference(x, x.copy())
    assert (result.absolute, result.relative, result.samples) == (0.0, 0.0, 5)


@pytest.mark.parametrize("where", [(0, 0), (4, 2), (2, 1)])
def test_a_perturbed_element_is_found_and_located(generator, where):
    x = generator.normal(size=(5, 3))
    perturbed = x.copy()
    perturbed[where] += 1e-3
    result = parity.difference(x, perturbed)
    assert result.where == where
    assert result.absolute == pytest.approx(1e-3)
    assert result.relative == pytest.approx(1e-3 / np.abs(x).max())
    assert not result.within(parity.tolerance("float32"))


def test_nan_against_a_number_is_infinitely_different():
    result = parity.difference(np.array([1.0, np.nan]), np.array([1.0, 2.0]))
    assert result.absolute == np.inf
    assert not result.within(1.0)


def test_the_same_nan_and_infinity_are_equal():
    x = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert parity.difference(x, x).relative == 0


def test_opposite_infinities_differ():
    assert parity.difference(np.array([np.inf]), np.array([-np.inf])).absolute == np.inf


def test_unequal_shapes_are_an_error_that_shows_both():
    with pytest.raises(ValueError, match=r"expected shape \(2, 3\), received \(3, 2\)"):
        parity.difference(np.zeros((2, 3)), np.zeros((3, 2)))


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        parity.difference(np.zeros((0, 3)), np.zeros((0, 3)))


def test_any_difference_from_an_all_zero_output_is_infinite_in_relative_terms():
    assert parity.difference(np.zeros(3), np.full(3, 1e-9)).relative == np.inf


def test_probe_inputs_stay_within_the_recorded_range_and_dtype(generator):
    recorded = generator.uniform(-1, 1, (4, 6)).astype("float32")
    batches = parity.probe_inputs(recorded)
    assert {name: batch.shape for name, batch in batches.items()} == {
        "random": (33, 6),
        "single": (1, 6),
        "extreme": (3, 6),
    }
    for batch in batches.values():
        assert batch.dtype == np.float32
        assert batch.min() >= min(recorded.min(), 0)
        assert batch.max() <= recorded.max()


def test_a_difference_of_small_values_is_relative_to_the_least_scale():
    expected, received = np.array([1e-6, -2e-6]), np.array([1e-6, -3e-6])
    assert parity.difference(expected, received).relative == pytest.approx(0.5)
    assert parity.difference(expected, received, 0.5).relative == pytest.approx(2e-6)
    assert parity.difference(expected * 1e9, received * 1e9, 0.5).relative == pytest.approx(0.5)
