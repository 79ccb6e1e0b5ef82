"""A bundle whose parts cannot be used together is refused when it is read, in one line that names the part."""

import dataclasses

import numpy as np
import pytest

import trivium
from trivium.data.preprocessing.pipeline import TRANSFORMS, Preprocessing
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.errors import BundleError

pytestmark = pytest.mark.one_environment

X = np.arange(40, dtype="float32").reshape(20, 2)
Y = np.arange(20) % 3
COLUMN = {"name": "a", "kind": "number", "words": []}
TABLE = {"kind": "table", "columns": [COLUMN], "offset": [0.0], "span": [1.0], "fill": [0.0]}
STANDARD = {"kind": "standardise", "axis": 1, "mean": [0.0, 1.0], "deviation": [1.0, 2.0]}

FLAWED = {
    "is not fitted": [
        *({"kind": kind} for kind in ("min-max", "standardise", "letters", "words", "one-hot", "channel-axis")),
        {"kind": "text"},
        {"kind": "table"},
        {"kind": "min-max", "low": 0.0},
        {**STANDARD, "deviation": None},
        {"kind": "standardise-values", "deviation": [1.0]},
    ],
    "which is empty": [
        {"kind": "scale", "source": [0, 0]},
        {"kind": "scale", "low": 1.0, "high": 1.0},
        {"kind": "scale", "source": [0, 10**400]},
        {"kind": "min-max", "low": 2.0, "high": 2.0},
    ],
    "expected 1 to": [
        {"kind": "window", "length": -3},
        {"kind": "window", "length": 3, "stride": 0},
        {"kind": "window", "length": 10**12},
        {"kind": "after", "stride": -1},
        {"kind": "ahead", "horizon": 0},
        {"kind": "one-hot", "classes": 0},
        {"kind": "one-hot", "classes": 10**9},
        {"kind": "text", "vocabulary": ["a"], "length": 10**12},
    ],
    "is no dtype of numbers": [
        *({"kind": "cast", "dtype": dtype} for dtype in ("foo", "object", "U9", "datetime64[s]", "V100000000")),
        {"kind": "cast", "before": "object"},
    ],
    "expected lengths of at least 1": [
        {"kind": "reshape", "shape": [-28, -28]},
        {"kind": "reshape", "shape": [-1]},
        {"kind": "reshape", "shape": [2, 0]},
        {"kind": "reshape", "shape": [2], "before": [-2]},
    ],
    "has no vocabulary": [{"kind": "letters", "vocabulary": ""}, {"kind": "words", "vocabulary": []}],
    "has the axis": [{"kind": "channel-axis", "axis": 7}, {**STANDARD, "axis": 0}, {**STANDARD, "axis": -1}],
    "means and": [{**STANDARD, "mean": [0.0]}, {**STANDARD, "mean": [], "deviation": []}, {**STANDARD, "axis": "all"}],
    "not above 0": [
        {**STANDARD, "deviation": [1.0, 0.0]},
        {**STANDARD, "mean": [0.0, 10**400]},
        {**TABLE, "span": [0]},
    ],
    "is fitted to other columns": [{**TABLE, "offset": [0.0, 1.0]}, {**TABLE, "known": [[1]]}, {**TABLE, "fill": []}],
    "column": [{**TABLE, "gaps": [3]}, {**TABLE, "columns": [{**COLUMN, "kind": "foo"}]}, {**TABLE, "columns": []}],
    "numbers are standardise": [{**TABLE, "numbers": "foo"}],
    "is not a bundle": [
        {"kind": "nosuch"},
        {"kind": "cast", "other": 1},
        {"kind": "window", "length": "3"},
        {"kind": "window", "length": True},
        {"kind": "letters", "vocabulary": 5},
        {"kind": "reshape", "shape": [[1]]},
        {**TABLE, "columns": [5]},
        {**TABLE, "known": 5},
    ],
}
CASES = [(text, step) for text, steps in FLAWED.items() for step in steps]


def build():
    import keras

    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")])


@pytest.fixture(scope="module")
def bundle(backend):
    return Bundle.of(trivium.train(build, (X, Y), test_data=(X, Y), epochs=1, validation_split=0.0))


class Described:
    """A preparation of steps that need not exist, for a bundle to write."""

    def __init__(self, inputs, targets):
        self.value = {"inputs": inputs, "targets": targets}

    def to_json(self):
        return self.value


@pytest.mark.parametrize("side", ["inputs", "targets"])
@pytest.mark.parametrize(("text", "step"), CASES, ids=str)
def test_a_step_that_cannot_be_applied_is_told_when_the_bundle_is_read(bundle, tmp_path, text, step, side):
    preparation = Described(**{"inputs": [], "targets": [], side: [step]})
    dataclasses.replace(bundle, preprocessing=preparation).save(tmp_path / "b.trivium")
    with pytest.raises(BundleError, match=text) as raised:
        bundles.load(tmp_path / "b.trivium")
    assert "\n" not in str(raised.value)


def test_every_kind_of_step_that_is_fitted_has_a_flaw_to_test():
    assert {step["kind"] for _, step in CASES} >= {*TRANSFORMS} - {"signs"}


@pytest.mark.parametrize("count", [1, 2, 11])
def test_labels_that_are_not_those_of_the_outputs_are_told(bundle, tmp_path, count):
    labels = tuple(map(str, range(count)))
    dataclasses.replace(bundle, labels=labels).save(tmp_path / "b.trivium")
    with pytest.raises(BundleError, match=f"names {count} classes for the output .*, which has 3"):
        bundles.load(tmp_path / "b.trivium")
    dataclasses.replace(bundle, labels={"of the model": labels}).save(tmp_path / "b.trivium")
    with pytest.raises(BundleError, match=f"names {count} classes"):
        bundles.load(tmp_path / "b.trivium")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"recorded_outputs": np.zeros((5, 3))}, "have 20 and 5 samples"),
        ({"recorded_inputs": np.array(["a"] * 20)}, "are no numbers"),
        ({"recorded_inputs": np.array(1.0)}, "are no numbers"),
        ({"recorded_outputs": {"a": np.zeros((20, 3)), "b": np.zeros((2, 3))}}, "have 20 and 20 and 2 samples"),
    ],
    ids=str,
)
def test_recorded_samples_that_do_not_fit_are_told(bundle, tmp_path, changes, text):
    dataclasses.replace(bundle, **changes).save(tmp_path / "b.trivium")
    with pytest.raises(BundleError, match=text):
        bundles.load(tmp_path / "b.trivium")


def test_a_sound_bundle_is_read(bundle, tmp_path):
    steps = [STANDARD, {"kind": "cast"}, {"kind": "scale", "low": 1.0, "high": 0.0}, {"kind": "reshape", "shape": [2]}]
    targets = [{"kind": "standardise-values"}, {"kind": "one-hot", "classes": 3}, {"kind": "signs"}]
    expected = Preprocessing.from_json({"inputs": steps, "targets": targets})
    dataclasses.replace(bundle, preprocessing=expected).save(tmp_path / "b.trivium")
    assert bundles.load(tmp_path / "b.trivium").preprocessing == expected
