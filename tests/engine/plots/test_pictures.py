"""Plots are drawn for any run, and a run folder never overwrites another one."""

import contextlib
import json

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from trivium.engine.bundles import bundle as bundles
from trivium.engine.plots import plots, style
from trivium.engine.runs import run_folder
from trivium.engine.runs.history import History
from trivium.engine.runs.run_record import read_history
from trivium.errors import OutputError

pytestmark = pytest.mark.one_environment


def colours(path):
    """Return the number of different pixels in an image; an empty plot has one colour."""
    picture = matplotlib.image.imread(path)
    return len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0))


def test_a_classifiers_run_folder_is_complete(saved_runs):
    files = {path.name for path in saved_runs["striding"].iterdir()}
    pictures = {"curves.png", "confusion.png", "mistakes.png", "mistakes-by-pair.png"}
    assert files == {"bundle.trivium", "run.json", "history.jsonl", *pictures}


def test_a_waves_run_folder_is_complete(saved_runs):
    files = {path.name for path in saved_runs["lstm"].iterdir()}
    assert files == {"bundle.trivium", "run.json", "history.jsonl", "curves.png", "predictions.png"}


def test_the_files_agree_with_each_other(saved_runs):
    folder = saved_runs["striding"]
    run = json.loads((folder / "run.json").read_text())
    assert run["history"] == read_history(folder / "history.jsonl").to_json()
    assert run == bundles.load(folder).run


def test_no_plot_is_empty(saved_runs):
    for folder in saved_runs.values():
        for picture in folder.glob("*.png"):
            assert colours(picture) > 20, picture.name


@pytest.mark.parametrize("metrics", [["loss"], ["loss", "val_loss"], ["accuracy", "loss", "val_accuracy", "val_loss"]])
def test_curves_are_plotted_for_any_metrics(tmp_path, metrics):
    history = History([dict.fromkeys(metrics, 1 / epoch) for epoch in range(1, 5)])
    plots.curves(history, tmp_path / "curves.png", title="any")
    wide, narrow = 1100, 550
    width = matplotlib.image.imread(tmp_path / "curves.png").shape[1]
    assert width == (wide if "accuracy" in metrics else narrow)


def test_a_run_without_mistakes_has_a_page_that_says_so(tmp_path):
    y = np.arange(3)
    plots.mistakes(
        np.zeros((3, 28, 28)).__getitem__, y, y, np.ones(3), ("0", "1", "2"), tmp_path / "mistakes.png", title="perfect"
    )
    assert colours(tmp_path / "mistakes.png") > 2


def test_an_earlier_run_is_moved_aside(tmp_path):
    out = tmp_path / "r"
    for earlier in (None, tmp_path / "r.1", tmp_path / "r.2"):
        assert run_folder.claim(out) == earlier
        (out / "run.json").write_text("{}")


def test_an_empty_folder_is_taken(tmp_path):
    assert run_folder.claim(tmp_path) is None


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(OutputError, match="exists and is not a run"):
        run_folder.claim(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "out").write_text("precious")
    with pytest.raises(OutputError, match="is a file: choose another `out`"):
        run_folder.claim(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "precious"


def test_the_numbers_of_a_confusion_matrix_can_be_read(tmp_path, monkeypatch):
    """Each has a contrast of 3 or more with its cell, as WCAG 2.1 asks of large text."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *arguments, **settings: figures.append(figure))
    expected = np.repeat([0, 1, 2], 30)
    predicted = np.concatenate([[0] * 12 + [1] * 9 + [2] * 9, [0] * 29 + [1], [2] * 30])
    with contextlib.suppress(OSError):  # nothing is written
        plots.confusion(expected, predicted, ("a", "b", "$c$"), tmp_path / "c.png", title="t $\\bad$")
    axes = figures[0].axes[0]
    image = axes.images[0]
    for text in filter(lambda text: text.get_text(), axes.texts):
        column, row = (round(place) for place in text.get_position())
        cell = image.cmap(image.norm(image.get_array()[row, column]))
        assert style.contrast(cell, text.get_color()) > 3, (row, column)
