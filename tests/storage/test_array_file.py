"""Arrays in files are read row by row, with the values that loading gives; a damaged file is refused in one line."""

import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from trivium.errors import FileError
from trivium.storage import array_file

pytestmark = pytest.mark.plain

VALUES = np.arange(600, dtype="int32").reshape(50, 3, 4)
ROWS = {
    "all": slice(None),
    "some": slice(7, 19),
    "none": slice(9, 9),
    "close": np.array([4, 2, 3, 2]),
    "far": np.array([49, 0, 25]),
    "no": np.array([], int),
}


def npy(folder, values=VALUES):
    np.save(folder / "x.npy", values)
    return array_file.open_npy(folder / "x.npy")


def npz(folder, values=VALUES):
    np.savez(folder / "a.npz", first=np.ones(3), x=values)
    return array_file.open_npz(folder / "a.npz")["x"]


def safetensors(folder, values=VALUES):
    save_file({"first": np.ones(3), "x": values}, folder / "a.safetensors", {"about": "numbers"})
    return array_file.open_safetensors(folder / "a.safetensors")["x"]


@pytest.fixture(params=[0, 2**13], ids=["one by one", "in one piece"])
def gap(request, monkeypatch):
    """How rows that lie apart are read: one by one, or with those between them."""
    monkeypatch.setattr(array_file, "_GAP", request.param)


@pytest.mark.usefixtures("gap")
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("opened", [npy, npz, safetensors])
def test_rows_are_those_of_the_array(opened, rows, tmp_path):
    array = opened(tmp_path)
    np.testing.assert_array_equal(array[rows], VALUES[rows])
    assert array[rows].dtype == VALUES.dtype
    assert (array.shape, array.nbytes, len(array)) == (VALUES.shape, VALUES.nbytes, 50)


@pytest.mark.parametrize("dtype", ["uint8", "bool", "float16", "float32", "float64", "int64", ">f4", ">i2"])
def test_every_dtype_comes_in_the_byte_order_of_the_machine(dtype, tmp_path):
    values = (VALUES % 2).astype(dtype)
    array = npy(tmp_path, values)
    np.testing.assert_array_equal(array[5:9], values[5:9])
    assert array[5:9].dtype == array.dtype == values.dtype.newbyteorder("=")


def test_a_scalar_is_read_whole(tmp_path):
    np.save(tmp_path / "x.npy", np.float32(3))
    assert array_file.open_npy(tmp_path / "x.npy").read() == 3


def test_several_threads_read_at_once(tmp_path):
    array = npy(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        rows = list(threads.map(lambda number: array[number : number + 1], [n % 50 for n in range(400)]))
    np.testing.assert_array_equal(np.concatenate(rows), np.concatenate([VALUES] * 8))


def test_nothing_is_mapped_and_no_value_is_read_before_it_is_asked_for(tmp_path):
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**24, 8)})
        file.truncate(file.tell() + 2**30)  # a hole: it takes no room on the disk
    array = array_file.open_npy(tmp_path / "x.npy")
    assert array.nbytes == 2**30
    np.testing.assert_array_equal(array[np.array([2**24 - 1, 5])], np.zeros((2, 8)))
    maps = Path("/proc/self/maps")
    assert not maps.exists() or str(tmp_path) not in maps.read_text()


def test_a_file_that_becomes_shorter_is_told(tmp_path):
    array = npy(tmp_path)
    os.truncate(tmp_path / "x.npy", 300)
    with pytest.raises(FileError, match=r"x\.npy: x was truncated while it was in use"):
        array[40:50]


def test_a_truncated_file_is_refused(tmp_path):
    npy(tmp_path), safetensors(tmp_path)
    for name, opened in (("x.npy", array_file.open_npy), ("a.safetensors", array_file.open_safetensors)):
        os.truncate(tmp_path / name, (tmp_path / name).stat().st_size - 1)
        with pytest.raises(FileError, match=r"truncated"):
            opened(tmp_path / name)


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(FileError, match="pickled objects"):
        array_file.open_npy(tmp_path / "x.npy")


def test_fortran_order_is_refused_with_the_line_that_mends_it(tmp_path):
    with pytest.raises(FileError, match=r"save np\.ascontiguousarray\(x\)"):
        npy(tmp_path, np.asfortranarray(VALUES))


def test_compressed_arrays_of_an_archive_are_left_out(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=VALUES)
    assert array_file.open_npz(tmp_path / "a.npz") == {}


def test_a_dtype_that_numpy_has_not_is_refused(tmp_path):
    header = b'{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(FileError, match="x has the dtype BF16, which NumPy has not: save it as F32"):
        array_file.open_safetensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "header",
    [
        b"{}" * 40,
        b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4000]}}',
        b'{"x":{"dtype":"F32","shape":[-1],"data_offsets":[4,0]}}',
        b'{"x":{"dtype":"F32","shape":[9],"data_offsets":[0,8]}}',
        b'{"x":7}',
        b"[]",
    ],
)
def test_a_damaged_header_is_refused(header, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(FileError):
        array_file.open_safetensors(tmp_path / "a.safetensors")
