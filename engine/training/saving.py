"""Save a finished run into its folder: record, history, bundle and pictures."""

from __future__ import annotations

from pathlib import Path

from ...storage.atomic import write_json
from ..bundles.bundle import FILE_NAME, Bundle
from ..runs.run import Run
from ..runs.run_record import HISTORY, RECORD, write_history
from .run_pictures import draw


def save(run: Run, folder: Path) -> list[Path]:
    """Write a finished run and draw its pictures.

    Returns:
        The files. `run.json`, which marks the folder as that of a run, is written before the others, and says that the
        run has ended only when all are there.

    Raises:
        OutputError: a file cannot be written.
    """
    record = run.to_json()
    if not (folder / RECORD).is_file():
        write_json(folder / RECORD, {**record, "state": "running"})
    write_history(folder / HISTORY, run.history)
    Bundle.of(run).save(folder / FILE_NAME)
    pictures = draw(run, folder)
    write_json(folder / RECORD, record)
    return [folder / RECORD, folder / HISTORY, folder / FILE_NAME, *pictures]
