"""`trivium inspect` shows the content of a file; `--trust` names the code that it lets run."""

import json
import re

import pytest

from trivium.engine.inspection import inspect

pytestmark = pytest.mark.one_environment


def test_a_run_is_shown(cli, saved_runs):
    shown = cli("inspect", saved_runs["striding"])
    assert (shown.code, shown.err) == (0, "")
    for words in ("cnn/striding", "114,502", "conv2d", "Conv2D", "finished", "nothing but Keras' own layers"):
        assert words in shown.out


def test_json_is_what_inspect_returns(cli, saved_runs):
    path = saved_runs["lstm"] / "bundle.trivium"
    assert json.loads(cli("inspect", path, "--json").out) == json.loads(json.dumps(inspect(path)))


def test_the_model_of_a_run_or_a_file_is_drawn(cli, saved_runs, here):
    import trivium

    assert "drawn         model.svg" in cli("inspect", saved_runs["striding"], "--draw", "model.svg").out
    drawn = (here / "model.svg").read_text()
    assert "30 filters of 5×5, stride 2, same, relu" in drawn
    bundle = trivium.load(saved_runs["striding"])
    (here / "model.keras").write_bytes(bundle.keras_file)
    trivium.draw_model(here / "model.keras", "again.svg", title="again")
    trivium.draw_model(bundle.model, "third.svg", title="again")
    texts = [re.findall("<!-- (.*?) -->", (here / name).read_text()) for name in ("again.svg", "third.svg")]
    assert texts[0] == texts[1]
    assert texts[0][0] == "again"


def test_names_in_a_file_cannot_command_the_terminal(cli, here):
    layers = [{"class_name": "Dense\x1b[2J", "module": "x", "config": {"name": "a\x1b]0;evil\x07b"}}]
    (here / "m.json").write_text(json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))
    shown = cli("inspect", "m.json")
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert "\x07" not in shown.out
    assert "would run" in shown.out


def test_an_unknown_format_is_refused_in_one_line(refused, here):
    (here / "x.bin").write_text("nothing")
    assert "x.bin has an unknown format" in refused("inspect", "x.bin")


@pytest.fixture
def with_lambda(saved_runs, tmp_path, backend):
    """A bundle whose model has a Lambda layer before its own."""
    from dataclasses import replace

    import keras

    from trivium.engine.bundles import bundle as bundles

    original = bundles.load(saved_runs["lstm"])
    inner = original.model
    inputs = keras.Input(tuple(inner.inputs[0].shape)[1:])
    model = keras.Model(inputs, inner(keras.layers.Lambda(lambda x: x * 1, name="once")(inputs)))
    model.compile(optimizer="sgd", loss="mse")
    path = tmp_path / "lambda.trivium"
    replace(original, keras_file=bundles.keras_bytes(model)).save(path)
    return path


def test_a_model_that_brings_code_is_refused_until_it_is_trusted(cli, refused, with_lambda):
    assert "the code of a Lambda (layer 'once')" in cli("inspect", with_lambda).out
    message = refused("evaluate", with_lambda)
    assert "would run the code of a Lambda (layer 'once')" in message
    assert "use --trust if you trust whoever made it" in message
    done = cli("evaluate", with_lambda, "--trust", "--json")
    assert done.code == 0
    assert "trivium: trusted: the model in the bundle runs the code of a Lambda (layer 'once')" in done.err
    assert json.loads(done.out)["metrics"]["loss"] > 0
