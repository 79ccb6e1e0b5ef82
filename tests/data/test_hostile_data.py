"""Hostile data files run no code, exhaust no memory and reach no other file; damage raises a one-line error."""

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trivium.data import datasets
from trivium.data.digit_images import read_pixels
from trivium.data.pictures.folder import read_picture_folder
from trivium.data.sources import files
from trivium.errors import DataError
from trivium.functions import load_function

pytestmark = pytest.mark.plain

with_claimed_size = load_function(f"{Path(__file__).parents[1] / 'helpers' / 'hostile.py'}:with_claimed_size")


@pytest.fixture
def arrays(tmp_path):
    """The path of an honest `.npz` file, for a test to corrupt."""
    np.savez(tmp_path / "d.npz", x=np.ones((40, 3)), y=np.arange(40) % 2)
    return tmp_path / "d.npz"


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, *chunks):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def test_an_archive_that_is_a_bomb_is_refused(arrays):
    arrays.write_bytes(with_claimed_size(arrays.read_bytes(), "x.npy", 4_000_000_000))
    with pytest.raises(DataError, match=r"x.npy would become 4,000,000,000 bytes .*: a zip bomb"):
        datasets.load(str(arrays))


def test_an_array_with_a_name_that_leaves_its_folder_is_refused(arrays):
    with zipfile.ZipFile(arrays, "a") as archive:
        archive.writestr("../x_train.npy", b"")
    with pytest.raises(DataError, match=r"named '../x_train.npy', which could leave the folder"):
        datasets.load(str(arrays))


def test_a_header_with_too_large_a_shape_allocates_no_memory(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    (tmp_path / "x.npy").write_bytes(stream.getvalue())
    with pytest.raises(DataError, match="80,000,000,000,000 bytes of shape"):
        files.read_array(tmp_path / "x.npy")


def test_a_picture_with_more_pixels_than_the_machine_has_memory_is_refused(tmp_path):
    (tmp_path / "p.png").write_bytes(png(60_000, 60_000))
    with pytest.raises(DataError, match=r"p.png: has more than \d+ million pixels"):
        read_pixels(tmp_path / "p.png")
    for name in "ab":
        (tmp_path / "classes" / name).mkdir(parents=True)
        (tmp_path / "classes" / name / "p.png").write_bytes(png(60_000, 60_000))
    with pytest.raises(DataError, match="million pixels"):
        read_picture_folder(tmp_path / "classes")


def test_a_picture_with_a_text_that_is_a_bomb_is_refused(tmp_path):
    text = chunk(b"zTXt", b"evil\0\0" + zlib.compress(bytes(50_000_000)))
    (tmp_path / "p.png").write_bytes(png(4, 4, text))
    with pytest.raises(DataError, match="not a picture that can be read"):
        read_pixels(tmp_path / "p.png")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_corrupted_picture_is_read_or_raises_a_one_line_error(form, tmp_path, generator):
    honest = io.BytesIO()
    Image.fromarray(generator.integers(0, 256, (20, 20), dtype="uint8")).save(honest, form)
    path = tmp_path / "p"
    for _ in range(40):
        content = bytearray(honest.getvalue()[: generator.integers(1, len(honest.getvalue()) + 1)])
        content[generator.integers(len(content))] ^= 1 << generator.integers(8)
        path.write_bytes(content)
        message = ""
        try:
            assert read_pixels(path).shape[1:] == (28, 28)
        except DataError as error:
            message = str(error)
        assert "\n" not in message


@pytest.mark.parametrize("name", ["z.csv", "z.npz", "z.safetensors", "z.parquet", "text:z.txt", "z.csv:window=3"])
@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_what_never_ends_is_not_read(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name.removeprefix("text:").partition(":")[0]
    if kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    with pytest.raises(DataError, match="is no file but a pipe or a device"):
        datasets.load(name)


def test_keys_of_many_digits_stay_apart(tmp_path):
    keys = [10**25, 10**25 + 1]
    (tmp_path / "t.csv").write_text("a,label\n" + "".join(f"{row},{keys[row % 2]}\n" for row in range(20)))
    assert datasets.load(tmp_path / "t.csv").labels == tuple(map(str, keys))


def test_classes_beyond_63_bits_keep_their_names(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=np.ones((20, 2)), y_train=np.arange(20, dtype="uint64") % 2 + 2**63)
    assert datasets.load(tmp_path / "d.npz").labels == ("9223372036854775808", "9223372036854775809")


def test_words_that_hardly_repeat_are_no_classes(tmp_path):
    (tmp_path / "t.csv").write_text("a,label\n" + "".join(f"{row},word {row}\n" for row in range(1500)))
    with pytest.raises(DataError, match="1,500 of the 1,500 cells of column label differ, which are no classes"):
        datasets.load(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["waves:0:99999999999999", "moons:99999999999"])
def test_more_computed_samples_than_memory_are_refused(name):
    with pytest.raises(DataError, match=r"must be a whole number from .* to 10,000,000, received"):
        datasets.load(name)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_corrupted_typed_table_is_read_or_refused(tmp_path, generator, ending):
    import polars

    path = tmp_path / f"t.{ending}"
    frame = polars.DataFrame({"a": [1.5, 2.5, 3.5] * 9, "b": ["x", "y", "z"] * 9, "label": [0, 1, 2] * 9})
    frame.write_parquet(path) if ending == "parquet" else frame.write_ipc(path)
    honest = path.read_bytes()
    for _ in range(150):
        content = bytearray(honest)
        for place in generator.integers(len(content), size=4):
            content[place] = generator.choice([0, 1, 127, 128, 255])
        path.write_bytes(content)
        message = ""
        try:
            datasets.load(path)
        except DataError as error:
            message = str(error)
        assert "\n" not in message


@pytest.mark.parametrize("settings", ["", ":window=3", ":target=a", ":stored=yes"])
@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_table_without_columns_is_refused(tmp_path, ending, settings):
    import polars

    path = tmp_path / f"t.{ending}"
    polars.DataFrame().write_parquet(path) if ending == "parquet" else polars.DataFrame().write_ipc(path)
    with pytest.raises(DataError):
        datasets.load(f"{path}{settings}")
