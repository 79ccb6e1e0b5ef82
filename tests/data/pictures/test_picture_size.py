"""Pictures of any size are brought to one, in three ways."""

import numpy as np
import pytest
from PIL import Image

from trivium.data.pictures.picture_size import PictureSize
from trivium.errors import DataError

pytestmark = pytest.mark.plain


def scaled(values, size):
    return np.asarray(size.scale(Image.fromarray(np.asarray(values, "uint8"))))


@pytest.mark.parametrize(
    ("size", "fit", "expected"),
    [
        ("64", "", PictureSize(64, 64, "resize")),
        ("6x8", "pad", PictureSize(6, 8, "pad")),
        ("6X8", "crop", PictureSize(6, 8, "crop")),
        ("6×8", "", PictureSize(6, 8)),
        ("6,8", "", PictureSize(6, 8)),
        ("", "", None),
    ],
)
def test_a_size_is_height_by_width(size, fit, expected):
    assert PictureSize.parse(size, fit) == expected


@pytest.mark.parametrize(
    ("size", "fit", "message"),
    [
        ("big", "", "`size` big: expected height x width in pixels, such as 64x48"),
        ("0x5", "", "`size` 0x5: expected height x width"),
        ("20000", "", "`size` 20000: expected height x width"),
        ("5", "stretch", "`fit` stretch: expected resize, crop, pad"),
        ("5", "corp", "did you mean 'crop'"),
        ("", "crop", "`fit` crop says how pictures are brought to a size: add `size` 64x64"),
    ],
)
def test_other_sizes_are_refused(size, fit, message):
    with pytest.raises(DataError, match=message):
        PictureSize.parse(size, fit)


def test_the_record_of_a_size_is_read_again():
    size = PictureSize(6, 8, "pad")
    assert size.to_json() == {"size": [6, 8], "fit": "pad"}
    assert PictureSize.from_json({"name": "x", **size.to_json()}) == size
    assert PictureSize.from_json({"name": "x"}) is None
    for record in ({"size": 5}, {"size": [1, 2, 3]}, {"size": ["a", 2]}, {"size": [5, 5], "fit": "none"}):
        with pytest.raises(DataError):
            PictureSize.from_json(record)


# Two dark columns on the left, then grey, then two light columns on the right.
WIDE = [[0, 0, 100, 100, 200, 200]] * 2


def test_resize_changes_the_proportions():
    # Each pixel is the mean of its two, and of the next one on each side with a third of their weight: 100 / 7 = 14.
    np.testing.assert_array_equal(scaled(WIDE, PictureSize(2, 3)), [[14, 100, 186]] * 2)


def test_crop_keeps_the_middle():
    np.testing.assert_array_equal(scaled(WIDE, PictureSize(2, 2, "crop")), [[100, 100]] * 2)
    np.testing.assert_array_equal(scaled(np.transpose(WIDE), PictureSize(2, 2, "crop")), [[100, 100]] * 2)


def test_pad_keeps_all_and_fills_with_white():
    wide = np.repeat(np.repeat(WIDE, 2, axis=0), 2, axis=1)
    padded = scaled(wide, PictureSize(6, 6, "pad"))
    assert (padded[:2] == 255).all()
    assert (padded[4:] == 255).all()
    assert (padded[2:4, 0] < 40).all()
    assert (padded[2:4, 5] > 160).all()
    np.testing.assert_array_equal(scaled(wide.T, PictureSize(6, 6, "pad")), padded.T)


def test_a_picture_much_longer_than_wide_keeps_a_pixel():
    assert (scaled(np.zeros((1, 500)), PictureSize(4, 4, "pad")) == 0).sum() == 4


def test_a_picture_of_the_size_stays_as_it_is(generator):
    values = generator.integers(0, 256, (6, 8, 3)).astype("uint8")
    for fit in ("resize", "crop", "pad"):
        np.testing.assert_array_equal(scaled(values, PictureSize(6, 8, fit)), values)
