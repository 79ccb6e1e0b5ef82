"""Folders of pictures on the command line: their sizes, broken files, previews, and predictions of any size."""

import json

import numpy as np
import pytest
from drawn_pictures import MODELS, write_photos, write_scenes
from PIL import Image

pytestmark = pytest.mark.one_environment


@pytest.fixture
def project(here):
    (here / "mine.py").write_text(MODELS)
    write_photos(here / "photos")
    return here


SIZED = ["--data", "photos", "--size", "12x12", "--fit", "crop"]


def test_mixed_sizes_are_refused_with_the_option_that_helps(project, refused):
    line = refused("data", "photos")
    assert "photos/blue/03.png has 17x27 pixels (height x width), photos/blue/01.png has 15x29: " in line
    assert line.endswith("bring them to one size, such as --size 15x29")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "big"], "--size big: expected height x width in pixels, such as 64x48"),
        (["--size", "8", "--fit", "stretch"], "--fit stretch: expected resize, crop, pad"),
        (["--fit", "crop"], "--fit crop says how pictures are brought to a size: add --size 64x64"),
    ],
)
def test_wrong_sizes_are_refused(project, refused, options, message):
    assert message in refused("data", "photos", *options)


def test_pictures_that_cannot_be_read_are_left_out_and_said_once(project, cli, refused):
    for number in (3, 5):
        (project / "photos/blue" / f"{number:02}.png").write_text("no picture")
    line = refused("data", "photos", "--size", "12")
    assert "photos: 2 of 24 pictures cannot be read: blue/03.png, blue/05.png (" in line
    assert line.endswith("replace them, or leave them out by --skip-broken")
    note = "2 of 24 pictures cannot be read and are left out: blue/03.png, blue/05.png."
    assert f"note        {note}" in " ".join(cli("data", "photos", "--size", "12", "--skip-broken").out.split("\n"))
    assert json.loads(cli("data", "photos", "--size", "12", "--skip-broken", "--json").out)["notes"] == [note]
    shown = cli("train", "mine.py:photo", *SIZED, "--skip-broken", "--epochs", "1", "--out", "run")
    assert shown.code == 0
    assert shown.err.count(note) == 1
    assert json.loads((project / "run/run.json").read_text())["dataset"]["notes"] == [note]


def test_a_picture_of_any_size_is_predicted_as_the_training_prepared_it(project, cli):
    options = ["--epochs", "40", "--learning-rate", "0.2"]
    assert cli("train", "mine.py:photo", *SIZED, *options, "--out", "run").code == 0
    assert json.loads((project / "run/run.json").read_text())["dataset"]["name"] == "photos:size=12x12:fit=crop"
    assert json.loads(cli("evaluate", "run", "--json").out)["metrics"]["accuracy"] == 1
    assert json.loads(cli("evaluate", "run", "--data", "photos", "--json").out)["metrics"]["accuracy"] == 1
    assert "the model takes (12, 12, 3)" in cli("evaluate", "run", "--data", "photos", "--size", "10").err
    for name, colour in (("red", (190, 0, 0)), ("blue", (0, 0, 190))):
        # Green at both ends, which the crop cuts off.
        wide = np.zeros((40, 120, 3), "uint8")
        wide[..., 1] = 255
        wide[:, 40:80] = colour
        Image.fromarray(wide).save(project / f"{name}.jpg", quality=95)
        Image.new("RGB", (12, 12), colour).save(project / f"small {name}.png")
        rows = json.loads(cli("predict", "run", f"{name}.jpg", f"small {name}.png", "--json").out)["predictions"]
        assert [row["prediction"]["label"] for row in rows] == [name, name]
        first, second = (row["prediction"]["probability"] for row in rows)
        assert first == pytest.approx(second, abs=0.02)


def test_masks_are_summarized_previewed_and_predicted(project, cli):
    write_scenes(project / "scenes")
    summary = json.loads(cli("data", "scenes", "--json").out)
    assert summary["labels"] == ["0", "1", "7"]
    assert summary["splits"]["train"]["target_shape"] == [10, 12]
    assert sum(summary["splits"]["train"]["classes"].values()) == 16 * 120
    shown = cli("data", "scenes", "--preview", "scenes.png")
    assert "pixels of" in shown.out
    drawn = np.asarray(Image.open(project / "scenes.png").convert("RGB")).astype(int)
    red, blue = (np.argwhere((np.abs(drawn - colour) < 12).all(-1)) for colour in ((220, 0, 0), (0, 114, 178)))
    assert len(red) > 500
    assert red[:, 0].max() < blue[:, 0].min() + 60, "the masks stand below the pictures"
    assert cli("train", "mine.py:softmax", "--data", "scenes", "--epochs", "1", "--out", "run").code == 0
    assert (project / "run/masks.png").is_file()
    shown = cli("predict", "run", "scenes/images/00.png")
    assert shown.code == 0
    assert "%" in shown.out
    row = json.loads(cli("predict", "run", "scenes/images/00.png", "--json").out)["predictions"][0]
    assert np.shape(row["prediction"]["classes"]) == (10, 12)


def test_pictures_in_their_files_are_trained_evaluated_and_refused_where_one_breaks(project, cli, refused):
    name = "photos:stored=yes:size=12x12"
    run = json.loads(cli("train", "mine.py:photo", "--data", name, "--epochs", "1", "--out", "run", "--json").out)
    again = json.loads(cli("evaluate", "run", "--json").out)["metrics"]
    assert run["dataset"]["name"] == name
    assert run["evaluation"] == pytest.approx(again, rel=1e-6)
    (project / "photos/blue/03.png").write_text("no picture")
    assert "1 of 24 pictures cannot be read: blue/03.png" in refused("evaluate", "run")


@pytest.mark.parametrize(("colour", "expected"), [((200, 30, 30), (200, 30, 30)), (60, (60, 60, 60))])
def test_a_preview_shows_pictures_as_they_look(project, cli, colour, expected):
    for name in ("a", "b"):
        for number in range(8):
            (project / "wide" / name).mkdir(parents=True, exist_ok=True)
            mode = "RGB" if isinstance(colour, tuple) else "L"
            Image.new(mode, (40, 20), colour).save(project / "wide" / name / f"{number}.png")
    cli("data", "wide", "--preview", "wide.png")
    drawn = np.asarray(Image.open(project / "wide.png").convert("RGB")).astype(int)
    is_drawn = (np.abs(drawn - expected) <= 2).all(-1)
    rows = np.flatnonzero(is_drawn.sum(1) > 100)
    columns = np.flatnonzero(is_drawn[rows[5]])
    height, width = (np.flatnonzero(np.diff(places) > 1)[0] + 1 for places in (rows, columns))
    assert width / height == pytest.approx(2, abs=0.1), "not stretched"
