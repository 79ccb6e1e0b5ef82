"""Pictures are read as they are seen."""

import numpy as np
import pytest
from PIL import Image

from trivium.data.pictures import channels, picture_file
from trivium.data.pictures.picture_file import Header, PictureError, read_header, read_picture, read_reduced
from trivium.data.pictures.picture_size import PictureSize

pytestmark = pytest.mark.plain

RAMP = np.arange(48, dtype="uint8").reshape(6, 8) * 5


def saved(image, path):
    image.save(path)
    return read_picture(path)


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
    np.testing.assert_array_equal(read_picture(tmp_path / "phone.png"), np.rot90(RAMP, -1))


def test_grey_is_the_luma_of_a_colour_as_pillow_computes_it(generator):
    colours = generator.integers(0, 256, (2, 5, 5, 3)).astype("uint8")
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in colours])
    np.testing.assert_allclose(channels.to_grey(colours).astype(int), expected, atol=1)
    grey = channels.to_grey(colours)
    np.testing.assert_allclose(channels.to_grey(channels.to_colour(grey)), grey, atol=1)


@pytest.mark.parametrize(
    ("image", "is_colour"),
    [
        (Image.fromarray(RAMP), False),
        (Image.fromarray(RAMP.astype("uint16") * 257), False),
        (Image.fromarray(np.stack([RAMP] * 3, axis=-1)), True),
        (Image.fromarray(RAMP).convert("P"), True),
    ],
)
def test_a_header_says_size_and_colour_as_the_picture_has_them(tmp_path, image, is_colour):
    image.save(tmp_path / "p.png")
    assert read_header(tmp_path / "p.png") == Header(6, 8, is_colour)
    assert (read_picture(tmp_path / "p.png").ndim == 3) == is_colour


@pytest.mark.parametrize("name", ["phone.png", "phone.jpg"])
def test_a_header_is_turned_as_the_picture_is(tmp_path, name):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RAMP).save(tmp_path / name, exif=exif)
    assert read_header(tmp_path / name) == Header(8, 6, is_colour=False)
    assert read_picture(tmp_path / name).shape == (8, 6)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        *((mode, "png") for mode in ("L", "RGB", "RGBA", "P", "LA", "I;16")),
        ("L", "jpg"),
        ("RGB", "jpg"),
        ("CMYK", "jpg"),
    ],
)
def test_a_large_picture_is_reduced_before_it_is_brought_to_a_size(tmp_path, monkeypatch, mode, ending):
    """With nearly the same result, and turned as its camera says."""
    y, x = np.mgrid[0:400, 0:600]
    colours = np.stack([x / 600, y / 400, (x + y) % 200 / 200], -1) * 255
    image = Image.fromarray(colours.astype("uint8"))
    image = Image.fromarray((x * 100).astype("uint16")) if mode == "I;16" else image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / f"p.{ending}", exif=exif)
    wanted = PictureSize(30, 20)
    whole = read_picture(tmp_path / f"p.{ending}", wanted)
    monkeypatch.setattr(picture_file, "_LARGE", 1000)
    reduced = read_picture(tmp_path / f"p.{ending}", wanted)
    assert reduced.shape == whole.shape
    assert reduced.dtype == np.uint8
    assert np.abs(reduced.astype(int) - whole).mean() < 2
    small, scale = read_reduced(tmp_path / f"p.{ending}", 60)
    assert small.shape[:2] == (60, 40)
    assert scale == pytest.approx(0.1)


def test_a_picture_of_absurdly_many_pixels_is_refused_in_one_line(tmp_path, monkeypatch):
    Image.fromarray(RAMP).save(tmp_path / "p.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(
        PictureError, match=r"has more than \d+ million pixels, the most that are read: make it smaller"
    ):
        read_picture(tmp_path / "p.png")
