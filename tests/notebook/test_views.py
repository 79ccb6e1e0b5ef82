"""The values that functions return, as HTML: what they say, and that text from files is neither markup nor a script."""

import math
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from trivium.benchmarks.results import GroupResult, Results
from trivium.comparison.report import ComparisonReport
from trivium.comparison.weight_map import WeightMap
from trivium.data.dataset import Dataset, Split
from trivium.data.preprocessing.pipeline import Preprocessing
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.prediction.evaluation import Predictions
from trivium.engine.runs.history import History
from trivium.engine.search.candidates import Candidate
from trivium.engine.search.search import Search
from trivium.engine.verification import parity
from trivium.engine.verification.tolerances import BackendCheck
from trivium.engine.verification.verification import Report
from trivium.porting.report import PortReport, PredictionCheck

pytestmark = pytest.mark.plain

BAD = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\x1b]0;title\x07\u202e</style>"
TAGS = {"div", "style", "p", "span", "strong", "table", "thead", "tbody", "tr", "th", "td"}
TAGS |= {"svg", "text", "line", "polyline", "circle"}
ATTRIBUTES = {"class", "style", "role", "aria-label", "aria-valuenow", "viewbox", "points", "fill", "font-size"}
ATTRIBUTES |= {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "text-anchor", "font-weight"}
ATTRIBUTES |= {"stroke", "stroke-width", "stroke-linejoin", "stroke-opacity", "stroke-dasharray"}

CHECK = BackendCheck("loss", ("jax", "torch"), 2e-3, 1e-5, BAD)
NUMBERS = np.zeros(3)
RECORD = {
    "recipe": BAD,
    "environment": {"backend": BAD},
    "dataset": {"name": BAD},
    "settings": {},
    "parameters": 1234,
    "history": [{"loss": 2.0, BAD: None}, {"loss": 1.0, BAD: 0.5}],
    "evaluation": {"loss": 0.5, BAD: None},
}
LABELS = (BAD, "seven")
ROW = {"recipe": BAD, "backend": "jax", "metric": "steady_epoch", "unit": "s", "median": 0.125}
RATIO = {"recipe": BAD, "backend": "jax", "metric": "steady_epoch", "of": "a", "over": "b"}
GROUP = GroupResult(
    rows=[ROW],
    ratios=[{**RATIO, "ratio": 1.5, "low": 1.25, "high": 1.75}, {**RATIO, "ratio": 1.0, "low": 0.9, "high": 1.1}],
    failed=[{"cell": BAD, "why": BAD}],
)
CANDIDATE = Candidate({"units": 8, BAD: BAD}, 2, (0.5, 0.75))
VIEWS = {
    "history": (History([{"loss": 2.0, BAD: 0.25}, {"loss": math.inf, BAD: 0.5}]), ["2 epochs", "0.25"]),
    "bundle": (
        Bundle(b"", Preprocessing(), LABELS, RECORD, NUMBERS, NUMBERS),
        ["1,234 parameters", "loss, epochs 1 to 2", "seven"],
    ),
    "predictions": (
        Predictions(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([1, 0]), LABELS),
        ["2 samples", "seven", "0.75"],
    ),
    "verification": (
        Report(BAD, ("jax", "torch"), (CHECK,), (), False),
        ["different: ", "2.0e-03", "1e-05", 'class="different"'],
    ),
    "port": (
        PortReport(
            BAD,
            "onnx",
            None,
            (PredictionCheck(BAD, "jax", "onnx", parity.difference(NUMBERS + 1, NUMBERS), 1e-5),),
            "jax",
            training=(CHECK,),
        ),
        ["not written", "DIFFERENT predictions", "2.0e-03"],
    ),
    "comparison": (
        ComparisonReport(
            BAD, BAD, ("jax", "torch"), WeightMap((), (), ()), (CHECK,), None, (BAD,), True, 0, False, notes=(BAD,)
        ),
        ["different: loss", "2.0e-03"],
    ),
    "search": (
        Search("dense/small", "classifier", "accuracy", 3, {}, [CANDIDATE], 90.0, 2),
        ["0.625", "2 fits in 1:30 min", "units"],
    ),
    "benchmark": (Results(BAD, groups={BAD: GROUP}), ["0.125", "1.50", "[1.25, 1.75]", "no difference"]),
    "dataset": (
        Dataset(BAD, Split(np.zeros((5, 4, 4)), np.zeros(5, int)), None, LABELS, BAD, notes=(BAD,)),
        ["5 samples", "2 classes", "4 × 4", "float64"],
    ),
}


