"""The two commands that list what there is; the first thing anyone runs."""

import json
import os
import re

import pytest

from trivium.backends import catalog
from trivium.models import measured

RECIPES = {"dense/one-hidden": 623_290, "cnn/pooling": 114_502, "cnn/striding": 114_502, "rnn/lstm": 64}

MODEL = '''
import keras

def build(units: int = 4):
    """A model of one layer."""
    return keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(units)])

def needs(units):
    return build(units)

def branches():
    x = keras.Input((4,), name="x")
    parts = [keras.layers.Dense(2, name=name)(x) for name in ("left", "right")]
    return keras.Model(x, parts)

def no_model():
    return 5

def open_ended():
    return keras.Sequential([keras.layers.Dense(2)])
'''


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "my_model.py"
    path.write_text(MODEL)
    return path


# --- backends -------------------------------------------------------------------------------------------------------


def test_backends_marks_the_one_that_would_be_used(cli, backend):
    shown = cli("backends")
    assert (shown.code, shown.err) == (0, "")
    (line,) = (line for line in shown.out.splitlines() if line.startswith(" ▸ "))
    assert line.split()[1:3] == [backend.name, backend.version]
    assert "KERAS_BACKEND" in shown.out


def test_backends_as_json(cli, backend):
    document = json.loads(cli("backends", "--json").out)
    assert document["schema"] == 1
    assert [row["name"] for row in document["backends"]] == [each.name for each in catalog.BACKENDS]
    for row, each in zip(document["backends"], catalog.BACKENDS, strict=True):
        assert row == {
            "name": each.name,
            "installed": each.installed,
            "version": each.version,
            "selected": each == backend,
            "install": f"pip install 'trivium[{each.name}]'",
        }


def test_backends_shows_how_to_get_those_that_are_missing(cli, others, not_installed):
    not_installed(*others)
    shown = cli("backends").out
    document = json.loads(cli("backends", "--json").out)
    assert [row["name"] for row in document["backends"] if not row["installed"]] == others
    assert all(f"pip install 'trivium[{name}]'" in shown for name in others)


def test_backends_says_that_a_missing_backend_is_not_installed_whatever_is_left_of_it(cli, others, not_installed):
    """A distribution may still have its metadata when its package is gone."""
    not_installed(*others)
    assert cli("backends").out.count("not installed: pip") == len(others)


def test_probe_starts_a_backend_and_lists_what_it_runs_on(cli, backend, others, not_installed, shared_worker):
    not_installed(*others)
    (row,) = (row for row in json.loads(cli("backends", "--probe", "--json").out)["backends"] if row["installed"])
    assert row["name"] == backend.name
    assert row["device"].split()[0] in {"cpu", "gpu", "tpu"}
    assert 1 <= row["threads"] <= os.cpu_count()
    assert row["start_seconds"] > 0
    assert {"trivium", "keras", "numpy", backend.package} <= set(row["versions"])
    table = cli("backends", "--probe").out
    assert row["device"].split("(")[0].strip() in table


# --- recipes --------------------------------------------------------------------------------------------------------


def test_recipes_lists_the_book(cli):
    shown = cli("recipes")
    assert (shown.code, shown.err) == (0, "")
    for name, parameters in RECIPES.items():
        (line,) = (line for line in shown.out.splitlines() if line.startswith(f" {name} "))
        assert f"{parameters:,}" in line


def test_recipes_as_json(cli):
    document = json.loads(cli("recipes", "--json").out)
    assert document["schema"] == 1
    by_name = {row["name"]: row for row in document["recipes"]}
    assert {name: by_name[name]["parameters"] for name in RECIPES} == RECIPES
    options = {"window": 3, "units": 3, "features": 1, "outputs": 1, "cell": "lstm"}
    assert by_name["rnn/lstm"]["options"] == options
    assert (by_name["cnn/pooling"]["batch_size"], by_name["cnn/pooling"]["epochs"]) == (256, 100)
    assert by_name["cnn/pooling"]["published"]["seconds_per_epoch"] == "147"


