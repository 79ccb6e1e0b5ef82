"""What a tracker is told of a run, and by what it recognises the run."""

import json
import shutil

import pytest
from written_runs import write_run

from trivium.engine.runs.run_record import read_record
from trivium.engine.tracking.description import describe, identity_of

pytestmark = pytest.mark.plain


def test_parameters_are_recipe_settings_data_and_versions_and_no_paths(run):
    parameters = describe(read_record(run), "mine").parameters
    assert parameters == {
        "recipe": "dense/small",
        "options.units": 8,
        "options.filters": "[4, 2]",
        "epochs": 3,
        "seed": 5,
        "plan": "loop",
        "data.name": "digits",
        "data.checksum": "c0ffee",
        "data.train": 60,
        "data.test": 10,
        "backend": "jax",
        "versions.keras": "3.15.1",
    }
    assert "/home/me" not in json.dumps(parameters)


def test_a_run_is_recognised_after_it_was_moved_or_resumed(run, tmp_path):
    record = read_record(run)
    shutil.move(run, tmp_path / "elsewhere")
    longer = {**record, "settings": {**record["settings"], "epochs": 9}, "state": "running"}
    assert identity_of(read_record(tmp_path / "elsewhere")) == identity_of(longer) == identity_of(record)
    assert len(identity_of(record)) == 32


@pytest.mark.parametrize("change", [{"id": "another"}, {"dataset": {"checksum": "dec0de"}}, {"recipe": "cnn/pooling"}])
def test_another_run_is_not_taken_for_it(run, change):
    record = read_record(run)
    assert identity_of({**record, **change}) != identity_of(record)


def test_runs_of_earlier_versions_have_an_identity_too(tmp_path):
    runs = [write_run(tmp_path / str(seconds), id=None, timings={"epochs": [seconds]}) for seconds in (0.5, 0.25)]
    first, second = (identity_of(read_record(folder)) for folder in runs)
    assert first != second
    assert first == identity_of(read_record(runs[0]))


@pytest.mark.parametrize("damage", [{"settings": {"options": 3}}, {"dataset": [], "environment": "x"}, {"id": [1]}])
def test_a_record_may_hold_anything(run, damage):
    assert describe({**read_record(run), **damage}, "strange").identity
