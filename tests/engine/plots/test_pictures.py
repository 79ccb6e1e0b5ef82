"""Plots are drawn for any run, and a run folder never overwrites another one."""

import contextlib
import json

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

import trivium
from trivium.engine.bundles import bundle as bundles
from trivium.engine.plots import plots, style
from trivium.engine.plots.images import brightness_range, to_images
from trivium.engine.runs import run_folder
from trivium.engine.runs.history import History
from trivium.engine.runs.run_record import read_history
from trivium.errors import OutputError

pytestmark = pytest.mark.one_environment


def colours(path):
    """Return the number of different pixels in an image; an empty plot has one colour."""
    picture = (255 * matplotlib.image.imread(path)).astype("int64")
    return len(np.unique(picture @ 256 ** np.arange(picture.shape[-1])))


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


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, instead of their files."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *arguments, **settings: figures.append(figure))
    return figures


def plot_confusion(folder, expected, predicted, labels):
    with contextlib.suppress(OSError):  # nothing is written
        plots.confusion(expected, predicted, labels, folder / "c.png", title="t $\\bad$")


def test_the_numbers_of_a_confusion_matrix_can_be_read(tmp_path, drawn):
    """Each has a contrast of 3 or more with its cell, as WCAG 2.1 asks of large text."""
    expected = np.repeat([0, 1, 2], 30)
    predicted = np.concatenate([[0] * 12 + [1] * 9 + [2] * 9, [0] * 29 + [1], [2] * 30])
    plot_confusion(tmp_path, expected, predicted, ("a", "b", "$c$"))
    axes, bar = drawn[0].axes
    image = axes.images[0]
    for text in axes.texts:
        column, row = (round(place) for place in text.get_position())
        cell = axes.get_facecolor() if row == column else image.to_rgba(image.get_array()[row, column])
        assert style.contrast(cell[:3], text.get_color()) > 3, (row, column)
    assert [text.get_text() for text in axes.texts] == ["12", "9", "9", "29", "1", "30"]
    assert bar.get_ylabel() == "mistakes (grey: right; empty: none)"


def test_the_numbers_of_thirty_classes_fit_into_their_cells(tmp_path, drawn):
    expected = np.repeat(np.arange(30), 10_000)
    plot_confusion(tmp_path, expected, expected, tuple(f"kind {n}" for n in range(30)))
    drawn[0].draw_without_rendering()
    axes = drawn[0].axes[0]
    wide = np.ptp(axes.transData.transform([(0, 0), (1, 1)])[:, 0])
    assert [text.get_text() for text in axes.texts] == 30 * ["10000"]
    assert max(text.get_window_extent().width for text in axes.texts) < wide


def test_of_more_classes_the_largest_confusions_and_the_weakest_classes_are_listed(tmp_path, drawn):
    expected = np.arange(62) % 31
    predicted = np.where(expected == 7, 8, expected)
    predicted[5] = 6
    plot_confusion(tmp_path, expected, predicted, tuple(f"kind {n}" for n in range(31)))
    mistakes, classes = drawn[0].axes
    assert [label.get_text() for label in mistakes.get_yticklabels()] == ["kind 7 → kind 8", "kind 5 → kind 6"]
    assert [text.get_text() for text in classes.texts[:3]] == ["0% of 2", "50% of 2", "100% of 2"]
    assert classes.get_title() == "The least accurate classes (25 of 31)"
    assert drawn[0].get_suptitle().endswith("3 of 62 wrong")


@pytest.mark.parametrize(
    ("images", "ends"),
    [
        (np.array([[[0, 128]]], "uint8"), (0, 255)),
        (np.array([[[0, 16]]], "uint8"), (0, 16)),
        (np.array([[[0.0, 200.0]]]), (0, 255)),
        (np.array([[[0.1, 0.9]]]), (0, 1)),
        (np.array([[[0.0, 16.0]]]), (0, 16)),
        (np.array([[[-2.0, np.nan, 3.0]]]), (-2, 3)),
        (np.zeros((1, 2, 2)), (0, 1)),
        (np.zeros(0), (0, 1)),
    ],
)
def test_all_images_of_a_plot_have_one_range_of_brightness(images, ends):
    assert brightness_range(images) == ends


@pytest.mark.parametrize("kind", ["", "digits", "pictures"])
def test_high_values_are_bright_in_grey_and_in_colour(tmp_path, drawn, kind):
    grey = np.array([[[0, 51, 255]]], "uint8")
    for samples in (grey, np.repeat(grey[..., None], 3, axis=-1)):
        with contextlib.suppress(OSError):
            plots.image_grid(to_images(samples, kind), [], tmp_path / "g.png", title="")
        image = drawn[-1].axes[0].images[0]
        shown = image.get_array() if image.get_array().ndim == 3 else image.to_rgba(image.get_array())[..., :3]
        assert shown.shape == (1, 3, 3)
        np.testing.assert_allclose(shown[0], [[0] * 3, [0.2] * 3, [1] * 3], atol=0.01)


def test_residuals_stand_below_predictions_against_true_values(tmp_path, drawn):
    true, predicted = np.array([[1.0], [2.0], [4.0]]), np.array([[1.5], [2.0], [3.0]])
    with contextlib.suppress(OSError):
        plots.agreement(true, predicted, tmp_path / "a.png", title="t")
    upper, lower = drawn[0].axes
    np.testing.assert_array_equal(upper.collections[0].get_offsets(), np.hstack([true, predicted]))
    np.testing.assert_array_equal(lower.collections[0].get_offsets(), np.hstack([predicted, predicted - true]))
    assert upper.get_title() == f"RMS error {np.sqrt(1.25 / 3):.4g}"


def test_single_values_without_an_order_are_no_wave(backend, tmp_path):
    def build():
        import keras

        return keras.Sequential([keras.Input(()), keras.layers.Reshape((1,)), keras.layers.Dense(1)])

    x = np.random.default_rng(0).uniform(size=60)
    np.savez(tmp_path / "line.npz", x_train=x, y_train=2 * x, x_test=x, y_test=2 * x)
    trivium.train(build, tmp_path / "line.npz", epochs=1, out=tmp_path / "run")
    height, width = matplotlib.image.imread(tmp_path / "run" / "predictions.png").shape[:2]
    assert height > width
