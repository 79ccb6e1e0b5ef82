"""Pictures that stay in their files are the dataset of pictures in memory, decoded when rows are asked for."""

import threading

import numpy as np
import pytest
from PIL import Image

from trivium.data import datasets, stored
from trivium.data.class_counts import count_classes
from trivium.data.deferred_array import DeferredArray
from trivium.data.nests import is_deferred
from trivium.data.pictures.channels import with_channels
from trivium.data.pictures.decoded_rows import DecodedRows
from trivium.data.pictures.picture_file import PictureError
from trivium.data.sample_weights import SampleWeights
from trivium.errors import DataError

pytestmark = pytest.mark.plain

SIZE = (6, 8)


def drawn(number, colour):
    values = np.random.default_rng(number).integers(0, 256, (*SIZE, 3)).astype("uint8")
    return Image.fromarray(values if colour else values[..., 0])


def folder(path, colour=True):
    """Write two classes of six pictures, of which every other one has colour."""
    for number in range(12):
        file = path / "photos" / "ab"[number % 2] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        drawn(number, colour and number % 3 == 0).save(file)
    return path / "photos"


def table(path):
    files = sorted(folder(path).rglob("*.png"))
    lines = ["path,price", *(f"{file.relative_to(path)},{place + 0.5}" for place, file in enumerate(files))]
    (path / "prices.csv").write_text("\n".join(lines) + "\n")
    return path / "prices.csv"


def scenes(path, values=(0, 7, 255)):
    for name in ("images", "masks"):
        (path / "scenes" / name).mkdir(parents=True)
    for number in range(10):
        drawn(number, True).save(path / "scenes" / "images" / f"{number}.png")
        mask = np.array(values)[np.random.default_rng(number).integers(0, len(values), SIZE)]
        Image.fromarray(mask.astype("uint16" if max(values) > 255 else "uint8")).save(
            path / "scenes" / "masks" / f"{number}.png"
        )
    return path / "scenes"


def assert_same(dataset, expected):
    assert dataset.train.is_deferred
    assert not expected.train.is_deferred
    for part in ("train", "test"):
        ours, theirs = getattr(dataset, part), getattr(expected, part)
        for array, wanted in ((ours.x, theirs.x), (ours.y, theirs.y)):
            assert (array.shape, array.dtype) == (wanted.shape, wanted.dtype)
            np.testing.assert_array_equal(array[:], wanted)
    assert (dataset.labels, dataset.notes, dataset.checksum) == (expected.labels, expected.notes, expected.checksum)


@pytest.mark.parametrize("write", [folder, table, scenes])
@pytest.mark.parametrize("settings", ["", ":size=5x4:fit=pad", ":test_share=0.4"])
def test_pictures_in_files_are_those_in_memory(tmp_path, write, settings):
    name = f"{write(tmp_path)}{settings}"
    assert_same(*(datasets.load(f"{name}:stored={where}") for where in ("yes", "no")))


def test_masks_of_sixteen_bits_are_those_in_memory(tmp_path):
    name = scenes(tmp_path, (0, 1000, 60_000))
    dataset = datasets.load(f"{name}:stored=yes")
    assert_same(dataset, datasets.load(name))
    assert dataset.train.y.dtype == "uint8"


@pytest.mark.parametrize("write", [folder, scenes])
def test_large_pictures_stay_in_their_files(tmp_path, write, monkeypatch):
    name = write(tmp_path)
    decoded = 12 * 6 * 8 * 3 if write is folder else 10 * 6 * 8 * (3 + 1)  # pictures and masks together
    for limit, is_large in ((decoded - 1, True), (decoded, False)):
        monkeypatch.setattr(stored, "_LARGE", limit)
        dataset = datasets.load(name)
        assert dataset.train.is_deferred is is_large
        assert isinstance(dataset.train.y, DeferredArray) is (is_large and write is scenes)


def test_stored_is_yes_or_no(tmp_path):
    with pytest.raises(DataError, match="stored=perhaps: expected yes or no"):
        datasets.load(f"{folder(tmp_path)}:stored=perhaps")


def test_no_pixels_are_allocated_where_they_stay_in_their_files(tmp_path, monkeypatch):
    name = scenes(tmp_path)
    for module in ("reading", "masks"):
        monkeypatch.setattr(f"trivium.data.pictures.{module}.allocate", lambda *_: pytest.fail("allocated"))
    datasets.load(f"{name}:stored=yes")


@pytest.mark.parametrize("spoilt", ["photos/a/02.png", "scenes/images/4.png", "scenes/masks/4.png"])
def test_a_broken_picture_is_found_before_it_is_asked_for(tmp_path, spoilt):
    name = folder(tmp_path) if spoilt.startswith("photos") else scenes(tmp_path)
    (tmp_path / spoilt).write_bytes((tmp_path / spoilt).read_bytes()[:70])
    with pytest.raises(DataError, match=r"1 of 1\d pictures cannot be read: .*leave them out by `skip_broken`"):
        datasets.load(f"{name}:stored=yes")
    assert_same(*(datasets.load(f"{name}:skip_broken=yes:stored={where}") for where in ("yes", "no")))