def test_one_recipe_is_shown_layer_by_layer(cli):
    document = json.loads(cli("recipes", "cnn/pooling", "--json").out)
    assert document["parameters"] == sum(row["parameters"] for row in document["layers"]) == 114_502
    assert [row["kind"] for row in document["layers"]][:3] == ["Conv2D", "Dropout", "MaxPooling2D"]
    assert document["layers"][-1]["output"] == [10]
    shown = cli("recipes", "cnn/pooling").out
    assert "parameters  114,502" in shown
    assert "batch 256, 100 epochs" in shown


def test_a_stack_is_drawn_as_boxes(cli):
    lines = cli("recipes", "cnn/striding").out.splitlines()
    boxes = [line for line in lines if line.startswith("│")]
    rows = json.loads(cli("recipes", "cnn/striding", "--json").out)["layers"]
    assert boxes[0].split() == ["│", "input", "28×28×1", "│"]
    assert [line.split()[2] for line in boxes[1:]] == [row["kind"] for row in rows]
    assert boxes[1].endswith("  30 filters of 5×5, stride 2, same, relu  14×14×30 │")
    assert [row["inputs"] for row in rows] == [[], *([row["name"]] for row in rows[:-1])]


def test_a_model_with_branches_is_drawn_as_a_graph(cli, model_file):
    lines = cli("recipes", f"{model_file}:branches").out.splitlines()
    start = lines.index("●   x      InputLayer           4")
    assert lines[start + 1 : start + 4] == [
        "├─╮",
        "│ ● left   Dense       2 units  2  ← x  → output",
        "●   right  Dense       2 units  2  ← x  → output",
    ]


def test_the_table_says_what_each_layer_takes_and_returns(cli):
    lines = cli("recipes", "rnn/two-lstm").out.splitlines()
    rows = [re.split(" {2,}", line.strip()) for line in lines if "returns" in line and "│" not in line]
    first, second = ([kind, *rest[:-1]] for _, kind, *rest in rows)
    assert first == ["LSTM", "3 units, tanh, returns each step", "5×1", "5×3"]
    assert second == ["LSTM", "3 units, tanh, returns last step", "5×3", "3"]


def test_a_recipe_is_drawn_into_a_file(cli, refused, here):
    shown = cli("recipes", "functional/autoencoder", "--draw", "model.svg")
    assert shown.out.splitlines()[-1] == "drawn       model.svg"
    drawn = (here / "model.svg").read_text()
    for text in ("functional/autoencoder: 404,244 parameters", "mean  Dense", "784 units, sigmoid", "decoder"):
        assert f"<!-- {text} -->" in drawn
    assert "name its recipe" in refused("recipes", "--draw", "model.png")
    assert "model.txt: expected a file name with .png" in refused("recipes", "cnn/simple", "--draw", "model.txt")


FIGURES = {
    "backend": "jax",
    "dataset": "mnist",
    "samples": 60_000,
    "epochs": 5,
    "seconds_per_epoch": 2.5,
    "metric": "val_accuracy",
    "value": 0.98,
    "best": 0.98,
    "processor": "a processor",
    "cores": 2,
    "device": "cpu",
}


@pytest.mark.one_environment
def test_what_we_measured_stands_under_what_is_published(cli, monkeypatch):
    monkeypatch.setattr(measured, "figures", lambda: {"cnn/simple": FIGURES})
    lines = cli("recipes", "cnn/simple").out.splitlines()
    (place,) = (place for place, line in enumerate(lines) if line.startswith("published "))
    assert lines[place] == "published   val. accuracy 0.9862 after 100 epochs, 66 s an epoch"
    assert lines[place + 1] == (
        "ours        val. accuracy 0.98 after 5 epochs of mnist (60,000 samples), 2.5 s an epoch, jax, "
        "2 cores of a processor"
    )
    assert "ours " not in cli("recipes", "cnn/bigger").out
    assert json.loads(cli("recipes", "cnn/simple", "--json").out)["measured"] == FIGURES
    by_name = {row["name"]: row["measured"] for row in json.loads(cli("recipes", "--json").out)["recipes"]}
    assert {name for name, figures in by_name.items() if figures} == {"cnn/simple"}


