"""Curves as SVG: where the points lie, what the axes say, and that they are seen in every theme."""

import math
import re

import pytest

from trivium.engine.plots import style
from trivium.notebook import curves
from trivium.notebook.elements import to_html

pytestmark = pytest.mark.plain


def lines(html):
    """The points of each line of a view, by colour, in pixels."""
    found = re.findall(r'points="([^"]*)" fill="none" stroke="([^"]*)"', html)
    return [(colour, [tuple(map(float, point.split(","))) for point in points.split()]) for points, colour in found]


def test_a_plot_for_each_metric_the_loss_last():
    epochs = {1: {"loss": 2.0, "accuracy": 0.5, "val_loss": 3.0}, 2: {"loss": 1.0, "accuracy": 0.7, "val_loss": 2.0}}
    html = to_html(*curves.curves(epochs))
    assert re.findall(r'aria-label="([^,]*)', html) == ["accuracy", "loss"]
    assert [colour for colour, _ in lines(html)] == [curves.TRAINING, curves.TRAINING, curves.VALIDATION]
    assert "validation" in html


def test_points_lie_between_the_ticks_of_the_axes():
    html = to_html(*curves.curves({1: {"loss": 0.0}, 2: {"loss": 1.0}, 3: {"loss": 0.5}}, last=5))
    ((_, points),) = lines(html)
    assert points == [(48, 144), (108, 22), (168, 83)]  # a loss of 1 on top, epoch 3 in the middle of five
    assert re.findall(r'text-anchor="end">([^<]*)', html) == ["0", "0.5", "1", "5"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.5, 1]), (0.42, 0.91, [0.4, 0.6, 0.8, 1]), (-3, 9, [-5, 0, 5, 10]), (2, 2, [2]), (1e-9, 1e-9, [1e-9])],
)
def test_ticks_are_round_and_enclose_the_values(low, high, ticks):
    assert curves._ticks(low, high) == pytest.approx(ticks)


def test_values_that_are_no_numbers_are_left_out():
    html = to_html(*curves.curves({1: {"loss": 1.0}, 2: {"loss": math.nan}, 3: {"loss": math.inf}, 4: {"loss": 2.0}}))
    ((_, points),) = lines(html)
    assert points == [(48, 144), (288, 22)]


@pytest.mark.parametrize("epochs", [{1: {"loss": math.nan}}, {1: {"loss": 0.25}}, {7: {"loss": 0.25}}])
def test_a_single_epoch_has_a_plot_too(epochs):
    assert f"epoch {next(iter(epochs))}" in to_html(*curves.curves(epochs))


def test_without_metrics_there_is_nothing_to_draw():
    assert curves.curves({}) == []
    assert curves.curves({1: {}}) == []


def test_a_long_run_costs_no_more_than_a_short_one():
    html = to_html(*curves.curves({epoch: {"loss": 1 / epoch} for epoch in range(1, 10_001)}))
    ((_, points),) = lines(html)
    assert len(points) <= curves._MOST_POINTS + 1
    assert points[-1][0] == 288, "the newest value is drawn"


def test_metrics_beyond_the_first_few_are_named():
    html = to_html(*curves.curves({1: {f"metric{number}": 1.0 for number in range(8)}}))
    assert html.count("<svg") == 6
    assert "not drawn: metric6, metric7" in html


def test_the_best_epoch_is_marked():
    html = to_html(*curves.curves({1: {"loss": 1.0}, 2: {"loss": 0.5}, 3: {"loss": 0.7}}, best=2))
    assert '<line x1="168.0" y1="22" x2="168.0" y2="144"' in html
    assert "best epoch (2)" in html


@pytest.mark.parametrize("page", ["#ffffff", "#111111", "#1f1f1f"])
def test_lines_are_seen_on_the_pages_of_light_and_dark_themes(page):
    for colour in (curves.TRAINING, curves.VALIDATION, "#009e73"):
        assert style.contrast(colour, page) >= 3, "WCAG 2.1, 1.4.11"


def test_the_colours_are_those_of_all_plots():
    assert (style.TRAINING.lower(), style.VALIDATION.lower()) == (curves.TRAINING, curves.VALIDATION)
