"""A map of layers in a small file that a person corrects: a line `LAYER OF A: LAYER OF B` for each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import FileError, OptionError
from ..functions import suggest
from ..storage.atomic import write_text
from ..storage.regular_file import read_regular
from .matching import Matching
from .units import Unit

_LARGEST = 2**20  # bytes


def read_map(path: Path) -> dict[str, str]:
    """Return the layers of the second model by those of the first.

    Raises:
        FileError: the file is missing, or a line has not the form `name: name`.
    """
    try:
        content = read_regular(path, _LARGEST + 1)
        lines = content.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read as a map of layers: {error}") from error
    if len(content) > _LARGEST:
        raise FileError(f"{path}: a map of layers has at most {_LARGEST:,} bytes")
    pairs = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        mine, colon, others = (part.strip() for part in text.partition(":"))
        if not (mine and colon and others):
            raise FileError(f"{path}, line {number}: expected `layer of A: layer of B`, read {text[:60]!r}")
        pairs[mine] = others
    return pairs


def write_map(path: Path, matching: Matching) -> None:
    """Write the pairs of a matching, to be corrected and read again; what has no counterpart stands in comments.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = ["# layer of A: layer of B"]
    for pair in matching.pairs:
        mine, others = (" + ".join(unit.name for unit in units) for units in (pair.mine, pair.others))
        comment = "" if len(pair.mine) == len(pair.others) else "# "
        lines.append(f"{comment}{mine}: {others}")
    lines += [f"# only in A: {unit.name} {_shapes(unit)}" for unit in matching.only_mine]
    lines += [f"# only in B: {unit.name} {_shapes(unit)}" for unit in matching.only_others]
    write_text(path, "\n".join(lines) + "\n")


def require_known(known_pairs: Mapping[str, str], mine: Sequence[Unit], others: Sequence[Unit]) -> None:
    """Raise an OptionError, with the nearest names, unless a map names units of both models."""
    for which, names, units in (("A", known_pairs, mine), ("B", known_pairs.values(), others)):
        known = [unit.name for unit in units]
        for name in names:
            if name not in known:
                raise OptionError(
                    f"the map names {name!r}, which is no layer with weights of {which}{suggest(name, known)}"
                )


def _shapes(unit: Unit) -> str:
    return ", ".join(f"{role} {shape}" for role, shape in unit.shapes)
