"""Native source is trained as the Keras model is, and a source that is not is found out."""

import json
import sys
from dataclasses import replace

import models_with_details
import numpy as np
import own_layers
import pytest
import written_models as models
from models_for_source import MODELS

from trivium.porting.port import port
from trivium.porting.source_step import SourceStep, step_of

DAILY = {
    *("dense", "conv in groups", "masked recurrent", "lstm", "gru", "batch normalisation", "attention"),
    *("shared layers and nested models", "a residual block with squeeze and excitation", "embedding"),
}


@pytest.fixture(scope="module")
def room(backend):
    return models.room_of(backend)


def every_model():
    for name in MODELS:
        yield pytest.param(name, marks=[] if name in DAILY else [pytest.mark.slow])
    for name in own_layers.NAMES:
        yield pytest.param(f"own: {name}", marks=[] if name in ("tied", "positions", "listed") else [pytest.mark.slow])
    for name in models_with_details.MODELS:
        daily = name in ("a frozen bias", "alpha dropout")
        yield pytest.param(f"detail: {name}", marks=[] if daily else [pytest.mark.slow])


def builder_of(name):
    """Return the function that builds a model of `every_model`."""
    group, _, own_name = name.rpartition(": ")
    models_by_name = {"own": own_layers.models(), "detail": models_with_details.MODELS}.get(group, MODELS)
    return models_by_name[own_name]


def answers_after_step(source, folder, step, monkeypatch):
    """Take the step with the source, in this process."""
    monkeypatch.setitem(sys.modules, "model", models.import_model(folder))
    program = {}
    exec(source.step, program)
    return program["answers_after_step"](step.inputs, step.targets, np.float32(step.rate))


@pytest.mark.parametrize("name", list(every_model()))
def test_a_step_changes_the_answers_as_in_keras(name, backend, room, tmp_path, monkeypatch):
    model = models.build_model(builder_of(name))
    models.randomise(model)
    source = models.write_source(model, room, tmp_path)
    inputs = models.random_inputs(model, 4)
    step = step_of(model, inputs, inputs)
    if isinstance(step, str):
        assert step in ("no weight is trained", "no output is a float") or step.startswith("the outputs have a mask")
        return
    check = step.compare(("keras", backend.name), answers_after_step(source, tmp_path, step, monkeypatch))
    assert check.passed, check
    assert max(abs(after - before).max() for before, after in zip(step.before, step.after, strict=True)) > 0


def test_a_source_that_trains_less_is_found_out(backend, room, tmp_path, monkeypatch):
    model = models.build_model(MODELS["dense"])
    models.randomise(model)
    inputs = models.random_inputs(model, 4)
    model.layers[0].trainable = False
    source = models.write_source(model, room, tmp_path)
    model.layers[0].trainable = True
    step = step_of(model, inputs, inputs)
    assert isinstance(step, SourceStep)
    check = step.compare(("keras", backend.name), answers_after_step(source, tmp_path, step, monkeypatch))
    assert check.difference > 0.01
    assert not check.passed
    assert not replace(check, difference=np.inf).passed


def test_a_port_tells_the_check(saved_runs, backend, room, tmp_path):
    report = port(saved_runs["striding"], f"source:{backend.name}", tmp_path / "source")
    assert [check.what for check in report.training] == ["change of the answers by a training step"]
    assert report.passed
    checks = json.loads((tmp_path / "source" / "port.json").read_text())["checks"]
    (row,) = (row for row in checks if row["what"] == report.training[0].what)
    assert row["passed"]
    assert row["difference"] < row["tolerance"]
