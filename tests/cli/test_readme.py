"""What the README says about a model and data of one's own is run as it stands there, on small data."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import trivium

pytestmark = pytest.mark.one_environment

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("### A model and data of your own")[2].partition("### Fine-tuning")[0]
COMMANDS = re.findall(r"trivium (.+?)(?:\s+# .*)?\n", SECTION.partition("<!-- own data")[2].partition("<!-- end")[0])
MODEL, TRAINING = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
# The others take the same ways through the code as the tests of their kind of data.
DAILY = ("data my_data.npz", "train tabular/mlp")

BATCHES = """
import numpy as np

def batches():
    generator = np.random.default_rng(0)
    while True:
        x = generator.normal(size=(16, 8)).astype("float32")
        yield x, (x[:, 0] > 0).astype("int64")
"""


def samples(count=60):
    x = np.random.default_rng(0).normal(size=(count, 8)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64")


@pytest.fixture
def files(here):
    """The files that the commands name."""
    (here / "my_model.py").write_text(MODEL)
    (here / "my_data.py").write_text(BATCHES)
    x, y = samples()
    np.savez("my_data.npz", x_train=x, y_train=y)
    for folder in ("big", "photos/cat", "photos/dog"):
        (here / folder).mkdir(parents=True)
    np.save("big/x_train.npy", x)
    np.save("big/y_train.npy", y)
    for number in range(20):
        picture = np.random.default_rng(number).integers(0, 256, (30 + number, 40, 3), "uint8")
        Image.fromarray(picture).save(f"photos/{'cat' if number % 2 else 'dog'}/{number}.png")
    houses = [f"{40 + n},{'Bonn' if n % 3 else 'Rom'},2024-01-{1 + n % 28:02},{2 * n}.5" for n in range(60)]
    reviews = [f'"Film {n} is {"good" if n % 2 else "bad"}, I think.",{"yes" if n % 2 else "no"}' for n in range(60)]
    sales = [f"2024-{1 + n // 28:02}-{1 + n % 28:02},{np.sin(n / 3):.3f}" for n in range(84)]
    for name, lines in (
        ("houses.csv", ["size,town,sold,price", *houses]),
        ("reviews.csv", ["review,liked", *reviews]),
        ("sales.csv", ["day,sales", *sales]),
    ):
        (here / name).write_text("\n".join(lines) + "\n")
    return here


def marked(command):
    return command if command.startswith(DAILY) else pytest.param(command, marks=pytest.mark.slow)


@pytest.mark.parametrize("command", [marked(command) for command in COMMANDS])
def test_a_command_of_the_readme_does_what_it_says(cli, files, command):
    is_training = command.startswith("train ")
    shown = cli(*shlex.split(command), *(["--epochs", "1", "--out", "run"] if is_training else []))
    assert shown.code == 0, shown.err
    assert (files / "run/bundle.trivium").is_file() == is_training


@pytest.mark.slow
def test_the_training_of_the_readme_runs_from_python(backend, here):
    import keras

    x, y = samples()
    names = {"x": x, "y": y, "x_val": x + 0.1, "y_val": y, "trivium": trivium, "keras": keras}
    exec(MODEL + TRAINING, names)
    assert names["run"].history["val_accuracy"][-1] > 0.8
    assert names["run"].settings["optimizer"]["class"] == "AdamW"


def test_every_kind_of_data_has_a_command():
    named = {command.partition(" --data ")[2].partition(" ")[0] for command in COMMANDS if "--data" in command}
    assert named == {
        "my_data.npz",
        "photos",
        "big",
        "houses.csv",
        "reviews.csv",
        "sales.csv",
        "my_data.py:batches",
    }
