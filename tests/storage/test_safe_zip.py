"""Hostile archives are refused by their directory, before a member is read."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from trivium.errors import FileError
from trivium.functions import load_function
from trivium.storage import safe_zip

pytestmark = pytest.mark.plain

with_claimed_size = load_function(f"{Path(__file__).parents[1] / 'helpers' / 'hostile.py'}:with_claimed_size")


def archive(*members, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as new:
        for name, content in members:
            new.writestr(name, content)
    return stream.getvalue()


def named(name):
    """Return a member with exactly this name; `writestr` alone would change some names."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info


def refused(content, match):
    with pytest.raises(FileError, match=match), safe_zip.open_checked(content, "a.zip"):
        pass


def test_members_are_read():
    with safe_zip.open_checked(archive(("a/b.txt", b"hello"), ("c", b"")), "a.zip") as opened:
        assert opened.namelist() == ["a/b.txt", "c"]
        assert safe_zip.read(opened, "a/b.txt", "a.zip") == b"hello"


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/passwd", "a//b", "./a", "a/./b", "..", "C:evil", "C:/evil", "\\evil", "a\\..\\b"],
)
def test_a_name_that_leaves_its_folder_is_refused(name):
    refused(archive((named(name), b"")), "could leave the folder it is unpacked into")


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb"])
def test_a_name_that_cannot_be_printed_is_refused(name):
    refused(archive((named(name), b"")), "could leave the folder")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_is_refused(kind):
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = (kind | 0o777) << 16
    refused(archive((info, b"/etc/passwd")), "'assets/link' is a link or a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("config.json", "Config.JSON"), ("a", "a/")])
def test_two_members_of_one_name_are_refused(names):
    refused(archive(*((name, b"") for name in names)), "is in it twice")


@pytest.mark.parametrize("names", [("a", "a/b"), ("x/A", "x/a/b/c"), ("a/b/c", "a")])
def test_a_name_that_is_both_a_file_and_a_folder_is_refused(names):
    refused(archive(*((name, b"") for name in names)), "is a file and a folder at once")


def test_more_members_than_anybody_writes_are_refused():
    refused(archive(*((f"{number}", b"") for number in range(10_001))), "has 10,001 members, at most 10,000")


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = archive(("zeros", bytes(300_000_000)), compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 400_000
    refused(bomb, r"would become 300,000,000 bytes out of .*: a zip bomb, not unpacked")


def test_many_members_that_are_a_bomb_together_are_refused():
    content = archive(*((f"{number:02}", b"") for number in range(14)))
    for number in range(14):
        content = with_claimed_size(content, f"{number:02}", 20_000_000)
    refused(content, "all of it would become 280,000,000 bytes")


def test_members_that_share_bytes_are_refused():
    content = bytearray(archive(("a", b"x" * 50), ("b", b"y" * 50)))
    entry = content.rindex(b"PK\x01\x02")  # of b, in the directory at the end
    content[entry + 42 : entry + 46] = (0).to_bytes(4, "little")  # it begins where a begins
    refused(bytes(content), "shares its bytes with another member")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_keras_never_uses_is_refused(compression):
    refused(archive(("a", b"x"), compression=compression), "encrypted, or compressed in a way that is not read")


def test_an_encrypted_member_is_refused():
    content = bytearray(archive(("a", b"x")))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    refused(bytes(content), "encrypted")


def test_a_member_larger_than_allowed_is_refused():
    with (
        safe_zip.open_checked(archive(("a", b"xyz")), "a.zip") as opened,
        pytest.raises(FileError, match="a has 3 bytes"),
    ):
        safe_zip.read(opened, "a", "a.zip", max_size=2)


@pytest.mark.parametrize("length", [0, 1, 30, 60, 90])
def test_a_truncated_archive_raises_a_one_line_error(length):
    refused(archive(("a", b"x" * 50))[:length], "a.zip is no zip archive, or was truncated")


def test_a_member_that_was_altered_is_refused():
    content = archive(("a", b"x" * 50)).replace(b"xxx", b"xyx", 1)
    with safe_zip.open_checked(content, "a.zip") as opened, pytest.raises(FileError, match="a is missing or damaged"):
        safe_zip.read(opened, "a", "a.zip")


def test_a_missing_member_is_refused():
    with safe_zip.open_checked(archive(("a", b"")), "a.zip") as opened, pytest.raises(FileError, match="b is missing"):
        safe_zip.read(opened, "b", "a.zip")
