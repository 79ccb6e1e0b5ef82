"""`trivium predict`: predict labels or values for new data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends import catalog
from ..errors import OptionError
from ..storage.safe_json import walk
from .common import (
    backend_option,
    common_options,
    console,
    print_json,
    say,
    say_if_unprepared,
    table,
    threshold_option,
    trust_option,
)
from .output.numbers import number, share

if TYPE_CHECKING:
    from rich.table import Table

    from ..engine.prediction.preview import Answer

_MOST_ROWS = 20
_MOST_SHARES = 5
_MOST_NAMED = 3
_WIDEST = 160  # columns of a table that is not printed on a terminal
_CELL, _BETWEEN = len("100.00%"), 3  # columns of the terminal
# A digit of a photograph with less probability than this is doubtful.
_SURE = 0.6


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--every-window", is_flag=True, help="Forecast after each window of a time series, not only the last.")
@threshold_option
@click.option(
    "--preview",
    type=click.Path(path_type=Path),
    metavar="PNG",
    help="Draw what a model of pictures saw, and its answers.",
)
@click.option("--all-classes", is_flag=True, help="Print the probability of each class, not only of the likeliest.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all predictions into a .csv or .parquet table, a row for each sample.",
)
@backend_option
@trust_option
@common_options
def command(
    source: Path,
    inputs: tuple[Path, ...],
    every_window: bool,
    threshold: float | None,
    preview: Path | None,
    all_classes: bool,
    out: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Predict labels or values of new data with a trained model.

    SOURCE is a run folder, a bundle file, or a whole model in a .keras or .h5 file, which takes its inputs as they
    stand and names classes by their numbers. INPUTS are .npy arrays and .csv tables with samples like those of the
    training data, named arrays (.npz, .safetensors, a folder of .npy files) with one for each input of the model, .txt
    files with a sentence in each line, or .png and .jpg pictures. A table may have its columns in any order, and the
    target among them. For a model of MNIST's digits, a picture shows drawn or photographed digits; they are answered
    from left to right. Of a time series, the rows after its last window are forecast.

    \b
    Example:
      trivium predict runs/digits seven.png
      trivium predict runs/digits seven.png --all-classes --preview seen.png
      trivium predict runs/houses new.csv --out prices.csv
    """
    catalog.use(backend)
    from ..engine import trained_models
    from ..engine.prediction import inputs as samples
    from ..engine.prediction.prediction_table import require_table_file
    from ..engine.prediction.series_record import SeriesRecord

    if out:
        require_table_file(out)
    loaded = trained_models.load(source)
    if preview:
        from ..engine.prediction.preview import Answer, draw, require_preview  # matplotlib

        require_preview(loaded, preview)
    record = SeriesRecord.of(loaded)
    answers: list[Answer] = []
    predictions: list[dict[str, Any]] = []
    for path in inputs:
        x, names = samples.read_named(loaded, path, every_window=every_window)
        predicted = loaded.predict(x, threshold)
        said = record.forecasts(predicted.values) if record else predicted.to_json()
        if preview:
            answers.append(Answer(path, x, names, said))
        rows = enumerate(zip(names or [{}] * len(said), said, strict=True))
        predictions += [{"file": str(path), "index": i, **name, "prediction": entry} for i, (name, entry) in rows]
    say_if_unprepared(loaded)
    if preview:
        draw(loaded, answers, preview)
    if out:
        _write(predictions, out)
    _warn_of_doubt(predictions)
    _warn_of_nulls(predictions)
    if as_json:
        print_json({"schema": 1, "source": str(source), "predictions": predictions})
        return
    if all_classes:
        _print_probabilities(loaded.run["recipe"], predictions)
    else:
        _print_answers(predictions, are_forecasts=record is not None)
    if out:
        console().print(f"kept {out}")


def _print_answers(predictions: list[dict[str, Any]], *, are_forecasts: bool) -> None:
    if are_forecasts:
        _print_forecasts(predictions)
    else:
        _print_likeliest(predictions)


def _write(predictions: list[dict[str, Any]], out: Path) -> None:
    """Write all predictions into a table, whose first columns say of what each is."""
    from ..engine.prediction import prediction_table

    places = [
        {name: _place(value) if name == "box" else value for name, value in row.items() if name != "prediction"}
        for row in predictions
    ]
    prediction_table.write(prediction_table.to_frame([row["prediction"] for row in predictions], places), out)


def _print_likeliest(predictions: list[dict[str, Any]]) -> None:
    """Print a row for each sample: its label with the probability, or its value."""
    places = ["place"] if any("box" in row for row in predictions) else []
    answers = [_columns(row["prediction"]) for row in predictions[:_MOST_ROWS]]
    columns = ["prediction", "probability"] if any(probability for _, probability in answers) else ["prediction"]
    shown = table("file", "sample", *places, *columns, right=("sample", "probability"))
    for row, answer in zip(predictions, answers, strict=False):
        cells = [_place(row["box"]) if "box" in row else "" for _ in places]
        shown.add_row(row["file"], str(row["index"]), *cells, *answer[: len(columns)])
    _print(shown, len(predictions))