class Reader(HTMLParser):
    """Reads a view as a browser does: its tags, its attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = set(), set(), "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.text += data


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_says_what_the_value_is(name):
    value, words = VIEWS[name]
    html = value._repr_html_()
    assert [word for word in words if word not in html] == []


@pytest.mark.parametrize("name", VIEWS)
def test_text_from_a_file_stays_text(name):
    seen = Reader(VIEWS[name][0]._repr_html_())
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    assert "<script>alert(1)</script>" in seen.text, "what a file says is shown as it is"
    assert "\\x1b]0;title\\x07\\u202e" in seen.text
    assert not {"\x1b", "\x07", "\u202e"} & {*seen.text}


@pytest.mark.parametrize("name", VIEWS)
def test_a_value_is_a_line_where_there_is_no_html(name):
    shown = repr(VIEWS[name][0])
    assert "\n" not in shown
    assert len(shown) < 200 + 3 * len(BAD)


@pytest.mark.parametrize("record", [{}, {"history": 3, "evaluation": [], "environment": 1, "parameters": "many"}])
def test_a_bundle_with_an_unusual_record_has_a_view(record):
    bundle = Bundle(b"", Preprocessing(), (), record, NUMBERS, NUMBERS)
    assert '<strong>Bundle</strong><span class="quiet"> · a model</span>' in bundle._repr_html_()


def test_a_verdict_that_passed_is_not_marked():
    check = BackendCheck("loss", ("jax", "torch"), 1e-7, 1e-5, "step 1")
    html = Report("cnn", ("jax", "torch"), (check,), (), True)._repr_html_()
    assert 'class="different"' not in html
    assert "the same on jax and torch" in html
    assert "in float64" in html


def test_predictions_of_several_outputs_have_a_column_each():
    outputs = {"digit": np.array([[0.25, 0.75]]), "size": np.array([[3.5]])}
    values = {"digit": np.array([1]), "size": np.array([[3.5]])}
    html = Predictions(outputs, values, {"digit": ("six", "seven")})._repr_html_()
    assert [title in html for title in ("digit, label", "digit, probability", "size, value")] == [True] * 3
    assert "<td>seven</td>" in html
    assert '<td class="number">3.5</td>' in html


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (np.arange(3.0), "[0, 1, 2]"),
        (np.arange(30.0), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        (np.arange(4.0).reshape(2, 2), "[[0, 1], [2, 3]]"),
    ],
)
def test_values_of_any_shape_fit_into_a_cell(values, shown):
    assert f">{shown}</td>" in Predictions(values[None], values[None], ())._repr_html_()


def test_predictions_for_each_position_show_the_largest_shares():
    outputs = np.zeros((1, 2, 2, 2))
    assert "six 75%, seven 25%" in Predictions(outputs, np.array([[[0, 0], [0, 1]]]), ("six", "seven"))._repr_html_()


def test_of_many_predictions_the_first_are_shown():
    values = np.arange(1000.0)[:, None]
    html = Predictions(values, values, ())._repr_html_()
    assert "1,000 samples" in html
    assert "and 980 more" in html


def test_an_artifact_is_named():
    check = PredictionCheck("recorded", "jax", "onnx", parity.difference(NUMBERS + 1, NUMBERS + 1), 1e-5)
    report = PortReport("jax", "onnx", Path("x/model.onnx"), (check,), "jax")
    assert "x/model.onnx" in report._repr_html_()
    assert repr(report) == "jax → onnx: the same predictions, kept as x/model.onnx"
