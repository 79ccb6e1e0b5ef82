"""Where an artifact is written: its own folder with `port.json` in it, or a file that `--out` names.

Beside such a file, `net.keras`, is its report, `net.keras.port.json`: a folder may hold the files of several ports. A
port replaces an earlier port of the same name, and nothing else.
The artifact is built and verified in a staging folder and published in one step, so no failed port ever has the name of
one that works.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FileError, OutputError
from ..storage import atomic, safe_json

REPORT_FILE = "port.json"


@dataclass(frozen=True)
class Destination:
    """Where an artifact is written.

    Attributes:
        folder: the folder of the artifact and `port.json`.
        name: the artifact's name in the folder; empty if the folder itself is the artifact.
        owns_folder: whether the folder belongs to the port alone and is replaced as a whole.
        report_name: the name of the file of the report.
    """

    folder: Path
    name: str
    owns_folder: bool
    report_name: str = REPORT_FILE

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
        # The file of a port to a folder, or of an earlier version of trivium, keeps its report.
        is_reported = out.name in _ported_files(out.parent, REPORT_FILE)
        report_name = REPORT_FILE if is_reported else f"{out.name}.{REPORT_FILE}"
        destination = Destination(out.parent, out.name, owns_folder=False, report_name=report_name)
    else:
        destination = Destination(out or source.with_name(f"{source.stem}-{target}"), file, owns_folder=True)
    _require_replaceable(destination)
    return destination


def _require_replaceable(destination: Destination) -> None:
    atomic.require_writable_folder(destination.folder)
    if not destination.folder.exists():
        return
    ported = _ported_files(destination.folder, destination.report_name)
    foreign = {path.name for path in destination.folder.iterdir()} - ported
    if destination.owns_folder and foreign:
        raise OutputError(
            f"{destination.folder} exists and holds {min(foreign)}, which belongs to no earlier port into this folder: "
            "choose another `out`"
        )
    if not destination.owns_folder:
        _require_free_names({destination.name}, destination)


def _require_free_names(names: Iterable[str], destination: Destination) -> None:
    """Raise an OutputError if a file of one of these names is there that no earlier port to this destination wrote."""
    ported = _ported_files(destination.folder, destination.report_name)
    for name in sorted(names):
        if name not in ported and (destination.folder / name).exists():
            raise OutputError(f"{destination.folder / name} exists, and no port wrote it: choose another `out`")


def _ported_files(folder: Path, report_name: str) -> set[str]:
    """Return the names of an earlier port's files according to its report; none without it."""
    try:
        return {*map(str, safe_json.read(folder / report_name)["files"]), report_name}
    except (FileError, KeyError, TypeError):
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
    """Move the verified files to the destination with `note` as the report; an earlier port is replaced.

    Raises:
        OutputError: the destination cannot be written, or a file that no port wrote has one of the names.
    """
    atomic.write_json(staged / destination.report_name, {**note, "artifact": destination.name or "."})
    if destination.owns_folder:
        atomic.replace_folder(staged, destination.folder)
        return
    names = [path.name for path in staged.iterdir()]
    _require_free_names(names, destination)
    for name in sorted(names, key=lambda name: name == destination.name):  # the artifact itself last
        with atomic.atomic_write(destination.folder / name) as temporary:
            shutil.copyfile(staged / name, temporary)