def _print_probabilities(recipe: str, predictions: list[dict[str, Any]]) -> None:
    """Print the probability of each class, a table for each output of classes.

    Raises:
        OptionError: no output answers one class.
    """
    outputs = _by_output(predictions)
    if not outputs:
        raise OptionError(f"`all_classes`: the model of {recipe} does not answer one class: leave it out")
    for name, entries in outputs.items():
        _print(_probability_table(name, predictions[:_MOST_ROWS], entries), len(predictions))


def _by_output(predictions: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the predictions that have a probability for each class, by the name of the output; "" for the only one."""
    outputs: dict[str, list[dict[str, Any]]] = {}
    for said in (row["prediction"] for row in predictions):
        named = said if isinstance(said, dict) and not {"label", "shares"} & said.keys() else {"": said}
        for name, part in named.items():
            if isinstance(part, dict) and "probabilities" in part:
                outputs.setdefault(name, []).append(part)
    return outputs


def _probability_table(output: str, rows: list[dict[str, Any]], entries: list[dict[str, Any]]) -> Table:
    """Return a table with a column for each class; where that is too wide, a row for each, the likeliest first."""
    classes = list(entries[0]["probabilities"])
    needed = max(len(row["file"]) for row in rows) + _CELL + sum(max(len(label), _CELL) for label in classes)
    if needed + _BETWEEN * (len(classes) + 1) <= min(console().width, _WIDEST):
        shown = table("file", "sample", *classes, title=output or None, right=("sample", *classes))
        for row, entry in zip(rows, entries, strict=False):
            cells = (share(entry["probabilities"][label], 2) for label in classes)
            shown.add_row(row["file"], str(row["index"]), *cells)
        return shown
    shown = table("file", "sample", "class", "probability", title=output or None, right=("sample", "probability"))
    for row, entry in zip(rows, entries, strict=False):
        for label, value in sorted(entry["probabilities"].items(), key=lambda part: -(part[1] or 0.0)):
            shown.add_row(row["file"], str(row["index"]), label, share(value, 2))
    return shown


def _warn_of_doubt(predictions: list[dict[str, Any]]) -> None:
    """Say which digits of photographs the model is unsure of."""
    drawn = [(row, row["prediction"]) for row in predictions if "box" in row and isinstance(row["prediction"], dict)]
    unsure = [row for row, said in drawn if 0 <= (said.get("probability") or 1.0) < _SURE]
    if unsure:
        rows = ", ".join(f"{row['file']} at {_place(row['box'])}" for row in unsure[:_MOST_NAMED])
        sentence = (
            f"unsure of {len(unsure)} of {len(drawn)} digits ({rows}): look at what the model saw by "
            "--preview seen.png; a picture from nearer, on plain paper, helps"
        )
        say(f"trivium: {sentence}")


def _warn_of_nulls(predictions: list[dict[str, Any]]) -> None:
    """Say how many predictions are no numbers, which neither JSON nor the table can show."""
    if count := sum(any(part is None for part in walk(row["prediction"])) for row in predictions):
        click.echo(
            f"trivium: the model gives NaN or infinite numbers for {count:,} of {len(predictions):,} samples: null in "
            "JSON, – in the table",
            err=True,
        )


def _place(box: list[int]) -> str:
    """Return the left and upper corner of a box."""
    return f"{box[0]},{box[1]}"


def _print_forecasts(predictions: list[dict[str, Any]]) -> None:
    """Print a row for each window, with the name of its series and the time of its last row."""
    names: list[str] = [name for name in ("series", "after") if name in predictions[0]]
    names = names or ["index"]
    shown = table("file", *names, "forecast", right=("index",))
    for row in predictions[:_MOST_ROWS]:
        shown.add_row(row["file"], *(str(row[name]) for name in names), _forecast_to_text(row["prediction"]))
    _print(shown, len(predictions))


def _forecast_to_text(forecast: Any) -> str:
    if isinstance(forecast, dict):
        return "; ".join(f"{name} {_forecast_to_text(part)}" for name, part in forecast.items())
    values = forecast if isinstance(forecast, list) else [forecast]
    return ", ".join(map(number, values))


def _print(shown: Table, count: int) -> None:
    console().print(shown)
    if count > _MOST_ROWS:
        console().print(f"… and {count - _MOST_ROWS} more: --out FILE.csv and --json have all.")


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
        return ("–", "–") if prediction["label"] is None else (prediction["label"], share(prediction["probability"]))
    return (number(prediction) if prediction is None or isinstance(prediction, float) else str(prediction)), ""


def _most_frequent(shares: dict[str, float]) -> str:
    """Return the labels of most positions of a sample, such as the pixels of a picture, with their shares."""
    ordered = sorted(shares.items(), key=lambda each: -each[1])
    return ", ".join(f"{label} {share(part)}" for label, part in ordered[:_MOST_SHARES] if part)
