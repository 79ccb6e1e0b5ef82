"""Folders of pictures become datasets: of one size or brought to one, without those that cannot be read if asked."""

import numpy as np
import pytest
from PIL import Image

from trivium.data import datasets
from trivium.data.dataset import PICTURES
from trivium.data.pictures import reading, threads
from trivium.data.pictures.picture_file import read_picture
from trivium.data.pictures.picture_size import PictureSize
from trivium.errors import DataError

pytestmark = pytest.mark.plain

RAMP = np.arange(48, dtype="uint8").reshape(6, 8) * 5


def write_folder(path, colour=(True, True), size=(6, 8)):
    """Write a folder of two classes with six pictures each."""
    for number, coloured in enumerate(colour):
        (path / f"class {number}").mkdir(parents=True)
        for place in range(6):
            values = np.random.default_rng(place + 10 * number).integers(0, 256, (*size, 3)).astype("uint8")
            Image.fromarray(values if coloured else values[..., 0]).save(path / f"class {number}" / f"{place}.png")
    return path


def write_mixed(path):
    """Write a folder of two classes with six pictures each, all of different sizes, half of them grey."""
    for number in range(12):
        file = path / ("ab"[number % 2]) / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        values = np.full((10 + number, 20 - number, *([3] * (number % 2))), 10 * number, "uint8")
        Image.fromarray(values).save(file)
    return path


def all_pictures(dataset):
    return np.concatenate([dataset.train.x, dataset.test.x])


@pytest.mark.parametrize(
    ("colour", "shape"),
    [((True, True), (6, 8, 3)), ((False, False), (6, 8)), ((False, True), (6, 8, 3))],
)
def test_a_folder_is_in_colour_if_a_picture_is(tmp_path, colour, shape):
    dataset = datasets.load(write_folder(tmp_path / "pictures", colour))
    assert dataset.train.x.shape[1:] == dataset.test.x.shape[1:] == shape
    assert (len(dataset.train), len(dataset.test)) == (9, 3)
    assert dataset.labels == ("class 0", "class 1")
    assert dataset.describe()["kind"] == PICTURES
    assert not {"size", "fit", "notes"} & dataset.describe().keys()


def test_each_picture_has_the_class_of_its_folder(tmp_path):
    folder = write_folder(tmp_path / "pictures")
    dataset = datasets.load(folder)
    known = {
        read_picture(file).tobytes(): number for number in range(2) for file in (folder / f"class {number}").iterdir()
    }
    assert len(known) == 12
    for split in (dataset.train, dataset.test):
        assert [known[picture.tobytes()] for picture in split.x] == list(split.y)


def test_pictures_of_two_sizes_are_refused_by_name(tmp_path):
    folder = write_folder(tmp_path / "pictures")
    Image.fromarray(RAMP.T).save(folder / "class 1" / "tall.png")
    message = r"tall.png has 8x6 pixels \(height x width\), .* has 6x8: bring them to one size, such as `size` 6x8$"
    with pytest.raises(DataError, match=message):
        datasets.load(folder)


def test_a_picture_that_says_at_its_end_that_it_is_turned_has_another_size(tmp_path):
    folder = write_folder(tmp_path / "pictures", (False, False))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RAMP).save(tmp_path / "plain.png")
    Image.fromarray(RAMP).save(tmp_path / "turned.png", exif=exif)
    plain, turned = (tmp_path / "plain.png").read_bytes(), (tmp_path / "turned.png").read_bytes()
    start = turned.index(b"eXIf") - 4
    entry = turned[start : start + 12 + int.from_bytes(turned[start : start + 4], "big")]
    end = plain.index(b"IEND") - 4
    (folder / "class 0" / "late.png").write_bytes(plain[:end] + entry + plain[end:])
    with pytest.raises(DataError, match=r"late.png has 8x6 pixels"):
        datasets.load(folder)


