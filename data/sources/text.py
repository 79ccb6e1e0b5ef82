"""Text: a UTF-8 file, or the English documentation that comes with Python."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...storage.regular_file import read_regular
from .. import data_name
from ..dataset import Dataset, Split


def load(name: str, file: str = "", *, lower: str = "no", joined: str = "no") -> Dataset:
    """Load `text:FILE`, or `text` for Python's own documentation.

    Args:
        lower: `yes` for small letters only.
        joined: `yes` to make one blank of every run of blanks and line ends.

    Returns:
        A training split only. x and y are the same series: the code points of the characters, (n,) uint32.

    Raises:
        DataError: the file is missing, empty, or not UTF-8.
    """
    text = read_text(Path(file)) if file else _documentation()
    if data_name.parse_flag("lower", lower):
        text = text.lower()
    if data_name.parse_flag("joined", joined):
        text = " ".join(text.split())
    codes = to_codes(text)
    return Dataset(name, Split(codes, codes), None, (), file or "the documentation texts of Python's pydoc_data.topics")


def read_text(path: Path) -> str:
    """Read the text in a UTF-8 file, with `\\n` as line ending.

    Raises:
        DataError: the file is missing, empty, or not UTF-8.
    """
    try:
        text = io.TextIOWrapper(io.BytesIO(read_regular(path)), "utf-8-sig").read()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a text in UTF-8 ({error})") from error
    if not text.strip():
        raise DataError(f"{path}: there is no text in it")
    return text


def to_codes(text: str) -> np.ndarray:
    """Return the code points of a text, (n,) uint32."""
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def to_text(codes: np.ndarray) -> str:
    """Return the text of some code points."""
    return np.ascontiguousarray(codes, "<u4").tobytes().decode("utf-32-le")


def to_rows(texts: Sequence[str]) -> np.ndarray:
    """Return texts as code points, (n, characters of the longest) int32, shorter ones filled up with 0."""
    codes = [to_codes(text) for text in texts]
    rows = np.zeros((len(codes), max(1, max(map(len, codes), default=1))), "int32")
    for row, code in zip(rows, codes, strict=True):
        row[: len(code)] = code
    return rows


def row_to_text(row: np.ndarray) -> str:
    """Return the text of a row that `to_rows` made."""
    return to_text(row[row != 0])


def _documentation() -> str:
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))
