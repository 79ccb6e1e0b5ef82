"""How the series of a bundle were read, so that further ones are read alike and its forecasts have names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.dataset import SERIES, Dataset
from ...data.series.read_series import count_of
from ...errors import BundleError, DataError
from ...storage.safe_json import finite
from ..bundles.bundle import Bundle


@dataclass(frozen=True)
class SeriesRecord:
    """How a bundle's series were read, from the record of its run.

    Attributes:
        settings: those after the name of the data, but for the share of the test part.
        columns: of the inputs, in order.
        targets: the columns that are predicted.
        window, horizon: in rows.
    """

    settings: dict[str, str]
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    window: int
    horizon: int

    @classmethod
    def of(cls, bundle: Bundle) -> SeriesRecord | None:
        """Return the record of a bundle; None if its data are no series.

        Raises:
            BundleError: the record is damaged.
        """
        data = bundle.run.get("dataset", {})
        if data.get("kind") != SERIES:
            return None
        try:
            record = dict(data["series"])
            targets, columns = (tuple(map(str, record.pop(name))) for name in ("target", "columns"))
            record = {name: str(value) for name, value in record.items() if name != "count"}
            settings = {**record, "target": ",".join(targets)}
            sizes = count_of("window", record["window"]), count_of("horizon", record["horizon"])
            return cls(settings, columns, targets, *sizes)
        except (KeyError, TypeError, ValueError, DataError) as error:
            raise BundleError(f"run.json does not say how its series are read ({error!r})") from error

    def match(self, dataset: Dataset) -> Dataset:
        """Return the dataset if its windows have the same columns.

        Raises:
            DataError: they have others, or in another order.
        """
        columns = dataset.series.rows.columns if dataset.series else ("of no series",)
        if columns != self.columns:
            raise DataError(
                f"{dataset.name} has the columns {', '.join(columns)}, but the model takes "
                f"{', '.join(self.columns)}, in this order"
            )
        return dataset

    def match_forecast(self, dataset: Dataset) -> Dataset:
        """Return the dataset if its windows have the same columns, and the same is predicted.

        Raises:
            DataError: the columns, the targets, or the sizes of a window or its horizon differ.
        """
        series = self.match(dataset).series
        assert series
        expected = self.window, self.horizon, self.targets
        received = series.windowing.window, series.windowing.horizon, series.targets
        if received != expected:
            said = [f"window={w}, horizon={h}, target={','.join(names)}" for w, h, names in (received, expected)]
            raise DataError(f"{dataset.name} is read with {said[0]}, but the model was trained with {said[1]}")
        return dataset

    def forecasts(self, values: np.ndarray) -> list[Any]:
        """Return the forecast of each window as JSON.

        A number, or a list of `horizon` numbers; of several targets a dictionary of these. One that is not finite is
        None.

        Args:
            values: (windows, …) on the scale of the raw data.

        Raises:
            BundleError: the record is of another model.
        """
        count = len(self.targets)
        if values.size != len(values) * self.horizon * count:
            raise BundleError(
                f"run.json names {self.horizon} rows of {count} targets, the model gives {values.shape[1:]}"
            )
        shaped = values.reshape(len(values), self.horizon, count)
        by_target = [[row[:, place] for place in range(count)] for row in shaped]
        entries = [[float(part[0]) if self.horizon == 1 else part.tolist() for part in parts] for parts in by_target]
        named = [parts[0] if count == 1 else dict(zip(self.targets, parts, strict=True)) for parts in entries]
        return list(finite(named))
