"""A drawn or photographed digit comes out as MNIST would have made it."""

import re

import numpy as np
import photographs
import pytest
from photographs import lines, on_table, photograph
from PIL import Image, ImageDraw, ImageFilter

from trivium.data import datasets, digit_images, input_files
from trivium.data.photographs.marks import marks_of
from trivium.errors import DataError

pytestmark = pytest.mark.plain


def draw_seven(size=(300, 200), ink=0, paper=255, offset=(0, 0), width=16):
    """Return a picture of a seven, at any place on its paper."""
    picture = Image.new("L", size, paper)
    x, y = offset
    ImageDraw.Draw(picture).line(
        [(x + 60, y + 40), (x + 130, y + 40), (x + 85, y + 160)], fill=ink, width=width, joint="curve"
    )
    return np.asarray(picture)


def box(digit):
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def centre(digit):
    weights = digit / digit.sum()
    return (weights.sum(1) @ (np.arange(28) + 0.5), weights.sum(0) @ (np.arange(28) + 0.5))


def likeness(a, b):
    """Return the correlation of two digits, best of shifts by at most a pixel: a centre of mass can be on an edge."""
    moved = [np.roll(a, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return max(np.corrcoef(m.ravel().astype(float), b.ravel().astype(float))[0, 1] for m in moved)


def test_a_digit_fills_a_box_of_20_with_its_proportions_kept():
    digit = digit_images.centre_digit(draw_seven())
    assert digit.shape == (28, 28)
    assert digit.dtype == np.uint8
    height, width = box(digit)
    assert height == 20
    assert 11 <= width <= 15  # 136 by 86 pixels of ink


def test_the_centre_of_mass_is_in_the_middle():
    """In MNIST's digits it lies between 14 and 15 pixels from either edge."""
    np.testing.assert_allclose(centre(digit_images.centre_digit(draw_seven())), (14.5, 14.5), atol=0.52)


@pytest.mark.parametrize("offset", [(0, 0), (90, 20), (-40, -20)])
def test_where_the_digit_stands_on_the_paper_does_not_matter(offset):
    np.testing.assert_array_equal(
        digit_images.centre_digit(draw_seven(offset=offset)), digit_images.centre_digit(draw_seven())
    )


def test_ink_is_light_whether_it_was_dark_on_light_or_light_on_dark():
    dark, light = (
        digit_images.centre_digit(draw_seven(ink=0, paper=255)),
        digit_images.centre_digit(draw_seven(ink=255, paper=0)),
    )
    np.testing.assert_allclose(dark.astype(int), light.astype(int), atol=2)
    assert dark[0].max() == 0
    assert dark.max() > 200


def test_a_photograph_with_noise_and_a_shadow_is_nearly_the_drawing(generator):
    drawn = draw_seven()
    blurred = np.asarray(Image.fromarray(drawn).filter(ImageFilter.GaussianBlur(1.5)), "float64")
    shadow = np.linspace(0, 50, drawn.shape[1])[None, :]
    photo = np.clip(40 + blurred * 0.7 - shadow + generator.normal(0, 5, drawn.shape), 0, 255).astype("uint8")
    assert likeness(digit_images.centre_digit(drawn), digit_images.centre_digit(photo)) > 0.95


def photographed(shadow, pen=26, size=(600, 800)):
    """Return a photograph of a seven, with the soft shadow of a hand in a corner of the paper."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    light = 190 - shadow * np.exp(-(((x - 120) / 180) ** 2 + ((y - 680) / 160) ** 2))
    stroke = Image.new("L", size, 0)
    ImageDraw.Draw(stroke).line([(320, 413), (440, 433), (360, 620)], fill=255, width=pen, joint="curve")
    ink = np.asarray(stroke.filter(ImageFilter.GaussianBlur(2))) / 255 * 0.9
    grain = np.random.default_rng(0).normal(0, 4, (height, width))
    return np.clip((light + grain) * (1 - ink) + ink * 45, 0, 255).astype("uint8")


@pytest.mark.parametrize("pen", [18, 26, 60])
def test_a_soft_shadow_is_not_ink(pen):
    plain, shaded = (digit_images.centre_digit(photographed(shadow, pen)) for shadow in (0, 50))
    assert np.abs(plain.astype(int) - shaded).mean() < 0.02 * 255


PHOTOGRAPHS = {
    "a vignette": lambda: photograph("2", "vignette"),
    "light from one side": lambda: photograph("4", "side"),
    "lined paper": lambda: photograph("7", printed=lines(slope=0.03)),
    "squared paper": lambda: photograph("2", "shadow", printed=lines(squared=True, slope=-0.02)),
    "noise": lambda: photograph("4", noise=35),
    "a table": lambda: on_table(photograph("7", "shadow")),
    "squared paper on a table": lambda: on_table(photograph("4", printed=lines(squared=True))),
    "chalk": lambda: photograph("2", "side", chalk=True),
    "three": lambda: photograph("274", "shadow", size=(400, 760)),
    "three on squared paper": lambda: photograph("742", printed=lines((400, 760), squared=True), size=(400, 760)),
}
DIGITS = dict(zip(PHOTOGRAPHS, ["2", "4", "7", "2", "4", "7", "4", "2", "274", "742"], strict=True))


@pytest.mark.parametrize("scene", PHOTOGRAPHS)
def test_a_photograph_gives_its_digits_as_if_they_were_drawn(scene):
    digits = digit_images.find_digits(PHOTOGRAPHS[scene]())
    assert len(digits) == len(DIGITS[scene])
    turned = 0.8 if "table" in scene else 0.88  # the sheet lies askew
    for digit, name in zip(digits, DIGITS[scene], strict=True):
        drawn = digit_images.centre_digit(np.asarray(255 * (1 - photographs.ink(name)), "uint8"))
        assert likeness(digit.pixels, drawn) > turned, name


def test_a_digit_has_its_box_on_the_picture(tmp_path):
    """Also where the picture is read smaller than it is, and turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn = Image.fromarray(draw_seven()).resize((3600, 2400)).rotate(90, expand=True)
    drawn.save(tmp_path / "seven.jpg", exif=exif)
    (digit,) = digit_images.read_digits(tmp_path / "seven.jpg")
    np.testing.assert_allclose(digit.box, (12 * 60, 12 * 32, 12 * 138, 12 * 163), atol=40)


def test_a_digit_that_the_edge_of_the_sheet_cuts_is_doubtful():
    ink, on_sheet = photographs.ink("2"), np.ones((640, 480), bool)
    on_sheet[:, 250:] = False
    with pytest.raises(DataError, match=r"cannot be told from the edge of the sheet: photograph it from nearer"):
        marks_of(np.where(on_sheet & (ink > 0.02), ink, 0.0), on_sheet)


def test_a_pattern_is_no_digit():
    pattern = 255 - 200 * lines(squared=True, pitch=90).astype("uint8")
    pattern[:60] = pattern[-60:] = pattern[:, :60] = pattern[:, -60:] = 255
    with pytest.raises(DataError, match="no digit can be"):
        digit_images.find_digits(pattern)


def test_noise_is_refused_or_read_but_never_fails(generator):
    for size in ((64, 64), (3, 200), (28, 28), (1, 1), (2, 2)):
        noise = generator.integers(0, 256, size).astype("uint8")
        try:
            assert len(digit_images.find_digits(noise)) <= 20
        except DataError as error:
            assert re.search("no digit can be|cannot be told|marks can be seen", str(error))  # noqa: PT017


def test_mnists_own_digits_come_back_nearly_as_they_are():
    sample = datasets.load("mnist:sample").test.x[:20]
    enlarged = [np.kron(255 - digit, np.ones((4, 4), "uint8")) for digit in sample]
    again = [digit_images.centre_digit(picture) for picture in enlarged]
    assert min(likeness(a, digit) for a, digit in zip(again, sample, strict=True)) > 0.99
    exact = [np.abs(a.astype(int) - digit).mean() < 4 for a, digit in zip(again, sample, strict=True)]
    assert sum(exact) >= 19


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_page_is_an_error(level):
    with pytest.raises(DataError, match="no digit can be seen"):
        digit_images.centre_digit(np.full((50, 50), level, "uint8"))


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_pictures_are_read_by_their_suffix(tmp_path, ending):
    path = tmp_path / f"seven.{ending}"
    Image.fromarray(draw_seven()).save(path)
    read = input_files.read(path)
    assert read.shape == (1, 28, 28)
    assert likeness(read[0], digit_images.centre_digit(draw_seven())) > 0.95


def test_a_transparent_background_is_paper(tmp_path):
    rgba = np.zeros((200, 300, 4), "uint8")
    rgba[..., 3] = 255 - draw_seven(size=(300, 200))
    Image.fromarray(rgba).save(tmp_path / "seven.png")
    np.testing.assert_allclose(
        input_files.read(tmp_path / "seven.png")[0].astype(int),
        digit_images.centre_digit(draw_seven()).astype(int),
        atol=2,
    )


def test_a_file_that_is_not_a_picture_raises_a_one_line_error(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="not a picture that can be read"):
        input_files.read(tmp_path / "text.png")
    with pytest.raises(DataError, match="no such file"):
        input_files.read(tmp_path / "none.png")


def test_a_truncated_picture_raises_a_one_line_error(tmp_path):
    Image.fromarray(draw_seven()).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    with pytest.raises(DataError, match="not a picture that can be read"):
        input_files.read(tmp_path / "cut.png")


def test_a_table_of_one_column_is_a_series(tmp_path):
    (tmp_path / "t.csv").write_text("value\n1\n2.5\n-3e2\n")
    assert input_files.read(tmp_path / "t.csv").tolist() == [1.0, 2.5, -300.0]


def test_a_table_of_more_columns_is_samples(tmp_path):
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    assert input_files.read(tmp_path / "t.csv").tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3\n", "rows have between 1 and 2 columns"),
        ("1\nx\n", "row 2 of column 1 holds 'x', expected a number"),
        ("1\nnan\n", "NaN or infinite"),
        ("", "there is no row in it"),
    ],
)
def test_an_invalid_table_raises_a_one_line_error(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        input_files.read(tmp_path / "t.csv")


def test_an_unknown_suffix_is_an_error_that_lists_the_known_ones(tmp_path):
    with pytest.raises(DataError, match=r"expected .npy, .npz, .safetensors, .csv, .tsv"):
        input_files.read(tmp_path / "x.wav")
