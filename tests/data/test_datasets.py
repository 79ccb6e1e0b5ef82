"""Datasets are loaded unchanged, with their provenance; damaged data raise a clear one-line error."""

import os

import numpy as np
import pytest

from trivium.data import datasets
from trivium.data.dataset import Dataset, Split
from trivium.data.sources.waves import wave
from trivium.errors import DataError


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder in place of `~/.keras`, and no `TRIVIUM_DATA`."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("TRIVIUM_DATA", raising=False)
    return tmp_path


def write(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def digits_file(path, count=7):
    x, y = np.zeros((count, 28, 28), "uint8"), np.arange(count)
    return write(path, x_train=x, y_train=y, x_test=x, y_test=y)


def test_the_sample_is_stratified_and_says_that_it_is_the_sample():
    sample = datasets.load("mnist:sample")
    assert sample.train.x.shape == (5000, 28, 28)
    assert sample.test.x.shape == (1000, 28, 28)
    # The counts of each digit in MNIST's 60,000 training images, from 0 to 9.
    full = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    np.testing.assert_allclose(np.bincount(sample.train.y), full / 12, atol=1)
    assert "sample" in sample.source
    assert sample.labels == tuple("0123456789")


def test_without_the_full_set_mnist_is_the_sample(home):
    assert datasets.load("mnist").checksum == datasets.load("mnist:sample").checksum


def test_mnist_is_searched_in_trivium_data_first_then_in_keras_cache(home, monkeypatch):
    digits_file(home / "datasets" / "mnist.npz", count=7)
    assert len(datasets.load("mnist").train) == 7
    digits_file(home / "mine" / "mnist.npz", count=9)
    monkeypatch.setenv("TRIVIUM_DATA", str(home / "mine"))
    assert len(datasets.load("mnist").train) == 9
    assert len(datasets.load("mnist:sample").train) == 5000


def test_trivium_data_without_the_set_is_an_error(home, monkeypatch):
    monkeypatch.setenv("TRIVIUM_DATA", str(home))
    with pytest.raises(DataError, match=r"there is no mnist.npz in it"):
        datasets.load("mnist")


@pytest.mark.parametrize("variable", ["TRIVIUM_DATA", "KERAS_HOME"])
def test_a_folder_of_another_user_leaves_the_sample_and_says_so(home, monkeypatch, variable):
    closed = home / "closed"
    monkeypatch.setenv(variable, str(closed))
    digits_file(closed / "mnist.npz" if variable == "TRIVIUM_DATA" else closed / "datasets" / "mnist.npz")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: closed not in (path, *path.parents) and access(path, mode))
    dataset = datasets.load("mnist")
    assert dataset.checksum == datasets.load("mnist:sample").checksum
    assert dataset.source.endswith("closed cannot be read" if variable == "TRIVIUM_DATA" else "datasets cannot be read")


def test_a_file_called_mnist_that_holds_something_else_is_an_error(home, monkeypatch):
    write(home / "mnist.npz", x_train=np.zeros((3, 8, 8)), y_train=np.arange(3))
    monkeypatch.setenv("TRIVIUM_DATA", str(home))
    with pytest.raises(DataError, match=r"expected images \(n, 28, 28\) of uint8, received \(3, 8, 8\) of float64"):
        datasets.load("mnist")


def test_wave_set_0_is_the_formula():
    theta = 0.057 * np.arange(200)
    np.testing.assert_allclose(datasets.load("waves:0").train.x, np.sin(theta) + 2 * np.sin(2 * theta), atol=1e-12)


def test_wave_set_1_is_the_formula():
    theta = 0.057 * np.arange(50)
    terms = ((1.1, 1), (1.7, 2), (3.1, 2), (7, 3))
    expected = sum(amplitude * np.sin(frequency * theta) for frequency, amplitude in terms)
    np.testing.assert_allclose(wave(1, 50), expected, atol=1e-12)


def test_wave_set_2_is_set_1_negated_where_it_falls():
    rising, mirrored = wave(1, 300), wave(2, 300)
    for step in range(1, 300):
        sign = -1 if rising[step] < rising[step - 1] else 1
        assert mirrored[step] == sign * rising[step], step
    assert mirrored[0] == (-rising[0] if rising[1] < rising[0] else rising[0])


