"""Where an artifact is written: its own folder with `port.json` in it, or a file that `--out` names.

The artifact is built and verified in a staging folder and published in one step, so no failed port ever has the name of
one that works.
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

REPORT_FILE = "port.json"


@dataclass(frozen=True)
class Destination:
    """Where an artifact is written.

    Attributes:
        folder: the folder of the artifact and `port.json`.
        name: the artifact's name in the folder; empty if the folder itself is the artifact.
        whole: whether the folder belongs to the port alone and is replaced as a whole.
    """

    folder: Path
    name: str
    owns_folder: bool

    @property
    def artifact(self) -> Path:
        return self.folder / self.name


def choose_destination(source: Path, target: str, file: str, out: Path | None) -> Destination:
    """Return where to write an artifact: at `out`, or in a folder beside the source.

    Args:
        source: the path of the model that is ported.
        target: the target's name.
        file: the artifact's default name; empty if it is a folder.
        out: a folder, or a file with the artifact's suffix.

    Raises:
        OutputError: something other than an earlier port is there, or it cannot be written to.
    """
    if out is not None and file and out.suffix == Path(file).suffix:
        destination = Destination(out.parent, out.name, owns_folder=False)
    else:
        destination = Destination(out or source.with_name(f"{source.stem}-{target}"), file, owns_folder=True)
    _require_replaceable(destination)
    return destination


def _require_replaceable(destination: Destination) -> None:
    atomic.require_writable_folder(destination.folder)
    if not destination.folder.exists():
        return
    existing = {path.name for path in destination.folder.iterdir()}
    ported = _ported_files(destination.folder / REPORT_FILE)
    if destination.owns_folder and existing - ported:
        raise OutputError(
            f"{destination.folder} exists and holds {min(existing - ported)}, which no port wrote: choose another `out`"
        )
    if not destination.owns_folder and ported and destination.name not in ported:
        raise OutputError(
            f"{destination.folder / REPORT_FILE} belongs to {min(ported - {REPORT_FILE})}: "
            "choose another folder for `out`"
        )


def _ported_files(note: Path) -> set[str]:
    """Return the names of an earlier port's files according to its `port.json`; none without it."""
    try:
        return {*json.loads(note.read_text())["files"], REPORT_FILE}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@contextlib.contextmanager
def staging(destination: Destination) -> Iterator[Path]:
    """Yield an empty folder on the destination's disk to build the artifact in; it is deleted at the end.

    Raises:
        OutputError: the disk cannot be written to.
    """
    folders = destination.folder.absolute(), *destination.folder.absolute().parents
    parent = next(path for path in folders[destination.owns_folder :] if path.exists())
    try:
        scratch = tempfile.TemporaryDirectory(prefix=".port-", dir=parent)
    except OSError as error:
        raise OutputError(f"cannot write into {parent}: {error.strerror}") from error
    with scratch as folder:
        staged = Path(folder) / "port"
        staged.mkdir()
        yield staged


def publish(staged: Path, destination: Destination, note: dict[str, Any]) -> None:
    """Move the verified files to the destination with `note` as `port.json`; an earlier port is replaced.

    Raises:
        OutputError: the destination cannot be written.
    """
    atomic.write_json(staged / REPORT_FILE, {**note, "artifact": destination.name or "."})
    if destination.owns_folder:
        atomic.replace_folder(staged, destination.folder)
        return
    names = (path.name for path in staged.iterdir())
    for name in sorted(names, key=lambda name: name == destination.name):  # the artifact itself last
        with atomic.atomic_write(destination.folder / name) as temporary:
            shutil.copyfile(staged / name, temporary)