@pytest.mark.parametrize("fit", ["resize", "crop", "pad"])
def test_mixed_sizes_are_brought_to_one(tmp_path, fit):
    folder = write_mixed(tmp_path / "mixed")
    dataset = datasets.load(f"{folder}:size=6x8:fit={fit}")
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((9, 6, 8, 3), (3, 6, 8, 3))
    assert dataset.name == f"{folder}:size=6x8:fit={fit}"
    assert dataset.picture_size == PictureSize(6, 8, fit)
    assert (dataset.describe()["size"], dataset.describe()["fit"]) == ([6, 8], fit)
    middle = sorted(all_pictures(dataset)[:, 3, 4, 0])
    assert middle == list(range(0, 120, 10))
    has_border = (all_pictures(dataset) == 255).any(axis=(1, 2, 3))
    assert has_border.sum() >= 10 if fit == "pad" else not has_border.any()
    assert {int(value) // 10 % 2 for value in dataset.train.x[dataset.train.y == 1][:, 3, 4, 0]} == {1}


def test_a_single_number_is_a_square(tmp_path):
    assert datasets.load(f"{write_mixed(tmp_path / 'mixed')}:size=5").train.x.shape[1:] == (5, 5, 3)


def test_few_pictures_of_many_classes_are_split_without_strata(tmp_path):
    for number in range(4):
        (tmp_path / "few" / str(number)).mkdir(parents=True)
        for place in range(2):
            Image.fromarray(RAMP + place).save(tmp_path / "few" / str(number) / f"{place}.png")
    dataset = datasets.load(tmp_path / "few")
    assert (len(dataset.train), len(dataset.test)) == (6, 2)
    assert datasets.load(f"{tmp_path / 'few'}:test_share=0").test is None


def spoil(folder, count):
    """Cut some pictures of the first class off in the middle, and write one that is a text."""
    for number in range(count):
        file = folder / "class 0" / f"{number}.png"
        file.write_bytes(file.read_bytes()[:100])
    (folder / "class 1" / "notes.png").write_text("no picture")


def test_broken_pictures_are_named_and_counted(tmp_path):
    folder = write_folder(tmp_path / "pictures")
    spoil(folder, 4)
    with pytest.raises(DataError) as refused:
        datasets.load(folder)
    message = str(refused.value)
    assert "5 of 13 pictures cannot be read: " in message
    assert "\n" not in message
    assert message.count(".png") == 4, "three names, and the reason of the first"
    assert "and 2 more" in message
    assert message.endswith("replace them, or leave them out by `skip_broken`")


def test_broken_pictures_are_left_out_if_asked(tmp_path):
    folder = write_folder(tmp_path / "pictures")
    whole = all_pictures(datasets.load(folder))
    spoil(folder, 2)
    dataset = datasets.load(f"{folder}:skip_broken=yes")
    rest = all_pictures(dataset)
    assert rest.shape == (10, 6, 8, 3)
    assert len(dataset.train.y) + len(dataset.test.y) == 10
    assert {picture.tobytes() for picture in rest} < {picture.tobytes() for picture in whole}
    assert sorted(np.concatenate([dataset.train.y, dataset.test.y])) == [0] * 4 + [1] * 6
    (note,) = dataset.notes
    assert note.startswith("3 of 13 pictures cannot be read and are left out: ")
    assert {"class 0/0.png", "class 0/1.png", "class 1/notes.png"} == set(note.rstrip(".").split(": ")[1].split(", "))
    assert dataset.describe()["notes"] == [note]


def test_a_folder_is_grey_if_its_only_picture_in_colour_is_broken(tmp_path):
    folder = write_folder(tmp_path / "pictures", (False, False))
    colours = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype("uint8")
    file = folder / "class 0" / "colour.png"
    Image.fromarray(colours).save(file)
    assert datasets.load(folder).train.x.shape[1:] == (6, 8, 3)
    file.write_bytes(file.read_bytes()[:100])
    assert datasets.load(f"{folder}:skip_broken=yes").train.x.shape[1:] == (6, 8)


def test_pictures_that_are_all_broken_are_refused(tmp_path):
    folder = write_folder(tmp_path / "pictures")
    for file in folder.rglob("*.png"):
        file.write_text("no picture")
    with pytest.raises(DataError, match=r"none of 12 pictures can be read: .*not a picture that can be read"):
        datasets.load(f"{folder}:skip_broken=yes")
    folder = write_folder(tmp_path / "cut")
    for file in folder.rglob("*.png"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match="12 of 12 pictures cannot be read"):
        datasets.load(f"{folder}:skip_broken=yes")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("skip_broken=perhaps", "skip_broken=perhaps: expected yes or no"),
        ("fit=crop", "add `size` 64x64"),
        ("colour=yes", "has no setting 'colour' .it has: test_share, size, fit, skip_broken, stored."),
    ],
)
def test_other_settings_are_refused(tmp_path, settings, message):
    with pytest.raises(DataError, match=message):
        datasets.load(f"{write_folder(tmp_path / 'pictures')}:{settings}")


def test_threads_read_every_file_once_and_keep_the_order(tmp_path):
    done = []
    assert threads.in_threads(done.append, 1000) == {}
    assert sorted(done) == list(range(1000))
    folder = tmp_path / "many"
    for number in range(200):
        file = folder / "ab"[number % 2] / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((2, 2), number, "uint8")).save(file)
    files = sorted((folder / "a").iterdir())
    pictures = reading.decode_pictures(reading.open_pictures(files, None), stored=False)
    assert list(pictures.array[:, 0, 0]) == list(range(0, 200, 2))
