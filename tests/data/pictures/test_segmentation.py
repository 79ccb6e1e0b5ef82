"""A folder of pictures and a folder of masks become a dataset with a class for each pixel."""

import numpy as np
import pytest
from PIL import Image

from trivium.data import datasets
from trivium.data.dataset import PICTURES
from trivium.errors import DataError

pytestmark = pytest.mark.plain


def write(path, values=(0, 255), count=10, names=("images", "masks"), size=(6, 8)):
    """Write grey pictures and their masks: the mask has the second value where the picture is light."""
    for name in names:
        (path / name).mkdir(parents=True)
    for number in range(count):
        generator = np.random.default_rng(number)
        numbers = generator.integers(0, len(values), size)
        picture = numbers * 40 + number
        Image.fromarray(picture.astype("uint8")).save(path / names[0] / f"{number}.png")
        Image.fromarray(np.array(values, "uint8")[numbers]).save(path / names[1] / f"{number}.png")
    return path


@pytest.mark.parametrize("names", [("images", "masks"), ("image", "mask"), ("x", "y"), ("Images", "Masks")])
def test_pixels_are_classes_numbered_from_0(tmp_path, names):
    dataset = datasets.load(write(tmp_path / "data", (0, 7, 255), names=names))
    assert dataset.labels == ("0", "7", "255")
    assert dataset.kind == PICTURES
    assert (dataset.train.y.shape, dataset.test.y.shape) == ((8, 6, 8), (2, 6, 8))
    assert dataset.train.y.dtype == "uint8"
    for split in (dataset.train, dataset.test):
        np.testing.assert_array_equal(split.x // 40, split.y)


def test_letters_of_an_alphabet_are_no_pictures_with_masks(tmp_path):
    folder = write(tmp_path / "data", names=("x", "y"))
    (folder / "z").mkdir()
    Image.fromarray(np.zeros((6, 8), "uint8")).save(folder / "z" / "0.png")
    assert datasets.load(folder).labels == ("x", "y", "z")


def test_a_palette_keeps_its_numbers(tmp_path):
    folder = write(tmp_path / "data")
    numbers = np.arange(48, dtype="uint8").reshape(6, 8) % 3 * 10
    image = Image.fromarray(numbers)
    image.putpalette(list(np.random.default_rng(0).permutation(768) % 256))
    for number in range(10):
        image.save(folder / "masks" / f"{number}.png")
    dataset = datasets.load(folder)
    assert Image.open(folder / "masks" / "0.png").mode == "P"
    assert dataset.labels == ("0", "10", "20")
    np.testing.assert_array_equal(dataset.train.y[0], numbers // 10)


def test_one_bit_sixteen_bits_and_grey_in_three_channels_are_numbers(tmp_path):
    folder = write(tmp_path / "data")
    numbers = np.arange(48).reshape(6, 8) % 2
    for mask, labels in (
        (Image.fromarray(numbers.astype(bool)), ("0", "1")),
        (Image.fromarray(numbers.astype("uint16") * 1000), ("0", "1000")),
        (Image.fromarray(np.stack([numbers * 9] * 3, axis=-1).astype("uint8")), ("0", "9")),
        (Image.fromarray(np.stack([numbers * 9, np.full((6, 8), 255)], axis=-1).astype("uint8")), ("0", "9")),
    ):
        for number in range(10):
            mask.save(folder / "masks" / f"{number}.png")
        dataset = datasets.load(folder)
        assert dataset.labels == labels
        np.testing.assert_array_equal(dataset.test.y, np.stack([numbers] * 2))


@pytest.mark.parametrize("fit", ["resize", "crop", "pad"])
def test_masks_follow_their_pictures_to_one_size(tmp_path, fit):
    folder = tmp_path / "data"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(6):
        # A square in the middle of pictures of several sizes.
        numbers = np.zeros((40 + 4 * number, 80), "uint8")
        numbers[12 + 2 * number : 28 + 2 * number, 32:48] = 1
        Image.fromarray(255 - numbers * 255).save(folder / "images" / f"{number}.png")
        Image.fromarray(numbers * 3).save(folder / "masks" / f"{number}.png")
    dataset = datasets.load(f"{folder}:size=20:fit={fit}")
    assert dataset.labels == ("0", "3")
    for x, y in zip(dataset.train.x, dataset.train.y, strict=True):
        assert x.shape == y.shape == (20, 20)
        assert ((x < 128) == (y == 1)).mean() > 0.98
        assert 12 <= (y == 1).sum() <= 100
        if fit == "pad":
            assert (x[0] == 255).all()
            assert (y[0] == 0).all()


def test_a_picture_without_a_mask_is_named(tmp_path):
    folder = write(tmp_path / "data")
    (folder / "masks" / "4.png").unlink()
    with pytest.raises(DataError, match=r"images/4.png has no mask: expected .*masks/4.png"):
        datasets.load(folder)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((6, 9), "uint8"), r"masks/4.png has 6x9 pixels .*, but its picture has 6x8: give it the size of its"),
        (np.arange(144, dtype="uint8").reshape(6, 8, 3), r"masks/4.png is in colour, expected the number of a class"),
    ],
)
@pytest.mark.parametrize("settings", ["", ":size=5", ":skip_broken=yes"])
def test_a_mask_that_does_not_fit_is_named(tmp_path, mask, message, settings):
    folder = write(tmp_path / "data")
    Image.fromarray(mask).save(folder / "masks" / "4.png")
    with pytest.raises(DataError, match=message):
        datasets.load(f"{folder}{settings}")


def test_a_mask_in_jpeg_or_two_masks_are_refused(tmp_path):
    folder = write(tmp_path / "data")
    Image.fromarray(np.zeros((6, 8), "uint8")).save(folder / "masks" / "4.jpg")
    with pytest.raises(DataError, match=r"4\.\w+ and .*4\.\w+ are masks of one picture: remove one"):
        datasets.load(folder)
    (folder / "masks" / "4.png").unlink()
    with pytest.raises(DataError, match=r"4.jpg: JPEG changes the numbers of the classes: save masks as .png"):
        datasets.load(folder)


@pytest.mark.parametrize("spoilt", ["images", "masks"])
def test_a_broken_picture_or_mask_is_left_out_with_its_partner(tmp_path, spoilt):
    folder = write(tmp_path / "data")
    (folder / spoilt / "4.png").write_text("no picture")
    with pytest.raises(DataError, match=rf"1 of 10 pictures cannot be read: {spoilt}/4.png"):
        datasets.load(folder)
    dataset = datasets.load(f"{folder}:skip_broken=yes")
    assert dataset.notes == (f"1 of 10 pictures cannot be read and are left out: {spoilt}/4.png.",)
    assert len(dataset.train) + len(dataset.test) == 9
    for split in (dataset.train, dataset.test):
        np.testing.assert_array_equal(split.x // 40, split.y)


def test_masks_of_one_class_or_too_many_are_refused(tmp_path):
    with pytest.raises(DataError, match="the masks hold 1 different numbers, expected one for each of 2 to 1,000"):
        datasets.load(write(tmp_path / "one", (0,)))
    folder = write(tmp_path / "many")
    for number in range(10):
        values = np.random.default_rng(number).integers(0, 60_000, (6, 8)).astype("uint16")
        values[0, 0] = number
        Image.fromarray(np.tile(values, (1, 1))).save(folder / "masks" / f"{number}.png")
    dataset = datasets.load(folder)
    assert dataset.train.y.dtype == "int32"
    assert len(dataset.labels) == dataset.train.y.max() + 1 or len(dataset.labels) == dataset.test.y.max() + 1
