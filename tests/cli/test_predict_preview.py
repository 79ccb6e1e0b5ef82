"""`trivium predict --preview`: what a model saw of pictures, drawn."""

import json

import numpy as np
import pytest
from photographs import lines, photograph
from PIL import Image

from trivium.engine.prediction.loaded_bundle import load

pytestmark = pytest.mark.one_environment


@pytest.fixture
def digits_on_squared_paper(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photograph("274", printed=lines((400, 760), squared=True), size=(400, 760))).save(path)
    return path


def test_each_digit_of_a_photograph_is_answered_with_its_place_and_drawn(
    cli, saved_runs, digits_on_squared_paper, tmp_path
):
    shown = cli(
        "predict", saved_runs["striding"], digits_on_squared_paper, "--preview", tmp_path / "seen.png", "--json"
    )
    assert shown.code == 0
    rows = json.loads(shown.out)["predictions"]
    assert [row["index"] for row in rows] == [0, 1, 2]
    lefts = [row["box"][0] for row in rows]
    assert lefts == sorted(lefts)
    with Image.open(tmp_path / "seen.png") as drawn:
        assert drawn.height > 3 * 200
        colours = np.asarray(drawn.convert("RGB")).reshape(-1, 3)
    assert (np.abs(colours.astype(int) - (213, 94, 0)).sum(1) < 9).sum() > 100, "the boxes and the bars"
    table = cli("predict", saved_runs["striding"], digits_on_squared_paper)
    assert "place" in table.out
    assert f"{rows[0]['box'][0]},{rows[0]['box'][1]}" in table.out


def test_python_draws_the_same(saved_runs, backend, digits_on_squared_paper, tmp_path):
    load(saved_runs["striding"]).preview([digits_on_squared_paper], tmp_path / "seen.png")
    with Image.open(tmp_path / "seen.png") as drawn:
        assert drawn.height > 3 * 200


@pytest.mark.parametrize("name", ["classes", "seen.txt", "."])
def test_a_file_that_holds_no_figure_is_refused_before_anything_is_computed(
    refused, saved_runs, digits_on_squared_paper, tmp_path, name
):
    message = refused("predict", saved_runs["striding"], digits_on_squared_paper, "--preview", tmp_path / name)
    assert "expected a file name with .png" in message


def test_a_model_that_takes_no_picture_is_refused(refused, saved_runs, tmp_path):
    np.save(tmp_path / "wave.npy", np.zeros((8, 1)))
    message = refused("predict", saved_runs["lstm"], tmp_path / "wave.npy", "--preview", tmp_path / "seen.png")
    assert "--preview draws pictures, and the model of" in message
    assert message.endswith(": leave it out")