def test_no_figures_are_shown_for_other_options(cli, monkeypatch):
    monkeypatch.setattr(measured, "figures", lambda: {"cnn/simple": FIGURES})
    shown = cli("recipes", "cnn/simple", "--set", "filters=4").out
    assert "published" not in shown
    assert "ours " not in shown


def test_set_changes_the_model_that_is_shown(cli):
    document = json.loads(cli("recipes", "rnn/lstm", "--set", "units=4", "--set", "window=5", "--json").out)
    assert document["parameters"] == 4 * ((1 + 4 + 1) * 4) + 5
    assert "published" not in cli("recipes", "rnn/lstm", "--set", "units=4").out


def test_a_model_of_ones_own_is_shown_the_same_way(cli, model_file):
    document = json.loads(cli("recipes", f"{model_file}:build", "--set", "units=2", "--json").out)
    assert (document["summary"], document["parameters"]) == ("A model of one layer.", 784 * 2 + 2)
    assert "yours, by --data" in cli("recipes", f"{model_file}:build").out


@pytest.mark.parametrize(
    ("name", "near"), [("cnn/strding", "'cnn/striding'"), ("cnn/pool", "'cnn/pooling'"), ("lstm", "'rnn/lstm'")]
)
def test_an_unknown_recipe_is_refused_with_the_nearest_names(refused, name, near):
    for command in ("recipes", "train"):
        line = refused(command, name)
        assert line.startswith(f"trivium: unknown recipe '{name}'; did you mean ")
        assert near in line
        assert "`trivium recipes` lists them all" in line


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["unit=4"], "cnn/striding has no option 'unit'"),
        (["dropuot=0.5"], "did you mean 'dropout'?"),
        (["dropout"], "--set dropout: expected NAME=VALUE, such as --set units=64"),
        (["dropout=2"], "cnn/striding(dropout=2) cannot be built"),
        (["filters=[30]"], "cnn/striding(filters=(30,)) cannot be built"),
        (["filters=many"], "cnn/striding(filters='many') cannot be built"),
    ],
)
def test_an_option_that_the_recipe_does_not_take_is_refused(refused, assignments, message):
    flags = [part for assignment in assignments for part in ("--set", assignment)]
    assert message in refused("recipes", "cnn/striding", *flags)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch.py:build", "nosuch.py: no such file; a model of your own is named path/to/file.py:function"),
        ("my_model.py:biuld", "has no function 'biuld'; did you mean 'build'?"),
        ("my_model.py", "has no function ''"),
        ("my_model.py:needs", "needs a value for units: add --set units="),
        ("my_model.py:no_model", "returned int, expected a keras.Model"),
        ("my_model.py:open_ended", "begin it with keras.Input(shape)"),
    ],
)
def test_an_invalid_model_of_ones_own_is_refused(refused, model_file, monkeypatch, name, message):
    monkeypatch.chdir(model_file.parent)
    assert message in refused("recipes", name)


@pytest.mark.parametrize("text", ["raise OSError('broken here')", "def build(:", "import nosuch_module"])
def test_a_file_that_cannot_be_imported_is_refused_with_its_reason(refused, tmp_path, text):
    path = tmp_path / "broken.py"
    path.write_text(text)
    line = refused("recipes", f"{path}:build")
    assert line.startswith(f"trivium: {path}: ")
    assert any(word in line for word in ("OSError: broken here", "SyntaxError", "No module named 'nosuch_module'"))
