"""Texts that a text model writes while it trains, after every n-th epoch, into `samples.txt` in the folder of the run.

The file has a line `epoch N` before the texts of each epoch; all other lines begin with blanks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ...data.preprocessing.pipeline import Preprocessing
from ...data.preprocessing.tokens import Tokenizer
from ...errors import OptionError, OutputError
from ...storage.atomic import atomic_write
from ...storage.regular_file import read_regular
from ..keras_model.inference import outputs_of
from ..prediction.generation import sample, text_steps
from .sample_settings import FILE_NAME, SampleSettings

_HEADER = re.compile(r"epoch (\d+)")
_INDENT = "  "


class TextSamples(keras.callbacks.Callback):
    """Write texts at several temperatures after every n-th epoch.

    Their random numbers come from NumPy, by the seed of the run and the epoch, so the training is the same with and
    without them, and a resumed run writes the same texts.

    Args:
        settings: in force.
        tokens: the tokenizer of the model's inputs.
        windows: (n, length) the prepared inputs; the texts of an epoch continue one of them.
        path: of the file; texts of epochs after `first_epoch` are removed from it.
        seed: of the run.
        first_epoch: the number of epochs that were trained before.
    """

    def __init__(
        self, settings: SampleSettings, tokens: Tokenizer, windows: np.ndarray, path: Path, seed: int, first_epoch: int
    ):
        super().__init__()
        self._settings, self._tokens, self._windows, self._path, self._seed = settings, tokens, windows, path, seed
        _cut(path, first_epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        number = epoch + 1
        is_last = number == self.params["epochs"] or self.model.stop_training
        if number % self._settings.every and not is_last:
            return
        start = self._windows[np.random.default_rng((self._seed, number)).integers(len(self._windows))]
        parts = [f"epoch {number}", _paragraph("continued", self._text(start))]
        texts = zip(self._settings.temperatures, self._continue(start, number), strict=True)
        parts += [_paragraph(f"temperature {temperature:g}", self._text(added)) for temperature, added in texts]
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                file.write("\n".join(parts) + "\n\n")
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error

    def _continue(self, start: np.ndarray, number: int) -> np.ndarray:
        """Return the tokens (temperatures, length) that follow a window, all texts in one batch."""
        temperatures = self._settings.temperatures
        generators = [np.random.default_rng((self._seed, number, place)) for place in range(len(temperatures))]
        contexts = np.repeat(start[None], len(temperatures), axis=0)
        added = np.zeros((len(temperatures), self._settings.length), start.dtype)
        for step in range(self._settings.length):
            probabilities = np.asarray(outputs_of(self.model, contexts))[:, : len(self._tokens.names)]
            drawn = zip(probabilities, temperatures, generators, strict=True)
            added[:, step] = [sample(*each) for each in drawn]
            contexts = np.concatenate([contexts[:, 1:], added[:, step : step + 1]], axis=1)
        return added

    def _text(self, numbers: np.ndarray) -> str:
        return self._tokens.separator.join(self._tokens.names[int(number)] for number in numbers)


def build(
    settings: Mapping[str, Any],
    recipe: str,
    preprocessing: Preprocessing,
    windows: Any,
    folder: Path | None,
    seed: int,
    first_epoch: int,
) -> TextSamples:
    """Return the callback.

    Raises:
        OptionError: the model is no text model, or the run has no folder.
        OutputError: the file cannot be written.
    """
    steps = text_steps(preprocessing)
    if steps is None:
        raise OptionError(f"`samples` are texts, and {recipe} is no text model: leave it out")
    if folder is None:
        raise OptionError("`samples` are written into the folder of the run: add `out`")
    return TextSamples(SampleSettings.of(settings), steps[0], windows, folder / FILE_NAME, seed, first_epoch)


def _paragraph(title: str, text: str) -> str:
    indented = text.replace("\n", "\n" + 2 * _INDENT)
    return f"{_INDENT}{title}\n{2 * _INDENT}{indented}"


def _cut(path: Path, epochs: int) -> None:
    """Remove the texts of the epochs after the first ones: a resumed run writes them again.

    Raises:
        OutputError: the file cannot be read or written.
    """
    if not path.is_file():
        return
    try:
        lines = read_regular(path).decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{path} is no file of samples ({error}): move it away") from error
    headers = ((place, _HEADER.fullmatch(line)) for place, line in enumerate(lines))
    end = next((place for place, header in headers if header and int(header[1]) > epochs), len(lines))
    beginning = "\n".join([*lines[:end], *([""] if 0 < end < len(lines) else [])])
    with atomic_write(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        file.write(beginning)
