"""A representative part of the training samples, for a first try or a search that would take too long on all."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import DataError
from .dataset import Dataset, split_rows

SETTING = "part"


def with_part(dataset: Dataset, text: str) -> Dataset:
    """Return the dataset with a share of its training samples, in their order; the other splits stay whole.

    The samples are chosen by a fixed seed. Classes are as frequent as before where there are samples enough.

    Args:
        text: the share, such as `0.1`.

    Raises:
        DataError: it is no share; or the data are a stream or a series, whose order counts.
    """
    share = _share(text)
    dataset.require_arrays(f"{SETTING}={text}")
    if dataset.draw:
        raise DataError(f"{SETTING}={text}: {dataset.name} is drawn, as many samples as a run asks for: leave it out")
    if dataset.series:
        raise DataError(f"{SETTING}={text}: the windows of a series stay together: give a shorter series")
    if share == 1:
        return dataset
    count = len(dataset.train)
    if round(count * share) < 1:
        raise DataError(f"{SETTING}={text} of {count:,} samples is none: take more")
    rows = np.sort(np.arange(count)[split_rows(dataset.train.y, count, 1 - share)[0]])
    note = f"{len(rows):,} of {count:,} training samples are used"
    return replace(dataset, train=dataset.train.select(rows), notes=(*dataset.notes, note))


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise DataError(f"{SETTING}={text}: expected a share of the training samples, such as 0.1")
    return share
