"""The signature of a run's options: it tells the runs of this user from those that came from elsewhere.

With `--resume` a run goes on with the options that are recorded in its folder, and some of them name files. A folder
from a stranger must not choose what is read. So the options are signed with a key that only this user's account can
read; without the signature, the user names the files again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import FileError, OutputError
from ...storage.regular_file import read_regular
from ...storage.user_cache import user_cache

_OPTIONS, _SIGNATURE = "asked", "signature"  # the keys in the record of a run
_KEY_FILE, _KEY_SIZE = "run-key", 32  # bytes


def signed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run with the signature of its options, if it has options and the key can be read."""
    key = _read_key(create=True) if record.get(_OPTIONS) else None
    return {**record, _SIGNATURE: _sign(record[_OPTIONS], key)} if key else dict(record)


def is_own(record: Mapping[str, Any]) -> bool:
    """Return whether this user's account has written the options in the record of a run."""
    key, signature = _read_key(), record.get(_SIGNATURE)
    if key is None or not isinstance(signature, str):
        return False
    return hmac.compare_digest(_sign(record.get(_OPTIONS), key).encode(), signature.encode(errors="replace"))


def _sign(options: Any, key: bytes) -> str:
    return hmac.new(key, json.dumps(options, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _read_key(*, create: bool = False) -> bytes | None:
    """Return the key of this user; None where there is none, or the account has no folder for it."""
    try:
        path = user_cache() / _KEY_FILE
        if create:
            _create_key(path)
        key = read_regular(path, _KEY_SIZE)
    except (FileError, OutputError, OSError):
        return None
    return key if len(key) == _KEY_SIZE else None


def _create_key(path: Path) -> None:
    """Write a new key, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_SIZE))
