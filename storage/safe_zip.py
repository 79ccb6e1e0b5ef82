"""Zip archives that may be hostile: names, number and sizes of their members are checked before one is read.

Nothing is unpacked to disk here; who unpacks later, as Keras does with the assets of a model, meets only names that
stay in the target. Refused are absolute names, `..`, links, two members of one name, members that share bytes,
encryption, and archives that would become far larger than they are.
"""

from __future__ import annotations

import contextlib
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from ..errors import FileError

MOST_MEMBERS = 10_000
# What is larger when unpacked must not be this many times as large as it is packed: deflate reaches 1,032 for zeros.
LARGE = 256 * 2**20  # bytes
MOST_EXPANSION = 100

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# What zipfile raises on bytes that are not its own.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError),
    *(NotImplementedError, KeyError, OverflowError, AttributeError, IndexError, TypeError),
)


@contextlib.contextmanager
def opened(source: Path | bytes, what: str) -> Iterator[zipfile.ZipFile]:
    """An archive whose members were checked; read them by `read`.

    Args:
        source: a file, or its bytes.
        what: the file, for the message.

    Raises:
        FileError: it is no archive, was truncated, or is a hostile one.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except _DAMAGE as error:
        raise FileError(f"{what} is no zip archive, or was truncated ({error})") from error
    with archive:
        _require_harmless(archive, what)
        yield archive


def read(archive: zipfile.ZipFile, name: str, what: str, *, largest: int | None = None) -> bytes:
    """One member, which proves to be what was written.

    Args:
        what: the archive, for the message.
        largest: bytes that it may have.

    Raises:
        FileError: it is missing, larger, damaged, or in a form that is not read.
    """
    try:
        size = archive.getinfo(name).file_size
        if largest is not None and size > largest:
            raise FileError(f"{what}: {name} has {size:,} bytes, more than any that is written ({largest:,})")
        return archive.read(name)
    except _DAMAGE as error:
        raise FileError(f"{what}: {name} is missing or damaged ({error})") from error


def _require_harmless(archive: zipfile.ZipFile, what: str) -> None:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise FileError(f"{what} has {len(members):,} members, at most {MOST_MEMBERS:,} are read")
    for member in members:
        _require_plain_name(member, what)
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise FileError(f"{what}: {member.filename!r} is encrypted, or compressed in a way that is not read")
    _require_single_names(members, what)
    _require_honest_sizes(members, what)


def _require_plain_name(member: zipfile.ZipInfo, what: str) -> None:
    """Raise a FileError unless the member, unpacked under any folder, is a file or folder within it."""
    # zipfile shortens a name at a zero byte and turns the separators of the system: what was written counts.
    name = member.orig_filename
    parts = name.removesuffix("/").split("/")
    leaves = name.startswith("/") or bool(PureWindowsPath(name).drive) or any(p in ("", ".", "..") for p in parts)
    if leaves or "\\" in name or not name.isprintable():
        raise FileError(f"{what}: a member is named {name!r}, which could leave the folder it is unpacked into")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FileError(f"{what}: {name!r} is a link or a device, expected files")


def _require_single_names(members: list[zipfile.ZipInfo], what: str) -> None:
    """Two readers may take different ones of two members of a name: one would be checked, the other one used."""
    names = [(member.filename.removesuffix("/").casefold(), member.is_dir()) for member in members]
    files = {name for name, is_folder in names if not is_folder}
    if len(dict(names)) < len(names):
        twice = next(name for number, (name, _) in enumerate(names) if name in dict(names[:number]))
        raise FileError(f"{what}: {twice!r} is in it twice")
    for name, _ in names:
        parts = name.split("/")
        if above := files & {"/".join(parts[:count]) for count in range(1, len(parts))}:
            raise FileError(f"{what}: {above.pop()!r} is a file and a folder at once")


def _require_honest_sizes(members: list[zipfile.ZipInfo], what: str) -> None:
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise FileError(f"{what}: {member.filename!r} shares its bytes with another member")
        end = member.header_offset + member.compress_size
    sizes = [(member.filename, member.compress_size, member.file_size) for member in members]
    sizes.append(("all of it", sum(packed for _, packed, _ in sizes), sum(unpacked for _, _, unpacked in sizes)))
    for name, before, after in sizes:
        if after > LARGE and after > MOST_EXPANSION * before:
            raise FileError(f"{what}: {name} would become {after:,} bytes out of {before:,}: a zip bomb, not unpacked")
