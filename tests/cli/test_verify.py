"""`trivium verify`: the verdict, the table and the exit code."""

import json
from pathlib import Path

import pytest

from trivium.backends import catalog

PLANTED = Path(__file__).parents[1] / "helpers" / "planted.py"
NAMES = [backend.name for backend in catalog.trainers()]


def test_its_help_has_an_example(cli):
    shown = cli("verify", "--help")
    assert shown.code == 0
    assert "trivium verify cnn/striding --backends jax,torch --steps 20" in shown.out


def test_what_cannot_be_verified_is_refused(refused, backend, others, not_installed):
    assert "unknown backend 'nosuch'" in refused("verify", "dense/small", "--backends", "nosuch,jax")
    not_installed(*others)
    line = refused("verify", "dense/small")
    assert f"received {backend.name} alone" in line
    assert "pip install 'trivium[" in line


@pytest.mark.several_backends
def test_an_unknown_source_is_refused(refused):
    assert "'nosuch' is no recipe, no bundle and no run folder" in refused("verify", "nosuch")
    assert "steps must be 1 or more" in refused("verify", "dense/small", "--steps", "0")
    assert "dense/small has no option 'width'" in refused("verify", "dense/small", "--set", "width=3")


@pytest.mark.several_backends
def test_a_recipe_that_is_the_same_everywhere(cli):
    shown = cli("verify", "dense/small", "--steps", "2", "--set", "units=8", "--batch-size", "16")
    assert shown.code == 0
    assert f"dense/small: the same on {', '.join(NAMES[:-1])} and {NAMES[-1]}" in shown.out
    for what in ("initial weights", "forward pass", "gradients", "weights after 1 step", "loss curve"):
        assert any(line.strip().startswith(what) for line in shown.out.splitlines()), what
    assert "✗" not in shown.out


@pytest.mark.several_backends
def test_a_bug_ends_with_exit_code_1_and_its_place(cli):
    shown = cli("verify", f"{PLANTED}:transposed", "--steps", "1", "--backends", f"{NAMES[0]},{NAMES[-1]}")
    assert shown.code == 1
    (failed, *_) = (line for line in shown.out.splitlines() if line.strip().startswith("✗"))
    assert failed.split()[1:5] == ["forward", "pass", NAMES[0], NAMES[-1]]
    assert "layer culprit" in failed
    assert "different: forward pass, layer culprit at" in shown.out


@pytest.mark.several_backends
def test_as_json_it_has_what_other_tools_read(cli):
    shown = cli("verify", f"{PLANTED}:momentum", "--steps", "1", "--json")
    assert shown.code == 1
    report = json.loads(shown.out)
    assert (report["schema"], report["verdict"], report["backends"]) == (1, "different", NAMES)
    assert {"what", "backends", "difference", "tolerance", "where"} <= set(report["checks"][0])
    failed = [check for check in report["checks"] if not check["passed"]]
    assert failed[0]["what"] == "weights after 1 step"
    assert "culprit/moving_" in failed[0]["where"]
    assert failed[0]["difference"] > failed[0]["tolerance"]
