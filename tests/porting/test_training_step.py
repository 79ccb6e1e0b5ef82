"""A ported model trains on from its saved optimizer state as it would on its own backend."""

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.keras_model.model_bytes import keras_bytes
from trivium.engine.verification import parity, tolerances
from trivium.porting import training_step
from trivium.porting.port import port

HERE = __file__


@pytest.fixture
def elsewhere(backend):
    """Return the name of a backend other than this process'."""
    return next(other.name for other in catalog.trainers() if other != backend)


def twenty_losses(path, x, y, draws):
    """Return the losses of 20 more steps from the optimizer state in the bundle; runs in a worker of any backend."""
    from trivium.backends.same_run.portable_random import portable_draws
    from trivium.porting.training_step import rng_variables

    model = bundles.load(path).build()
    for variable, value in zip(rng_variables(model), draws, strict=True):
        variable.assign(value)
    losses = []
    with portable_draws():
        for _ in range(20):
            model.reset_metrics()
            losses.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
    return losses


@pytest.mark.slow
@pytest.mark.several_backends
def test_twenty_more_steps_have_the_losses_of_the_unported_model(saved_runs, backend, elsewhere, tmp_path):
    report = port(saved_runs["striding"], elsewhere, tmp_path / "there.trivium")
    assert report.passed, report.to_json()
    bundle = bundles.load(saved_runs["striding"])
    y = np.eye(10, dtype="float32")[np.arange(len(bundle.recorded_inputs)) % 10]
    draws = [np.array(v.numpy()) for v in training_step.rng_variables(bundle.model)]
    homes = {backend.name: saved_runs["striding"] / "bundle.trivium", elsewhere: report.artifact}
    losses = {
        name: worker.get(name).call(f"{HERE}:twenty_losses", str(path), bundle.recorded_inputs, y, draws)
        for name, path in homes.items()
    }
    assert losses[backend.name][-1] < losses[backend.name][0]
    np.testing.assert_allclose(losses[elsewhere], losses[backend.name], rtol=1e-4, atol=0)


def test_the_optimizer_state_is_compared_by_quantity(saved_runs, backend, shared_worker):
    path = str(saved_runs["lstm"] / "bundle.trivium")
    checks = {check.what: check for check in training_step.compare(path, backend.name, backend.name)}
    assert {*checks} == {
        *("loss", "gradients", "weights after one more step"),
        *(
            f"optimizer state after one more step: {kind}"
            for kind in ("iteration", "learning_rate", "momentum", "velocity")
        ),
    }
    assert all(check.passed and check.difference <= 1e-6 for check in checks.values())
    # Two epochs of four batches were trained before it was saved.
    assert checks["optimizer state after one more step: iteration"].values[0] > 2


def forget_moments(path, out):
    """Write the bundle with the optimizer's moments set to 0; runs in a worker of any backend."""
    from pathlib import Path

    bundle = bundles.load(path)
    for variable in bundle.model.optimizer.variables:
        if "momentum" in variable.path:
            variable.assign(np.zeros(variable.shape))
    fields = {name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}
    Bundle(**{**fields, "keras_file": keras_bytes(bundle.model)}).save(Path(out))


@pytest.mark.several_backends
def test_a_step_that_differs_in_float32_is_judged_in_float64(saved_runs, backend, elsewhere, monkeypatch):
    """Set the tolerance to 1e-8, which no step in float32 can meet."""
    monkeypatch.setattr(tolerances, "LIMITS", dict.fromkeys(tolerances.LIMITS, tolerances.Limit(1, 0)))
    monkeypatch.setitem(parity.TOLERANCES, "float32", 1e-8)
    path = str(saved_runs["striding"] / "bundle.trivium")
    checks = training_step.compare(path, backend.name, elsewhere)
    assert all(check.what.endswith(training_step.IN_FLOAT64) for check in checks)
    assert [check.what for check in checks if not check.passed] == []
    assert max(check.difference for check in checks) > 0


@pytest.mark.parametrize("in_float64", [False, True])
def test_lost_moments_of_the_optimizer_are_noticed(saved_runs, backend, shared_worker, tmp_path, in_float64):
    path, without = str(saved_runs["lstm"] / "bundle.trivium"), str(tmp_path / "without.trivium")
    shared_worker.call(f"{HERE}:forget_moments", path, without)
    options = {**shared_worker.call("trivium.porting.training_step:draw_batch", path), "in_float64": in_float64}
    assert shared_worker.call("trivium.porting.training_step:supports_float64", path)
    runs = {
        name: shared_worker.call("trivium.porting.training_step:take_step", file, **options, perturbed=perturbed)
        for name, file, perturbed in (("intact", path, False), ("perturbed", path, True), ("lost", without, False))
    }
    checks = {check.what: check.passed for check in training_step.compare_steps((backend.name,) * 2, *runs.values())}
    assert checks["gradients"]
    assert not checks["weights after one more step"]
    assert not checks["optimizer state after one more step: momentum"]


def test_a_model_without_a_loss_has_no_training_checks(backend, shared_worker, tmp_path):
    import keras

    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "net.keras")
    assert training_step.compare(str(tmp_path / "net.keras"), backend.name, backend.name) == ()
