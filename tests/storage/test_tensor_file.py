"""The checkpoint file: it is read as written, any changed byte is noticed, and any safetensors reader opens it."""

import errno
import os
import random

import numpy as np
import pytest

from trivium.errors import CheckpointError, OutputError
from trivium.storage import regular_file, tensor_file
from trivium.storage.tensor_file import LazyArray

pytestmark = pytest.mark.plain

ARRAYS = {
    "float": np.arange(6, dtype="float32").reshape(2, 3),
    "double": np.array([np.pi, -0.0, np.inf]),
    "scalar": np.array(3, "int64"),
    "none": np.zeros((0, 3), "float32"),
    "seeds": np.array([2**32 - 1, 0], "uint32"),
    "truth": np.array([True, False]),
    "turned": np.arange(6, dtype="int32").reshape(2, 3).T,
}
RECORD = {"epoch": 3, "words": '½ \\ " 0000', "history": [{"loss": 0.1}, {"loss": None}]}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "kept.safetensors"
    tensor_file.write(file, RECORD, {name: LazyArray.of(value) for name, value in ARRAYS.items()})
    return file


def test_what_is_written_is_what_is_read(path):
    assert tensor_file.read_record(path) == RECORD
    with tensor_file.open_arrays(path) as read:
        for name, value in ARRAYS.items():
            assert read(name).dtype == value.dtype
            np.testing.assert_array_equal(read(name), value, err_msg=name)


def test_any_reader_of_the_format_opens_it(path):
    from safetensors.numpy import load_file

    arrays = load_file(path)
    assert arrays.keys() == ARRAYS.keys()
    np.testing.assert_array_equal(arrays["turned"], ARRAYS["turned"])


def test_the_checksum_of_a_large_array_is_verified_in_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(regular_file, "_CHUNK_SIZE", 1000)
    value = np.random.default_rng(0).normal(size=12_345)
    tensor_file.write(tmp_path / "x.safetensors", None, {"x": LazyArray.of(value)})
    assert tensor_file.read_record(tmp_path / "x.safetensors") is None
    with tensor_file.open_arrays(tmp_path / "x.safetensors") as read:
        np.testing.assert_array_equal(read("x"), value)


def test_every_flipped_bit_is_noticed(path):
    content = path.read_bytes()
    for place in random.Random(0).sample(range(len(content)), 200):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"kept\.safetensors"):
            tensor_file.read_record(path)


def test_every_truncation_is_noticed(path):
    content = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="truncated"):
            tensor_file.read_record(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 64,
        (10**7).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (60000).to_bytes(8, "little") + b"[" * 60000,
        b"PK\x03\x04 a zip",
    ],
)
def test_a_file_of_another_format_is_not_a_checkpoint(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x\.safetensors is no checkpoint, or was truncated"):
        tensor_file.read_record(path)


def test_an_error_of_the_library_becomes_a_checkpoint_error(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"PK\x03\x04 a zip")
    with pytest.raises(CheckpointError, match="is no checkpoint, or was truncated"), tensor_file.open_arrays(path):
        pass


def test_a_missing_file_or_array_is_an_error_that_names_it(tmp_path, path):
    with pytest.raises(CheckpointError, match=r"cannot read .*nosuch.safetensors: No such file"):
        tensor_file.read_record(tmp_path / "nosuch.safetensors")
    with tensor_file.open_arrays(path) as read, pytest.raises(CheckpointError, match="there is no weights in it"):
        read("weights")


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device; the file that was there is kept"):
        tensor_file.write(path, {}, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_fails_once_in_the_middle_leaves_the_old_file(path, monkeypatch):
    before, fsync, calls = path.read_bytes(), os.fsync, []

    def failing_once(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing_once)
    monkeypatch.setattr(tensor_file, "_FLUSH_SIZE", 1_000)
    arrays = {str(number): tensor_file.LazyArray.of(np.ones(1_000, "float32")) for number in range(3)}
    with pytest.raises(OutputError, match="Input/output error; the file that was there is kept"):
        tensor_file.write(path, {}, arrays)
    assert path.read_bytes() == before
