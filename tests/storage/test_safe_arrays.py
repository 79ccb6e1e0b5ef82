"""Array files are read without unpickling, and with no more memory than the size of the file."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from trivium.errors import FileError
from trivium.storage import safe_arrays

pytestmark = pytest.mark.plain


class CreatesFolder:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def saved(array, **keywords):
    stream = io.BytesIO()
    np.save(stream, array, **keywords)
    return stream.getvalue()


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as new:
        for name, content in members.items():
            new.writestr(f"{name}.npy", content)
    return stream.getvalue()


def header(shape, dtype="<f4", content=b""):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


@pytest.mark.parametrize("dtype", ["float32", "uint8", "bool", "int64", "complex64", "U5"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 4), (2, 0, 5)])
def test_arrays_come_back_as_they_were(dtype, shape, tmp_path):
    array = np.ones(shape, dtype)
    np.save(tmp_path / "a.npy", array)
    for loaded in (safe_arrays.read_npz(archive(x=saved(array)), "a")["x"], safe_arrays.read_npy(tmp_path / "a.npy")):
        np.testing.assert_array_equal(loaded, array)
        assert loaded.dtype == array.dtype


def test_fortran_order_and_compression_are_read(tmp_path):
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    np.savez_compressed(tmp_path / "a.npz", x=array, y=array.T)
    arrays = safe_arrays.read_npz(tmp_path / "a.npz", "a")
    np.testing.assert_array_equal(arrays["x"], array)
    np.testing.assert_array_equal(arrays["y"], array.T)


def test_a_pickle_inside_is_refused_and_not_run(tmp_path):
    mark = tmp_path / "mark"
    objects = np.array([CreatesFolder(mark)], dtype=object)
    with pytest.raises(FileError, match=r"x.npy: .* holds pickled objects, which could run code: save numbers"):
        safe_arrays.read_npz(archive(x=saved(objects, allow_pickle=True)), "a.npz")
    (tmp_path / "a.npy").write_bytes(saved(objects, allow_pickle=True))
    with pytest.raises(FileError, match="holds pickled objects"):
        safe_arrays.read_npy(tmp_path / "a.npy")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["x", "x.npy"])
def test_a_bare_pickle_is_refused_and_not_run(tmp_path, name):
    mark = tmp_path / "mark"
    with pytest.raises(FileError, match="cannot be read as arrays"):
        safe_arrays.read_npz(archive(**{name: pickle.dumps(CreatesFolder(mark))}), "a.npz")
    assert not mark.exists()


@pytest.mark.parametrize("shape", [(10**12,), (2**40, 2**40), (-1,), (5,)])
def test_a_header_with_a_false_size_allocates_no_memory(shape):
    with pytest.raises(FileError, match=r"bytes of shape .* expected, there are 8"):
        safe_arrays.read_npz(archive(x=header(shape, content=bytes(8))), "a.npz")


@pytest.mark.parametrize("version", [b"\x03\x00", b"\x09\x09"])
def test_another_version_is_refused(version):
    content = bytearray(saved(np.ones(3)))
    content[6:8] = version
    with pytest.raises(FileError, match="cannot be read as arrays"):
        safe_arrays.read_npz(archive(x=bytes(content)), "a.npz")


def test_a_header_is_not_run(tmp_path):
    mark = tmp_path / "mark"
    code = f"__import__('os').mkdir({str(mark)!r})".ljust(117).encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(code).to_bytes(2, "little") + code
    with pytest.raises(FileError, match="cannot be read as arrays"):
        safe_arrays.read_npz(archive(x=content), "a.npz")
    assert not mark.exists()


def test_the_error_names_a_missing_file(tmp_path):
    with pytest.raises(FileError, match=r"cannot read .*none.npy: No such file"):
        safe_arrays.read_npy(tmp_path / "none.npy")