def test_a_wave_whose_first_step_falls_has_its_first_value_negated_too():
    skip = next(s for s in range(1, 200) if wave(1, 2, s)[1] < wave(1, 2, s)[0])
    assert wave(2, 5, skip)[0] == -wave(1, 5, skip)[0]


def test_the_test_wave_starts_at_twice_the_training_length():
    data = datasets.load("waves:1:300")
    assert (len(data.train), len(data.test)) == (300, 200)
    np.testing.assert_array_equal(data.test.x, wave(1, 800)[600:])


def test_a_wave_of_ones_own_sines_is_the_formula():
    name = "waves::50:frequencies=1.5,4:amplitudes=2,0.5:phases=0,1.2:step=0.1:skip=7"
    data = datasets.load(name)
    theta = 0.1 * (7 + np.arange(50))
    np.testing.assert_allclose(data.train.x, 2 * np.sin(1.5 * theta) + 0.5 * np.sin(4 * theta + 1.2), atol=1e-12)
    assert data.test.x[0] == pytest.approx(2 * np.sin(1.5 * 10.7) + 0.5 * np.sin(4 * 10.7 + 1.2))
    assert (data.name, data.source) == (name, "computed: 2 sines, 50 steps")
    alike = datasets.load("waves::300:frequencies=1.1,1.7,3.1,7:amplitudes=1,2,2,3:mirrored=yes").train.x
    np.testing.assert_allclose(alike, wave(2, 300), atol=1e-12)
    np.testing.assert_array_equal(datasets.load("waves:2:300:mirrored=no").train.x, wave(1, 300))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("waves:0:1", "the number of steps must be a whole number from 2"),
        ("waves:0:many", "the number of steps must be a whole number"),
        ("waves:1:frequencies=2", "set 1 has its own sines: leave out the set, or `frequencies`"),
        ("waves:amplitudes=2", "add frequencies"),
        ("waves:frequencies=1,2:amplitudes=1", "there are 2 frequencies and 1 amplitudes: give one for each"),
        ("waves:frequencies=1,x", "frequencies must be a number, received 'x'"),
        ("waves:mirrored=maybe", "mirrored=maybe: expected yes or no"),
    ],
)
def test_a_setting_that_a_wave_cannot_have_is_an_error(name, message):
    with pytest.raises(DataError, match=message):
        datasets.load(name)


@pytest.mark.parametrize("name", ["waves:3", "mnist:half"])
def test_an_unknown_variant_of_a_dataset_is_an_error_that_lists_the_known_ones(name):
    with pytest.raises(DataError, match=f"unknown dataset '{name}': choose"):
        datasets.load(name)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        datasets.load("minst")


def test_x_and_y_alone_are_training_data(tmp_path):
    data = datasets.load(write(tmp_path / "d.npz", x=np.ones((4, 2)), y=np.array([0, 2, 1, 2])))
    assert (len(data.train), data.test, data.labels) == (4, None, ("0", "1", "2"))


def test_classes_are_counted_over_training_and_test_labels(tmp_path):
    for train, test, labels in (([0, 1, 0], [0, 1, 2], "012"), ([0, 1, 2], [1, 1, 1], "012"), ([1, 1, 2], [0], "012")):
        data = labelled(tmp_path, train, test)
        assert data.labels == tuple(labels)
        assert (data.train.y.tolist(), data.test.y.tolist()) == (train, test)


def labelled(tmp_path, train, test, x=1.0):
    arrays = {"y_train": np.array(train), "y_test": np.array(test)}
    for part in ("train", "test"):
        arrays[f"x_{part}"] = np.full((len(arrays[f"y_{part}"]), 2), x)
    return datasets.load(write(tmp_path / "d.npz", **arrays))


@pytest.mark.parametrize(
    ("train", "test", "labels", "numbers"),
    [
        ([1, 10, 2], [10], ("1", "2", "10"), ([0, 2, 1], [2])),
        ([7, 3, 7], [3], ("3", "7"), ([1, 0, 1], [0])),
        ([-1, 1], [1, -1], ("-1", "1"), ([0, 1], [1, 0])),
        ([0, 1], [4], ("0", "1", "4"), ([0, 1], [2])),
        ([[0], [1]], [[1], [1]], ("0", "1"), ([0, 1], [1, 1])),
        ([0, 1], [[1], [0]], ("0", "1"), ([0, 1], [1, 0])),
        ([True, False], [True], ("0", "1"), ([1, 0], [1])),
    ],
)
def test_integer_labels_are_numbered_from_0_and_keep_their_names(tmp_path, train, test, labels, numbers):
    data = labelled(tmp_path, train, test)
    assert data.labels == labels
    assert (data.train.y.tolist(), data.test.y.tolist()) == numbers


