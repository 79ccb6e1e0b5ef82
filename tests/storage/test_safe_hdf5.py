"""HDF5 files that point to other files, or declare more than they hold, are refused before a value is read."""

import h5py
import numpy as np
import pytest

from trivium.errors import FileError
from trivium.storage import hdf5_heaps, safe_hdf5

pytestmark = pytest.mark.plain


@pytest.fixture
def written(tmp_path):
    """A function that writes a file with one honest array and the changes of `edit(h5py.File)`; returns its path."""

    def write(edit=lambda file: None):
        path = tmp_path / "a.weights.h5"
        with h5py.File(path, "w") as file:
            file["layers/dense/vars/0"] = np.ones((3, 4), "float32")
            edit(file)
        return path

    return write


def refused(path, match):
    with pytest.raises(FileError, match=match) as caught:
        safe_hdf5.list_arrays(path, "a.h5")
    assert "\n" not in str(caught.value)


def test_arrays_are_listed_with_shape_and_dtype(written):
    arrays = safe_hdf5.list_arrays(written(lambda file: file.create_dataset("scalar", data=np.int32(1))), "a.h5")
    assert arrays == {
        "layers/dense/vars/0": safe_hdf5.StoredArray((3, 4), "float32"),
        "scalar": safe_hdf5.StoredArray((), "int32"),
    }
    assert arrays["layers/dense/vars/0"].size == 12


def test_a_file_may_be_passed_as_bytes(written):
    path = written()
    assert safe_hdf5.list_arrays(path.read_bytes(), "a.h5") == safe_hdf5.list_arrays(path, "a.h5")


def test_an_external_link_is_refused_and_its_target_named(written, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["x"] = 1
    target = str(tmp_path / "secret.h5")
    refused(written(lambda file: file.__setitem__("x", h5py.ExternalLink(target, "/x"))), r"'x' is a ExternalLink to ")


def test_a_soft_link_is_refused(written):
    refused(written(lambda file: file.__setitem__("x", h5py.SoftLink("/layers"))), "'x' is a SoftLink")


def test_an_array_stored_in_another_file_is_refused(written, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(100))
    raw = [(str(tmp_path / "raw"), 0, 100)]
    refused(written(lambda f: f.create_dataset("x", (25,), "float32", external=raw)), "'/x' is stored in another file")


def test_a_virtual_array_is_refused(written, tmp_path):
    def edit(file):
        layout = h5py.VirtualLayout((4,), "float32")
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", (4,))
        file.create_virtual_dataset("x", layout)

    refused(written(edit), "is stored in another file")


def test_groups_in_a_circle_are_refused(written):
    refused(written(lambda file: file.__setitem__("layers/again", file["layers"])), "has another name too")


def test_groups_nested_without_end_are_refused(written):
    refused(written(lambda file: file.create_group("/".join("a" * 101))), "nested deeper than 100 levels")


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), h5py.ref_dtype, h5py.vlen_dtype("int32")])
def test_objects_and_references_are_refused(written, dtype):
    refused(written(lambda file: file.create_dataset("x", (2,), dtype)), "'/x' holds objects or references")


def test_an_array_that_declares_more_than_it_holds_is_refused(written):
    refused(
        written(lambda file: file.create_dataset("x", (10**12,), "float32", chunks=(1000,), compression="gzip")),
        "'/x' declares 4,000,000,000,000 bytes and holds 0: a bomb",
    )


def test_a_filter_that_would_be_loaded_as_code_is_refused(written):
    def edit(file):
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((4,))
        settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, settings)

    refused(written(edit), "'/x' asks for filter 32015, which would be loaded as code")


def test_a_named_type_is_refused(written):
    refused(written(lambda file: file.__setitem__("x", np.dtype("float32"))), "'x' is neither a group nor an array")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9])
def test_a_truncated_file_raises_a_one_line_error(written, share):
    path = written()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, "a.h5 cannot be read as HDF5, truncated or damaged")


def test_a_long_list_of_names_is_read_from_its_parts(tmp_path):
    """Keras divides an attribute that is too long for HDF5."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["short"] = [b"a", b"b"]
        file.attrs["long0"], file.attrs["long1"], file.attrs["long3"] = [b"c"], ["d", "e"], [b"f"]
        assert safe_hdf5.text_list(file, "short") == ["a", "b"]
        assert safe_hdf5.text_list(file, "long") == ["c", "d", "e"]
        assert safe_hdf5.text_list(file, "none") == []


def _after(content, signature, count, replacement):
    """Return bytes with others in the place of those that begin so many bytes after a signature."""
    start = content.index(signature) + count
    return content[:start] + replacement + content[start + len(replacement) :]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(bytes(16), id="free space of no length"),
        pytest.param(bytes(8) + (7).to_bytes(8, "little"), id="free space shorter than its header"),
        pytest.param(b"\1" + bytes(7) + (2**64 - 16).to_bytes(8, "little"), id="a length that wraps around"),
    ],
)
def test_a_heap_that_the_library_would_read_for_ever_is_refused(written, header):
    path = written(lambda file: file.attrs.__setitem__("text", "a" * 100))
    path.write_bytes(_after(path.read_bytes(), b"GCOL", 16, header))
    refused(path, "a heap of texts in it has an object of no length")


def test_a_heap_across_two_pieces_of_the_file_is_searched_too(written, monkeypatch):
    path = written(lambda file: file.attrs.__setitem__("text", "a" * 100))
    content = _after(path.read_bytes(), b"GCOL", 16, bytes(16))
    monkeypatch.setattr(hdf5_heaps, "_PIECE_SIZE", content.index(b"GCOL") + 2)
    refused(content, "a heap of texts in it has an object of no length")


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_honest_texts_are_read(tmp_path, version):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version) as file:
        file.attrs["texts"] = ["a" * length for length in range(300)]
        file.attrs["deleted"] = "a" * 5_000
        del file.attrs["deleted"]
        file.attrs["empty"] = ""
    with safe_hdf5.open_checked(path, "a.h5") as (file, _):
        assert safe_hdf5.text_list(file, "texts")[-1] == "a" * 299


def test_more_heaps_than_are_read_are_refused(written):
    heaps = (b"GCOL\1\0\0\0" + (16).to_bytes(8, "little")) * 100_001
    refused(written().read_bytes() + heaps, "has more than 100,000 heaps and texts of any length")
