"""A user's own data and the small datasets: read unchanged, split evenly, refused with a clear error."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from trivium.data import datasets
from trivium.data.dataset import Dataset, Split, split_evenly
from trivium.data.sources import solids, waveforms
from trivium.engine.plots import data_summary
from trivium.errors import DataError

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("name", "train", "test", "labels"),
    [
        ("iris", (120, 4), (30, 4), ("setosa", "versicolor", "virginica")),
        ("digits", (1437, 8, 8), (360, 8, 8), tuple("0123456789")),
        ("moons:300", (240, 2), (60, 2), ("0", "1")),
        ("circles", (800, 2), (200, 2), ("0", "1")),
        ("blobs", (800, 2), (200, 2), ("0", "1", "2")),
        ("blobs:700:centers=7:features=3:test_share=0.3", (490, 3), (210, 3), tuple("0123456")),
        ("spirals", (800, 2), (200, 2), tuple("01234")),
        ("circles:100:factor=0.2:noise=0", (80, 2), (20, 2), ("0", "1")),
        ("waveforms", (800, 64), (200, 64), ("sine", "triangle", "square", "sawtooth")),
        ("waveforms:40:steps=20:test_share=0.5", (20, 20), (20, 20), ("sine", "triangle", "square", "sawtooth")),
        ("solids:40", (32, 16, 16, 16), (8, 16, 16, 16), ("ball", "cube", "ring", "rod")),
    ],
)
def test_the_small_datasets_are_loaded_by_name(name, train, test, labels):
    data = datasets.load(name)
    assert (data.train.x.shape, data.test.x.shape, data.labels) == (train, test, labels)
    assert data.checksum == datasets.load(name).checksum


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("iris:2", "unknown dataset 'iris:2': iris takes at most 0 settings after it"),
        ("moons:20:20", "unknown dataset 'moons:20:20'"),
        ("moons:3", "the number of points must be a whole number from 10 to 10,000,000, received '3'"),
        ("moons:many", "the number of points must be a whole number"),
        ("moons:noise=-1", "noise must be a number of 0 or more, received '-1'"),
        ("moons:noise=nan", "noise must be a number"),
        ("moons:factor=0.5", r"moons has no setting 'factor' \(it has: noise, seed, test_share\)"),
        ("circles:factor=1", "factor must be a number from 0 to 0.99"),
        ("blobs:spread=1,2", "spread has 2 values: give one, or one for each of the 3 centers"),
        ("blobs:centers=2.5", "centers must be a whole number"),
        ("spirals:arms=0", "arms must be a whole number from 1 to 1,000"),
        ("spirals:seed=1e9", "seed must be a whole number"),
        ("waveforms:steps=4", "steps must be a whole number from 8 to 100,000, received '4'"),
        ("waveforms:5", "the number of waves must be a whole number from 10"),
        ("solids:1e3", "the number of solids must be a whole number from 10"),
        ("iris:test_share=1", "test_share must be a number from 0 to 0.9"),
        ("mnist:noise=1", "mnist has no setting 'noise'"),
    ],
)
def test_settings_that_a_dataset_does_not_have_are_an_error(name, message):
    with pytest.raises(DataError, match=message):
        datasets.load(name)


def test_waves_without_noise_have_the_values_of_their_form():
    x, y = waveforms.draw(400, steps=400, noise=0)
    height = np.abs(x).max(1)
    values = [np.concatenate([(x[n] / height[n]) for n in np.flatnonzero(y == form)]) for form in range(4)]
    assert set(np.round(values[2], 5)) == {-1, 1}
    # The mean square of a sine is 1/2; of what rises and falls evenly, 1/3.
    np.testing.assert_allclose([np.square(each).mean() for each in values], [1 / 2, 1 / 3, 1, 1 / 3], atol=0.03)
    steps = [np.diff(x[y == form]) for form in (1, 3)]
    assert np.isclose((steps[0] > 0).mean(), 1 / 2, atol=0.05)
    assert (steps[1] > 0).mean() > 0.9
    assert 0.5 <= height[y == 2].min() < 0.55
    assert 1.45 < height[y == 2].max() <= 1.5


def test_solids_have_the_volumes_of_their_kinds_and_lie_within_their_cube():
    x, y = solids.draw(400, seed=3)
    filled = x.astype("float64") / 255
    volume = filled.sum((1, 2, 3))
    places = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), axis=-1)
    weights = filled / volume[:, None, None, None]
    middle = np.einsum("nijk,ijkd->nd", weights, places)
    square = np.einsum("nijk,nijk->n", weights, ((places - middle[:, None, None, None]) ** 2).sum(-1))
    # The mean square of the distance from the middle: 3/5 r² in a ball, e²/4 in a cube of edge e.
    np.testing.assert_allclose(volume[y == 0], 4 / 3 * np.pi * (square[y == 0] * 5 / 3) ** 1.5, rtol=0.05)
    np.testing.assert_allclose(volume[y == 1], (square[y == 1] * 4) ** 1.5, rtol=0.1)
    rings, rods = volume[y == 2].mean(), volume[y == 3].mean()
    assert rods < rings < volume[y == 1].mean() < volume[y == 0].mean()
    at_the_middle = filled[(np.arange(400), *np.rint(middle).astype(int).T)]
    assert (at_the_middle[y != 2] > 0.5).all()
    assert (at_the_middle[y == 2] < 0.5).mean() > 0.95
    border = [filled[:, 0], filled[:, -1], filled[:, :, 0], filled[:, :, -1], filled[..., 0], filled[..., -1]]
    assert np.max(border) <= 1
    assert np.mean(border) < 0.01


def all_points(name):
    data = datasets.load(name)
    return np.concatenate([data.train.x, data.test.x]), np.concatenate([data.train.y, data.test.y])


def test_noise_spread_and_seed_are_those_of_the_points():
    points, _ = all_points("circles:1000:noise=0:factor=0.25")
    np.testing.assert_allclose(np.unique(np.hypot(*points.T).round(6)), [0.25, 1.0])
    points, classes = all_points("blobs:9000:spread=0.1,1,3")
    spreads = [points[classes == number].std(axis=0) for number in range(3)]
    np.testing.assert_allclose(spreads, [[0.1] * 2, [1.0] * 2, [3.0] * 2], rtol=0.05)
    first, again, other = (all_points(f"moons:50:seed={seed}")[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_the_arms_of_a_spiral_begin_in_the_middle_at_equal_angles():
    points, arms = all_points("spirals:1000:noise=0:turns=0.5")
    assert np.bincount(arms).tolist() == [200] * 5
    radius, angle = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    assert radius.max() == pytest.approx(1.0)
    assert radius.min() == pytest.approx(1 / 200)
    turned = (angle - np.pi * radius - 2 * np.pi * arms / 5) / (2 * np.pi)
    np.testing.assert_allclose(turned, turned.round(), atol=1e-9)


def test_a_shuffled_digit_keeps_its_ink_and_a_digit_stays_as_it_is():
    data, digits = datasets.load("digit-or-not:sample"), datasets.load("mnist:sample")
    assert data.labels == ("no digit", "digit")
    assert data.train.y.mean() == 0.5
    np.testing.assert_array_equal(data.train.x[1::2], digits.train.x[1::2])
    shuffled, whole = data.train.x[::2], digits.train.x[::2]
    np.testing.assert_array_equal(np.sort(shuffled.reshape(2500, -1)), np.sort(whole.reshape(2500, -1)))
    assert (shuffled != whole).any((1, 2)).mean() > 0.99


def test_one_key_gives_one_set_of_drawings_everywhere():
    drawn = datasets.load("shapes").draw(64, (2, 0, 0))
    assert (drawn.x.shape, drawn.x.dtype, drawn.y.shape, drawn.y.dtype) == ((64, 64, 64), "uint8", (64,), "int64")
    # The same with Pillow 10.4 and 13.0. A change here changes the data of every run on these drawings.
    checksum = hashlib.sha256(drawn.x.tobytes() + drawn.y.tobytes()).hexdigest()
    assert checksum == "e02126ae9862f16f6f1cc86d29e4c914c55a289f95ce6e5d70149143bba5ac0e"


def test_equal_keys_give_equal_drawings_and_different_keys_different_ones():
    draw = datasets.load("shapes").draw
    first = draw(10, (1, 2))
    np.testing.assert_array_equal(draw(10, (1, 2)).x, first.x)
    np.testing.assert_array_equal(draw(4, (1, 2)).x, first.x[:4])
    for other in ((1,), (2, 1), (1, 2, 0), (0, 1, 2)):
        assert (draw(10, other).x != first.x).any((1, 2)).all(), other


def test_drawings_are_of_five_kinds_equally_often_and_no_two_are_alike():
    data = datasets.load("shapes")
    assert data.labels == ("circle", "plus", "three lines", "Z", "U")
    assert (data.train.x.shape, data.test.x.shape) == ((640, 64, 64), (320, 64, 64))
    np.testing.assert_allclose(np.bincount(data.draw(2_000, (9,)).y), 400, atol=72)  # four standard deviations
    both = np.concatenate([data.train.x, data.test.x])
    assert len({image.tobytes() for image in both}) == len(both)


def test_a_drawing_is_complete_and_has_the_topology_of_its_kind():
    from scipy import ndimage

    drawn = datasets.load("shapes").draw(300, (5,))
    assert drawn.x.max((1, 2)).min() == 255
    pieces = np.array([ndimage.label(image > 100, np.ones((3, 3)))[1] for image in drawn.x])
    holes = np.array([ndimage.label(image <= 100)[1] - 1 for image in drawn.x])
    np.testing.assert_array_equal(pieces[drawn.y != 2], 1)
    np.testing.assert_array_equal(pieces[drawn.y == 2], 3)
    np.testing.assert_array_equal(holes[drawn.y == 0], 1)


def table(tmp_path, text):
    (tmp_path / "d.csv").write_text(text)
    return datasets.load(tmp_path / "d.csv")


def test_words_in_the_label_column_are_classes(tmp_path):
    data = table(tmp_path, "a,b,kind\n" + "".join(f"{i},{-i},{'cat' if i % 2 else 'ant'}\n" for i in range(20)))
    assert (data.labels, len(data.train), len(data.test)) == (("ant", "cat"), 16, 4)
    for split in (data.train, data.test):
        np.testing.assert_array_equal(split.x[:, 0] % 2, split.y)
        np.testing.assert_array_equal(split.x[:, 1], -split.x[:, 0])


def test_the_label_column_is_found_by_its_name(tmp_path):
    data = table(tmp_path, "Label,a\n" + "".join(f"{i % 2},{i}\n" for i in range(10)))
    np.testing.assert_array_equal(data.train.x[:, 0] % 2, data.train.y)
    assert data.labels == ("0", "1")


@pytest.mark.parametrize("classes", [(3, 7), (1, 2, 3), (-1, 1), (0, 4)])
def test_integers_that_do_not_count_from_0_are_numbered_and_keep_their_names(tmp_path, classes):
    rows = [(i, classes[i % len(classes)]) for i in range(30)]
    data = table(tmp_path, "".join(f"{x},{label}\n" for x, label in rows))
    assert data.labels == tuple(map(str, classes))
    for split in (data.train, data.test):
        assert [int(data.labels[number]) for number in split.y] == [dict(rows)[int(x)] for (x,) in split.x]


@pytest.mark.parametrize("cell", ["{2.5}", "{1}", "{3}.0"])
def test_numbers_that_are_not_integers_or_hardly_repeat_are_values(tmp_path, cell):
    text = {"{2.5}": lambda i: 2.5 * i, "{1}": lambda i: 7 * i, "{3}.0": lambda i: f"{3 + i % 2}.0"}[cell]
    data = table(tmp_path, "".join(f"{i},{text(i)}\n" for i in range(10)))
    assert data.labels == ()
    np.testing.assert_array_equal(data.train.y, [float(text(int(x))) for (x,) in data.train.x])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,a\n", "expected at least 5 rows"),
        ("1,2,a\n" * 5 + "1,a\n", "rows have between 2 and 3 columns"),
        ("x,y\n" + "1,a\n" * 5 + "two,a\n", "holds 'two', expected a number"),
        ("1,a\n" * 5 + "inf,a\n", "row 6 of column 1 holds 'inf', expected a number"),
        ("1,2.5\n" * 5 + "1,nan\n", "row 6 of column 2 holds no number"),
    ],
)
def test_an_invalid_table_raises_a_one_line_error(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        table(tmp_path, text)


def draw(folder, name, size=(6, 4), level=0):
    folder.mkdir(exist_ok=True, parents=True)
    Image.new("L", size, level).save(folder / name)


def test_a_folder_with_one_subfolder_of_pictures_per_class_is_a_dataset(tmp_path):
    for index in range(10):
        draw(tmp_path / "dogs", f"{index}.png", level=200)
        draw(tmp_path / "cats", f"{index}.png", level=10)
    data = datasets.load(tmp_path)
    assert (data.labels, data.train.x.shape, data.test.x.shape) == (("cats", "dogs"), (16, 4, 6), (4, 4, 6))
    np.testing.assert_array_equal(data.train.x[:, 0, 0] == 200, data.train.y == 1)


def test_an_invalid_folder_raises_a_one_line_error(tmp_path):
    draw(tmp_path / "cats", "a.png")
    with pytest.raises(DataError, match="expected a folder for each of two classes"):
        datasets.load(tmp_path)
    draw(tmp_path / "dogs", "b.png", size=(5, 5))
    with pytest.raises(DataError, match="bring them to one size"):
        datasets.load(tmp_path)
    (tmp_path / "dogs" / "b.png").write_text("no picture")
    with pytest.raises(DataError, match="not a picture that can be read"):
        datasets.load(tmp_path)


@pytest.mark.parametrize("classes", [(0, 1), (-1, 10**9)])
def test_classes_are_equally_frequent_in_both_splits(classes):
    train, test = split_evenly(np.arange(100), np.repeat(classes, [80, 20]))
    assert [(split.y == classes[1]).mean() for split in (train, test)] == [0.2, 0.2]
    assert sorted([*train.x, *test.x]) == list(range(100))


def test_a_survey_counts_samples_and_duplicates(tmp_path):
    x = np.array([[0.0, 1], [2, 3], [4, 5]])
    data = Dataset("d", Split(x, np.array([0, 1, 1])), Split(x[1:2], np.array([1])), ("no", "yes"), "here")
    summary = data_summary.summarize(data)
    assert summary["duplicates"] == 1
    assert summary["splits"]["train"] == {
        "samples": 3,
        "shape": [2],
        "dtype": "float64",
        "low": 0.0,
        "high": 5.0,
        "mean": 2.5,
        "classes": {"no": 1, "yes": 2},
    }


def scaled(train, test):
    y = np.arange(50) % 2
    return Dataset("d", Split(train, y), Split(test, y), ("0", "1"), "here")


def test_splits_on_different_scales_give_a_warning(generator):
    x = generator.random((50, 4))
    for other in (255 * x, 2 * x - 1, x / 255, x + 1, (255 * x).astype("uint8")):
        (warning,) = data_summary.summarize(scaled(x, other))["warnings"]
        assert warning.startswith("The splits are on different scales: most of x_train lies between 0.0")


def test_splits_on_the_same_scale_give_no_warning(generator):
    x = generator.standard_cauchy((50, 40))
    assert data_summary.warnings(scaled(x[:, :20], x[:, 20:])) == []
    for name in ("mnist:sample", "iris", "moons", "waves:1", "shapes"):
        assert data_summary.warnings(datasets.load(name)) == [], name


def test_classes_that_a_split_lacks_give_a_warning():
    labels = ("a", "b", "c")
    data = Dataset("d", Split(np.ones((2, 3)), np.array([0, 1])), Split(np.zeros((2, 3)), np.array([1, 2])), labels, "")
    summary = data_summary.summarize(data)
    assert [sentence.partition(";")[0] for sentence in summary["warnings"]] == [
        "The training part has no sample of c",
        "The test part has no sample of a",
    ]
    assert summary["splits"]["test"]["classes"] == {"a": 0, "b": 1, "c": 1}


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (1, 8, 8), (8, 8, 3), (3, 8, 8), (8, 8, 7), (5, 8, 8, 3)])
def test_images_have_a_preview_whatever_the_order_of_their_axes(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), "uint8")
    data_summary.preview(Dataset("d", Split(images, np.arange(4)), None, (), "here"), tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 2_000


@pytest.mark.parametrize("name", ["mnist:sample", "waves:1", "moons", "iris", "shapes"])
def test_every_kind_of_data_has_a_preview(tmp_path, name):
    data_summary.preview(datasets.load(name), tmp_path / "p.png")
    picture = np.asarray(Image.open(tmp_path / "p.png").convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_settings_follow_the_name_of_a_file_and_are_recorded_with_it(tmp_path):
    table = tmp_path / "flowers.csv"
    table.write_text("length,width,label\n" + "1.5,2.5,rose\n2.5,3.5,lily\n" * 20)
    data = datasets.load(f"{table}:test_share=0.5")
    assert (len(data.train), len(data.test), data.name) == (20, 20, f"{table}:test_share=0.5")
    assert datasets.load(f"{table}:test_share=0").test is None
    with pytest.raises(DataError, match=r"flowers.csv has no setting 'test_chair' .*did you mean 'test_share'"):
        datasets.load(f"{table}:test_chair=0.5")
    with pytest.raises(DataError, match=r"test_share=1\.5: expected a share"):
        datasets.load(f"{table}:test_share=1.5")


def test_parts_may_lie_in_files_of_their_own(tmp_path):
    rows = [f"{i / 2},{'rose' if i % 2 else 'lily'},{'red' if i % 3 else 'white'}" for i in range(40)]
    header = "length,colour,label\n".replace("colour,label", "label,colour")
    for name, part in (("all.csv", rows[:20]), ("later.csv", rows[20:30]), ("last.csv", rows[30:])):
        (tmp_path / name).write_text(header + "\n".join(part) + "\n")
    name = f"{tmp_path / 'all.csv'}:validation={tmp_path / 'later.csv'}:test={tmp_path / 'last.csv'}"
    data = datasets.load(name)
    assert (len(data.train), len(data.validation), len(data.test), data.name) == (20, 10, 10, name)
    assert data.validation.x[:, 0].tolist() == [i / 2 for i in range(20, 30)]
    assert [data.labels[number] for number in data.test.y] == ["lily", "rose"] * 5
    (colour,) = (column for column in data.columns if column.name == "colour")
    assert colour.words == ("red", "white")
    (tmp_path / "other.csv").write_text(header + "1.0,daisy,red\n" * 6)
    with pytest.raises(DataError, match="knows no class daisy"):
        datasets.load(f"{tmp_path / 'all.csv'}:validation={tmp_path / 'other.csv'}")


def test_an_npz_is_validated_on_another(tmp_path):
    for name, first in (("a", 0), ("b", 50)):
        x = np.arange(first, first + 6.0)[:, None]
        np.savez(tmp_path / f"{name}.npz", x_train=x, y_train=(x[:, 0] % 2).astype(int) + 3)
    data = datasets.load(f"{tmp_path / 'a.npz'}:validation={tmp_path / 'b.npz'}")
    assert data.validation.x[:, 0].tolist() == [50, 51, 52, 53, 54, 55]
    assert data.validation.y.tolist() == [0, 1] * 3
    assert data.labels == ("3", "4")
