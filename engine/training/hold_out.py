"""Chooses the samples of the training data that are held out for validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data.dataset import Dataset
from ...data.division import Division
from ...data.nests import is_array
from ...data.series.windows import SeriesWindows
from ...data.stratification import stratified_split
from ...errors import DataError, OptionError

# How samples are chosen: `AUTO` is stratified where there are classes, else shuffled, and the last of a series. `TIME`
# is the last part of each of several series, whose samples are windows.
AUTO, LAST, SHUFFLED, STRATIFIED, TIME = "auto", "last", "shuffled", "stratified", "time"
MODES = (AUTO, LAST, SHUFFLED, STRATIFIED, TIME)

_FEWEST_PER_CLASS = 2


@dataclass(frozen=True)
class HoldOut:
    """The share of the training data that is held out, and how it is chosen.

    Attributes:
        share: 0 ≤ share < 1.
        mode: one of `MODES`.
        seed: of the choice.
        in_order: whether samples may only be cut off at the end, because each is part of a series.
    """

    share: float
    mode: str
    seed: int
    in_order: bool = False

    def resolved_mode(self, dataset: Dataset) -> str:
        """Return the mode for a dataset: not `AUTO`.

        Raises:
            OptionError: the data have no classes to stratify by, or are a series.
        """
        if dataset.series and self.mode in (AUTO, LAST, TIME):
            return TIME
        is_series = dataset.series or self.in_order or (is_array(dataset.train.x) and dataset.train.x.ndim == 1)
        if self.mode == TIME:
            raise OptionError(
                f"`validation` {TIME}: {dataset.name} has no series of windows: `validation` {LAST} holds out its last "
                "part"
            )
        if self.mode == LAST or (self.mode == AUTO and is_series):
            return LAST
        if is_series:
            raise OptionError(
                f"`validation` {self.mode}: {dataset.name} is a series: only its last part can be held out"
            )
        why_not = self._why_not_stratified(dataset)
        if self.mode == STRATIFIED and why_not:
            raise OptionError(f"`validation` {STRATIFIED}: {dataset.name} {why_not}")
        return SHUFFLED if self.mode == SHUFFLED or why_not else STRATIFIED

    def parts(self, dataset: Dataset) -> tuple[np.ndarray | slice, np.ndarray | slice]:
        """Return the samples to train on and those that are held out, in the order of the data.

        Windows of a series with rows in both parts are in neither.

        Raises:
            DataError: nothing is left to train on, or no window to validate on.
            OptionError: as `resolved_mode`.
        """
        samples, count = len(dataset.train), self._count(dataset)
        if count == samples:
            raise DataError(f"{dataset.name}: a validation split of {self.share:g} leaves nothing to train on")
        mode = self.resolved_mode(dataset)
        if mode == LAST or not count:
            return slice(0, samples - count), slice(samples - count, None)
        if dataset.series:
            return self._parts_of_series(dataset.name, dataset.series, samples)
        if mode == STRATIFIED:
            training, held_out = stratified_split(dataset.train.y, count, self.seed)
            return np.sort(training), np.sort(held_out)
        from sklearn.model_selection import train_test_split

        training, held_out = train_test_split(np.arange(samples), test_size=count, random_state=self.seed)
        return np.sort(training), np.sort(held_out)

    def _parts_of_series(self, name: str, series: SeriesWindows, samples: int) -> tuple[np.ndarray, np.ndarray]:
        # A benchmark may take the first samples alone.
        training, held_out = (part[part < samples] for part in series.last_part(self.share))
        for part, windows in (("train", training), ("validate", held_out)):
            if not len(windows):
                rows = int((series.rows.lengths - series.test_rows).max())
                raise DataError(
                    f"{name}: a validation split of {self.share:g} leaves no window to {part} on: there are {rows} "
                    f"rows before the test part, and a window with its horizon takes {series.windowing.span}"
                )
        return training, held_out

    def division(self, dataset: Dataset) -> Division:
        """Return which samples are learned and which are held out; see `parts`."""
        remedy = SHUFFLED if self._why_not_stratified(dataset) else STRATIFIED
        can_mix = not (self.in_order or self.mode == remedy)
        return Division(*self.parts(dataset), remedy=remedy if can_mix else "")

    def _count(self, dataset: Dataset) -> int:
        samples = len(dataset.train)
        return samples - int(samples * (1 - self.share))

    def _why_not_stratified(self, dataset: Dataset) -> str:
        """Return why a dataset cannot be stratified, or an empty string."""
        y = dataset.train.y
        if not dataset.labels or not is_array(y):
            return "has no classes"
        if y.ndim != 1:
            return "has a class for each pixel, not for each sample"
        counts = np.bincount(y.astype("int64"))
        counts = counts[counts > 0]
        count = self._count(dataset)
        if counts.min() < _FEWEST_PER_CLASS or min(count, len(y) - count) < len(counts):
            return "has too few samples of a class"
        return ""