def test_pictures_are_grey_if_the_only_one_in_colour_is_broken(tmp_path):
    name = folder(tmp_path, colour=False)
    drawn(20, True).save(name / "a" / "colour.png")
    (name / "a" / "colour.png").write_bytes((name / "a" / "colour.png").read_bytes()[:100])
    dataset = datasets.load(f"{name}:skip_broken=yes:stored=yes")
    assert dataset.train.x.shape[1:] == SIZE
    assert_same(dataset, datasets.load(f"{name}:skip_broken=yes"))


def test_a_picture_that_breaks_later_is_named_where_it_is_asked_for(tmp_path):
    name = folder(tmp_path, colour=False)
    dataset = datasets.load(f"{name}:stored=yes:test_share=0")
    (name / "b" / "03.png").write_text("no picture")
    with pytest.raises(PictureError, match=r"b/03\.png: not a picture that can be read"):
        dataset.train.x[:]
    (name / "b" / "03.png").unlink()
    with pytest.raises(PictureError, match=r"b/03\.png: no such file"):
        dataset.train.x[:]
    Image.fromarray(np.zeros((8, 6), "uint8")).save(name / "b" / "03.png")
    with pytest.raises(DataError, match=r"b/03\.png was changed while it was in use: it has another size"):
        dataset.train.x[:]
    drawn(3, True).save(name / "b" / "03.png")
    with pytest.raises(DataError, match=r"b/03\.png was changed while it was in use: .* has become coloured"):
        dataset.train.x[:]


@pytest.mark.parametrize("number", [3, 254, 256 * 200])
def test_a_mask_with_a_new_number_is_named(tmp_path, number):
    name = scenes(tmp_path, (0, 7, 200))
    dataset = datasets.load(f"{name}:stored=yes")
    Image.fromarray(np.full(SIZE, number, "uint8" if number < 256 else "uint16")).save(name / "masks" / "4.png")
    with pytest.raises(DataError, match=rf"masks/4\.png was changed .*: it holds the number {number}, which"):
        np.concatenate([dataset.train.y[:], dataset.test.y[:]])


def test_pictures_become_grey_and_classes_are_renumbered_when_they_are_read(tmp_path):
    name = scenes(tmp_path)
    for change in (
        lambda dataset: with_channels(dataset, colour=False),
        lambda dataset: dataset.relabelled(("9", "255", "7", "0")),
    ):
        dataset, expected = (change(datasets.load(f"{name}:stored={where}")) for where in ("yes", "no"))
        assert_same(dataset, expected)
        assert is_deferred(dataset.train.x)
        assert is_deferred(dataset.train.y)


def test_every_part_becomes_grey(tmp_path):
    name = folder(tmp_path)
    dataset = with_channels(datasets.load(f"{name}:validation={name}:stored=yes"), colour=False)
    assert {part.x.shape[1:] for part in (dataset.train, dataset.test, dataset.validation)} == {SIZE}


def test_pixels_of_classes_are_counted_and_weighted(tmp_path):
    name = scenes(tmp_path)
    dataset, expected = (datasets.load(f"{name}:stored={where}") for where in ("yes", "no"))
    counts = np.bincount(expected.train.y.reshape(-1))
    np.testing.assert_array_equal(count_classes(dataset.train.y, 3), counts)
    of_samples = np.arange(8, dtype="float32")
    for samples in (None, of_samples):
        weights = SampleWeights.of("balanced", samples)
        ours, theirs = (weights.for_training(data, np.array([5, 1, 2])) for data in (dataset, expected))
        assert isinstance(ours, DeferredArray)
        assert theirs.shape == (3, *SIZE)
        np.testing.assert_array_equal(ours[:], theirs)
        np.testing.assert_array_equal(ours[np.array([2, 0])], theirs[[2, 0]])
    wanted = (expected.train.y[[5, 1, 2]] == 1) * of_samples[[5, 1, 2], None, None]
    weighted = SampleWeights.of({"0": 0, "7": 1, "255": 0}, of_samples).for_training(dataset, np.array([5, 1, 2]))
    np.testing.assert_array_equal(weighted[:], wanted)


def test_each_row_is_decoded_once_in_several_threads(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    together, decoded = threading.Barrier(3, timeout=5), []

    def decode(number):
        together.wait()  # passes if three rows are decoded at a time
        decoded.append(number)
        return np.full(2, number)

    rows = DecodedRows(decode, (9, 2), np.dtype("int64"))
    assert len(rows) == 9
    np.testing.assert_array_equal(rows[np.array([8, 2, 8, 5, 2])][:, 0], [8, 2, 8, 5, 2])
    assert sorted(decoded) == [2, 5, 8]
    assert rows[np.array([], "int64")].shape == (0, 2)
