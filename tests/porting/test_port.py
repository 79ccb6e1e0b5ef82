"""A port is written only after the target has been shown to predict the same."""

import json
import zipfile

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.verification import parity
from trivium.errors import BundleError, PortError, TriviumError
from trivium.porting.port import port


def altered_bundle(path, **fields):
    bundle = bundles.load(path)
    return Bundle(**{**{name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}, **fields})


@pytest.fixture(scope="module")
def ported(saved_runs, backend, tmp_path_factory):
    """Return the report of a bundle's port to its own backend; shared, since a port takes seconds."""
    return port(saved_runs["lstm"], backend.name, tmp_path_factory.mktemp("ported") / "again.trivium")


def test_a_port_is_verified_on_recorded_random_single_and_extreme_inputs(ported):
    report = ported
    assert report.passed
    assert [check.inputs for check in report.checks] == ["recorded", "random", "single", "extreme"]
    assert [check.difference.samples for check in report.checks] == [32, 33, 1, 3]
    assert report.largest.relative <= parity.tolerance("float32")


def test_a_port_is_verified_on_gradients_and_one_more_training_step(saved_runs, backend, tmp_path):
    report = port(saved_runs["striding"], backend.name, tmp_path / "again.trivium")
    named = {check["what"] for check in report.to_json()["checks"]}
    assert named > {"loss", "gradients", "weights after one more step", "optimizer state after one more step: velocity"}
    assert all(check.passed for check in report.training)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_plain_model_file_is_ported_to_one_of_this_backend(backend, tmp_path, ending, shared_worker):
    import keras

    layers = [keras.Input((4,), name="numbers"), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    model.save(tmp_path / f"net{ending}")
    report = port(tmp_path / f"net{ending}", backend.name)
    assert report.passed
    assert (report.source, report.host) == ("keras", backend.name)
    assert report.artifact == tmp_path / f"net-{backend.name}" / "model.keras"
    again = keras.saving.load_model(report.artifact)
    for mine, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    note = json.loads((report.artifact.parent / "port.json").read_text())
    assert (note["artifact"], note["target"], note["verdict"]) == ("model.keras", backend.name, "same")


def test_a_missing_model_file_is_refused(tmp_path, backend):
    with pytest.raises(BundleError, match="no model file at"):
        port(tmp_path / "net.keras", backend.name)


def test_a_damaged_model_file_is_refused(tmp_path, backend):
    (tmp_path / "net.keras").write_bytes(b"PK but no more")
    with pytest.raises(TriviumError, match=r"net\.keras"):
        port(tmp_path / "net.keras", backend.name)


def test_the_ported_bundle_records_its_port(saved_runs, backend, ported):
    bundle = bundles.load(ported.artifact)
    assert bundle.run["ported"][0]["source"] == bundle.run["environment"]["backend"] == backend.name
    weights = bundles.load(saved_runs["lstm"]).model.get_weights()
    for mine, theirs in zip(weights, bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_model_with_different_predictions_is_not_ported(saved_runs, backend, tmp_path):
    bundle = bundles.load(saved_runs["lstm"])
    wrong = altered_bundle(saved_runs["lstm"], recorded_outputs=bundle.recorded_outputs + np.float32(1e-3))
    wrong.save(tmp_path / "wrong.trivium")
    report = port(tmp_path / "wrong.trivium", backend.name)
    assert not report.passed
    assert report.artifact is None
    assert [check.passed for check in report.checks] == [False, True, True, True]
    assert report.training == ()
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.trivium"]


def test_the_json_report_has_the_keys_that_other_tools_read(backend, ported):
    report = json.loads(json.dumps(ported.to_json()))
    assert report["target"] == report["host"] == report["source"] == backend.name
    assert report["verdict"] == "same"
    assert 0 <= report["largest_difference"] <= 1e-5
    assert report["artifact"] == str(ported.artifact)


def test_an_unknown_target_is_refused(saved_runs):
    with pytest.raises(TriviumError, match=r"a port takes a run, a bundle or a file, received list: save a model by"):
        port([], "torch")
    with pytest.raises(PortError, match="unknown target 'theano'"):
        port(saved_runs["lstm"], "theano")


def test_a_missing_source_is_refused(tmp_path, backend):
    with pytest.raises(BundleError, match="no bundle at"):
        port(tmp_path, backend.name)


def test_a_bundle_whose_backend_is_not_installed_is_verified_on_its_recorded_outputs(saved_runs, backend, tmp_path):
    absent = next((b.name for b in catalog.BACKENDS if not b.installed), None)
    if absent is None:
        pytest.skip("every backend is installed here; the single-backend environments run this")
    run = bundles.load(saved_runs["lstm"]).run
    environment = {**run["environment"], "backend": absent}
    altered_bundle(saved_runs["lstm"], run={**run, "environment": environment}).save(tmp_path / "b.trivium")
    report = port(tmp_path / "b.trivium", backend.name)
    assert report.passed
    assert [(check.inputs, check.against) for check in report.checks] == [("recorded", absent)]


@pytest.mark.several_backends
@pytest.mark.parametrize("run", ["striding", pytest.param("lstm", marks=pytest.mark.slow)])
def test_every_other_backend_predicts_the_same(saved_runs, backend, tmp_path, run):
    for target in catalog.trainers():
        if target == backend:
            continue
        report = port(saved_runs[run], target.name, tmp_path / f"{target.name}.trivium")
        assert report.passed, report.to_json()
        bundle = bundles.load(report.artifact)
        assert bundle.run["environment"]["backend"] == target.name
        assert zipfile.is_zipfile(report.artifact)
