"""`trivium predict`: predict labels or values for new data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..backends import catalog
from .common import backend_option, common_options, console, print_json, table, trust_option

_MOST_ROWS = 20
_MOST_SHARES = 5


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@backend_option
@trust_option
@common_options
def command(source: Path, inputs: tuple[Path, ...], backend: str | None, as_json: bool) -> None:
    """Predict the labels or values of INPUTS with a trained model.

    SOURCE is a run folder or a bundle file. INPUTS are .npy arrays and .csv tables with samples like those of the
    training data, .npz files with an array for each input of the model, or .png and .jpg pictures. A table may have its
    columns in any order, and the target among them. For a model of MNIST's digits, a picture is one drawn or
    photographed digit.

    \b
    Example:
      trivium predict runs/digits seven.png
    """
    catalog.use(backend)
    from ..engine.bundles import bundle
    from ..engine.prediction import inputs as samples
    from ..engine.prediction.evaluation import predict

    loaded = bundle.load(source)
    predictions: list[dict[str, Any]] = []
    for path in inputs:
        said = predict(loaded, samples.read(loaded, path)).to_json()
        predictions += [{"file": str(path), "index": i, "prediction": entry} for i, entry in enumerate(said)]
    if as_json:
        print_json({"schema": 1, "source": str(source), "predictions": predictions})
        return
    shown = table("file", "sample", "prediction", "probability", right=("sample", "probability"))
    for row in predictions[:_MOST_ROWS]:
        shown.add_row(row["file"], str(row["index"]), *_columns(row["prediction"]))
    console().print(shown)
    if len(predictions) > _MOST_ROWS:
        console().print(f"… and {len(predictions) - _MOST_ROWS} more: --json prints all.")


def _columns(prediction: Any) -> tuple[str, str]:
    if isinstance(prediction, dict) and "shares" in prediction:
        return _most_frequent(prediction["shares"]), ""
    if isinstance(prediction, dict) and "label" not in prediction:
        shown = {name: _columns(part) for name, part in prediction.items()}
        return (
            ", ".join(f"{name} {value}" for name, (value, _) in shown.items()),
            ", ".join(f"{name} {probability}" for name, (_, probability) in shown.items() if probability),
        )
    if isinstance(prediction, dict):
        return prediction["label"], f"{prediction['probability']:.1%}"
    return (f"{prediction:.6g}" if isinstance(prediction, float) else str(prediction)), ""


def _most_frequent(shares: dict[str, float]) -> str:
    """Return the labels of most positions of a sample, such as the pixels of a picture, with their shares."""
    ordered = sorted(shares.items(), key=lambda share: -share[1])
    return ", ".join(f"{label} {share:.1%}" for label, share in ordered[:_MOST_SHARES] if share)
