"""Changes to the bytes of a file: at random places, at the values of a text, and with the checksums made right again.

A change of a byte is mostly noticed by a checksum. So a file is also opened into its parts (the members of an archive,
the header of a file of tensors), one of them is changed, and the file is closed again as an honest program would.
"""

import hashlib
import io
import json
import re
import struct
import zipfile
import zlib

from hypothesis import strategies as st

PLACE = st.floats(0, 1, exclude_max=True)
LENGTH = st.integers(1, 64)
# What stands in place of a value of a JSON text, of a cell, of an argument.
VALUES = (
    *(b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b"99999999999999999999", b"0.5", b"-0.0"),
    *(b'"\\ud800"', b'"\\u0000"', b'"\\u001b[31m"', b'"../../evil"', b'"/etc/passwd"', b'"U1000000"', b"[[[[[[1]]]]]]"),
    *(
        b"1000000000",
        b'{"class_name":"Lambda","config":{}}',
        b'"$\\\\bad$"',
        b"[1,2,3]",
        b"9" * 400,
        b'"' + b"a" * 300 + b'"',
    ),
)
BYTES = (b"\0" * 8, b"\xff" * 8, b"NaN", b"1e999", b"[" * 200, b"../", b"\x1b]0;PWN\x07", b";", b"\t", b'"', b"\r\n")
_TOKEN = re.compile(rb'-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|"(?:[^"\\]|\\.){0,200}"|true|false|null')

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), PLACE, st.integers(0, 7)),
        st.tuples(st.just("cut"), PLACE, st.just(0)),
        st.tuples(st.just("drop"), PLACE, LENGTH),
        st.tuples(st.just("double"), PLACE, LENGTH),
        st.tuples(st.just("splice"), PLACE, PLACE),
        st.tuples(st.just("put"), PLACE, st.binary(min_size=1, max_size=12)),
        st.tuples(st.just("put"), PLACE, st.sampled_from(BYTES)),
        st.tuples(st.just("value"), PLACE, st.sampled_from(VALUES)),
        st.tuples(st.just("value"), PLACE, st.sampled_from(VALUES)),
    ),
    min_size=1,
    max_size=4,
)


def changed(content, changes):
    """Return the bytes after changes that `CHANGES` draws: (kind, place from 0 to 1, what)."""
    for kind, where, what in changes:
        content = _KINDS[kind](content, int(where * len(content)), where, what)
    return content


def _flip(content, at, where, what):
    return content[:at] + bytes([content[at] ^ (1 << what)]) + content[at + 1 :] if content else content


def _splice(content, at, where, what):
    other = int(what * len(content))
    return content[:at] + content[other : other + 32] + content[at + 32 :]


def _value(content, at, where, what):
    """Return the bytes with another value in place of the first that stands behind the place."""
    token = _TOKEN.search(content, at) or _TOKEN.search(content)
    return content[: token.start()] + what + content[token.end() :] if token else content


_KINDS = {
    "flip": _flip,
    "cut": lambda content, at, where, what: content[:at],
    "drop": lambda content, at, where, what: content[:at] + content[at + what :],
    "double": lambda content, at, where, what: content[: at + what] + content[at:],
    "splice": _splice,
    "put": lambda content, at, where, what: content[:at] + what + content[at + len(what) :],
    "value": _value,
}


# --- files that are opened into parts and closed again --------------------------------------------------------------


def changed_within(content, place, changes):
    """Return a file of which one part is changed, at any depth, with its checksums made right; others as `changed`.

    Args:
        place: from 0 to 1, which part.
    """
    parts, close = opened(content)
    if not parts:
        return changed(content, changes)
    name = sorted(parts)[int(place * len(parts))]
    return close({**parts, name: changed_within(parts[name], place * len(parts) % 1, changes)})


def opened(content):
    """Return the parts of a file by name, and the function that makes a file of them; no parts if it has none."""
    if content.startswith(b"PK\x03\x04"):
        return _open_archive(content)
    if content.startswith(b"\x89PNG"):
        return _open_png(content)
    if len(content) > 16 and int.from_bytes(content[:8], "little") < len(content) and content[8:9] == b"{":
        return _open_tensors(content)
    return {}, None


def _open_archive(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}, _archive


def _archive(parts):
    if "manifest.json" in parts:
        try:
            manifest = json.loads(parts["manifest.json"])
            manifest["sha256"] = {name: hashlib.sha256(parts[name]).hexdigest() for name in manifest["sha256"]}
            parts = {**parts, "manifest.json": json.dumps(manifest).encode()}
        except (ValueError, KeyError, TypeError):  # the manifest is the part that was changed
            pass
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return stream.getvalue()


def _open_png(content):
    parts, at = {}, 8
    while at + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        parts[f"{len(parts):03} {kind.decode('latin-1')}"] = content[at + 8 : at + 8 + length]
        at += length + 12
    return parts, _png


def _png(parts):
    chunks = ((name[4:].encode("latin-1"), part) for name, part in sorted(parts.items()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in chunks
    )


def _open_tensors(content):
    length = int.from_bytes(content[:8], "little")
    return {"header": content[8 : 8 + length], "values": content[8 + length :]}, _tensors


def _tensors(parts):
    """Return a file of tensors; if its header states a checksum, as that of a checkpoint does, with the right one."""
    header = re.sub(rb'("sha256": ")[0-9a-f]{64}"', rb"\g<1>" + b"0" * 64 + b'"', parts["header"])
    content = len(header).to_bytes(8, "little") + header + parts["values"]
    checksum = hashlib.sha256(content).hexdigest().encode()
    return content.replace(b'"sha256": "' + b"0" * 64, b'"sha256": "' + checksum, 1)
