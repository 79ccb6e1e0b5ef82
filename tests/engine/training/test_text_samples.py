"""Texts that a text model writes while it trains: they change nothing, and a resumed run goes on with them."""

import numpy as np
import pytest

import trivium
from trivium.backends import runtime
from trivium.data.dataset import Dataset, Split
from trivium.data.sources.text import to_codes
from trivium.engine.training.sample_settings import SampleSettings
from trivium.errors import OptionError

pytestmark = pytest.mark.one_environment

TEXT = "the cat sat on the mat.\nepoch 9\n— 日本 😀 too!\r\nA second line; " * 8
WORDS = {"window": 4, "units": 4, "dropout": 0.3, "vocabulary": 12}


def train(recipe="text/words", **settings):
    codes = to_codes(TEXT)
    data = Dataset("text:test", Split(codes, codes), None, (), "made here")
    options = WORDS if recipe == "text/words" else {"window": 6, "units": 5}
    return trivium.train(recipe, data, **{"batch_size": 16, "epochs": 3, "options": options, **settings})


def plans_of_this_backend():
    """Return the names of the plans that need no compiler of C++."""
    run = train(epochs=1)
    return ["fit", *(plan.name for plan in runtime.current().plans(run.model, 100) if plan.name != "compiled")]


def texts(folder):
    return (folder / "samples.txt").read_bytes().decode()


def test_the_weights_are_the_same_with_and_without_by_every_plan(backend, tmp_path):
    plans = plans_of_this_backend()
    assert len(plans) > 1
    for plan in plans:
        without = train(plan=plan, out=tmp_path / f"{plan}-without")
        samples = {"length": 5, "temperatures": [0, 1.5]}
        run = train(plan=plan, out=tmp_path / plan, samples=samples)
        assert run.history.epochs == without.history.epochs, plan
        for one, other in zip(run.model.get_weights(), without.model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other, plan)
        assert texts(tmp_path / plan).count("temperature 1.5") == 3, plan
        assert not (tmp_path / f"{plan}-without/samples.txt").exists()


def test_each_epoch_has_a_text_of_each_temperature(backend, tmp_path):
    train("text/letters", out=tmp_path / "run", samples={"every": 2, "length": 30, "temperatures": "0.5+1"})
    lines = texts(tmp_path / "run").split("\n")
    assert [line for line in lines if line[:1].strip()] == ["epoch 2", "epoch 3"], "every second one, and the last"
    assert [line.strip() for line in lines].count("temperature 0.5") == 2
    text = texts(tmp_path / "run")
    start = text.index("  continued\n    ") + len("  continued\n    ")
    assert text[start : start + 6] in TEXT, "a window of the training text"
    assert set(text) <= set(TEXT) | set("epoch continued temperature 0123456789.\n")


def test_a_resumed_run_writes_the_texts_of_an_unbroken_one(backend, tmp_path):
    samples = {"length": 12}
    train("text/letters", out=tmp_path / "whole", samples=samples)
    train("text/letters", out=tmp_path / "parts", samples=samples, epochs=1)
    with (tmp_path / "parts/samples.txt").open("a", newline="") as file:  # of an epoch without a checkpoint
        file.write("epoch 2\n  continued\n    cut sh")
    train("text/letters", out=tmp_path / "parts", samples=samples, resume=True)
    assert texts(tmp_path / "parts") == texts(tmp_path / "whole")
    assert texts(tmp_path / "whole").count("epoch 3\n") == 1


def test_samples_are_of_text_models_with_a_folder(backend, tmp_path):
    with pytest.raises(OptionError, match="`samples` are written into the folder of the run: add `out`"):
        train(samples={})
    with pytest.raises(OptionError, match="`samples` are texts, and rnn/lstm is no text model: leave it out"):
        trivium.train("rnn/lstm", "waves:0:60", epochs=1, samples={}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evry": 2}, "`samples`: .*evry"),
        ({"every": 0}, "every must be a whole number of 1 or more, received 0"),
        ({"length": 2.5}, "length must be a whole number of 1 or more, received 2.5"),
        ({"temperatures": "0.5+warm"}, "such as 0.5[+]1[+]1.5, received '0.5[+]warm'"),
        ({"temperatures": [-1]}, "temperatures must be numbers of 0 or more"),
        ({"temperatures": []}, "temperatures must be numbers of 0 or more"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(OptionError, match=message):
        SampleSettings.of(settings)


def test_temperatures_are_one_or_several():
    assert SampleSettings.of({"temperatures": 1}).temperatures == (1.0,)
    assert SampleSettings.of({"temperatures": (0.5, 2)}).temperatures == (0.5, 2.0)
    assert SampleSettings.of({}) == SampleSettings(1, (0.5, 1.0, 1.5), 200)
