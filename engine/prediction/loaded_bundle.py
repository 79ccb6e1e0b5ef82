"""`trivium.load`: a bundle that predicts and evaluates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...data.data_source import DataSource
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from . import evaluation
from .evaluation import Predictions


class LoadedBundle(Bundle):
    """A bundle that was read from its file."""

    def predict(self, x: Any, threshold: float | None = None) -> Predictions:
        """Predict raw inputs; see `trivium.predict`."""
        return evaluation.predict(self, x, threshold)

    def preview(self, files: Sequence[str | Path], path: str | Path, threshold: float | None = None) -> None:
        """Draw what the model saw of pictures and what it answered into a PNG file; see `trivium predict --preview`."""
        from .preview import preview  # matplotlib

        preview(self, files, path, threshold)

    def evaluate(self, data: DataSource | None = None, threshold: float | None = None) -> dict[str, float]:
        """Return the metrics on a test split; see `trivium.evaluate`."""
        return evaluation.evaluate(self, data, threshold)


def load(source: Bundle | str | Path) -> LoadedBundle:
    """Read a bundle from its file or its run folder. No framework is needed.

    Raises:
        BundleError: the bundle is missing, truncated, altered, or of another schema.

    Example:
        >>> trivium.load("runs/houses").predict([{"size": 80, "town": "Bonn", "rooms": 3}]).values
    """
    bundle = bundles.load(source)
    return LoadedBundle(**{field.name: getattr(bundle, field.name) for field in dataclasses.fields(bundle)})