def test_predictions_come_back_under_the_numbers_that_the_user_gave(backend, tmp_path):
    import keras

    from trivium.engine.bundles.bundle import Bundle
    from trivium.engine.prediction.evaluation import predict
    from trivium.engine.training.trainer import Trainer
    from trivium.models.recipe import Recipe

    def build():
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])

    x = np.linspace(-1, 1, 40)[::-1, None]
    path = write(tmp_path / "d.npz", x_train=x, y_train=np.where(x[:, 0] > 0, 7, 3))
    mine = Recipe("mine", "", build, learning_rate=0.3, batch_size=10, epochs=10, validation_split=0.0)
    predictions = predict(Bundle.of(Trainer(mine).fit(datasets.load(path))), np.array([[0.9], [-0.9]])).to_json()
    assert [entry["label"] for entry in predictions] == ["7", "3"]


@pytest.mark.parametrize("y", [np.array([1.0, 2, 2]), np.arange(1, 1002), np.ones((4, 2), int)])
def test_floats_many_integers_and_several_targets_stay_values(tmp_path, y):
    data = labelled(tmp_path, y, y[:2])
    assert data.labels == ()
    np.testing.assert_array_equal(data.train.y, y)


def test_the_integers_of_a_series_stay_values(tmp_path):
    series = np.array([5, 3, 8, 3])
    data = datasets.load(write(tmp_path / "d.npz", x=series, y=series))
    assert data.labels == ()
    np.testing.assert_array_equal(data.train.y, series)


def test_a_digit_that_an_mnist_file_lacks_keeps_its_number(home, monkeypatch):
    write(home / "mnist.npz", x_train=np.zeros((2, 28, 28), "uint8"), y_train=np.array([3, 7]))
    monkeypatch.setenv("TRIVIUM_DATA", str(home))
    assert datasets.load("mnist").train.y.tolist() == [3, 7]


def named(labels, y=(0, 1, 1)):
    split = Split(np.ones((len(y), 1)), np.array(y))
    return Dataset("mine", split, split, tuple(labels), "here")


def test_classes_are_renumbered_to_match_a_model_trained_on_other_data():
    data = named(["3", "7"]).relabelled(tuple("0123456789"))
    assert (data.train.y.tolist(), data.test.y.tolist(), data.labels) == ([3, 7, 7], [3, 7, 7], tuple("0123456789"))
    assert named(["a", "b"]).relabelled(("a", "b", "unused 2")).train.y.tolist() == [0, 1, 1]
    assert named(["b", "c"]).relabelled(("c", "b")).train.y.tolist() == [1, 0, 0]
    assert named(["0", "1"]).relabelled(("cat", "dog")).labels == ("cat", "dog")


@pytest.mark.parametrize(
    ("labels", "known", "strange"), [("01", "37", "0, 1"), ("ab", "bc", "a"), ("012", "ab", "0, 1, 2")]
)
def test_classes_that_a_model_does_not_know_are_an_error(labels, known, strange):
    with pytest.raises(DataError, match=f"mine: the model knows no class {strange} \\(it knows: {', '.join(known)}\\)"):
        named(labels).relabelled(tuple(known))


def test_every_output_of_a_classifier_has_a_name():
    assert named("abc").named_for(5).labels == ("a", "b", "c", "unused 3", "unused 4")
    assert named("ab").named_for(1).labels == ("a", "b")
    assert named("abc").named_for(3).labels == ("a", "b", "c")
    assert named("").named_for(3).labels == ()


@pytest.mark.parametrize("outputs", [1, 2])
def test_more_classes_than_outputs_are_an_error_that_says_what_to_do(outputs):
    with pytest.raises(
        DataError, match=rf"mine has 3 classes \(a, b, c, …\) but the model has {outputs} output.*: take one"
    ):
        named("abc").named_for(outputs)


