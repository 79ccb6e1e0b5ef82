"""Pictures are read as they are seen, and folders of them become datasets."""

import numpy as np
import pytest
from PIL import Image

from trivium.data import datasets
from trivium.data.dataset import PICTURES
from trivium.data.sources import pictures
from trivium.errors import DataError

pytestmark = pytest.mark.plain

RAMP = np.arange(48, dtype="uint8").reshape(6, 8) * 5


def saved(image, path):
    image.save(path)
    return pictures.read_picture(path)


def test_grey_and_colour_are_kept(tmp_path):
    np.testing.assert_array_equal(saved(Image.fromarray(RAMP), tmp_path / "grey.png"), RAMP)
    colours = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)
    np.testing.assert_array_equal(saved(Image.fromarray(colours), tmp_path / "colour.png"), colours)


def test_sixteen_bits_become_eight(tmp_path):
    wide = RAMP.astype("uint16") * 257
    np.testing.assert_array_equal(saved(Image.fromarray(wide), tmp_path / "wide.png"), RAMP)


def test_a_palette_becomes_its_colours(tmp_path):
    colours = np.zeros((6, 8, 3), "uint8")
    colours[:3], colours[3:] = (200, 0, 0), (0, 0, 200)
    image = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    np.testing.assert_array_equal(saved(image, tmp_path / "palette.png"), colours)


def test_what_is_transparent_is_white(tmp_path):
    rgba = np.zeros((6, 8, 4), "uint8")
    rgba[2:4, 2:4, 3] = 255
    rgba[0, 0, 3] = 128
    read = saved(Image.fromarray(rgba), tmp_path / "drawing.png")
    assert read.shape == (6, 8, 3)
    assert (read[2:4, 2:4] == 0).all()
    assert (read[5] == 255).all()
    assert read[0, 0, 0] == pytest.approx(127, abs=1)
    grey = saved(Image.fromarray(rgba[..., [0, 3]]), tmp_path / "grey.png")
    np.testing.assert_array_equal(grey, read[..., 0])


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90° clockwise to see it upright"
    Image.fromarray(RAMP).save(tmp_path / "phone.png", exif=exif)
    np.testing.assert_array_equal(pictures.read_picture(tmp_path / "phone.png"), np.rot90(RAMP, -1))


def test_grey_is_the_luma_of_a_colour_as_pillow_computes_it(generator):
    colours = generator.integers(0, 256, (2, 5, 5, 3)).astype("uint8")
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in colours])
    np.testing.assert_allclose(pictures.to_grey(colours).astype(int), expected, atol=1)
    grey = pictures.to_grey(colours)
    np.testing.assert_allclose(pictures.to_grey(pictures.to_colour(grey)), grey, atol=1)


def write_folder(path, colour=(True, True), size=(6, 8)):
    """Write a folder of two classes with six pictures each."""
    for number, coloured in enumerate(colour):
        (path / f"class {number}").mkdir(parents=True)
        for place in range(6):
            values = np.random.default_rng(place + 10 * number).integers(0, 256, (*size, 3)).astype("uint8")
            Image.fromarray(values if coloured else values[..., 0]).save(path / f"class {number}" / f"{place}.png")
    return path


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


def test_pictures_of_two_sizes_are_refused(tmp_path):
    folder = write_folder(tmp_path / "pictures")
    Image.fromarray(RAMP.T).save(folder / "class 1" / "tall.png")
    with pytest.raises(DataError, match=r"tall.png has 6×8 pixels, .*0.png has 8×6: bring them to one size"):
        datasets.load(folder)


def test_few_pictures_of_many_classes_are_split_without_strata(tmp_path):
    for number in range(4):
        (tmp_path / "few" / str(number)).mkdir(parents=True)
        for place in range(2):
            Image.fromarray(RAMP + place).save(tmp_path / "few" / str(number) / f"{place}.png")
    dataset = datasets.load(tmp_path / "few")
    assert (len(dataset.train), len(dataset.test)) == (6, 2)
