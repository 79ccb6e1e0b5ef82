"""An ill-conditioned model is told apart from a wrong port: by how far the model itself moves by rounding."""

import json
import subprocess
import sys

import numpy as np
import pytest

from trivium.porting import nudges, sensitivity
from trivium.porting.port import port
from trivium.porting.report import (
    DIFFERENT,
    ILL_CONDITIONED,
    SAME,
    PortReport,
    compare_batches,
    find_constant_outputs,
)
from trivium.porting.sensitivity import BATCH_SIZE, COMPANY, INPUTS, UNCHANGED, WEIGHTS, OwnOutputs

# Two samples of two outputs.
EXPECTED = [np.array([[1.0, 0.5], [0.5, 1.0]], "float32"), np.array([[2.0], [1.0]], "float32")]


def shifted(first=0.0, second=0.0, *, output=0):
    """Return the outputs with a number added to each sample of one of them."""
    shift = np.array([[first], [second]], "float32")
    return [array + shift if position == output else array for position, array in enumerate(EXPECTED)]


def compare(received, **changes):
    """Compare outputs with `EXPECTED`; `changes` are the model's own outputs by change."""
    outputs = {UNCHANGED: [EXPECTED], COMPANY: [EXPECTED], **changes}

    def predict_nudged(names):
        return {name: OwnOutputs(1e-6, outputs) for name in names}

    checks = compare_batches(
        "there", {"random": "here"}, {"random": EXPECTED}, {"random": received}, predict_nudged=predict_nudged
    )
    return PortReport("here", "there", None, checks, "host")


@pytest.mark.plain
class TestTheVerdict:
    def test_a_model_that_moves_as_far_as_its_port_is_ill_conditioned(self):
        report = compare(shifted(0.3), **{INPUTS: [shifted(0.01), shifted(-0.2)], WEIGHTS: [shifted(0.1)]})
        assert (report.verdict, report.passed) == (ILL_CONDITIONED, True)
        (check,) = report.checks
        assert not check.passed
        assert check.sensitivity.moves == {INPUTS: pytest.approx(0.2), WEIGHTS: pytest.approx(0.1)}
        assert check.sensitivity.ratio == pytest.approx(1.5)
        for text in (
            "ILL-CONDITIONED",
            "off by 3.0e-01",
            "by 2.0e-01 if its inputs change",
            "by 1e-06 of their values",
        ):
            assert text in report.finding

    @pytest.mark.parametrize(("moved", "verdict"), [(0.11, ILL_CONDITIONED), (0.09, DIFFERENT), (1e-6, DIFFERENT)])
    def test_a_port_that_is_more_than_four_times_as_far_off_is_different(self, moved, verdict):
        report = compare(shifted(0.4), **{WEIGHTS: [shifted(moved)]})
        assert report.verdict == verdict
        assert report.passed == (verdict != DIFFERENT)
        assert f"{moved:.1e} if its weights change" in report.finding

    def test_a_port_within_the_tolerance_is_the_same_however_the_model_moves(self):
        report = compare(shifted(1e-6), **{INPUTS: [shifted(0.5)]})
        assert report.verdict == SAME
        assert report.checks[0].sensitivity is None

    def test_a_sensitive_sample_does_not_excuse_another(self):
        report = compare(shifted(0.3, 0.3), **{INPUTS: [shifted(0.3)]})
        assert report.verdict == DIFFERENT
        assert report.checks[0].sensitivity.sample == 1

    def test_a_sensitive_output_does_not_excuse_another(self):
        received = [shifted(0.3)[0], shifted(0.02, output=1)[1]]
        report = compare(received, **{INPUTS: [shifted(0.3)]})
        assert report.verdict == DIFFERENT
        assert report.checks[0].difference.absolute == pytest.approx(0.02)

    def test_batch_sizes_count_unless_the_model_mixes_samples(self):
        changes = {INPUTS: [EXPECTED], BATCH_SIZE: [shifted(0.3)]}
        assert compare(shifted(0.3), **changes).verdict == ILL_CONDITIONED
        mixing = compare(shifted(0.3), **changes, **{COMPANY: [shifted(0.2)]})
        assert mixing.verdict == DIFFERENT
        assert "by 3.0e-01 if it predicts each sample alone" in mixing.finding

    def test_it_is_written_into_the_report(self):
        report = compare(shifted(0.3), **{INPUTS: [shifted(0.2)]}).to_json()
        assert report["verdict"] == ILL_CONDITIONED
        assert "ILL-CONDITIONED" in report["finding"]
        (check,) = json.loads(json.dumps(report, allow_nan=False))["checks"]
        assert (check["passed"], check["verdict"]) == (False, ILL_CONDITIONED)
        assert check["sensitivity"]["moves"] == {INPUTS: pytest.approx(0.2)}
        assert check["sensitivity"]["largest_ratio"] == sensitivity.MULTIPLE

    def test_a_model_that_becomes_nan_has_no_infinity_in_json(self):
        report = compare(shifted(np.nan), **{INPUTS: [shifted(np.nan)]})
        assert report.verdict == ILL_CONDITIONED
        json.dumps(report.to_json(), allow_nan=False)


