"""Uses of Keras that were drawn at random train as `keras.Model.fit` trains them, or are refused in one line.

What float32 rounds differently is judged in float64: an optimizer that divides by small gradients makes large steps of
rounding.
"""

import math
import os

import numpy as np
import pytest
import uses
from hypothesis import HealthCheck, given, note, seed, settings

from trivium.errors import TriviumError

TOLERANCE = 1e-5
ALIKE = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
# Of the 60 that `make test` draws, each environment draws a third.
DAILY, MANY = 60, 1000


def difference(ours, theirs):
    """Return the largest difference of two runs, relative where values are large, and where it is."""
    (history, weights), (expected, expected_weights) = ours, theirs
    assert set(history) == {*expected} - {"learning_rate"} | ({*history} & {"learning_rate"}), (history, expected)
    worst = (0.0, "")
    for name, values in (history | weights).items():
        wanted = expected.get(name, expected_weights.get(name))
        if name in history:
            assert len(values) == len(wanted), f"{name}: {values} against {wanted}"
        values, wanted = np.asarray(values, "float64"), np.asarray(wanted, "float64")
        same = (values == wanted) | (np.isnan(values) & np.isnan(wanted))
        apart = np.where(same, 0, np.abs(values - wanted) / np.maximum(1, np.abs(wanted)))
        apart = np.where(np.isnan(apart), math.inf, apart)
        worst = max(worst, (float(apart.max(initial=0)), name))
    return worst


def outcome(train, use):
    """Return the history and the weights, or what was raised: Keras raises anything."""
    try:
        return train(use)
    except Exception as error:
        return error


def require_same_or_refused(use):
    theirs, ours = outcome(uses.by_fit, use), outcome(uses.by_trivium, use)
    if isinstance(ours, TriviumError):
        note(f"refused: {ours}")
        assert "\n" not in str(ours)
        return
    if isinstance(theirs, Exception):
        note(f"fit refuses it: {theirs}")
        return
    if isinstance(ours, Exception):
        raise ours
    apart, where = difference(ours, theirs)
    if apart > TOLERANCE:
        with uses.computed_in("float64"):
            apart, where = difference(uses.by_trivium(use), uses.by_fit(use))
    assert apart <= TOLERANCE, f"{where} differs by {apart:.1e}"


def share(count):
    """Return how many of some draws this environment makes."""
    return count // int(os.environ.get("TRIVIUM_TEST_SHARE", "0/1").partition("/")[2])


@seed(os.environ.get("TRIVIUM_TEST_SHARE", ""))  # so that each environment draws other uses
@settings(ALIKE, max_examples=share(DAILY))
@given(use=uses.uses())
def test_a_use_is_trained_as_fit_trains_it_or_refused_in_one_line(backend, use):
    require_same_or_refused(use)


@pytest.mark.slow
@pytest.mark.shared_out  # so that each backend draws all of them, in `tox run -m cases`
@settings(ALIKE, max_examples=MANY)
@given(use=uses.uses())
def test_many_uses_are_trained_as_fit_trains_them_or_refused_in_one_line(backend, use):
    require_same_or_refused(use)
