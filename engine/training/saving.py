"""Save a finished run into its folder: record, history, bundle and pictures."""

from __future__ import annotations

from pathlib import Path

from ...backends.workers.worker import Listener
from ...errors import first_line
from ...storage.atomic import atomic_write, write_json
from ..bundles.bundle import FILE_NAME, Bundle
from ..keras_model.model_bytes import keras_bytes
from ..runs.run import Run
from ..runs.run_record import HISTORY, RECORD, write_history
from ..runs.signature import signed
from .run_pictures import draw
from .sample_settings import FILE_NAME as SAMPLES


def save(run: Run, folder: Path, listener: Listener | None = None) -> list[Path]:
    """Write a finished run, draw its pictures, and tell its trackers.

    A picture that cannot be drawn is a warning to the listener.

    Returns:
        The files. `run.json`, which marks the folder as that of a run, is written before the others, and says that the
        run has ended only when all are there.

    Raises:
        OutputError: a file other than a picture cannot be written.
    """
    try:
        files = _write(run, folder, listener)
    except BaseException:
        run.end(state="failed")
        raise
    run.end(files)
    return files


def _write(run: Run, folder: Path, listener: Listener | None) -> list[Path]:
    record = signed(run.to_json())
    if not (folder / RECORD).is_file():
        write_json(folder / RECORD, {**record, "state": "running"})
    write_history(folder / HISTORY, run.history)
    Bundle.of(run).save(folder / FILE_NAME)
    networks = _save_networks(run, folder)
    pictures = _draw(run, folder, listener)
    write_json(folder / RECORD, record)
    texts = [path for path in (folder / SAMPLES,) if path.is_file()]
    return [folder / RECORD, folder / HISTORY, folder / FILE_NAME, *networks, *texts, *pictures]


def _save_networks(run: Run, folder: Path) -> list[Path]:
    """Write the further networks of a run, each as a file that plain Keras loads."""
    files = []
    for name, network in run.networks.items():
        path = folder / f"{name}.keras"
        with atomic_write(path) as aside:
            aside.write_bytes(keras_bytes(network))
        files.append(path)
    return files


def _draw(run: Run, folder: Path, listener: Listener | None) -> list[Path]:
    """Draw the pictures of a run whose model is saved already: no error of theirs may end it."""
    try:
        return draw(run, folder)
    except Exception as error:  # of the plotting library, of the model on unusual test data, or of the disk
        if listener:
            listener({"kind": "warning", "text": f"The pictures of the run were not drawn: {first_line(error)}"})
        return []