def test_the_checksum_follows_the_values_not_the_file(tmp_path):
    x, y = np.ones((4, 2)), np.arange(4)
    first = datasets.load(write(tmp_path / "a.npz", x=x, y=y))
    same = datasets.load(write(tmp_path / "b.npz", y=y, x=x))
    x[0, 0] = 2
    assert first.checksum == same.checksum != datasets.load(write(tmp_path / "c.npz", x=x, y=y)).checksum


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3)}, "no x_train and no y_train in it"),
        ({"x": np.ones((3, 2)), "y": np.arange(4)}, "x_train has 3 samples but y_train has 4"),
        ({"x": np.array([[1.0], [np.nan]]), "y": np.arange(2)}, r"1 of its values are NaN or infinite, .* \(1, 0\)"),
        ({"x": np.array(["a", "b"]), "y": np.arange(2)}, "expected numbers, received dtype <U1"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, "there is no sample in it"),
    ],
)
def test_invalid_arrays_raise_a_one_line_error(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        datasets.load(write(tmp_path / "d.npz", **arrays))


def test_a_file_truncated_anywhere_raises_a_one_line_error(tmp_path):
    content = write(tmp_path / "d.npz", x=np.ones((40, 2)), y=np.arange(40)).read_bytes()
    cut = tmp_path / "cut.npz"
    for length in range(0, len(content) - 1, max(1, len(content) // 40)):
        cut.write_bytes(content[:length])
        with pytest.raises(DataError, match="cannot be read as arrays"):
            datasets.load(cut)


class CreatesFile:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_pickled_objects_are_refused_without_being_unpickled(tmp_path):
    trap = np.empty(1, object)
    trap[0] = CreatesFile(tmp_path / "sprung")
    np.savez(tmp_path / "d.npz", x=trap, y=np.arange(1))
    with pytest.raises(DataError, match="cannot be read as arrays"):
        datasets.load(tmp_path / "d.npz")
    assert not (tmp_path / "sprung").exists()


def test_the_error_names_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"no.npz: no such file"):
        datasets.load(tmp_path / "no.npz")


def test_arrays_of_another_byte_order_are_read_as_those_of_this_machine(tmp_path):
    x, y = np.arange(8, dtype=">f4").reshape(4, 2), np.arange(4, dtype=">i8")
    dataset = datasets.load(write(tmp_path / "d.npz", x=x, y=y))
    assert dataset.train.x.dtype.isnative
    assert dataset.train.y.dtype.isnative
    np.testing.assert_array_equal(dataset.train.x, x)


# --- tables ---------------------------------------------------------------------------------------------------------


def table_of(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return datasets.load(path)


@pytest.mark.parametrize(
    ("header", "row"),
    [("a;b", "3,5;{}"), ("a\tb", "3.5\t{}"), ("a,b", "3.5,{}"), ('"a";"b"', '"3,5";"{}"')],
)
def test_the_separator_of_a_table_is_recognised(tmp_path, header, row):
    dataset = table_of(tmp_path / "t.csv", [header, *(row.format(i % 2) for i in range(20))])
    assert dataset.train.x.shape == (16, 1)
    assert set(dataset.train.x.ravel()) == {3.5}
    assert dataset.labels == ("0", "1")
    assert [column.name for column in dataset.columns] == ["a"]


def test_a_header_may_hold_numbers(tmp_path):
    for header in ("2019,2020,label", "2019,rain,2020"):
        dataset = table_of(tmp_path / "t.csv", [header, *(f"{i},{i / 2},{i % 2}" for i in range(20))])
        assert len(dataset.train) + len(dataset.test) == 20
        assert len(dataset.columns) == 2


def test_a_label_is_a_name_where_python_would_see_a_number(tmp_path):
    dataset = table_of(tmp_path / "t.csv", ["a,label", *(f"{i},1_{i % 3}" for i in range(30))])
    assert dataset.labels == ("1_0", "1_1", "1_2")


def test_a_row_without_a_label_is_refused(tmp_path):
    lines = ["a,label", *(f"{i},red" for i in range(9)), "9,"]
    with pytest.raises(DataError, match=r"t.csv: row 10 has no label: give it one, or leave the row out"):
        table_of(tmp_path / "t.csv", lines)
