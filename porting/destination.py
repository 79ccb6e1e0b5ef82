"""Where an artifact goes: a folder of its own with `port.json` in it, or a file that `--out` names.

It is made and verified aside and takes its place only then, whole, so that nothing that failed goes by the name of
something that works.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..storage import atomic

NOTE = "port.json"


@dataclass(frozen=True)
class Place:
    """Where an artifact goes.

    Attributes:
        folder: that holds it and `port.json`.
        name: of the artifact in it, empty where the folder itself is the artifact.
        whole: whether the folder is the port's own and is replaced as a whole.
    """

    folder: Path
    name: str
    whole: bool

    @property
    def artifact(self) -> Path:
        return self.folder / self.name


def choose(source: Path, target: str, file: str, out: Path | None) -> Place:
    """The place for an artifact: `out`, or a folder beside the source.

    Args:
        source: what is ported.
        target: the target's name.
        file: the artifact's usual name, empty where it is a folder.
        out: a folder; or a file, where its suffix is that of the artifact.

    Raises:
        OutputError: something else is there, or it cannot be written to.
    """
    if out is not None and file and out.suffix == Path(file).suffix:
        place = Place(out.parent, out.name, whole=False)
    else:
        place = Place(out or source.with_name(f"{source.stem}-{target}"), file, whole=True)
    _require(place)
    return place


def _require(place: Place) -> None:
    atomic.require_writable_folder(place.folder)
    if not place.folder.exists():
        return
    existing = {path.name for path in place.folder.iterdir()}
    ported = _files_of(place.folder / NOTE)
    if place.whole and existing - ported:
        raise OutputError(
            f"{place.folder} exists and holds {min(existing - ported)}, which is no port's: choose another --out"
        )
    if not place.whole and ported and place.name not in ported:
        raise OutputError(f"{place.folder / NOTE} belongs to {min(ported - {NOTE})}: choose another folder for --out")


def _files_of(note: Path) -> set[str]:
    """What an earlier port wrote into a folder, by its note; nothing without one."""
    try:
        return {*json.loads(note.read_text())["files"], NOTE}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@contextlib.contextmanager
def aside(place: Place) -> Iterator[Path]:
    """An empty folder to make the artifact in, on the same disk as its place; gone with what is in it at the end.

    Raises:
        OutputError: nothing can be written there.
    """
    folders = place.folder.absolute(), *place.folder.absolute().parents
    parent = next(path for path in folders[place.whole :] if path.exists())
    try:
        scratch = tempfile.TemporaryDirectory(prefix=".port-", dir=parent)
    except OSError as error:
        raise OutputError(f"cannot write into {parent}: {error.strerror}") from error
    with scratch as folder:
        staged = Path(folder) / "port"
        staged.mkdir()
        yield staged


def deliver(staged: Path, place: Place, note: dict[str, Any]) -> None:
    """Put what lies in the folder `made`, verified, into its place, and `note` beside it. An earlier port is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    atomic.write_json(staged / NOTE, {**note, "artifact": place.name or "."})
    if place.whole:
        atomic.replace_folder(staged, place.folder)
        return
    names = (path.name for path in staged.iterdir())
    for name in sorted(names, key=lambda name: name == place.name):  # the artifact itself last
        with atomic.atomic_write(place.folder / name) as temporary:
            shutil.copyfile(staged / name, temporary)
