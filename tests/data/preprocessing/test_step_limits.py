"""Steps of a preparation that would take any amount of memory are refused before a sample is prepared."""

import numpy as np
import pytest

from trivium.data.preprocessing.pipeline import Chain
from trivium.data.preprocessing.transforms import OneHot
from trivium.errors import DataError

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    "name", ["U1000000", "S100000000", "V9", "(10000,10000)f8", "f4,f4", "M8[s]", "c16", "O", ">f4"]
)
@pytest.mark.parametrize("setting", ["dtype", "before"])
def test_a_cast_to_anything_but_numbers_is_refused(name, setting):
    chain = Chain.from_json([{"kind": "cast", setting: name}])
    with pytest.raises(DataError, match=r"the step 'cast' casts to .*, which is no dtype of numbers"):
        chain.require_usable()


@pytest.mark.parametrize("name", ["float32", "uint8", "bool", "int64", "float16"])
def test_a_cast_to_numbers_is_read(name):
    Chain.from_json([{"kind": "cast", "dtype": name, "before": name}]).require_usable()


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"kind": "reshape", "shape": [10**9]}, "at most 10,000,000 is read"),
        ({"kind": "reshape", "shape": [4], "before": [10**9]}, "at most 10,000,000 is read"),
        ({"kind": "reshape", "shape": [4], "before": [0, -(10**18)]}, "expected lengths of at least 1"),
        ({"kind": "window", "length": 10**12}, "expected 1 to 10,000,000"),
        ({"kind": "window", "stride": 10**8}, "expected 1 to 10,000,000"),
        ({"kind": "after", "length": 10**12}, "expected 1 to 10,000,000"),
        ({"kind": "ahead", "horizon": 10**12}, "expected 1 to 10,000,000"),
        ({"kind": "one-hot", "classes": 10**9}, "expected 1 to 10,000,000"),
        ({"kind": "text", "length": 10**12, "vocabulary": ["a"]}, "expected 1 to 10,000,000"),
        ({"kind": "text", "length": 5, "size": 10**12, "vocabulary": ["a"]}, "at most 10,000,000 is read"),
        ({"kind": "words", "size": 10**12}, "at most 10,000,000 is read"),
        ({"kind": "words", "size": -(10**12), "vocabulary": ["a"]}, "at most 10,000,000 is read"),
        ({"kind": "channel-axis", "axis": 10**9}, "expected 1 or 3"),
        ({"kind": "standardise", "axis": 10**9, "mean": [0.0], "deviation": [1.0]}, "at most 10,000,000 is read"),
        ({"kind": "standardise-values", "axis": 10**9}, "at most 10,000,000 is read"),
    ],
    ids=str,
)
def test_a_size_beyond_every_plausible_one_is_refused(step, reason):
    with pytest.raises(DataError, match=rf"the step '{step['kind']}' has .*, {reason}"):
        Chain.from_json([step]).require_usable()


def test_many_axes_and_many_steps_are_refused():
    with pytest.raises(DataError, match="the step 'reshape' has 61 axes, at most 32 are read"):
        Chain.from_json([{"kind": "reshape", "shape": [1] * 60 + [4]}]).require_usable()
    with pytest.raises(DataError, match="the preparation has 101 steps, at most 100 are read"):
        Chain.from_json([{"kind": "scale"}] * 101).require_usable()


def test_rows_of_classes_that_exceed_the_memory_are_refused():
    assert OneHot(3)(np.array([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(DataError, match=r"the labels as rows of 10,000,000 classes would take 40,000\.0 GB"):
        OneHot(10_000_000)(np.zeros(1_000_000, "int64"))
