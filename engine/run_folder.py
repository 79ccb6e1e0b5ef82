"""What a run leaves on disk: `run.json`, `history.json`, `bundle.trivium`, and pictures of what it learnt."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import OutputError
from . import plots
from .bundle import FILE_NAME, Bundle
from .dataset import Split
from .evaluation import in_terms_of_data
from .files import write_json
from .inference import outputs_of, probabilities
from .run import Run

_MARK = "run.json"
_SHOWN = 12


def claim(folder: Path) -> Path | None:
    """Make a folder ready for a new run before anything is trained for it.

    A run that is there already is moved aside, never overwritten.

    Returns:
        Where the earlier run is now, or None when there was none.

    Raises:
        OutputError: the folder holds something that is no run, or cannot be made.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file: choose another --out")
        if folder.is_dir() and any(folder.iterdir()):
            if not (folder / _MARK).is_file():
                raise OutputError(f"{folder} exists and is not a run (no {_MARK} in it): choose another --out")
            aside = _free_name(folder)
            os.rename(folder, aside)
            folder.mkdir()
            return aside
        folder.mkdir(parents=True, exist_ok=True)
        return None
    except OSError as error:
        raise OutputError(f"cannot use {folder}: {error.strerror}") from error


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[Path | None]:
    """`claim` for the time of a run: when nothing came of it, everything is put back as it was.

    Raises:
        OutputError: as `claim`.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    earlier = claim(folder)
    try:
        yield earlier
    except BaseException:
        with contextlib.suppress(OSError):  # a folder that is not empty any more stays: something was saved
            for path in [folder] if earlier else made:
                path.rmdir()
            if earlier:
                earlier.rename(folder)
        raise


def save(run: Run, folder: Path) -> list[Path]:
    """Write a finished run and draw its pictures.

    Returns:
        The files. `run.json`, which marks the folder as a run's, is written before all others.

    Raises:
        OutputError: one cannot be written.
    """
    write_json(folder / _MARK, run.to_json())
    write_json(folder / "history.json", run.history.to_json())
    Bundle.of(run).save(folder / FILE_NAME)
    return [folder / _MARK, folder / "history.json", folder / FILE_NAME, *draw(run, folder)]


def draw(run: Run, folder: Path) -> list[Path]:
    """The pictures of a run: curves, and what it makes of the test split."""
    backend = run.environment["backend"]
    title = f"{run.recipe.name} on {backend}"
    written = [folder / "curves.png"]
    plots.curves(run.history, written[0], title=title)
    if run.dataset.test is None:
        return written
    split = run.dataset.test
    x, _ = run.preprocessing.pairs(split.x, split.y)
    outputs = outputs_of(run.model, x)
    predicted = in_terms_of_data(run.preprocessing, outputs, bool(run.dataset.labels))
    if run.dataset.labels:
        return written + _draw_classes(split, outputs, predicted, run.dataset.labels, folder, title)
    if split.y.shape == split.x.shape and split.x.ndim == 3:
        written.append(folder / "pictures.png")
        shown = [("given", split.x[:_SHOWN]), ("returned", predicted[:_SHOWN])]
        plots.beside(shown, written[-1], title=f"{title}, test data")
    elif split.y.ndim == 1 and predicted.ndim <= 2:
        written.append(folder / "predictions.png")
        plots.series(split.y, predicted.reshape(len(predicted)), written[-1], title=f"{title}, test data")
    return written


def _draw_classes(
    split: Split, outputs: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...], folder: Path, title: str
) -> list[Path]:
    written = [folder / "confusion.png"]
    plots.confusion(split.y, predicted, labels, written[0], title=title)
    if split.x.ndim == 3:
        written.append(folder / "mistakes.png")
        certainty = probabilities(outputs).max(-1)
        plots.mistakes(split.x, split.y, predicted, certainty, labels, written[1], title=title)
    return written


def _free_name(folder: Path) -> Path:
    """The first of `folder.1`, `folder.2`, … that is not taken."""
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    return aside
