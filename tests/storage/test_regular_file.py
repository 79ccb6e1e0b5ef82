"""Files are opened in one place, which refuses what never ends, and reads no more than was there."""

import ast
import os
import socket
from pathlib import Path

import house
import pytest

import trivium
from trivium.errors import FileError
from trivium.storage import array_file, safe_arrays, safe_hdf5, safe_json, safe_zip, tensor_file
from trivium.storage.regular_file import open_regular, read_regular, require_regular, sha256_of

pytestmark = pytest.mark.plain

PACKAGE = Path(trivium.__file__).parent
# Modules that read something else than a file of the user's: their own, the system's, or the user's code.
OWN_FILES = {
    "backends/catalog.py",
    "backends/distribution/model_copies.py",
    "backends/processor.py",
    "benchmarks",
    "engine/keras_model/model_bytes.py",
    "engine/keras_model/public_names.py",
    "functions.py",
    "models/measured.py",
    "porting/source_files.py",
    "scripts",
    "storage/energy_counters.py",
    "storage/memory.py",
    "storage/regular_file.py",
    "tests",
}
READERS = {
    "open_regular": open_regular,
    "read_regular": read_regular,
    "sha256_of": sha256_of,
    "json": safe_json.read,
    "npy": safe_arrays.read_npy,
    "npz": lambda path: safe_arrays.read_npz(path, str(path)),
    "stored npy": array_file.open_npy,
    "stored npz": array_file.open_npz,
    "stored safetensors": array_file.open_safetensors,
    "zip": lambda path: safe_zip.open_checked(path, str(path)).__enter__(),
    "hdf5": lambda path: safe_hdf5.list_arrays(path, str(path)),
    "checkpoint": tensor_file.read_record,
}


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def link_to_a_link_to_a_device(path):
    path.with_name("between").symlink_to("/dev/zero")
    path.symlink_to(path.with_name("between"))


def link_to_a_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to(path.with_name("pipe"))


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("make", [pipe, device, link_to_a_link_to_a_device, link_to_a_pipe, unix_socket])
def test_what_never_ends_is_refused_at_once(tmp_path, monkeypatch, reader, make):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    make(Path("x"))
    with pytest.raises(trivium.errors.TriviumError, match=r"pipe or a device|cannot|no checkpoint|no zip|HDF5"):
        READERS[reader](Path("x"))


def test_a_pipe_that_takes_the_place_of_a_file_is_refused_too(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "x")
    monkeypatch.setattr("trivium.storage.regular_file.require_regular", lambda path: None)
    with pytest.raises(FileError, match="pipe or a device"):
        open_regular(tmp_path / "x")


def test_no_more_is_read_than_there_was(tmp_path, monkeypatch):
    """The file grows between being opened and being read."""
    path = tmp_path / "growing"
    path.write_bytes(b"first")
    fdopen = os.fdopen

    def grow(descriptor, *arguments):
        file = fdopen(descriptor, *arguments)
        read = file.read

        class Growing:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def fileno(self):
                return file.fileno()

            def read(self, count):
                with path.open("ab") as end:
                    end.write(b"later")
                return read(count)

        return Growing()

    monkeypatch.setattr(os, "fdopen", grow)
    assert read_regular(path) == b"first"


def test_a_file_larger_than_the_memory_is_refused(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**43)
    with pytest.raises(FileError, match=r"has 8,796,093,022,208 bytes, and this machine has .* of memory: not read"):
        read_regular(path)


def test_a_link_to_a_file_and_a_file_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_regular(tmp_path / "link") == b"content"
    assert read_regular(tmp_path / "file", 3) == b"con"
    require_regular(tmp_path / "missing")


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "file/within"])
def test_a_path_that_the_system_refuses_is_told_in_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(FileError) as raised:
        safe_json.read(Path(name))
    assert len(str(raised.value)) < 150


def calls_that_read(source):
    """Yield the lines that open a file to read it by other means than `open_regular`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        values = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        if name in ("read_bytes", "read_text") and isinstance(node.func, ast.Attribute):
            yield f"{node.lineno}: {ast.unparse(node)}"
        if name == "open" and ("rb" in values or isinstance(node.func, ast.Name)):
            yield f"{node.lineno}: {ast.unparse(node)}"


@pytest.mark.one_environment
def test_every_reader_goes_through_the_one_place():
    read_elsewhere = {}
    for name in house.modules():
        path = PACKAGE / name
        if not {name, name.partition("/")[0]} & OWN_FILES:
            own = ("safe_json.read_bytes", "read_text(path)", "resources.files")
            lines = [line for line in calls_that_read(path.read_text("utf-8")) if not any(text in line for text in own)]
            if lines:
                read_elsewhere[name] = lines
    assert read_elsewhere == {}
