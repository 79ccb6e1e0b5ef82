"""A finished run written into its folder: record, history, bundle, pictures."""

from __future__ import annotations

from pathlib import Path

from ...storage.atomic import write_json
from ..bundles.bundle import FILE_NAME, Bundle
from ..runs.run import Run
from ..runs.run_record import HISTORY, MARK, write_history
from .run_pictures import draw


def save(run: Run, folder: Path) -> list[Path]:
    """Write a finished run and draw its pictures.

    Returns:
        The files. `run.json`, which marks the folder as a run's, is there before all others, and says that the run
        has ended once all are.

    Raises:
        OutputError: one cannot be written.
    """
    record = run.to_json()
    if not (folder / MARK).is_file():
        write_json(folder / MARK, {**record, "state": "running"})
    write_history(folder / HISTORY, run.history)
    Bundle.of(run).save(folder / FILE_NAME)
    pictures = draw(run, folder)
    write_json(folder / MARK, record)
    return [folder / MARK, folder / HISTORY, folder / FILE_NAME, *pictures]
