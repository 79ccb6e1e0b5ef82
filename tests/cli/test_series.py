"""Time series on the command line: one set of options for every command, and a run that says how it read its data."""

import json
from pathlib import Path

import numpy as np
import pytest
import series_tables
from PIL import Image
from series_tables import counted

from trivium.cli.output.numbers import number
from trivium.engine.prediction.evaluation import predict

pytestmark = pytest.mark.one_environment

BUILD = f"{series_tables.__file__}:build"
READ = ("--window", 4, "--horizon", 2, "--key", "shop", "--time", "day", "--target", "sales")


@pytest.fixture
def sales(here):
    return counted(here / "sales.csv")


@pytest.fixture
def run(cli, sales):
    """The folder of a run on two shops, of two epochs."""
    trained = cli("train", BUILD, "--data", "sales.csv", *READ, "--epochs", 2, "--out", "run")
    assert trained.code == 0, trained.err
    assert "note: Each column of the series is scaled to a mean of 0 and a deviation of 1" in trained.err
    assert "validation  25% of the training data, the last of each series" in trained.out
    return "run"


def test_a_summary_says_how_the_series_are_cut_and_what_time_the_parts_cover(cli, sales):
    shown = json.loads(cli("data", "sales.csv", *READ, "--json").out)
    assert shown["splits"]["train"]["shape"] == [4, 2]
    assert {name: shown["series"][name] for name in ("window", "horizon", "count")} == {
        "window": 4,
        "horizon": 2,
        "count": 2,
    }
    assert shown["series"]["parts"][:2] == [
        {"series": "north", "part": "train", "rows": 32, "first": "2024-01-30", "last": "2024-03-01"},
        {"series": "north", "part": "test", "rows": 8, "first": "2024-03-02", "last": "2024-03-09"},
    ]
    text = cli("data", "sales.csv", *READ).out
    assert "2, window 4, horizon 2, stride 1, key shop, time day; to predict: sales" in text
    assert "2024-03-09" in text


def test_a_preview_has_the_parts_in_two_colours(cli, sales):
    assert cli("data", "sales.csv", *READ, "--preview", "p.png").code == 0
    picture = np.asarray(Image.open("p.png").convert("RGB")).astype(int)
    for colour in ((0, 114, 178), (213, 94, 0)):  # of the training part and of the test part
        assert (np.abs(picture - colour).sum(-1) < 30).sum() > 200


def test_forecasts_are_named_by_series_and_time(cli, run):
    document = json.loads(cli("predict", run, "sales.csv", "--json").out)["predictions"]
    assert [(row["series"], row["after"]) for row in document] == [("north", "2024-03-09"), ("south", "2024-03-09")]
    window = np.stack([-np.arange(2036.0, 2040), np.arange(2036.0, 2040)], 1)
    assert document[0]["prediction"] == pytest.approx(predict(run, window[None]).values[0].tolist(), rel=1e-5)
    shown = cli("predict", run, "sales.csv").out
    assert "2024-03-09" in shown
    assert ", ".join(map(number, document[1]["prediction"])) in shown
    every = json.loads(cli("predict", run, "sales.csv", "--every-window", "--json").out)["predictions"]
    assert len(every) == 2 * 37
    assert every[36]["prediction"] == pytest.approx(document[0]["prediction"], rel=1e-5)


def test_a_run_is_resumed_and_evaluated_on_the_data_it_was_trained_on(cli, run):
    record = json.loads(Path("run/run.json").read_text())
    assert record["dataset"]["name"] == "sales.csv:target=sales:window=4:horizon=2:key=shop:time=day"
    assert record["asked"]["data"] == record["dataset"]["name"]
    metrics = json.loads(cli("evaluate", run, "--json").out)["metrics"]
    assert metrics == pytest.approx(record["evaluation"], rel=1e-4)
    assert json.loads(cli("evaluate", run, "--data", "sales.csv", "--json").out)["metrics"] == metrics
    resumed = json.loads(cli("train", BUILD, "--resume", "--out", run, "--epochs", 3, "--json").out)
    assert resumed["dataset"] == record["dataset"]
    assert len(resumed["history"]) == 3
    assert resumed["history"][:2] == record["history"]


def test_a_picture_shows_the_forecasts_of_the_test_part(cli, run):
    picture = np.asarray(Image.open("run/predictions.png").convert("RGB")).astype(int)
    assert (np.abs(picture - (213, 94, 0)).sum(-1) < 30).sum() > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", BUILD, "--window", 3), "--window says how data are read: add --data FILE"),
        (("data", "sales.csv", "--horizon", 3), "--horizon says how a series is read: add --window N"),
        (("data", "sales.csv", "--window", "x"), "window=x: expected a whole number"),
        (("train", BUILD, "--data", "sales.csv", *READ, "--validation", "shuffled"), "is a series: only its last part"),
        (
            ("search", BUILD, "--data", "sales.csv", *READ, "--grid", "epochs=1,2"),
            "a search chooses its folds at random",
        ),
    ],
)
def test_what_cannot_be_is_refused(refused, sales, arguments, message):
    assert message in refused(*arguments)