@pytest.mark.plain
def test_a_nudge_changes_floats_by_its_size_and_never_the_number_of_a_word():
    values = np.linspace(0.1, 0.9, 100, dtype="float32")
    moved = np.abs(nudges.nudged(values, 1e-6, 0) / values - 1)
    assert 5e-7 < moved.max() < 2e-6
    words = np.arange(1, 100, dtype="float32")
    nudged = nudges.nudged(words, 1e-6, 0)
    assert (nudged > words).any()
    np.testing.assert_array_equal(nudged.astype("int32"), words)
    extremes = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.5]], "float32")
    nudged = nudges.nudged_input(extremes, 1e-6, 0)
    assert nudged[0].max() == pytest.approx(5e-7, rel=0.1)
    assert nudged[1, 0] == 0, "it may be padding"
    assert nudges.nudged_batches([np.arange(3)], 1e-6) == []


@pytest.mark.plain
def test_outputs_that_do_not_depend_on_the_inputs_are_named():
    constant = np.full((2, 1), 0.5, "float32")
    outputs = {"recorded": [EXPECTED[0], constant], "random": [EXPECTED[0], constant + np.float32(1e-7)]}
    assert find_constant_outputs(outputs) == (False, True)
    assert find_constant_outputs({"recorded": [np.full((3, 2), np.nan)], "single": [np.full((1, 2), np.nan)]}) == (
        True,
    )
    (check,) = compare_batches("there", {"random": "here"}, {"random": EXPECTED}, {"random": EXPECTED})
    report = PortReport("here", "there", None, (check,), "host", constant_outputs=(False, True))
    assert report.finding == "the same predictions, but output 2 does not depend on the inputs"
    assert report.to_json()["constant_outputs"] == [1]


# --- small models ---------------------------------------------------------------------------------------------------


def save_model(path, *layers):
    import keras

    keras.utils.set_random_seed(1)
    keras.Sequential([keras.Input((7, 3)), *layers]).save(path)
    return path


def almost_constant(path):
    """Normalise values that differ by rounding alone."""
    from keras import layers

    return save_model(
        path,
        layers.Rescaling(1e-7, offset=1.0),
        layers.LayerNormalization(axis=(1, 2), epsilon=1e-14),
        layers.Flatten(),
        layers.Dense(2),
    )


def test_a_dead_head_is_named(backend, tmp_path):
    from keras import layers

    path = save_model(tmp_path / "dead.keras", layers.Flatten(), layers.Dense(2, kernel_initializer="zeros"))
    report = port(path, backend.name, tmp_path / "out")
    assert report.finding == "the same predictions, but the outputs do not depend on the inputs"
    assert report.artifact.is_file()


def test_a_model_is_measured_with_nudged_layers_and_restored(backend, tmp_path):
    batches = {"random": [np.random.default_rng(0).uniform(-1, 1, (4, 7, 3)).astype("float32")]}
    measured = nudges.predict_nudged(str(almost_constant(tmp_path / "m.keras")), batches)
    outputs = measured["outputs"]["random"]
    (unchanged,) = outputs[UNCHANGED]
    distances = {
        change: max(float(np.abs(changed[0] - unchanged[0]).max()) for changed in repetitions)
        for change, repetitions in outputs.items()
    }
    assert distances[sensitivity.LAYERS] > 0.1
    assert distances[INPUTS] < 1e-3, "the first layer rounds this change away"
    assert distances[WEIGHTS] < 1e-4
    assert measured["nudge"] == pytest.approx(1e-6)
    assert [len(outputs[change]) for change in (INPUTS, WEIGHTS, sensitivity.LAYERS, BATCH_SIZE)] == [3, 3, 3, 1]


@pytest.mark.several_backends
def test_an_ill_conditioned_model_is_ported_to_native_source_with_a_check_that_passes(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    report = port(almost_constant(tmp_path / "m.keras"), "source:jax", tmp_path / "out")
    assert report.verdict == ILL_CONDITIONED, report.finding
    assert json.loads((tmp_path / "out" / "port.json").read_text())["verdict"] == ILL_CONDITIONED
    check = subprocess.run([sys.executable, "-B", "check.py"], cwd=tmp_path / "out", capture_output=True, text=True)
    assert check.returncode == 0, check.stdout


@pytest.mark.several_backends
def test_an_ill_conditioned_model_is_ported_to_another_backend(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    report = port(almost_constant(tmp_path / "m.keras"), "jax", tmp_path / "out")
    assert report.verdict == ILL_CONDITIONED, report.finding
    assert report.artifact.is_file()
    assert report.to_json()["checks"][-1]["verdict"] in (SAME, ILL_CONDITIONED)


def test_an_ill_conditioned_module_of_pytorch_is_rebuilt(tmp_path):
    torch = pytest.importorskip("torch")
    from trivium.porting.to_keras import port_from_torch

    class Normalising(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.last = torch.nn.InstanceNorm1d(3, eps=1e-14), torch.nn.Linear(21, 2)

        def forward(self, x):
            return self.last(self.norm(x).flatten(1))

    torch.manual_seed(0)
    report = port_from_torch(Normalising(), (torch.randn(8, 3, 7),), tmp_path / "net.keras")
    verdicts = {check.inputs: check.verdict for check in report.checks}
    assert verdicts == {"recorded": SAME, "random": SAME, "single": SAME, "extreme": ILL_CONDITIONED}
    assert report.artifact.is_file()
