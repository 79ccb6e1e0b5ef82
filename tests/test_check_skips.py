"""A test that is skipped in every environment fails the suite."""

import json

import check_skips
import pytest

pytestmark = pytest.mark.plain


def written(folder, **environments):
    for name, outcomes in environments.items():
        (folder / f"{name}.json").write_text(json.dumps(outcomes))
    return folder


def test_a_skip_that_another_environment_makes_up_for_is_no_fault(tmp_path, capsys):
    folder = written(tmp_path, jax={"a": "needs onnx", "b": "passed"}, torch={"a": "passed"})
    assert check_skips.main(folder) == 0
    assert "0 skipped everywhere" in capsys.readouterr().out


def test_a_test_that_ran_nowhere_fails_and_is_named(tmp_path, capsys):
    folder = written(tmp_path, jax={"a": "needs onnx", "b": "passed"}, torch={"a": "needs onnx"})
    assert check_skips.main(folder) == 1
    assert "NEVER RUN  a: needs onnx" in capsys.readouterr().out


def test_what_a_machine_lacks_is_explained(tmp_path):
    assert check_skips.main(written(tmp_path, jax={"a": "two devices need two cores"})) == 0


def test_no_outcomes_at_all_are_a_fault(tmp_path):
    assert check_skips.main(tmp_path) == 1
