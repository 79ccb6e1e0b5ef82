"""Reads zip archives that may be hostile: the names, number and sizes of the members are checked before one is read.

Nothing is unpacked to disk here. Code that unpacks later, as Keras does with a model's assets, only meets names that
stay in the target folder. Refused are absolute names, `..`, links, two members of one name, members that share bytes,
encryption, and archives that would become far larger when unpacked.
"""

from __future__ import annotations

import contextlib
import io
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from ..errors import FileError
from .budget import EXPANSION, LARGE, MEMBERS, NAME_LENGTH, require_at_most
from .regular_file import open_regular

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# What zipfile raises on damaged bytes.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError),
    *(NotImplementedError, KeyError, OverflowError, AttributeError, IndexError, TypeError),
)


@contextlib.contextmanager
def open_checked(source: Path | bytes, label: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive and check its members; read them with `read`.

    Args:
        source: a file, or its bytes.
        label: the name of the file in error messages.

    Raises:
        FileError: the file is not an archive, was truncated, or is hostile.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream = io.BytesIO(source) if isinstance(source, bytes) else stack.enter_context(open_regular(source))
            archive = stack.enter_context(zipfile.ZipFile(stream))
        except _DAMAGE as error:
            raise FileError(f"{label} is no zip archive, or was truncated ({error})") from error
        _require_harmless(archive, label)
        yield archive


def read(archive: zipfile.ZipFile, name: str, label: str, *, max_size: int | None = None) -> bytes:
    """Read one member; its checksum is verified.

    Args:
        label: the name of the archive in error messages.
        max_size: the maximum number of bytes.

    Raises:
        FileError: the member is missing, larger, damaged, or in an unsupported form.
    """
    try:
        size = archive.getinfo(name).file_size
        if max_size is not None and size > max_size:
            raise FileError(f"{label}: {name} has {size:,} bytes, at most {max_size:,} are read")
        return archive.read(name)
    except _DAMAGE as error:
        raise FileError(f"{label}: {name} is missing or damaged ({error})") from error


def _require_harmless(archive: zipfile.ZipFile, label: str) -> None:
    members = archive.infolist()
    require_at_most(MEMBERS, len(members), label, "members")
    for member in members:
        require_at_most(NAME_LENGTH, len(member.orig_filename), f"{label}: the name of a member", "characters")
        _require_plain_name(member, label)
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise FileError(f"{label}: {member.filename!r} is encrypted, or compressed in a way that is not read")
    _require_unique_names(members, label)
    _require_plausible_sizes(members, label)


def _require_plain_name(member: zipfile.ZipInfo, label: str) -> None:
    """Raise a FileError unless the member, unpacked under any folder, is a file or folder within it."""
    # zipfile cuts `filename` at a zero byte and replaces the system's separators: check the name as stored.
    name = member.orig_filename
    parts = name.removesuffix("/").split("/")
    leaves = name.startswith("/") or bool(PureWindowsPath(name).drive) or any(p in ("", ".", "..") for p in parts)
    if leaves or "\\" in name or not name.isprintable():
        raise FileError(f"{label}: a member is named {name!r}, which could leave the folder it is unpacked into")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FileError(f"{label}: {name!r} is a link or a device, expected files")


def _require_unique_names(members: list[zipfile.ZipInfo], label: str) -> None:
    """Raise a FileError if two members share a name: another reader could use the one that was not checked here."""
    names = [(member.filename.removesuffix("/").casefold(), member.is_dir()) for member in members]
    files = {name for name, is_folder in names if not is_folder}
    if len(dict(names)) < len(names):
        ((duplicate, _),) = Counter(name for name, _ in names).most_common(1)
        raise FileError(f"{label}: {duplicate!r} is in it twice")
    for name, _ in names:
        parts = name.split("/")
        if conflicts := files & {"/".join(parts[:count]) for count in range(1, len(parts))}:
            raise FileError(f"{label}: {conflicts.pop()!r} is a file and a folder at once")


def _require_plausible_sizes(members: list[zipfile.ZipInfo], label: str) -> None:
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise FileError(f"{label}: {member.filename!r} shares its bytes with another member")
        end = member.header_offset + member.compress_size
    sizes = [(member.filename, member.compress_size, member.file_size) for member in members]
    sizes.append(("all of it", sum(packed for _, packed, _ in sizes), sum(unpacked for _, _, unpacked in sizes)))
    for name, packed_size, unpacked_size in sizes:
        if unpacked_size > LARGE and unpacked_size > EXPANSION * packed_size:
            raise FileError(
                f"{label}: {name} would become {unpacked_size:,} bytes out of {packed_size:,}: a zip bomb, not unpacked"
            )
