"""A file is written completely or not at all; the old one survives any failure."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from trivium.errors import OutputError
from trivium.storage.atomic import atomic_write, is_partial, new_folder, replace_folder, write_json

pytestmark = pytest.mark.plain


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "kept.json"
    path.write_text("old")
    return path


def test_the_new_file_replaces_the_old(old):
    with atomic_write(old) as temporary:
        temporary.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


def test_an_error_in_the_block_leaves_the_old_file_and_nothing_beside_it(old):
    def fail(path):
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail(old)
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_a_full_disk_leaves_the_old_file_and_says_so(old, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device; the file that was there is kept"):
        write_json(old, {"a": 1})
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


WRITE_TOO_MUCH = """
import pathlib, resource, signal, sys
from trivium.storage.atomic import write_json
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
write_json(pathlib.Path(sys.argv[1]), ["x" * 1000])
"""


def test_a_limit_on_file_size_leaves_the_old_file(old):
    """The failure is not injected: the system itself refuses to write more."""
    process = subprocess.run([sys.executable, "-c", WRITE_TOO_MUCH, str(old)], capture_output=True, text=True)
    assert "OutputError: cannot write" in process.stderr
    assert "File too large" in process.stderr
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_folders_are_created_and_the_mode_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a" / "b.json", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a" / "b.json").stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_created_raises_a_one_line_error(old):
    with pytest.raises(OutputError, match=r"cannot write .*kept.json/x.json: "):
        write_json(old / "x.json", 1)


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.json", "b.weights.h5", "c" * 240, "ü" * 120 + ".json", "."])
def test_a_temporary_file_is_known_by_its_name(tmp_path, name):
    with atomic_write(tmp_path / "within" / name) if name != "." else new_folder(tmp_path / "new") as temporary:
        assert is_partial(temporary)
        temporary.is_dir() or temporary.write_text("new")


@pytest.mark.parametrize(
    "name", [".env.local", ".config.settings.json", ".zshrc.previous", "a.json", ".npmrc.a1b2c3d4.old"]
)
def test_a_file_of_the_user_is_no_temporary_one(tmp_path, name):
    assert not is_partial(tmp_path / name)


@pytest.mark.parametrize("name", ["a" * 256, "a\0b"])
def test_a_name_that_cannot_be_written_is_an_error_of_one_line(tmp_path, name):
    with pytest.raises(OutputError, match="cannot write"):
        write_json(tmp_path / name, 1)


def test_a_folder_that_has_the_name_of_a_backup_is_left_alone(tmp_path):
    """A replaced folder is moved aside for a moment."""
    for name in ("staged", "folder", f".folder.{os.getpid()}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    replace_folder(tmp_path / "staged", tmp_path / "folder")
    assert (tmp_path / "folder" / "file").read_text() == "staged"
    assert (tmp_path / f".folder.{os.getpid()}" / "file").exists()
    assert len(list(tmp_path.iterdir())) == 2
