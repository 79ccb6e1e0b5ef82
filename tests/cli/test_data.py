"""`trivium data`: the summary of a dataset agrees with the data."""

import json

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.one_environment


def test_json_tells_splits_and_classes(cli):
    summary = json.loads(cli("data", "mnist:sample", "--json").out)
    assert summary["splits"]["train"]["samples"] == 5000
    assert summary["splits"]["test"]["shape"] == [28, 28]
    assert sum(summary["splits"]["train"]["classes"].values()) == 5000


def test_a_table_is_shown_and_a_picture_drawn(cli, tmp_path):
    shown = cli("data", "moons:50", "--preview", str(tmp_path / "moons.png"))
    assert shown.code == 0
    assert "-" in shown.out
    assert "scikit-learn" in shown.out
    assert (tmp_path / "moons.png").stat().st_size > 5_000


def test_drawings_are_previewed_as_a_grid(cli, tmp_path):
    shown = cli("data", "shapes", "--preview", str(tmp_path / "shapes.png"))
    assert shown.code == 0
    assert "three lines" in shown.out
    picture = np.asarray(Image.open(tmp_path / "shapes.png").convert("L"))
    # Black images with white lines, on a white page: in each of the ten columns between its first and last black pixel.
    for part in np.array_split(picture, 10, axis=1):
        rows = part[:, part.shape[1] // 2 - 20 : part.shape[1] // 2 + 20]
        black = np.flatnonzero((rows < 128).all(1))
        assert len(black) > 100
        assert (rows[black[0] : black[-1]] > 200).any()


def test_likely_mistakes_are_reported(cli, tmp_path):
    x, y = np.linspace(0, 1, 40).reshape(20, 2), np.arange(20) % 2
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=2 * x - 1, y_test=y + 1)
    warnings = json.loads(cli("data", tmp_path / "d.npz", "--json").out)["warnings"]
    assert [warning.partition(":")[0] for warning in warnings] == [
        "The training part has no sample of 2; they are evaluated on, but not learned.",
        "The test part has no sample of 0; they are learned, but not tested.",
        "The splits are on different scales",
    ]
    shown = " ".join(cli("data", tmp_path / "d.npz").out.split())
    assert all(warning in shown for warning in warnings)


def test_without_a_name_the_sets_are_listed(cli):
    assert "mnist" in json.loads(cli("data", "--json").out)["datasets"]
    assert "waves" in cli("data").out.split()


@pytest.mark.parametrize("name", ["minst", "nosuch.npz", "nosuch.csv"])
def test_data_that_are_not_there_are_refused(refused, name):
    assert name in refused("data", name)


def test_an_augmented_preview_is_a_picture(cli, here):
    cli("data", "mnist:sample", "--augment", "rotation=10,shift=0.1", "--preview", "changed.png")
    assert (here / "changed.png").stat().st_size > 10_000


def test_augmenting_without_a_picture_is_refused(refused):
    assert "add --preview changed.png" in refused("data", "mnist:sample", "--augment", "rotation=10")


@pytest.mark.parametrize("how", ["random", "classes", "border", "noisy"])
def test_chosen_pictures_are_drawn(cli, here, how):
    shown = cli("data", "mnist:sample", "--show", how, "--preview", "shown.png")
    assert shown.code == 0, shown
    with Image.open(here / "shown.png") as image:
        assert min(image.size) > 300


def test_one_picture_is_drawn_in_many_changes(cli, refused, here):
    changes = ["--augment", "rotation=20,zoom=0.2", "--preview", "changed.png"]
    assert cli("data", "mnist:sample", "--sample", "3", *changes).code == 0
    with Image.open(here / "changed.png") as image:
        assert min(image.size) > 300
    message = refused("data", "mnist:sample", "--sample", "9000", *changes)
    assert "has no training picture 9000: choose one from 0 to" in message


def test_choices_of_pictures_that_make_no_sense_are_refused(refused):
    assert "--show chooses the pictures of a preview" in refused("data", "mnist:sample", "--show", "random")
    sample = ["--sample", "3", "--preview", "shown.png"]
    assert "--sample is drawn in many changes" in refused("data", "mnist:sample", *sample)


def test_changed_pictures_are_kept_in_a_folder_that_trains(cli, here):
    x = np.zeros((12, 9, 8), "uint8")
    x[:, 2:7, 3] = 200
    np.savez("bars.npz", x_train=x, y_train=np.arange(12) % 2)
    change = ("data", "bars.npz", "--augment", "shift=0.2,brightness=0.5", "--copies", "3", "--seed", "4", "--json")
    summary = json.loads(cli(*change, "--out", "changed").out)
    assert summary["written"] == {"folder": "changed", "pictures": 36}
    assert sorted(path.name for path in (here / "changed" / "1").iterdir())[:4] == [
        *("01-1.png", "01-2.png", "01-3.png", "03-1.png")
    ]
    pictures = [np.asarray(Image.open(path)) for path in sorted((here / "changed").glob("*/*.png"))]
    assert {picture.shape for picture in pictures} == {(9, 8)}
    assert len({picture.tobytes() for picture in pictures}) > 30
    cli(*change, "--out", "again")
    for path in (here / "changed").glob("*/*.png"):
        assert path.read_bytes() == (here / "again" / path.relative_to(here / "changed")).read_bytes()
    read = json.loads(cli("data", "changed", "--test-share", "0", "--json").out)
    assert read["splits"]["train"]["classes"] == {"0": 18, "1": 18}
    assert not [path for path in here.iterdir() if path.name.startswith(".changed")]


def test_a_folder_with_files_and_what_is_no_picture_are_not_written(refused, here):
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("mine")
    augment = ("--augment", "rotation=10", "--out")
    assert "full holds other files: choose another --out, or empty it" in refused(
        "data", "mnist:sample", *augment, "full"
    )
    assert "iris has no pictures to change" in refused("data", "iris", *augment, "new")
    assert "a folder is for (height, width)" in refused("data", "digits", *augment, "new")
    assert "solids has volumes: --augment changes pictures" in refused("data", "solids", *augment, "new")
    assert "has no classes" in refused("data", "digit-images:sample", *augment, "new")
    assert "add --augment rotation=10" in refused("data", "mnist:sample", "--out", "new")
    assert "add --out FOLDER" in refused("data", "mnist:sample", "--copies", "3")
    assert "--copies must be 1 or more, received 0" in refused("data", "mnist:sample", *augment, "new", "--copies", "0")
    assert sorted(path.name for path in here.iterdir()) == ["full"]


def test_curves_and_volumes_are_previewed(cli, here):
    for name in ("waveforms:60", "solids:60"):
        assert cli("data", name, "--preview", "drawn.png").code == 0
        assert (np.asarray(Image.open("drawn.png").convert("L")) < 200).mean() > 0.005
